"use strict";

// torch.optim.SGD and torch.optim.Adam with their defaults, but for Adam's first beta.
class SGD {
  constructor(rate) {
    this.rate = rate;
  }

  step(parameters, gradients) {
    parameters.forEach((values, i) => add(values, gradients[i], -this.rate));
  }
}

class Adam {
  constructor(rate, betas = [0, 0.9]) {
    [this.rate, this.betas, this.steps] = [rate, betas, 0];
  }

  step(parameters, gradients) {
    this.first ??= parameters.map((values) => new Float64Array(values.length));
    this.second ??= parameters.map((values) => new Float64Array(values.length));
    this.steps += 1;
    const [one, two] = this.betas;
    const [ofFirst, ofSecond] = [1 - one ** this.steps, 1 - two ** this.steps];
    parameters.forEach((values, i) => {
      const [first, second] = [this.first[i], this.second[i]];
      for (let j = 0; j < values.length; j += 1) {
        const gradient = gradients[i][j];
        first[j] = one * first[j] + (1 - one) * gradient;
        second[j] = two * second[j] + (1 - two) * gradient * gradient;
        const spread = Math.sqrt(second[j] / ofSecond) + 1e-8;
        values[j] -= ((this.rate * first[j]) / ofFirst) / spread;
      }
    });
  }
}
