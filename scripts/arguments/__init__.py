"""The arguments of the articles: each says what was predicted, what is measured, what holds.

A module of this package is an argument. It has ``PROFILES``, settings by name;
``experiments(settings)``, the jobs that measure, by key; and ``judge(results, settings)``, which
makes findings of what they returned and trains nothing. Or it has ``PARTS``, modules that have the
last two.
"""

ARGUMENTS = {
    "information": "information, entropy, cross-entropy and KL between probability vectors",
    "binary_entropy": "two outcomes: one bit at most, and the loss of two classes",
    "couplings": "earth being moved: W1 is the least cost of all joint laws",
    "segments": "two parallel segments: JS is stuck at log 2, W1 is |theta|",
    "lipschitz_js": "which part of a WGAN gives the gradient, and what W1's gradient is worth",
    "particle_flows": "particles that follow a divergence, and generators that follow particles",
    "optimal_discriminator": "a trained discriminator is p / (p + q), and what follows from it",
    "vanishing_gradient": "the better the discriminator, the smaller the generator's gradient",
    "log_d_alternative": "the -log D loss: a gradient that stays, at a price",
    "discriminator_vs_critic": "two Gaussians seen by a discriminator and by a critic",
    "wgan_in_practice": "does the critic's value track the distance, and is it one",
    "critic_accuracy": "which critics measure W1, on pairs whose W1 is known",
    "clipping": "what weight clipping does to a deep critic",
    "dirac": "a generator of one point: which games converge",
    "mode_collapse": "rings and grids: which game keeps all modes, and how often one fails",
    "minibatch_objectives": "generators without a critic: what a distance of minibatches does",
    "images": "digits: JS stays, W1 falls, and what the losses show of it",
    "fidelity_diversity": "precision, recall and their kin: fifteen toys whose answers are known",
    "estimators": "divergences from samples, and whether their error bars are right",
}
"""What each argument is about, by its name."""
