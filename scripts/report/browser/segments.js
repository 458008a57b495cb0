"use strict";

// Moves the segment at theta; draws the distances in closed form and beside them what was trained.
(() => {
  const section = document.getElementById("segments-section");
  const data = JSON.parse(document.getElementById("segments-data").textContent);
  const find = (name) => document.getElementById(name);
  const [slider, slopes, log] = [find("theta"), find("slope"), find("theta-log")];
  const STEPS = Number(slider.max);
  const FAR = 1.2;
  const LINEAR = linearAxis(-FAR, FAR, [-1, -0.5, 0, 0.5, 1]);
  const LOG = symmetricLogAxis(0.001, FAR, [-1, -0.1, -0.01, 0, 0.01, 0.1, 1]);
  const ARROW = 70; // pixels for a derivative of 1

  // Value and derivative of each distance between segments t apart; L bounds a slope.
  const EXACT = {
    kl: { value: (t) => (t === 0 ? 0 : Infinity), gradient: () => null },
    tv: { value: (t) => (t === 0 ? 0 : 1), gradient: (t) => (t === 0 ? null : 0) },
    js: { value: (t) => (t === 0 ? 0 : Math.LN2), gradient: (t) => (t === 0 ? null : 0) },
    limited: {
      value: (t, L) => -Math.log1p(Math.expm1((-L * Math.abs(t)) / 2) / 2),
      gradient: (t, L) =>
        t === 0 ? null : (Math.sign(t) * L) / 2 / (1 + Math.exp((L * Math.abs(t)) / 2)),
    },
    w1: { value: Math.abs, gradient: (t) => (t === 0 ? null : Math.sign(t)) },
  };
  const DRAWN = ["tv", "js", "limited", "w1"];

  const axis = () => (log.checked ? LOG : LINEAR);

  function theta() {
    const step = Number(slider.value);
    if (!log.checked) return step / STEPS;
    return step === 0 ? 0 : Number(LOG.inverse((step / STEPS + 1) / 2).toPrecision(3));
  }

  const slope = () => 2 ** (Number(slopes.value) / 4);

  // What was trained for slope L, if it was: an index into the data.
  function trainedAt(L) {
    return data.limited ? data.limited.slopes.findIndex((other) => Math.abs(other / L - 1) < 0.01) : -1;
  }

  // Thetas for lines: close together where the axis is, and none at 0, where curves jump.
  function places(side) {
    const end = axis() === LOG ? LOG.inverse : (place) => FAR * (2 * place - 1);
    return Array.from({ length: 160 }, (_, i) => side * end(0.5 + (0.5 * (i + 0.02)) / 159.02));
  }

  function curves(plot, kind, L) {
    for (const side of [-1, 1]) {
      const xs = places(side);
      for (const name of DRAWN) {
        if (name === "tv" && kind === "gradient") continue; // it lies on that of JS
        plot.line(xs, xs.map((t) => EXACT[name][kind](t, L)), `q-${name}`);
      }
      plot.line(xs, xs.map((t) => (4 / L) * EXACT.limited[kind](t, L)), "q-limited dashed");
    }
  }

  // Names beside the lines: of W1 on the left, of JS under a limited slope below its line.
  function names(plot, L) {
    const at = (name, t) => plot.atY(EXACT[name].value(t, L));
    plot.text(plot.right - 2, at("tv", 1) - 6, "TV", "end");
    plot.text(plot.right - 2, at("js", 1) - 6, "JS", "end");
    plot.text(plot.right - 2, at("limited", 1) + 16, "JS, slope ≤ L", "end");
    plot.text(plot.atX(-0.9) + 8, at("w1", 0.9) + 4, "W1", "start");
  }

  function points(plot, rows, of, L) {
    for (const [name, { values, stderr }] of Object.entries(rows)) {
      data.thetas.forEach((t, i) => plot.point(t, values[i], stderr[i], `q-${name}`));
    }
    const k = trainedAt(L);
    if (k < 0) return;
    data.limited.thetas.forEach((t, i) => {
      plot.point(t, data.limited[of][k][i], data.limited[`${of}_stderr`][k][i], "q-limited");
    });
  }

  // Both segments, and arrows as long as each distance's derivative, along which theta would go.
  function drawing(t, L) {
    const plot = new Plot(find("moved-segments"), axis(), linearAxis(0, 1, []), 150, "the segments");
    const [home, away] = [plot.atX(0), plot.atX(t)];
    plot.path(`M${home} ${plot.top}V${plot.bottom}`, "segment");
    plot.path(`M${away} ${plot.top}V${plot.bottom}`, "segment moving");
    [["w1", "W1", 0.95], ["limited", "JS", 0.62], ["js", "JS", 0.29]].forEach(([name, words, high]) => {
      const pull = -EXACT[name].gradient(t, L) * ARROW;
      for (const height of [high, high - 0.12, high - 0.24]) {
        const y = plot.atY(height);
        plot.draw("circle", { cx: away, cy: y, r: 3, class: `point q-${name}` });
        if (Math.abs(pull) < 1) continue;
        const head = Math.sign(pull) * Math.min(6, Math.abs(pull));
        plot.path(
          `M${away} ${y}h${pull}m${-head} ${-4}l${head} 4l${-head} 4`,
          `line q-${name}`,
        );
      }
      const side = t < 0 ? -1 : 1; // words on the side where no arrows are, if there is room
      const room = side > 0 ? plot.right - away : away - plot.left;
      const at = room > 40 ? away + 9 * side : away - (12 + ARROW) * side;
      const anchor = at > away ? "start" : "end";
      plot.text(at, plot.atY(high - 0.12) + 4, name === "limited" ? `${words} of slope ≤ L` : words, anchor);
    });
  }

  function show() {
    const [t, L] = [theta(), slope()];
    find("theta-now").textContent = number(t);
    find("slope-now").textContent = number(L);
    slider.setAttribute("aria-valuetext", "θ = " + number(t));
    slopes.setAttribute("aria-valuetext", "L = " + number(L));
    drawing(t, L);
    const values = new Plot(find("moved-values"), axis(), linearAxis(0, 1.2, [0, 0.5, 1]), 250, "distance");
    curves(values, "value", L);
    names(values, L);
    values.point(0, 0, 0, "q-js");
    points(values, data.measured, "js", L);
    const y = linearAxis(-1.3, 1.3, [-1, 0, 1]);
    const gradients = new Plot(find("moved-gradients"), axis(), y, 190, "derivative in θ");
    curves(gradients, "gradient", L);
    points(gradients, data.gradients, "gradient", L);
    for (const plot of [values, gradients]) plot.mark(t);
    readout(t, L);
  }

  function readout(t, L) {
    const near = data.thetas.reduce((best, other) =>
      Math.abs(axis().place(other) - axis().place(t)) < Math.abs(axis().place(best) - axis().place(t))
        ? other
        : best,
    );
    find("theta-near").textContent = number(near);
    for (const [name, { value, gradient }] of Object.entries(EXACT)) {
      section.querySelector(`[data-value="${name}"]`).textContent = number(value(t, L));
      section.querySelector(`[data-gradient="${name}"]`).textContent = number(gradient(t, L));
      section.querySelector(`[data-trained="${name}"]`).textContent = trained(name, near, L);
    }
  }

  function trained(name, near, L) {
    if (name === "limited") {
      const [k, i] = [trainedAt(L), data.limited ? data.limited.thetas.indexOf(Math.abs(near)) : -1];
      if (k < 0 || i < 0) return "–";
      return withError(data.limited.js[k][i], data.limited.js_stderr[k][i]);
    }
    const row = data.measured[name];
    const i = data.thetas.indexOf(near);
    return row ? withError(row.values[i], row.stderr[i]) : "–";
  }

  // To the second digit of the standard error.
  function withError(value, stderr) {
    if (!(stderr > 0)) return number(value);
    const digits = Math.min(7, Math.max(0, 1 - Math.floor(Math.log10(stderr))));
    return `${value.toFixed(digits)} ± ${stderr.toFixed(digits)}`.replaceAll("-", "−");
  }

  // The other axis keeps theta where it is.
  function switchAxis() {
    const t = log.checked ? Number(slider.value) / STEPS : LOG.inverse((slider.value / STEPS + 1) / 2);
    const place = log.checked ? 2 * LOG.place(t) - 1 : t;
    slider.value = Math.round(STEPS * Math.min(1, Math.max(-1, place)));
    show();
  }

  section.classList.add("live");
  for (const hidden of section.querySelectorAll(".control, .key")) hidden.hidden = false;
  section.querySelector("details.static").open = false;
  slider.addEventListener("input", show);
  slopes.addEventListener("input", show);
  log.addEventListener("change", switchAxis);
  new ResizeObserver(show).observe(section.querySelector(".panels"));
  show();
})();
