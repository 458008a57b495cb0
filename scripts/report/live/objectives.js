"use strict";

// What critic and generator minimise, as gans.objectives: the slopes of their losses in a score.
const softplus = (f) => Math.max(f, 0) + Math.log1p(Math.exp(-Math.abs(f)));
const sigmoid = (f) => 1 / (1 + Math.exp(-f));

const LOGISTIC = {
  real: (f) => -sigmoid(-f),
  fake: sigmoid,
  // A lower bound on JS, in nats.
  value: (real, fake) =>
    Math.LN2 - (mean(real.map((f) => softplus(-f))) + mean(fake.map(softplus))) / 2,
};

const OBJECTIVES = {
  saturating: { ...LOGISTIC, generator: (f) => -sigmoid(f) },
  nonSaturating: { ...LOGISTIC, generator: (f) => -sigmoid(-f) },
  wasserstein: {
    real: () => -1,
    fake: () => 1,
    generator: () => -1,
    value: (real, fake) => mean(real) - mean(fake),
  },
};
