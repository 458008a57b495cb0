"use strict";

// What there is to know of a game whatever its state, by objective and constraint.
const GAME_NOTES = {
  saturating: {
    none: "Nothing limits this discriminator's slope. Near its optimum it measures JS, which is flat between distributions that do not overlap: then nothing pulls. It pulls where the two overlap, and where it is far from its optimum.",
    clipping: "Clipped at .01 a discriminator is so flat that it measures next to nothing, and pulls as little.",
    penalty: "The objective is that of JS, but a penalty keeps the slope near 1 or below: the constraint gives the pull, not the objective.",
    spectral: "The objective is that of JS, but the slope is at most 1: the constraint gives the pull, not the objective.",
  },
  nonSaturating: {
    none: "This loss pulls the harder, the better the discriminator. At the optimum its gradient is that of KL(generated‖target) − 2 JS.",
    clipping: "Clipped at .01 a discriminator is so flat that it pulls next to nothing.",
    penalty: "A penalty keeps the slope near 1 or below, and so the pull.",
    spectral: "The slope is at most 1, and so is the pull.",
  },
  wasserstein: {
    clipping: "A clipped critic measures K times W1 for some K that nobody knows, here far below 1. It pulls as little.",
    penalty: "A penalty keeps the critic's slope near 1. Near its optimum it pulls with about 1, however far away the target is, and its value is near W1.",
    spectral: "The critic's slope is at most 1: its pull is, too, and its value tends to lie below W1.",
  },
};

// What can be seen of a game as it stands: only of what was measured.
function stateOf({ iteration, own, w1, js, pull, fake, extent: [left, right, bottom, top] }, chosen) {
  const said = [`Iteration ${iteration}: the pull is ${number(Number(pull.toPrecision(2)))}`];
  if (pull < 1e-3) said[0] += ", so that the points all but stand still";
  if (chosen.objective === "wasserstein") {
    if (w1 > 0.05) said.push(`the critic's value is ${Math.round((100 * own) / w1)} % of W1`);
  } else if (chosen.constraint === "none") {
    const gap = js - own;
    if (gap < 0.02) said.push("the discriminator's value is that of JS: it is close to its optimum");
    else said.push(`the discriminator's value is ${number(Number(gap.toPrecision(2)))} below JS: it is not at its optimum`);
  }
  if (chosen.game === "segments" && w1 <= 0.05) said.push("the segments all but coincide");
  const outside = (i) => fake[i] < left || fake[i] > right || fake[i + 1] < bottom || fake[i + 1] > top;
  let away = 0;
  for (let i = 0; i < fake.length; i += 2) away += outside(i) ? 1 : 0;
  if (away) said.push(`${away} of ${fake.length / 2} points lie outside the picture, and are hollow at its edge`);
  return `${said.join("; ")}.`;
}
