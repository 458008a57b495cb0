"use strict";

// Products of matrices that are stored row by row; each names the shapes that it expects. Four rows
// are taken at a time, so that each number is loaded once for four products.

// (n, k) times (k, m)
function product(a, b, n, k, m) {
  const made = new Float64Array(n * m);
  const whole = k - (k % 4);
  for (let i = 0; i < n; i += 1) {
    const [from, to] = [i * k, i * m];
    for (let l = 0; l < whole; l += 4) {
      const p = a[from + l];
      const q = a[from + l + 1];
      const r = a[from + l + 2];
      const s = a[from + l + 3];
      if (p === 0 && q === 0 && r === 0 && s === 0) continue;
      let at = l * m;
      for (let j = 0; j < m; j += 1, at += 1) {
        made[to + j] += p * b[at] + q * b[at + m] + r * b[at + 2 * m] + s * b[at + 3 * m];
      }
    }
    for (let l = whole; l < k; l += 1) {
      const factor = a[from + l];
      for (let j = 0; j < m; j += 1) made[to + j] += factor * b[l * m + j];
    }
  }
  return made;
}

// (n, m) times the transpose of (k, m)
function timesTransposed(a, b, n, k, m) {
  const made = new Float64Array(n * k);
  const whole = k - (k % 4);
  for (let i = 0; i < n; i += 1) {
    const from = i * m;
    for (let l = 0; l < whole; l += 4) {
      let [p, q, r, s] = [0, 0, 0, 0];
      let at = l * m;
      for (let j = 0; j < m; j += 1, at += 1) {
        const factor = a[from + j];
        p += factor * b[at];
        q += factor * b[at + m];
        r += factor * b[at + 2 * m];
        s += factor * b[at + 3 * m];
      }
      const to = i * k + l;
      made[to] = p;
      made[to + 1] = q;
      made[to + 2] = r;
      made[to + 3] = s;
    }
    for (let l = whole; l < k; l += 1) {
      let sum = 0;
      for (let j = 0; j < m; j += 1) sum += a[from + j] * b[l * m + j];
      made[i * k + l] = sum;
    }
  }
  return made;
}

// the transpose of (n, k) times (n, m)
function transposedTimes(a, b, n, k, m) {
  const made = new Float64Array(k * m);
  const whole = n - (n % 4);
  for (let i = 0; i < whole; i += 4) {
    for (let l = 0; l < k; l += 1) {
      const p = a[i * k + l];
      const q = a[(i + 1) * k + l];
      const r = a[(i + 2) * k + l];
      const s = a[(i + 3) * k + l];
      if (p === 0 && q === 0 && r === 0 && s === 0) continue;
      const to = l * m;
      let at = i * m;
      for (let j = 0; j < m; j += 1, at += 1) {
        made[to + j] += p * b[at] + q * b[at + m] + r * b[at + 2 * m] + s * b[at + 3 * m];
      }
    }
  }
  for (let i = whole; i < n; i += 1) {
    for (let l = 0; l < k; l += 1) {
      const factor = a[i * k + l];
      for (let j = 0; j < m; j += 1) made[l * m + j] += factor * b[i * m + j];
    }
  }
  return made;
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i] * b[i];
  return sum;
}

function mean(values) {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i];
  return sum / values.length;
}

// In place: a becomes a + factor b.
function add(a, b, factor = 1) {
  for (let i = 0; i < a.length; i += 1) a[i] += factor * b[i];
}
