"use strict";

// Axes, lines and points as SVG. What is not finite is left out, and breaks a line.

function linearAxis(low, high, ticks, label = number) {
  return { low, high, ticks, label, place: (value) => (value - low) / (high - low) };
}

// Symmetric logarithm: straight within the limit, and logarithmic beyond it, on both sides of 0.
function symmetricLogAxis(limit, high, ticks) {
  const bent = (value) => Math.sign(value) * Math.log10(1 + Math.abs(value) / limit);
  const inverse = (place) => {
    const far = (2 * place - 1) * bent(high);
    return Math.sign(far) * limit * (10 ** Math.abs(far) - 1);
  };
  const place = (value) => (bent(value) / bent(high) + 1) / 2;
  return { low: -high, high, ticks, label: number, place, inverse };
}

class Plot {
  static MARGIN = { left: 44, right: 12, top: 18, bottom: 20 };

  // Empties the drawing and draws the axes; as wide as the page lets it be.
  constructor(svg, x, y, height, title) {
    const width = Math.max(200, svg.clientWidth);
    Object.assign(this, { svg, x, y, width, height });
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    const { left, right, top, bottom } = Plot.MARGIN;
    [this.left, this.right, this.top, this.bottom] = [left, width - right, top, height - bottom];
    this.path(`M${left} ${top}V${this.bottom}H${this.right}`, "axis");
    for (const tick of y.ticks) {
      const at = this.atY(tick);
      this.path(`M${left - 4} ${at}H${left}`, "axis");
      this.text(left - 7, at + 4, y.label(tick), "end");
    }
    for (const tick of x.ticks) {
      const at = this.atX(tick);
      this.path(`M${at} ${this.bottom}V${this.bottom + 4}`, "axis");
      this.text(at, height - 4, x.label(tick), "middle");
    }
    this.text(left, 11, title, "start");
  }

  atX(value) {
    return this.left + (this.right - this.left) * this.x.place(value);
  }

  atY(value) {
    return this.bottom + (this.top - this.bottom) * this.y.place(value);
  }

  draw(name, attributes, text, parent = this.svg) {
    const made = document.createElementNS(this.svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  path(d, kind) {
    this.draw("path", { d, class: kind });
  }

  // An underscore and a letter are an index.
  text(x, y, words, anchor, kind = "") {
    const made = this.draw("text", { x, y, "text-anchor": anchor, class: kind });
    words.split(/_(.)/).forEach((part, i) => {
      if (part) this.draw("tspan", { dy: i === 0 ? 0 : i % 2 ? 3 : -3 }, part, made);
    });
  }

  seen(value) {
    return Number.isFinite(value) && value >= this.y.low && value <= this.y.high;
  }

  line(xs, ys, kind) {
    let [d, pen] = ["", "M"];
    xs.forEach((x, i) => {
      if (this.seen(ys[i])) d += `${pen}${this.atX(x).toFixed(2)} ${this.atY(ys[i]).toFixed(2)}`;
      pen = this.seen(ys[i]) ? "L" : "M";
    });
    this.path(d, `line ${kind}`);
  }

  // A point, with a bar of one standard error each way.
  point(x, y, stderr, kind) {
    if (!this.seen(y) || x < this.x.low || x > this.x.high) return;
    const [cx, cy] = [this.atX(x), this.atY(y)];
    const [low, high] = [y - stderr, y + stderr].map((end) => this.atY(end));
    if (stderr > 0) this.path(`M${cx} ${low}V${high}`, `bar ${kind}`);
    this.draw("circle", { cx, cy, r: 3.2, class: `point ${kind}` });
  }

  mark(x) {
    this.path(`M${this.atX(x)} ${this.top}V${this.bottom}`, "mark");
  }
}

// Four digits, as the rest of the page has them.
function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value < 0 ? "−∞" : "∞";
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-4 || size >= 1e5)
      ? value.toExponential(3).replace(/\.?0+e/, "e")
      : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}
