"use strict";

// Asks a worker for steps of a game and draws what comes back, one frame at a time.
(() => {
  const section = document.getElementById("live-section");
  const find = (name) => document.getElementById(`live-${name}`);
  const [form, play, note] = [find("settings"), find("play"), find("note")];
  const source = find("source").textContent;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const FRAME = 1000 / 30; // milliseconds: one iteration each
  const KEPT = 600; // iterations of the curves
  let worker = null;
  let [playing, asked, last, rate] = [false, 0, null, null];
  let [history, drawing] = [[], null];

  // What the form says; a Wasserstein critic is given a constraint, without which it has no best.
  function settings() {
    const said = Object.fromEntries(new FormData(form));
    const wasserstein = said.objective === "wasserstein";
    form.elements.constraint.options[0].disabled = wasserstein;
    if (wasserstein && said.constraint === "none") {
      said.constraint = form.elements.constraint.value = "penalty";
    }
    const numbers = ["nCritic", "warmup", "criticRate", "generatorRate", "seed"];
    return { ...said, ...Object.fromEntries(numbers.map((name) => [name, Number(said[name])])) };
  }

  // What there is to see; nothing is said of what depends on luck.
  function explain({ game, objective, constraint, warmup }) {
    const flat =
      "Near its optimum this discriminator measures JS, which is flat between parted laws: the pull is next to nothing. " +
      (game === "ring"
        ? "The ring's laws come to overlap, and then it pulls again."
        : "Nothing moves. One that was not trained alone first pulls, as it is far from its optimum.");
    const texts = {
      saturating: {
        none: warmup ? flat : "This discriminator starts far from its optimum, and pulls. Train it alone first, and the pull vanishes.",
        clipping: "A clipped discriminator is so flat that it measures next to nothing.",
        penalty: "The loss is that of JS, but the slope is limited to about 1: the constraint gives a pull.",
        spectral: "The loss is that of JS, but the slope is at most 1: the constraint gives a pull.",
      },
      nonSaturating: {
        none: "This loss pulls, the harder the better the discriminator, and in jumps. What it follows is KL less 2 JS.",
        clipping: "A clipped discriminator is so flat that it pulls weakly.",
        penalty: "With a limited slope the pull is moderate.",
        spectral: "With a limited slope the pull is moderate.",
      },
      wasserstein: {
        clipping: "A clipped critic measures K W1, with a K that is unknown, and here far below 1.",
        penalty: "The slope is about 1, and so is the pull, until the laws meet. The value is near W1.",
        spectral: "The slope is at most 1. The value is a lower bound on W1.",
      },
    };
    const more = game === "ring" ? " W1 between two samples is above 0 even for equal laws." : "";
    return texts[objective][constraint] + more;
  }

  function start() {
    worker?.terminate();
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    worker = new Worker(address);
    worker.onmessage = ({ data }) => receive(data);
    reset();
  }

  function reset() {
    history = [];
    rate = null;
    const chosen = settings();
    note.textContent = explain(chosen);
    section.dataset.game = chosen.game;
    ask({ reset: chosen });
  }

  function ask(message) {
    asked = performance.now();
    worker.postMessage(message);
  }

  // The next iteration is asked for before this one is drawn: worker and page work side by side.
  function receive(frame) {
    last = frame;
    const { iteration, own, w1, js, limited, pull } = frame;
    history.push({ iteration, own, w1, js, limited, pull });
    if (history.length > KEPT) history.shift();
    if (playing) {
      const wait = Math.max(0, FRAME - (performance.now() - asked));
      setTimeout(() => {
        if (!playing) return;
        const took = performance.now() - asked;
        rate = rate === null ? took : 0.95 * rate + 0.05 * took;
        ask({ advance: 1 });
      }, wait);
    }
    drawing ??= requestAnimationFrame(() => {
      drawing = null;
      draw();
    });
  }

  function draw() {
    if (last === null) return;
    find("now").textContent = last.iteration;
    find("rate").textContent = rate === null ? "–" : number(Math.round(1000 / rate));
    find("measures").textContent = last.measures === "JS" ? "JS" : "W1";
    for (const output of section.querySelectorAll("[data-live]")) {
      output.textContent = number(last[output.dataset.live]);
    }
    const canvas = find("picture");
    const [left, right, bottom, top] = last.extent;
    canvas.height = Math.round((canvas.width * (top - bottom)) / (right - left));
    const picture = new Picture(canvas, last.extent);
    const [low, high] = [Math.min(...last.surface), Math.max(...last.surface)];
    picture.surface(last.surface.map((f) => (f - low) / Math.max(high - low, 1e-12)), last.side);
    picture.target(last.real);
    picture.samples(last.fake);
    picture.arrows(last.lattice, last.vectors, Math.max(1e-3, Picture.strong(last.vectors)));
    curves();
  }

  function curves() {
    const iterations = history.map((frame) => frame.iteration);
    const x = linearAxis(iterations[0], Math.max(iterations.at(-1), iterations[0] + 20), [
      iterations[0],
      iterations.at(-1),
    ]);
    const most = Math.max(0.8, ...history.map((frame) => Math.max(frame.w1, frame.own)));
    const ticks = most > 2 ? [0, Math.floor(most)] : [0, 0.5, 1].filter((tick) => tick <= most);
    const values = new Plot(find("curves"), x, linearAxis(-0.25, most * 1.05, ticks), 190, "distances");
    const shown = last.limited === undefined ? ["w1", "js", "own"] : ["w1", "js", "limited", "own"];
    for (const name of shown) {
      values.line(iterations, history.map((frame) => frame[name]), `q-${name}`);
    }
    const powers = [-8, -4, 0];
    const y = linearAxis(-10, 2, powers);
    const pulls = new Plot(find("pulls"), x, y, 130, "pull, powers of ten");
    pulls.line(iterations, history.map((frame) => Math.log10(frame.pull)), "q-pull");
  }

  function setPlaying(now) {
    playing = now;
    play.textContent = playing ? "Pause" : "Play";
    if (playing) ask({ advance: 1 });
  }

  play.addEventListener("click", () => setPlaying(!playing));
  find("step").addEventListener("click", () => {
    setPlaying(false);
    ask({ advance: 1 });
  });
  find("reset").addEventListener("click", () => {
    setPlaying(false);
    start();
  });
  form.addEventListener("change", ({ target }) => {
    const ring = form.elements.game.value === "ring";
    if (target.name === "game") form.elements.generatorRate.value = ring ? "0.001" : "0.05";
    setPlaying(false);
    start();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  still.addEventListener("change", () => setPlaying(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(draw).observe(find("curves").parentElement);

  section.classList.add("live");
  for (const hidden of section.querySelectorAll(".control, .settings, .live-game, #live-note")) {
    hidden.hidden = false;
  }
  start();
})();
