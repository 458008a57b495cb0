r"""The optimal discriminator is p / (p + q), and its value a JS divergence: in theory, trained.

At D* = p / (p + q) the discriminator's objective is V(D*) = 2 JS(P, Q) - 2 log 2. What is
measured: that a trained discriminator becomes D* where there are points and that the identity
holds (optimum), and what is left when the points are a fixed sample: a discriminator that
separates two samples of one law (finite_sample), and a distance between them that is not zero
(sample_bias).

Sources: Goodfellow et al. (2014), Fournier & Guillin (2015), Arjovsky & Bottou (2017), Arora et
al. (2017).
"""

from dataclasses import dataclass

from scripts.arguments.optimal_discriminator import finite_sample, optimum, sample_bias
from scripts.lab.claims import Findings
from scripts.lab.jobs import CommonSettings, Job, Results


@dataclass(frozen=True)
class Settings(CommonSettings):
    """How long is trained, and on how many points.

    Attributes:
        steps: Training steps of the discriminators that are compared with D*.
        memory_steps: Training steps of those that see a fixed sample.
        sizes: Sizes of these samples, at least two, increasing.
        repeats: Independent pairs of samples behind each earth mover's distance.
    """

    steps: int = 1_000
    memory_steps: int = 1_000
    sizes: tuple[int, ...] = (32, 128, 512)
    repeats: int = 20


PROFILES = {
    "quick": Settings(),
    "paper": Settings(20_000, 1_000, (32, 64, 128, 256, 512, 1024, 2048, 4096), 100),
}


def experiments(settings: Settings) -> dict[str, Job]:
    seeds = settings.seeds
    return {
        **optimum.experiments(seeds, settings.steps),
        **finite_sample.experiments(seeds, settings.memory_steps, settings.sizes),
        **sample_bias.experiments(seeds, settings.repeats),
    }


def judge(results: Results, settings: Settings) -> Findings:
    """Claims ``d-star``, ``value-identity``, ``finite-data`` and ``sample-floor``."""
    return Findings.merged(
        [
            optimum.judge(results),
            finite_sample.judge(results, settings.memory_steps, settings.sizes),
            sample_bias.judge(results),
        ]
    )
