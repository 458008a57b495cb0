"use strict";

// Products of matrices that are stored row by row; each names the shapes that it expects.

// (n, k) times (k, m)
function product(a, b, n, k, m) {
  const made = new Float64Array(n * m);
  for (let i = 0; i < n; i += 1) {
    for (let l = 0; l < k; l += 1) {
      const factor = a[i * k + l];
      if (factor === 0) continue;
      for (let j = 0; j < m; j += 1) made[i * m + j] += factor * b[l * m + j];
    }
  }
  return made;
}

// (n, m) times the transpose of (k, m)
function timesTransposed(a, b, n, k, m) {
  const made = new Float64Array(n * k);
  for (let i = 0; i < n; i += 1) {
    for (let l = 0; l < k; l += 1) {
      let sum = 0;
      for (let j = 0; j < m; j += 1) sum += a[i * m + j] * b[l * m + j];
      made[i * k + l] = sum;
    }
  }
  return made;
}

// the transpose of (n, k) times (n, m)
function transposedTimes(a, b, n, k, m) {
  const made = new Float64Array(k * m);
  for (let i = 0; i < n; i += 1) {
    for (let l = 0; l < k; l += 1) {
      const factor = a[i * k + l];
      if (factor === 0) continue;
      for (let j = 0; j < m; j += 1) made[l * m + j] += factor * b[i * m + j];
    }
  }
  return made;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// In place: a becomes a + factor b.
function add(a, b, factor = 1) {
  for (let i = 0; i < a.length; i += 1) a[i] += factor * b[i];
}
