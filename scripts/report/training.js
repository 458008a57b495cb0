"use strict";

// Draws both games at the iteration of the slider; the numbers are cells of the table of curves.
(() => {
  const section = document.getElementById("training-section");
  const data = JSON.parse(document.getElementById("training-data").textContent);
  const slider = document.getElementById("iteration");
  const now = document.getElementById("iteration-now");
  const play = document.getElementById("play");
  const rows = document.getElementById("training-table").querySelectorAll("tbody tr");
  const panels = Array.from(section.querySelectorAll(".game"));
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const [left, right, bottom, top] = data.extent;
  const FRAME = 120; // milliseconds
  const ARROW = 0.09; // of the width, for a strong pull
  const longest = data.games.map((game) => strong(game.arrows.vectors));
  let timer = null;

  // The length that nine tenths of a game's arrows do not exceed.
  function strong(frames) {
    const lengths = [];
    for (const frame of frames) {
      for (let i = 0; i < frame.length; i += 2) {
        lengths.push(Math.hypot(frame[i], frame[i + 1]));
      }
    }
    lengths.sort((a, b) => a - b);
    return lengths[Math.floor(0.9 * lengths.length)] || lengths[lengths.length - 1] || 1;
  }

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    return {
      low: channels(of("--shade-low")),
      high: channels(of("--shade-high")),
      sample: of("--sample"),
      target: of("--target"),
      arrow: of("--text"),
    };
  }

  function channels(hex) {
    return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  }

  function draw(panel, step, colour) {
    const canvas = panel.querySelector("canvas");
    const index = Number(canvas.dataset.game);
    const game = data.games[index];
    const context = canvas.getContext("2d");
    const place = (x, y) => [
      ((x - left) / (right - left)) * canvas.width,
      ((top - y) / (top - bottom)) * canvas.height,
    ];
    context.imageSmoothingEnabled = true;
    context.drawImage(shaded(game.surface[step], colour), 0, 0, canvas.width, canvas.height);

    context.strokeStyle = colour.target;
    context.lineWidth = 1;
    context.globalAlpha = 0.75;
    for (const [x, y] of data.target) {
      circle(context, place(x, y), 3);
      context.stroke();
    }
    context.fillStyle = colour.sample;
    context.globalAlpha = 0.85;
    const samples = game.samples[step];
    for (let i = 0; i < samples.length; i += 2) {
      circle(context, place(samples[i], samples[i + 1]), 2.4);
      context.fill();
    }
    context.globalAlpha = 1;
    context.strokeStyle = colour.arrow;
    context.lineWidth = 1.3;
    const vectors = game.arrows.vectors[step];
    game.arrows.points.forEach(([x, y], i) => {
      const [dx, dy] = [vectors[2 * i], vectors[2 * i + 1]];
      const length = Math.hypot(dx, dy);
      circle(context, place(x, y), 0.9);
      context.stroke();
      if (length > 0) {
        const shown = Math.min(length / longest[index], 1.3) * ARROW * canvas.width;
        arrow(context, place(x, y), (dx / length) * shown, (-dy / length) * shown);
      }
    });
  }

  function circle(context, [x, y], radius) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }

  function arrow(context, [x, y], dx, dy) {
    const head = 0.3;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + dx, y + dy);
    context.moveTo(x + dx - head * (dx - dy * 0.6), y + dy - head * (dy + dx * 0.6));
    context.lineTo(x + dx, y + dy);
    context.lineTo(x + dx - head * (dx + dy * 0.6), y + dy - head * (dy - dx * 0.6));
    context.stroke();
  }

  // One pixel per cell of the surface; the rows of the data start at the bottom.
  function shaded(cells, colour) {
    const small = document.createElement("canvas");
    small.width = small.height = data.side;
    const context = small.getContext("2d");
    const image = context.createImageData(data.side, data.side);
    cells.forEach((value, i) => {
      const row = data.side - 1 - Math.floor(i / data.side);
      const at = 4 * (row * data.side + (i % data.side));
      for (let c = 0; c < 3; c += 1) {
        image.data[at + c] = colour.low[c] + ((colour.high[c] - colour.low[c]) * value) / 255;
      }
      image.data[at + 3] = 255;
    });
    context.putImageData(image, 0, 0);
    return small;
  }

  function show() {
    const step = Number(slider.value);
    const cells = rows[step].cells;
    now.textContent = cells[0].textContent;
    slider.setAttribute("aria-valuetext", "iteration " + cells[0].textContent);
    for (const output of section.querySelectorAll("output[data-column]")) {
      output.textContent = cells[Number(output.dataset.column)].textContent;
    }
    for (const mark of section.querySelectorAll(".chart .mark")) {
      const chart = mark.parentElement.dataset;
      const width = Number(chart.last) - Number(chart.first);
      const x = Number(chart.first) + (width * step) / Math.max(1, Number(chart.steps) - 1);
      mark.setAttribute("transform", `translate(${x} 0)`);
    }
    const colour = colours();
    panels.forEach((panel, index) => {
      for (const output of panel.querySelectorAll("output[data-shade]")) {
        output.textContent = data.games[index][output.dataset.shade][step];
      }
      draw(panel, step, colour);
    });
  }

  function advance() {
    slider.value = (Number(slider.value) + 1) % data.iterations.length;
    show();
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    label();
  }

  // Where motion is unwelcome nothing plays: the button goes one step on.
  function label() {
    play.textContent = still.matches ? "Next" : timer === null ? "Play" : "Pause";
  }

  play.addEventListener("click", () => {
    if (still.matches) {
      advance();
    } else if (timer === null) {
      timer = setInterval(advance, FRAME);
      label();
    } else {
      pause();
    }
  });
  slider.addEventListener("input", () => {
    pause();
    show();
  });
  still.addEventListener("change", pause);
  dark.addEventListener("change", show);

  section.classList.add("live");
  for (const hidden of section.querySelectorAll(".control, canvas, .shades")) {
    hidden.hidden = false;
  }
  label();
  show();
})();
