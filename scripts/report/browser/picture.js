"use strict";

// A game in the plane on a canvas: the critic's surface, target, generated points and arrows.
class Picture {
  static ARROW = 0.09; // of the width, for a strong pull

  constructor(canvas, [left, right, bottom, top]) {
    Object.assign(this, { canvas, left, right, bottom, top });
    this.context = canvas.getContext("2d");
    this.colour = Picture.colours();
  }

  static colours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    return {
      low: channels(of("--shade-low")),
      high: channels(of("--shade-high")),
      sample: of("--sample"),
      target: of("--text"),
      arrow: of("--text"),
    };
  }

  // The length that nine tenths of the vectors do not exceed.
  static strong(vectors) {
    const lengths = [];
    for (let i = 0; i < vectors.length; i += 2) lengths.push(Math.hypot(vectors[i], vectors[i + 1]));
    lengths.sort((a, b) => a - b);
    return lengths[Math.floor(0.9 * lengths.length)] || lengths.at(-1) || 1;
  }

  place(x, y) {
    return [
      ((x - this.left) / (this.right - this.left)) * this.canvas.width,
      ((this.top - y) / (this.top - this.bottom)) * this.canvas.height,
    ];
  }

  // Shades from 0 to 1, row by row from the bottom, one per cell.
  surface(shades, side) {
    const small = document.createElement("canvas");
    small.width = small.height = side;
    const context = small.getContext("2d");
    const image = context.createImageData(side, side);
    const { low, high } = this.colour;
    shades.forEach((shade, i) => {
      const at = 4 * ((side - 1 - Math.floor(i / side)) * side + (i % side));
      for (let c = 0; c < 3; c += 1) image.data[at + c] = low[c] + (high[c] - low[c]) * shade;
      image.data[at + 3] = 255;
    });
    context.putImageData(image, 0, 0);
    this.context.imageSmoothingEnabled = true;
    this.context.drawImage(small, 0, 0, this.canvas.width, this.canvas.height);
  }

  // Rings where the target is; points are pairs, one after another.
  target(points) {
    this.context.strokeStyle = this.colour.target;
    this.context.lineWidth = 1;
    this.context.globalAlpha = 0.6;
    for (let i = 0; i < points.length; i += 2) {
      this.circle(points[i], points[i + 1], 3);
      this.context.stroke();
    }
    this.context.globalAlpha = 1;
  }

  // Dots; those outside the window are hollow, where its edge is nearest to them.
  samples(points) {
    this.context.fillStyle = this.context.strokeStyle = this.colour.sample;
    this.context.lineWidth = 1.3;
    this.context.globalAlpha = 0.85;
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = [points[i], points[i + 1]];
      if (this.outside(x, y)) {
        const within = (value, low, high) => Math.min(high, Math.max(low, value));
        const [dx, dy] = [0.012 * (this.right - this.left), 0.012 * (this.top - this.bottom)];
        const edge = [within(x, this.left + dx, this.right - dx), within(y, this.bottom + dy, this.top - dy)];
        this.circle(...edge, 2.6);
        this.context.stroke();
      } else {
        this.circle(x, y, 2.6);
        this.context.fill();
      }
    }
    this.context.globalAlpha = 1;
  }

  outside(x, y) {
    return !(x >= this.left && x <= this.right && y >= this.bottom && y <= this.top);
  }

  // Vectors from the points; one as long as `strong` takes a fixed share of the width.
  arrows(points, vectors, strong, colour = this.colour.arrow, width = 1.3) {
    this.context.strokeStyle = colour;
    this.context.lineWidth = width;
    for (let i = 0; i < vectors.length; i += 2) {
      const length = Math.hypot(vectors[i], vectors[i + 1]);
      this.circle(points[i], points[i + 1], 0.9);
      this.context.stroke();
      if (!(length > 0)) continue;
      const shown = (Math.min(length / strong, 1.3) * Picture.ARROW * this.canvas.width) / length;
      this.arrow(this.place(points[i], points[i + 1]), vectors[i] * shown, -vectors[i + 1] * shown);
    }
  }

  circle(x, y, radius) {
    this.context.beginPath();
    this.context.arc(...this.place(x, y), radius, 0, 2 * Math.PI);
  }

  arrow([x, y], dx, dy) {
    const head = 0.3;
    const { context } = this;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + dx, y + dy);
    context.moveTo(x + dx - head * (dx - dy * 0.6), y + dy - head * (dy + dx * 0.6));
    context.lineTo(x + dx, y + dy);
    context.lineTo(x + dx - head * (dx + dy * 0.6), y + dy - head * (dy - dx * 0.6));
    context.stroke();
  }
}
