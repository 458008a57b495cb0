"""The solvers for W1 that are compared, each with the settings of its full protocol."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch.optim import Adam

import divergences as dv
from divergences.learned.base import Learned
from divergences.networks.gradient_penalty import SlopePenalty
from scripts.lab.w1.batch_transport import (
    BatchTransport,
    ComparedTransforms,
    CTransform,
    EntropicPairPenalty,
    PairPenalty,
)
from scripts.lab.w1.maximin import Maximin, ReversedMaximin

ADAM: Any = partial(Adam, lr=2e-4, betas=(0.0, 0.9), fused=True)


def _protocol(dimension: int, **options: Any) -> dict[str, Any]:
    """Network, batch and optimizer of the published protocol."""
    width = max(2 * dimension, 128)
    return {"hidden": (width, width), "batch": 1024, "optimizer": ADAM} | options


def _anchored(dimension: int, steps: int) -> dv.AnchoredCritic:
    """Cones on points of P: sharp where a point may lie at a tip, soft where none will."""
    if dimension <= 16:
        return dv.AnchoredCritic(
            steps=steps, anchors=256, candidates=4096 if dimension < 4 else 8192, sweeps=2
        )
    return dv.AnchoredCritic(
        steps=steps, anchors=1024, candidates=16384, sweeps=0, softness=dimension / 200
    )


@dataclass(frozen=True)
class Solver:
    """A way to W1.

    Attributes:
        steps: Of the full protocol.
        make: From the dimension and the number of steps to the estimator.
        seen: What it is, in a few words.
        least: Steps below which it is never cut, for those that find nothing in fewer.
    """

    steps: int
    make: Callable[[int, int], Learned]
    seen: str
    least: int = 1

    def cut(self, share: float) -> int:
        """Steps of a share of the full protocol."""
        return max(self.least, round(share * self.steps))

    def penalty_weight(self) -> float | None:
        """Of the slope penalty that the value is read under, if there is one."""
        learned = self.make(2, self.least)
        constraint = learned.constraint if isinstance(learned, dv.Critic) else None
        return constraint.weight if isinstance(constraint, SlopePenalty) else None


def _critic(constraint: Any, **options: Any) -> Callable[[int, int], Learned]:
    return lambda d, steps: dv.Critic(
        constraint=constraint, steps=steps, **_protocol(d, **options)
    )


SORTED: dict[str, Any] = {
    "constraint": dv.Orthogonal(iterations=4),
    "activation": dv.FullSort,
    "optimizer": partial(dv.Muon, lr=0.05),
    "cooldown": 1.0,
}
"""How an orthonormal critic that sorts whole layers is trained."""


def released(steps: int, **options: Any) -> dv.Critic:
    """Sorted for five eighths of the steps; then a one-sided penalty, slopes free to rise."""
    bound = max(1, round(steps * 5 / 8))
    first = dv.Critic(**SORTED | options, steps=bound)
    loose = {"constraint": dv.LipschitzPenalty(), "optimizer": partial(dv.Muon, lr=0.01)}
    return dv.Critic(**SORTED | options | loose, steps=max(1, steps - bound), first=first)


def _released(dimension: int, steps: int) -> dv.Critic:
    faster = {"batch": 4096, "optimizer": partial(dv.Muon, lr=0.1)}
    return released(steps, **_protocol(dimension, **faster))


SOLVERS: dict[str, Solver] = {
    "clip": Solver(5_000, _critic(dv.WeightClipping(0.04)), "weights clipped at .04"),
    "GP": Solver(60_000, _critic(dv.GradientPenalty()), "two-sided penalty, weight 10"),
    "LP": Solver(60_000, _critic(dv.LipschitzPenalty()), "one-sided penalty, weight 10"),
    "spectral": Solver(10_000, _critic(dv.SpectralNorm()), "spectral normalisation, ReLU"),
    "orthogonal": Solver(
        25_000,
        _critic(
            dv.Orthogonal(), activation=dv.MaxMin, optimizer=partial(Adam, lr=1e-3, fused=True)
        ),
        "orthonormal layers, MaxMin",
    ),
    "sorted": Solver(
        20_000, _critic(**SORTED), "orthonormal layers, all units sorted, Muon", least=200
    ),
    "released": Solver(
        4_000, _released, "sorted, then let go: one-sided penalty, weight 10", least=400
    ),
    "LP averaged": Solver(
        60_000, _critic(dv.LipschitzPenalty(), ema=0.999), "LP, moving average of the critic"
    ),
    "LP waves": Solver(
        60_000, _critic(dv.LipschitzPenalty(), fourier=(0.5, 1.0)), "LP, Fourier features"
    ),
    "pair penalty": Solver(10_000, _critic(PairPenalty()), "quadratic large-scale dual"),
    "entropic penalty": Solver(
        10_000, _critic(EntropicPairPenalty()), "entropic large-scale dual"
    ),
    "MM": Solver(
        20_000, lambda d, steps: Maximin(steps=steps, **_protocol(d)), "max-min, mover from P"
    ),
    "MM reversed": Solver(
        20_000,
        lambda d, steps: ReversedMaximin(steps=steps, **_protocol(d)),
        "max-min, mover from Q",
    ),
    "c-transform": Solver(
        25_000,
        lambda d, steps: CTransform(steps=steps, **_protocol(d, batch=256)),
        "max-min within the minibatch (MM:B)",
    ),
    "c-transforms compared": Solver(
        25_000,
        lambda d, steps: ComparedTransforms(steps=steps, **_protocol(d, batch=256)),
        "plain dual, or a c-transform where that is less (MM:Bv2)",
    ),
    "batch transport": Solver(
        5_000,
        lambda d, steps: BatchTransport(steps=steps, **_protocol(d, batch=256)),
        "regression on exact potentials of minibatches",
    ),
    "anchored": Solver(
        500,
        lambda d, steps: _anchored(d, steps),
        "cones on sample points, heights trained",
        least=500,
    ),
}
