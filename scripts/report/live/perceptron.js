"use strict";

// A multilayer perceptron with ReLU, as divergences.MLP with one member: points x become x W + b.
// `used` are the weights that the layers apply; a constraint may put others than `weights` there.
class Perceptron {
  constructor(widths, random) {
    this.widths = widths;
    this.weights = [];
    this.biases = [];
    for (let i = 0; i + 1 < widths.length; i += 1) {
      const bound = 1 / Math.sqrt(widths[i]);
      const start = (count) => random.uniforms(count).map((u) => bound * (2 * u - 1));
      this.weights.push(start(widths[i] * widths[i + 1]));
      this.biases.push(start(widths[i + 1]));
    }
    this.used = this.weights;
  }

  get parameters() {
    return [...this.weights, ...this.biases];
  }

  // What each layer puts out, the points first; the last entry is the result.
  forward(points) {
    const n = points.length / this.widths[0];
    const outputs = [points];
    this.used.forEach((weight, i) => {
      const [k, m] = [this.widths[i], this.widths[i + 1]];
      const made = product(outputs[i], weight, n, k, m);
      const last = i + 1 === this.used.length;
      const bias = this.biases[i];
      for (let j = 0; j < made.length; ) {
        for (let unit = 0; unit < m; unit += 1, j += 1) {
          const value = made[j] + bias[unit];
          made[j] = last || value > 0 ? value : 0;
        }
      }
      outputs.push(made);
    });
    return outputs;
  }

  // Gradients of a loss in weights, biases and points, from its gradient in the last output.
  backward(outputs, gradient) {
    const n = outputs[0].length / this.widths[0];
    const weights = [];
    const biases = [];
    for (let i = this.used.length - 1; i >= 0; i -= 1) {
      const [k, m] = [this.widths[i], this.widths[i + 1]];
      weights.unshift(transposedTimes(outputs[i], gradient, n, k, m));
      const ofBias = new Float64Array(m);
      for (let j = 0; j < gradient.length; ) {
        for (let unit = 0; unit < m; unit += 1, j += 1) ofBias[unit] += gradient[j];
      }
      biases.unshift(ofBias);
      gradient = timesTransposed(gradient, this.used[i], n, k, m);
      if (i > 0) switchOff(gradient, outputs[i]);
    }
    return { weights, biases, points: gradient };
  }

  // The gradient of the one output in each point, and what its own derivative takes.
  slopes(points) {
    const n = points.length / this.widths[0];
    const outputs = this.forward(points);
    const passed = [];
    let gradient = new Float64Array(n).fill(1);
    for (let i = this.used.length - 1; i >= 0; i -= 1) {
      passed.unshift(gradient);
      gradient = timesTransposed(gradient, this.used[i], n, this.widths[i], this.widths[i + 1]);
      if (i > 0) switchOff(gradient, outputs[i]);
    }
    return { outputs, passed, gradient };
  }

  // Gradients in the weights of a loss of the slopes, from its gradient in the slopes.
  // (The biases only say where the network bends, which has derivative 0 almost everywhere.)
  throughSlopes({ outputs, passed }, gradient) {
    const n = outputs[0].length / this.widths[0];
    return this.used.map((weight, i) => {
      const [k, m] = [this.widths[i], this.widths[i + 1]];
      const ofWeight = transposedTimes(gradient, passed[i], n, k, m);
      gradient = product(gradient, weight, n, k, m);
      if (i + 1 < this.used.length) switchOff(gradient, outputs[i + 1]);
      return ofWeight;
    });
  }
}

// A gradient on the near side of a rectifier: nothing where it put out nothing.
function switchOff(gradient, output) {
  for (let j = 0; j < gradient.length; j += 1) if (output[j] <= 0) gradient[j] = 0;
}
