"use strict";

// Distances between two samples of as many points of the plane.

// From each point of x to each of y, row by row.
function distances(x, y) {
  const n = x.length / 2;
  const made = new Float64Array(n * n);
  for (let i = 0, at = 0; i < n; i += 1) {
    for (let j = 0; j < n; j += 1, at += 1) {
      const [dx, dy] = [x[2 * i] - y[2 * j], x[2 * i + 1] - y[2 * j + 1]];
      made[at] = Math.sqrt(dx * dx + dy * dy);
    }
  }
  return made;
}

// W1: the mean length of the cheapest matching, by shortest augmenting paths (Jonker & Volgenant).
function transportCost(x, y) {
  const n = x.length / 2;
  const costs = distances(x, y);
  const potential = new Float64Array(n + 1); // of the rows
  const price = new Float64Array(n + 1); // of the columns, 0 being a column of nobody
  const matched = new Int32Array(n + 1); // row of each column, counted from 1
  const before = new Int32Array(n + 1);
  for (let row = 1; row <= n; row += 1) {
    const least = new Float64Array(n + 1).fill(Infinity);
    const done = new Uint8Array(n + 1);
    let column = 0;
    matched[0] = row;
    while (matched[column] !== 0) {
      done[column] = 1;
      const from = matched[column];
      let step = Infinity;
      let next = 0;
      for (let j = 1; j <= n; j += 1) {
        if (done[j]) continue;
        const cost = costs[(from - 1) * n + j - 1] - potential[from] - price[j];
        if (cost < least[j]) [least[j], before[j]] = [cost, column];
        if (least[j] < step) [step, next] = [least[j], j];
      }
      for (let j = 0; j <= n; j += 1) {
        if (done[j]) {
          potential[matched[j]] += step;
          price[j] -= step;
        } else {
          least[j] -= step;
        }
      }
      column = next;
    }
    while (column !== 0) {
      matched[column] = matched[before[column]];
      column = before[column];
    }
  }
  let total = 0;
  for (let j = 1; j <= n; j += 1) total += costs[(matched[j] - 1) * n + j - 1];
  return total / n;
}

// JS in nats as the information in a point's label, from nearest neighbours (Ross 2014, eq. 2).
function neighboursJS(x, y, k = 3) {
  const n = x.length / 2;
  let total = 0;
  for (const [own, other] of [[x, y], [y, x]]) {
    const [among, across] = [distances(own, own), distances(own, other)];
    for (let i = 0; i < n; i += 1) {
      const row = (all) => all.subarray(i * n, (i + 1) * n);
      const radius = row(among).slice().sort()[k]; // the first is the point itself
      let inside = k;
      for (const away of row(across)) if (away < radius) inside += 1;
      total += digamma(2 * n) - digamma(n) + digamma(k) - digamma(inside);
    }
  }
  return total / (2 * n);
}

// Of a whole number: -gamma + 1 + 1/2 + ... + 1/(n - 1).
function digamma(n) {
  while (HARMONIC.length < n) HARMONIC.push(HARMONIC.at(-1) + 1 / HARMONIC.length);
  return HARMONIC[n - 1] - 0.57721566490153286;
}
const HARMONIC = [0];
