"use strict";

// What is learned, and the generator that learns it. Points are pairs, stored one after another.

// g(z) = (theta, z) against the segment at 0: every divergence is known at every step.
class Segments {
  constructor() {
    this.theta = Float64Array.of(1);
    this.extent = [-1.6, 1.6, -0.3, 1.3];
    this.measureEvery = 1;
    this.Optimizer = SGD; // Adam divides a gradient by its size, and would hide that it vanishes
  }

  get parameters() {
    return [this.theta];
  }

  real(n, random) {
    return this.at(0, random.uniforms(n));
  }

  noise(n, random) {
    return random.uniforms(n);
  }

  forward(noise) {
    return this.at(this.theta[0], noise);
  }

  at(x, heights) {
    const points = new Float64Array(2 * heights.length);
    for (let i = 0; i < heights.length; i += 1) {
      points[2 * i] = x;
      points[2 * i + 1] = heights[i];
    }
    return points;
  }

  // Gradients in the parameters from the loss's gradient in the points.
  backward(noise, ofPoints) {
    let sum = 0;
    for (let j = 0; j < ofPoints.length; j += 2) sum += ofPoints[j];
    return [Float64Array.of(sum)];
  }

  distances() {
    const theta = this.theta[0];
    const limited = -Math.log1p(Math.expm1(-Math.abs(theta) / 2) / 2); // JS under slope 1
    return { w1: Math.abs(theta), js: theta === 0 ? 0 : Math.LN2, limited };
  }
}

// Eight normal modes on the unit circle, gans.Ring(scale=0.05), and a perceptron on normal noise.
class Ring {
  static SCALE = 0.05;
  static MODES = 8;

  constructor(random) {
    this.network = new Perceptron([2, 32, 32, 2], random);
    this.extent = [-1.6, 1.6, -1.6, 1.6];
    this.measureEvery = 5; // iterations
    this.Optimizer = Adam;
  }

  get parameters() {
    return this.network.parameters;
  }

  real(n, random) {
    const points = random.normals(2 * n);
    for (let i = 0; i < n; i += 1) {
      const angle = (2 * Math.PI * Math.floor(Ring.MODES * random.uniform())) / Ring.MODES;
      points[2 * i] = Ring.SCALE * points[2 * i] + Math.cos(angle);
      points[2 * i + 1] = Ring.SCALE * points[2 * i + 1] + Math.sin(angle);
    }
    return points;
  }

  noise(n, random) {
    return random.normals(2 * n);
  }

  forward(noise) {
    return this.network.forward(noise).at(-1);
  }

  backward(noise, ofPoints) {
    const { weights, biases } = this.network.backward(this.network.forward(noise), ofPoints);
    return [...weights, ...biases];
  }

  // Between samples: transport is exact for them, JS is an estimate.
  distances(real, fake) {
    return { w1: transportCost(real, fake), js: neighboursJS(real, fake) };
  }
}

const GAMES = { segments: Segments, ring: Ring };
