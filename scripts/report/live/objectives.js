"use strict";

// What critic and generator minimise, as gans.objectives: losses of a score, and their slopes.
const softplus = (f) => Math.max(f, 0) + Math.log1p(Math.exp(-Math.abs(f)));
const sigmoid = (f) => 1 / (1 + Math.exp(-f));

const LOGISTIC = {
  real: { loss: (f) => softplus(-f), slope: (f) => -sigmoid(-f) },
  fake: { loss: softplus, slope: sigmoid },
  // A lower bound on JS, in nats.
  value: (real, fake) =>
    Math.LN2 - (mean(real.map((f) => softplus(-f))) + mean(fake.map(softplus))) / 2,
  measures: "JS",
};

const OBJECTIVES = {
  saturating: {
    ...LOGISTIC,
    generator: { loss: (f) => -softplus(f), slope: (f) => -sigmoid(f) },
  },
  nonSaturating: {
    ...LOGISTIC,
    generator: { loss: (f) => softplus(-f), slope: (f) => -sigmoid(-f) },
  },
  wasserstein: {
    real: { loss: (f) => -f, slope: () => -1 },
    fake: { loss: (f) => f, slope: () => 1 },
    generator: { loss: (f) => -f, slope: () => -1 },
    value: (real, fake) => mean(real) - mean(fake),
    measures: "W1",
  },
};
