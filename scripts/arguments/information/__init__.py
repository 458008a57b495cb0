r"""Information, entropy, cross-entropy and KL: what the loss of a classifier measures.

The information of an event is -log of its probability; entropy is its mean, cross-entropy its mean
when measured with another law's probabilities, and KL the difference of the two. What is measured:
that these have the properties the articles give them, and how far each is from a distance
(vectors), that the losses of PyTorch are these numbers and no others (losses), and what it matters
to training which of them is used (training).

Sources: articles A1 to A3 and the first half of A4; Shannon (1948), Kullback & Leibler (1951),
Lin (1991), Endres & Schindelin (2003), Szegedy et al. (2015), Hinton et al. (2015).
"""

from __future__ import annotations

from dataclasses import dataclass

from scripts.arguments.information import figures, losses, training, vectors
from scripts.findings import Findings
from scripts.lab import Lab


@dataclass(frozen=True)
class Settings:
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


def run(lab: Lab, settings: Settings) -> Findings:
    """Claims ``info-properties`` to ``asymmetry``: A1 to A3, and A4 as far as vectors go."""
    seeds = range(lab.seeds)
    searched = lab.submit(3, vectors.triangles, seeds, settings.triples)
    trained = lab.submit(3, training.training, seeds, settings.steps)
    paired = lab.submit(1, vectors.pairs, seeds, settings.pairs)
    distilled = lab.submit(1, training.distil, seeds)
    bridge, runs, triples = losses.bridge(), trained.result(), searched.result()
    return Findings(
        claims=[
            vectors.properties_claim(lab.seeds, settings.pairs),
            vectors.gibbs_claim(paired.result(), lab.seeds),
            losses.by_hand_claim(bridge),
            losses.composition_claim(),
            losses.options_claim(lab.seeds),
            losses.smoothing_claim(lab.seeds),
            vectors.example_claim(),
            training.ce_is_kl_claim(runs),
            training.distillation_claim(distilled.result(), lab.seeds),
            vectors.asymmetry_claim(triples, lab.seeds),
        ],
        figures={
            "information_measures": figures.measures(),
            "information_losses": figures.losses(bridge, runs),
            "information_asymmetry": figures.asymmetry(triples),
        },
    )
