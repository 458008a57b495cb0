"use strict";

// What keeps a critic Lipschitz: the hooks of divergences.networks.constraint.Constraint.
class Unconstrained {
  // Once, before training.
  start() {}

  // Before each pass through the network in training: which weights the layers use.
  prepare(network) {
    network.used = network.weights;
  }

  // The same to be looked at, which leaves training as it is.
  settle(network) {
    this.prepare(network);
  }

  // Adds to the gradients what is asked beyond the objective.
  penalise() {}

  // Gradients in the weights from gradients in the weights that were used.
  chain(network, gradients) {
    return gradients;
  }

  // After each step.
  project() {}
}

class WeightClipping extends Unconstrained {
  constructor(c = 0.01) {
    super();
    this.c = c;
  }

  project(network) {
    for (const values of network.parameters) {
      for (let i = 0; i < values.length; i += 1) {
        values[i] = Math.min(this.c, Math.max(-this.c, values[i]));
      }
    }
  }
}

// lambda E max(0, |grad f| - 1)^2 on points between pairs of real and generated ones.
class LipschitzPenalty extends Unconstrained {
  constructor(weight = 10) {
    super();
    this.weight = weight;
  }

  penalise(network, real, fake, epsilon, gradients) {
    const n = epsilon.length;
    const d = real.length / n;
    const between = new Float64Array(n * d);
    for (let i = 0, j = 0; i < n; i += 1) {
      for (const end = j + d; j < end; j += 1) {
        between[j] = epsilon[i] * real[j] + (1 - epsilon[i]) * fake[j];
      }
    }
    const trace = network.slopes(between);
    const ofSlopes = new Float64Array(n * d);
    for (let i = 0; i < n; i += 1) {
      let square = 0;
      for (let j = i * d; j < (i + 1) * d; j += 1) square += trace.gradient[j] ** 2;
      const norm = Math.sqrt(square);
      const excess = Math.max(0, norm - 1);
      const share = excess > 0 ? (2 * this.weight * excess) / (norm * n) : 0;
      for (let j = i * d; j < (i + 1) * d; j += 1) ofSlopes[j] = share * trace.gradient[j];
    }
    network.throughSlopes(trace, ofSlopes).forEach((more, i) => add(gradients.weights[i], more));
  }
}

// Every weight matrix divided by its largest singular value, from power iteration.
class SpectralNorm extends Unconstrained {
  static STEPS = 2; // before each pass: torch's layer asks for its weight twice

  start(network) {
    this.left = network.weights.map((_, i) => new Float64Array(network.widths[i]).fill(1));
    this.prepare(network, 100);
  }

  // Power iteration from the left vectors that are kept; stops early where nothing changes any more.
  prepare(network, steps = SpectralNorm.STEPS) {
    this.right = [];
    this.norms = [];
    network.used = network.weights.map((weight, i) => {
      const [k, m] = [network.widths[i], network.widths[i + 1]];
      let [left, right, change] = [this.left[i], null, Infinity];
      for (let step = 0; step < steps && change > 1e-24; step += 1) {
        const before = left;
        right = normalised(product(left, weight, 1, k, m));
        left = normalised(timesTransposed(right, weight, 1, k, m));
        change = 0;
        for (let j = 0; j < k; j += 1) change += (left[j] - before[j]) ** 2;
      }
      [this.left[i], this.right[i]] = [left, right];
      this.norms[i] = dot(product(left, weight, 1, k, m), right) || 1;
      const used = new Float64Array(weight.length);
      for (let j = 0; j < used.length; j += 1) used[j] = weight[j] / this.norms[i];
      return used;
    });
  }

  settle(network) {
    const left = [...this.left];
    this.prepare(network, 500);
    this.left = left;
  }

  chain(network, gradients) {
    return gradients.map((gradient, i) => {
      const [k, m] = [network.widths[i], network.widths[i + 1]];
      const inner = dot(gradient, network.used[i]);
      const made = new Float64Array(gradient.length);
      for (let l = 0, at = 0; l < k; l += 1) {
        for (let j = 0; j < m; j += 1, at += 1) {
          made[at] = (gradient[at] - inner * this.left[i][l] * this.right[i][j]) / this.norms[i];
        }
      }
      return made;
    });
  }
}

function normalised(vector) {
  const norm = Math.max(Math.sqrt(dot(vector, vector)), 1e-12);
  for (let i = 0; i < vector.length; i += 1) vector[i] /= norm;
  return vector;
}

const CONSTRAINTS = {
  none: Unconstrained,
  clipping: WeightClipping,
  penalty: LipschitzPenalty,
  spectral: SpectralNorm,
};
