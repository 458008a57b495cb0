"use strict";

// What keeps a critic Lipschitz: the hooks of divergences.networks.lipschitz.Constraint.
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

  // Adds to the gradients what is asked beyond the objective; returns its loss.
  penalise() {
    return 0;
  }

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
      values.forEach((value, i) => {
        values[i] = Math.min(this.c, Math.max(-this.c, value));
      });
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
    const share = (j) => epsilon[Math.floor(j / d)];
    const between = real.map((value, j) => share(j) * value + (1 - share(j)) * fake[j]);
    const trace = network.slopes(between);
    const ofSlopes = new Float64Array(n * d);
    let loss = 0;
    for (let i = 0; i < n; i += 1) {
      const slope = trace.gradient.subarray(i * d, (i + 1) * d);
      const norm = Math.hypot(...slope);
      const excess = Math.max(0, norm - 1);
      loss += (this.weight * excess * excess) / n;
      if (excess > 0) {
        slope.forEach((value, j) => {
          ofSlopes[i * d + j] = (2 * this.weight * excess * value) / (norm * n);
        });
      }
    }
    network.throughSlopes(trace, ofSlopes).forEach((more, i) => add(gradients.weights[i], more));
    return loss;
  }
}

// Every weight matrix divided by its largest singular value, from power iteration.
class SpectralNorm extends Unconstrained {
  static STEPS = 2; // before each pass: torch's layer asks for its weight twice

  start(network) {
    this.left = network.weights.map((weight, i) => {
      let left = new Float64Array(network.widths[i]).fill(1);
      for (let step = 0; step < 100; step += 1) left = this.iterated(network, weight, i, left).left;
      return left;
    });
  }

  iterated(network, weight, i, left) {
    const [k, m] = [network.widths[i], network.widths[i + 1]];
    const right = normalised(product(left, weight, 1, k, m));
    return { right, left: normalised(timesTransposed(right, weight, 1, k, m)) };
  }

  prepare(network, steps = SpectralNorm.STEPS) {
    this.right = [];
    this.norms = [];
    network.used = network.weights.map((weight, i) => {
      const [k, m] = [network.widths[i], network.widths[i + 1]];
      for (let step = 0; step < steps; step += 1) {
        const found = this.iterated(network, weight, i, this.left[i]);
        [this.left[i], this.right[i]] = [found.left, found.right];
      }
      const along = product(this.left[i], weight, 1, k, m);
      this.norms[i] = along.reduce((sum, value, j) => sum + value * this.right[i][j], 0) || 1;
      return weight.map((value) => value / this.norms[i]);
    });
  }

  settle(network) {
    const left = [...this.left];
    this.prepare(network, 500);
    this.left = left;
  }

  chain(network, gradients) {
    return gradients.map((gradient, i) => {
      const m = network.widths[i + 1];
      const used = network.used[i];
      const inner = gradient.reduce((sum, value, j) => sum + value * used[j], 0);
      return gradient.map((value, j) => {
        const ofNorm = this.left[i][Math.floor(j / m)] * this.right[i][j % m];
        return (value - inner * ofNorm) / this.norms[i];
      });
    });
  }
}

function normalised(vector) {
  const norm = Math.max(Math.hypot(...vector), 1e-12);
  return vector.map((value) => value / norm);
}

const CONSTRAINTS = {
  none: Unconstrained,
  clipping: WeightClipping,
  penalty: LipschitzPenalty,
  spectral: SpectralNorm,
};
