"use strict";

// Moves the segment at theta; draws the distances in closed form and beside them what was trained.
(() => {
  const section = document.getElementById("segments-section");
  const data = JSON.parse(document.getElementById("segments-data").textContent);
  const find = (name) => document.getElementById(name);
  const [slider, slopes, log] = [find("theta"), find("slope"), find("theta-log")];
  const sameHeight = find("same-height");
  const STEPS = Number(slider.max);
  const FAR = 1.2;
  const LINEAR = linearAxis(-FAR, FAR, [-1, -0.5, 0, 0.5, 1]);
  const LOG = symmetricLogAxis(0.001, FAR, [-1, -0.1, -0.01, 0, 0.01, 0.1, 1]);
  const ARROW = 60; // pixels for a derivative of 1

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
  const NAMES = { tv: "TV", js: "JS", limited: "JS_L", w1: "W_1" };

  let theta = 0;
  const axis = () => (log.checked ? LOG : LINEAR);
  const slope = () => 2 ** (Number(slopes.value) / 4);

  // What a curve is divided by: all meet at theta = 1, so that their shapes can be compared.
  const scale = (name, L) => (sameHeight.checked ? EXACT[name].value(1, L) : 1);

  // The slider's place of a theta; and the theta of its place, or the one next to it that was trained.
  const stepOf = (t) => (log.checked ? 2 * LOG.place(t) - 1 : t) * STEPS;

  function thetaOf(step) {
    const away = (t) => Math.abs(stepOf(t) - step);
    const near = data.thetas.reduce((best, t) => (away(t) < away(best) ? t : best));
    if (away(near) < 0.5) return near;
    return log.checked ? Number(LOG.inverse((step / STEPS + 1) / 2).toPrecision(3)) : step / STEPS;
  }

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
      for (const name of Object.keys(NAMES)) {
        if (name === "tv" && (sameHeight.checked || kind === "gradient")) continue; // it lies on JS
        plot.line(xs, xs.map((t) => EXACT[name][kind](t, L) / scale(name, L)), `q-${name}`);
      }
    }
  }

  // Names beside the lines, where no other line goes at any L.
  function names(plot, L) {
    const at = (name, t) => plot.atY(EXACT[name].value(t, L) / scale(name, L));
    const js = sameHeight.checked ? "JS and TV" : "JS";
    plot.text(plot.atX(-0.5), at("js", 1) - 6, js, "middle");
    if (!sameHeight.checked) plot.text(plot.atX(-0.5), at("tv", 1) - 6, "TV", "middle");
    plot.text(plot.atX(0.95) + 5, at("w1", 0.95) + 14, NAMES.w1, "start");
    const [t, low] = sameHeight.checked ? [-0.3, at("limited", 0.3)] : [-0.98, at("limited", 0.98)];
    const free = low > plot.atY(0.15) ? -6 : 16; // above a line that is all but 0
    const right = sameHeight.checked && low > plot.atY(0.8);
    plot.text(plot.atX(t) + (right ? 7 : 0), low + (right ? 0 : free), NAMES.limited, "start");
    plot.text(plot.right, 11, "KL: ∞, off the scale ↑", "end");
  }

  function points(plot, rows, of, L) {
    for (const [name, { values, stderr }] of Object.entries(rows)) {
      const unit = scale(name, L);
      data.thetas.forEach((t, i) => plot.point(t, values[i] / unit, stderr[i] / unit, `q-${name}`));
    }
    const k = trainedAt(L);
    if (k < 0) return;
    const unit = scale("limited", L);
    const [values, errors] = [data.limited[of][k], data.limited[`${of}_stderr`][k]];
    data.limited.thetas.forEach((t, i) => plot.point(t, values[i] / unit, errors[i] / unit, "q-limited"));
  }

  // Both segments, and arrows as long as each distance's derivative, along which theta would go.
  function drawing(t, L) {
    const plot = new Plot(find("moved-segments"), axis(), linearAxis(0, 1, []), 150, "");
    const [home, away, side] = [plot.atX(0), plot.atX(t), t < 0 ? -1 : 1];
    plot.path(`M${home} ${plot.top}V${plot.bottom}`, "segment");
    plot.path(`M${away} ${plot.top}V${plot.bottom}`, "segment moving");
    plot.text(home - 5 * side, 12, "P_0", side > 0 ? "end" : "start");
    plot.text(away + 5 * side, 12, "P_θ", side > 0 ? "start" : "end");
    const [from, to] = t < 0 ? [plot.right - ARROW, plot.right] : [plot.left + ARROW, plot.left];
    plot.path(arrow(from, 9, to - from), "line scale");
    plot.text(Math.max(from, to) + (t < 0 ? -ARROW - 6 : 6), 13, "slope 1", t < 0 ? "end" : "start");
    [["w1", 0.95], ["limited", 0.62], ["js", 0.29]].forEach(([name, high]) => {
      plot.text(plot.left - 7, plot.atY(high - 0.12) + 4, NAMES[name], "end");
      const pull = (-EXACT[name].gradient(t, L) / scale(name, L)) * ARROW;
      const room = pull < 0 ? plot.left - away : plot.right - away;
      for (const height of [high, high - 0.12, high - 0.24]) {
        const y = plot.atY(height);
        plot.draw("circle", { cx: away, cy: y, r: 3, class: `point q-${name}` });
        if (Math.abs(pull) < 1) continue;
        const inside = Math.abs(pull) < Math.abs(room);
        plot.path(inside ? arrow(away, y, pull) : `M${away} ${y}h${room}`, `line q-${name}`);
      }
    });
  }

  function arrow(x, y, long) {
    const head = Math.sign(long) * Math.min(6, Math.abs(long));
    return `M${x} ${y}h${long}m${-head} ${-4}l${head} 4l${-head} 4`;
  }

  function show() {
    const [t, L] = [theta, slope()];
    find("theta-now").textContent = number(t);
    find("slope-now").textContent = number(L);
    find("steepest").textContent = number(L / 4);
    find("weak").hidden = !sameHeight.checked;
    find("bent").hidden = !log.checked;
    slider.setAttribute("aria-valuetext", "θ = " + number(t));
    slopes.setAttribute("aria-valuetext", "L = " + number(L));
    drawing(t, L);
    const [title, most] = sameHeight.checked ? [" / its value at θ = 1", 2.2] : ["", 1.3];
    const y = linearAxis(0, 1.2, [0, 0.5, 1]);
    const values = new Plot(find("moved-values"), axis(), y, 250, `distance${title}`);
    curves(values, "value", L);
    names(values, L);
    values.point(0, 0, 0, "q-js");
    points(values, data.measured, "js", L);
    const z = linearAxis(-most, most, [-1, 0, 1]);
    const gradients = new Plot(find("moved-gradients"), axis(), z, 190, `derivative in θ${title}`);
    curves(gradients, "gradient", L);
    points(gradients, data.gradients, "gradient", L);
    for (const plot of [values, gradients]) {
      plot.mark(t);
      plot.text(plot.right, plot.bottom - 5, "θ", "end");
    }
    readout(t, L);
  }

  function readout(t, L) {
    for (const [name, { value, gradient }] of Object.entries(EXACT)) {
      section.querySelector(`[data-value="${name}"]`).textContent = number(value(t, L));
      section.querySelector(`[data-gradient="${name}"]`).textContent = number(gradient(t, L));
      section.querySelector(`[data-trained="${name}"]`).textContent = trained(name, t, L);
    }
  }

  // Of networks trained at this theta; none elsewhere.
  function trained(name, t, L) {
    const k = name === "limited" ? trainedAt(L) : 0;
    const rows = name === "limited" ? data.limited : data;
    const i = rows && k >= 0 ? rows.thetas.indexOf(t) : -1;
    if (i < 0 || (rows === data && !data.measured[name])) return "–";
    if (rows === data) return withError(data.measured[name].values[i], data.measured[name].stderr[i]);
    return withError(rows.js[k][i], rows.js_stderr[k][i]);
  }

  // To the second digit of the standard error.
  function withError(value, stderr) {
    if (!(stderr > 0)) return number(value);
    const digits = Math.min(7, Math.max(0, 1 - Math.floor(Math.log10(stderr))));
    return `${value.toFixed(digits)} ± ${stderr.toFixed(digits)}`.replaceAll("-", "−");
  }

  function move() {
    theta = thetaOf(Number(slider.value));
    show();
  }

  // The other axis leaves theta where it is; the slider goes to its place there.
  function switchAxis() {
    slider.value = Math.round(stepOf(theta));
    show();
  }

  section.classList.add("live");
  section.querySelector(".control").hidden = false;
  section.querySelector("details.static").open = false;
  slider.addEventListener("input", move);
  slopes.addEventListener("input", show);
  sameHeight.addEventListener("change", show);
  log.addEventListener("change", switchAxis);
  new ResizeObserver(show).observe(section.querySelector(".panels"));
  move();
})();
