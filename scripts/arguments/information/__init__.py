r"""Information, entropy, cross-entropy and KL: what the loss of a classifier measures.

The information of an event is -log of its probability; entropy is its mean, cross-entropy its mean
when measured with another law's probabilities, and KL the difference of the two. What is measured:
that these have the properties the articles give them, and how far each is from a distance
(probability_vectors), that the losses of PyTorch are these numbers and no others
(classifier_losses), and what it matters to training which of them is used (distillation).

Sources: articles A1 to A3 and the first half of A4; Shannon (1948), Kullback & Leibler (1951),
Lin (1991), Endres & Schindelin (2003), Szegedy et al. (2015), Hinton et al. (2015).
"""

from dataclasses import dataclass

from scripts.arguments.information import (
    classifier_losses,
    distillation,
    plots,
    probability_vectors,
)
from scripts.lab.claims import Findings
from scripts.lab.jobs import CommonSettings, Job, Results


@dataclass(frozen=True)
class Settings(CommonSettings):
    """How much is searched, and how long is trained.

    Attributes:
        pairs: Random pairs of probability vectors per seed and number of outcomes.
        triples: Random triples per seed and number of outcomes, for the triangle inequality.
        steps: Training steps of the classifier whose two losses are compared.
    """

    pairs: int = 2_000
    triples: int = 10_000
    steps: int = 100


PROFILES = {"quick": Settings(), "paper": Settings(pairs=100_000, triples=500_000, steps=2_000)}


def experiments(settings: Settings) -> dict[str, Job]:
    seeds = range(settings.seeds)
    return {
        "triples": Job(3, probability_vectors.detours, seeds, settings.triples),
        "training": Job(3, distillation.training, seeds, settings.steps),
        "pairs": Job(1, probability_vectors.pairs, seeds, settings.pairs),
        "distillation": Job(1, distillation.distil, seeds),
    }


def judge(results: Results, settings: Settings) -> Findings:
    """Claims ``info-properties`` to ``asymmetry``: A1 to A3, and A4 as far as vectors go."""
    seeds, runs, triples = settings.seeds, results["training"], results["triples"]
    bridge = classifier_losses.bridge()
    return Findings(
        claims=[
            probability_vectors.properties_claim(seeds, settings.pairs),
            probability_vectors.gibbs_claim(results["pairs"], seeds),
            classifier_losses.by_hand_claim(bridge),
            classifier_losses.composition_claim(),
            classifier_losses.options_claim(seeds),
            classifier_losses.smoothing_claim(seeds),
            probability_vectors.example_claim(),
            distillation.ce_is_kl_claim(runs),
            distillation.distillation_claim(results["distillation"], seeds),
            probability_vectors.asymmetry_claim(triples, seeds),
        ],
        figures={
            "information_measures": plots.measures(),
            "information_losses": plots.losses(bridge, runs),
            "information_asymmetry": plots.asymmetry(triples),
        },
    )
