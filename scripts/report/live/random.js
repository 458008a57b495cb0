"use strict";

// Uniform and normal numbers from a seed (mulberry32, Box-Muller): the same seed, the same game.
class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  uniform() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  normal() {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  uniforms(count) {
    const made = new Float64Array(count);
    for (let i = 0; i < count; i += 1) made[i] = this.uniform();
    return made;
  }

  normals(count) {
    const made = new Float64Array(count);
    for (let i = 0; i < count; i += 1) made[i] = this.normal();
    return made;
  }
}
