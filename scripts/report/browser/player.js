"use strict";

// Draws two of the games at the iteration of the slider; numbers are cells of the table of curves.
(() => {
  const section = document.getElementById("training-section");
  const data = JSON.parse(document.getElementById("training-data").textContent);
  const find = (name) => document.getElementById(name);
  const [slider, play, speed, compared] = ["iteration", "play", "speed", "compared"].map(find);
  const rows = find("training-table").querySelectorAll("tbody tr");
  const panels = Array.from(section.querySelectorAll(".game"));
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const target = data.target.flat();
  const games = data.games.map((game) => ({
    ...game,
    points: game.arrows.points.flat(),
    strong: Picture.strong(game.arrows.vectors.flat()),
  }));
  const last = Number(slider.max);
  let timer = null;

  const chosen = () => ["left", "right"].map((side) => Number(compared.elements[side].value));

  function draw(index, step) {
    const game = games[index];
    const picture = new Picture(panels[index].querySelector("canvas"), data.extent);
    const shades = Array.from(game.surface[step], (letter) => data.shades.indexOf(letter) / 63);
    picture.surface(shades, data.side);
    picture.target(target);
    picture.samples(game.samples[step]);
    picture.arrows(game.points, game.arrows.vectors[step], game.strong);
    for (const output of panels[index].querySelectorAll("output[data-shade]")) {
      output.textContent = game[output.dataset.shade][step];
    }
  }

  function show() {
    const step = Number(slider.value);
    const cells = rows[step].cells;
    find("iteration-now").textContent = cells[0].textContent;
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
    const sides = chosen();
    panels.forEach((panel, index) => {
      panel.hidden = !sides.includes(index);
      panel.style.order = sides.indexOf(index);
      if (!panel.hidden) draw(index, step);
    });
  }

  function forward() {
    slider.value = Math.min(last, Number(slider.value) + 1);
    show();
    if (Number(slider.value) === last) pause();
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    label();
  }

  function run() {
    clearInterval(timer);
    timer = setInterval(forward, 1000 / Number(speed.value));
    label();
  }

  // Where motion is unwelcome nothing plays: the button goes one step on.
  function label() {
    play.textContent = still.matches ? "Next" : timer === null ? "Play" : "Pause";
  }

  play.addEventListener("click", () => {
    if (timer !== null) return pause();
    if (Number(slider.value) === last) {
      slider.value = 0;
      show();
      if (still.matches) return;
    }
    if (still.matches) forward();
    else run();
  });
  speed.addEventListener("change", () => {
    if (timer !== null) run();
  });
  slider.addEventListener("input", () => {
    pause();
    show();
  });
  // A game that is on the other side already changes places with the one that was here.
  let before = null;
  compared.addEventListener("change", ({ target: { name } }) => {
    const sides = chosen();
    const other = name === "left" ? 1 : 0;
    if (sides[0] === sides[1] && games.length > 1) {
      compared.elements[other ? "right" : "left"].value = before[1 - other];
    }
    before = chosen();
    show();
  });
  still.addEventListener("change", pause);
  dark.addEventListener("change", show);

  section.classList.add("live");
  for (const hidden of section.querySelectorAll(".control, .settings, canvas, .shades")) {
    hidden.hidden = false;
  }
  compared.elements.right.value = Math.min(1, games.length - 1);
  before = chosen();
  label();
  show();
})();
