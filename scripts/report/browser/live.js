"use strict";

// Asks a worker for steps of a game and draws what comes back.
(() => {
  const section = document.getElementById("live-section");
  const find = (name) => document.getElementById(`live-${name}`);
  const [form, play, busy] = [find("settings"), find("play"), find("busy")];
  const fields = form.elements;
  const source = find("source").textContent;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const STEPS = 2; // iterations between two pictures
  const FRAME = 50; // milliseconds between two pictures, at least
  const KEPT = 400; // pictures that the curves go back
  let worker = null;
  let [playing, waiting, asked, rate, last] = [false, false, 0, null, null];
  let [history, drawing] = [[], null];

  const wasserstein = () => fields.objective.value === "wasserstein";

  // What the form says. Without a constraint a critic's score has no bound: that choice is not given.
  function settings() {
    const none = fields.constraint.querySelector("[value=none]");
    none.disabled = wasserstein();
    if (wasserstein() && fields.constraint.value === "none") fields.constraint.value = "penalty";
    const names = ["game", "objective", "constraint"];
    const numbers = ["nCritic", "warmup", "criticRate", "generatorRate", "seed"];
    return Object.fromEntries([
      ...names.map((name) => [name, fields[name].value]),
      ...numbers.map((name) => [name, Number(fields[name].value)]),
    ]);
  }

  function start() {
    worker?.terminate();
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    worker = new Worker(address);
    worker.onmessage = ({ data }) => (data.frame ? receive(data.frame) : wait(data.alone));
    worker.onerror = (error) => say(error.message);
    const chosen = settings();
    const network = wasserstein() ? "critic" : "discriminator";
    for (const named of section.querySelectorAll(".network")) named.textContent = network;
    find("measures").textContent = wasserstein() ? "W1" : "JS";
    find("note").textContent = GAME_NOTES[chosen.objective][chosen.constraint];
    section.dataset.game = chosen.game;
    empty();
    wait(0);
    ask({ reset: chosen });
  }

  // Nothing of the old game is left to be taken for the new one.
  function empty() {
    [last, rate, history] = [null, null, []];
    const canvas = find("picture");
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    for (const plot of section.querySelectorAll(".plot")) plot.replaceChildren();
    for (const output of section.querySelectorAll("output")) output.textContent = "–";
    find("state").textContent = "";
  }

  function wait(done) {
    const [of, network] = [Number(fields.warmup.value), wasserstein() ? "critic" : "discriminator"];
    say(of ? `Training the ${network} alone: step ${done} of ${of} …` : "Starting …");
  }

  function say(words) {
    busy.textContent = words;
    busy.hidden = words === "";
  }

  function ask(message) {
    [asked, waiting] = [performance.now(), true];
    worker.postMessage(message);
  }

  const advance = (steps) => {
    if (last !== null && !waiting) ask({ advance: steps });
  };

  // The next iterations are asked for before these are drawn: worker and page work side by side.
  function receive(frame) {
    const took = (performance.now() - asked) / STEPS;
    if (last !== null && playing) rate = rate === null ? took : 0.9 * rate + 0.1 * took;
    [last, waiting] = [frame, false];
    say("");
    const { iteration, own, w1, js, limited, pull } = frame;
    history.push({ iteration, own, w1, js, limited, pull });
    if (history.length > KEPT) history.shift();
    if (playing) setTimeout(() => playing && advance(STEPS), FRAME - (performance.now() - asked));
    redraw();
  }

  function redraw() {
    drawing ??= requestAnimationFrame(() => {
      drawing = null;
      draw();
    });
  }

  function draw() {
    if (last === null) return;
    find("now").textContent = last.iteration;
    const perSecond = 1000 / Math.max(rate, FRAME / STEPS);
    find("rate").textContent = rate === null ? "–" : number(Math.round(perSecond));
    for (const output of section.querySelectorAll("[data-live]")) {
      output.textContent = number(last[output.dataset.live]);
    }
    const canvas = find("picture");
    const [left, right, bottom, top] = last.extent;
    canvas.height = Math.round((canvas.width * (top - bottom)) / (right - left));
    const picture = new Picture(canvas, last.extent);
    const [low, high] = [Math.min(...last.surface), Math.max(...last.surface)];
    picture.surface(last.surface.map((f) => (f - low) / Math.max(high - low, 1e-12)), last.side);
    const strong = Math.max(1, Picture.strong(last.vectors)); // weak pulls look weak
    find("scale").textContent = number(Number(strong.toPrecision(2)));
    picture.arrows(last.lattice, last.vectors, strong);
    picture.target(last.real);
    picture.samples(last.fake);
    picture.arrows(last.fake, last.moves, strong, picture.colour.sample, 2.4);
    if (history.length % 10 === 1 || !playing) find("state").textContent = stateOf(last, settings());
    curves();
  }

  function curves() {
    const iterations = history.map((frame) => frame.iteration);
    const [first, now] = [iterations[0], iterations.at(-1)];
    const x = linearAxis(first, Math.max(now, first + 20), [...new Set([first, now])]);
    const shown = ["own", "w1", "js", ...(last.limited === undefined ? [] : ["limited"])];
    const all = history.flatMap((frame) => shown.map((name) => frame[name])).filter(Number.isFinite);
    const [least, most] = [Math.min(0, ...all), Math.max(0.8, ...all)];
    const room = 0.05 * (most - least);
    const ticks = most > 2 ? [0, Math.floor(most)] : [0, 0.5, 1].filter((tick) => tick <= most);
    if (least < -0.2 * most) ticks.push(Math.ceil(least));
    const y = linearAxis(least - room, most + room, ticks);
    const values = new Plot(find("curves"), x, y, 190, "distances over iterations");
    for (const name of shown) {
      const line = history.map((frame) => frame[name]);
      values.line(iterations, line, `q-${name}${name === "own" ? " under" : ""}`);
    }
    const powers = linearAxis(-10, 2, [-8, -4, 0], (power) => number(10 ** power));
    const pulls = new Plot(find("pulls"), x, powers, 130, "pull, log scale");
    const logs = history.map(({ pull }) => Math.min(2, Math.max(-10, Math.log10(pull))));
    pulls.line(iterations, logs, "q-pull");
  }

  function setPlaying(now) {
    playing = now;
    play.textContent = playing ? "Pause" : "Play";
    if (playing) advance(STEPS);
  }

  play.addEventListener("click", () => setPlaying(!playing));
  find("step").addEventListener("click", () => {
    setPlaying(false);
    advance(1);
  });
  find("reset").addEventListener("click", () => {
    setPlaying(false);
    start();
  });
  form.addEventListener("change", ({ target: { name } }) => {
    const ring = fields.game.value === "ring";
    if (name === "game") fields.generatorRate.value = ring ? "0.001" : "0.01";
    if (name === "objective") fields.constraint.value = wasserstein() ? "penalty" : "none";
    start();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  still.addEventListener("change", () => setPlaying(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new ResizeObserver(redraw).observe(find("curves").parentElement);

  section.classList.add("live");
  for (const hidden of section.querySelectorAll(".control, .settings, .live-game, #live-note")) {
    hidden.hidden = false;
  }
  start();
})();
