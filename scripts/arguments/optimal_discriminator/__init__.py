r"""The optimal discriminator is p / (p + q), and its value a JS divergence: in theory, trained.

At D* = p / (p + q) the discriminator's objective is V(D*) = 2 JS(P, Q) - 2 log 2. What is
measured: that a trained discriminator becomes D* where there are points and that the identity
holds (optimum), and what is left when the points are a fixed sample: a discriminator that
separates two samples of one law (finite_sample), and a distance between them that is not zero
(sample_bias).

Sources: Goodfellow et al. (2014), Fournier & Guillin (2015), Arjovsky & Bottou (2017), Arora et
al. (2017).
"""

from scripts.arguments.optimal_discriminator import finite_sample, optimum, sample_bias
from scripts.arguments.optimal_discriminator.finite_sample import Settings

PROFILES = {
    "quick": Settings(),
    "paper": Settings(20_000, 1_000, (32, 64, 128, 256, 512, 1024, 2048, 4096), 100),
}
PARTS = (optimum, finite_sample, sample_bias)
