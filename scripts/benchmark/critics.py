"""Critics on pairs whose W1 is known: one solver on one pair at a time.

The metrics are those of the published benchmark, taken on fresh points of the moved side: mean
cosine and squared distance (L2) between the critic's gradient and the potential's, and the
deviation of its value. Beside them stands what a user without the truth can see: the slope, and
the value divided by it.
"""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from torch.optim import Adam

from divergences import (
    Critic,
    EarthMover,
    FullSort,
    GradientPenalty,
    HeldOutDual,
    LipschitzPenalty,
    MaxMin,
    Muon,
    Orthogonal,
    SpectralNorm,
    Streams,
    WeightClipping,
)
from divergences.anchored import AnchoredCritic
from divergences.batches import (
    BatchTransport,
    ComparedTransforms,
    CTransform,
    EntropicPairPenalty,
    PairPenalty,
)
from divergences.learned import Fit, Learned
from divergences.lipschitz import input_gradient, lipschitz_audit
from divergences.maximin import Maximin, ReversedMaximin
from gans.targets import Funnels, Moved
from scripts.findings import standard_error

HELD_OUT = 4096  # fresh points that the metrics are taken on, as published
TRANSPORT_POINTS = 1024  # points per side of exact transport

ADAM: Any = partial(Adam, lr=2e-4, betas=(0.0, 0.9), fused=True)


def _protocol(dimension: int, **options: Any) -> dict[str, Any]:
    """Network, batch and optimizer of the published protocol."""
    width = max(2 * dimension, 128)
    return {"hidden": (width, width), "batch": 1024, "optimizer": ADAM} | options


def _anchored(dimension: int, steps: int) -> AnchoredCritic:
    """Cones on points of P: sharp where a point may lie at a tip, soft where none will."""
    if dimension <= 16:
        return AnchoredCritic(
            steps=steps, anchors=256, candidates=4096 if dimension < 4 else 8192, sweeps=2
        )
    return AnchoredCritic(
        steps=steps, anchors=1024, candidates=16384, sweeps=0, softness=dimension / 200
    )


@dataclass(frozen=True)
class Solver:
    """A way to W1.

    Attributes:
        steps: Of the full protocol.
        make: From the dimension and the number of steps to the estimator.
        seen: What it is, in a few words.
    """

    steps: int
    make: Callable[[int, int], Learned]
    seen: str


def _critic(constraint: Any, **options: Any) -> Callable[[int, int], Learned]:
    return lambda d, steps: Critic(constraint=constraint, steps=steps, **_protocol(d, **options))


SORTED: dict[str, Any] = {
    "constraint": Orthogonal(iterations=4),
    "activation": FullSort,
    "optimizer": partial(Muon, lr=0.05),
    "cooldown": 1.0,
}
"""How an orthonormal critic that sorts whole layers is trained."""


def released(steps: int, **options: Any) -> Critic:
    """Sorted for five eighths of the steps; then a one-sided penalty, slopes free to rise."""
    bound = max(1, round(steps * 5 / 8))
    first = Critic(**SORTED | options, steps=bound)
    loose = {"constraint": LipschitzPenalty(), "optimizer": partial(Muon, lr=0.01)}
    return Critic(**SORTED | options | loose, steps=max(1, steps - bound), first=first)


def _released(dimension: int, steps: int) -> Critic:
    faster = {"batch": 4096, "optimizer": partial(Muon, lr=0.1)}
    return released(steps, **_protocol(dimension, **faster))


SOLVERS: dict[str, Solver] = {
    "clip": Solver(5_000, _critic(WeightClipping(0.04)), "weights clipped at .04"),
    "GP": Solver(60_000, _critic(GradientPenalty()), "two-sided penalty, weight 10"),
    "LP": Solver(60_000, _critic(LipschitzPenalty()), "one-sided penalty, weight 10"),
    "spectral": Solver(10_000, _critic(SpectralNorm()), "spectral normalisation, ReLU"),
    "orthogonal": Solver(
        25_000,
        _critic(Orthogonal(), activation=MaxMin, optimizer=partial(Adam, lr=1e-3, fused=True)),
        "orthonormal layers, MaxMin",
    ),
    "sorted": Solver(
        20_000,
        _critic(**SORTED),
        "orthonormal layers, all units sorted, Muon",
    ),
    "released": Solver(4_000, _released, "sorted, then let go: one-sided penalty, weight 10"),
    "LP averaged": Solver(
        60_000, _critic(LipschitzPenalty(), ema=0.999), "LP, moving average of the critic"
    ),
    "LP waves": Solver(
        60_000, _critic(LipschitzPenalty(), fourier=(0.5, 1.0)), "LP, Fourier features"
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
        500, lambda d, steps: _anchored(d, steps), "cones on sample points, heights trained"
    ),
}


@dataclass(frozen=True)
class Run:
    """One solver on one pair, its seeds as members, for a share of its full protocol.

    Attributes:
        pair: A file of funnels, in place of those that are drawn.
        pair_seed: What the pair is drawn with. Settings of ``anchored`` were chosen on pairs of
            seed 0, so that only other seeds say what it is worth.
    """

    solver: str
    dimension: int
    funnels: int
    seeds: int
    share: float
    pair: str = ""
    pair_seed: int = 0

    @property
    def file(self) -> str:
        """Name of its record."""
        words = f"{self.solver} D{self.dimension} N{self.funnels} x{self.seeds} {self.share:g}"
        words += f" {self.pair}" if self.pair else f" pair{self.pair_seed}"
        return "".join(c if c.isalnum() or c == "." else "-" for c in words) + ".json"

    @property
    def steps(self) -> int:
        return max(1, round(self.share * SOLVERS[self.solver].steps))

    def law(self) -> Funnels:
        """The pair: drawn here, or from the file that was given."""
        if self.pair:
            return Funnels.load(self.pair)
        return Funnels.drawn(self.dimension, self.funnels, self.pair_seed)

    @property
    def which(self) -> dict[str, Any]:
        """What tells the pair from others, as its records say it."""
        return {
            "dimension": self.dimension,
            "funnels": self.funnels,
            "pair": self.pair or self.pair_seed,
        }


def measure(run: Run) -> dict[str, Any]:
    """Train one solver and compare it with the truth; its record as plain numbers."""
    law = run.law()
    start = time.process_time()
    learned = SOLVERS[run.solver].make(run.dimension, run.steps)
    fit = learned.fit(law, law.base, range(run.seeds))
    seconds = time.process_time() - start
    found = {key: values.tolist() for key, values in compared(fit, law, HELD_OUT).items()}
    shared = {
        "solver": run.solver,
        "what": SOLVERS[run.solver].seen,
        **run.which,
        "steps": run.steps,
        "share": run.share,
        "seconds": seconds / run.seeds,
        "full_seconds": seconds / run.seeds / min(1.0, run.share),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    return shared | found


def compared(fit: Fit, law: Moved, n: int) -> dict[str, Tensor]:
    """A fitted critic against the truth, each number of shape ``(K,)``.

    Value and truth are read on the same fresh points y and T(y), so that chance in drawing them
    cancels: for a certified critic f(T(y)) - f(y) is at most the move's length at every point.
    ``cosine`` and ``l2`` are the published metrics of the gradient on the moved side, the latter
    the mean of its squared distance from the true one. ``value`` is raw, ``slope`` the mean norm
    of the gradient there, ``steepest`` the largest along segments between the two laws,
    ``per_steepest`` and ``per_slope`` what the value divided by them deviates by.
    """
    streams = Streams(fit.seeds, "held-out")
    y, (x, wanted) = law.paired(streams, n)
    gradient = input_gradient(fit.network, x).detach()
    with torch.no_grad():
        rise = fit.scores(x).double() - fit.scores(y).double()
    value, length = rise.mean(1), torch.linalg.vector_norm(x.double() - y.double(), dim=-1)
    truth = length.mean(1)
    deviation = value / truth - 1
    slope = gradient.norm(dim=-1).mean(1).double()
    others = law.base.draw(streams, n)
    steepest = lipschitz_audit(fit.network, x, others, streams).detach().amax(1).double()
    steepest = torch.maximum(steepest, gradient.norm(dim=-1).amax(1).double())
    bound = fit.estimate(x[:, :2], y[:, :2]).bound
    return {
        "cosine": cosine_similarity(gradient, wanted, dim=-1).mean(1).double(),
        "shuffled_cosine": cosine_similarity(gradient, wanted.roll(1, 1), dim=-1).mean(1).double(),
        "l2": (gradient - wanted).square().sum(-1).mean(1).double(),
        "value": value,
        "truth": truth,
        "deviation": deviation,
        "excess": (rise - length).amax(1) / truth,
        "slope": slope,
        "steepest": steepest,
        "per_steepest": value / steepest / truth - 1,
        "per_slope": value / slope / truth - 1,
        "certified": torch.full_like(value, float(bound == "lower")),
    }


def transport_row(run: Run) -> dict[str, Any]:
    """What samples alone say, one per seed: exact transport, its floor, and the dual held out."""
    law, values, floors, duals = run.law(), [], [], []
    start = time.process_time()
    for seed in range(run.seeds):
        streams = Streams([seed], "transport", dtype=torch.float64)
        x, y = law.draw(streams, TRANSPORT_POINTS)[0], law.base.draw(streams, TRANSPORT_POINTS)[0]
        estimate = EarthMover()(x, y)
        values.append(float(estimate))
        floors.append(float(estimate.floor))
        duals.append(float(HeldOutDual()(x, y)))
    return run.which | {
        "transport": values,
        "transport_floor": floors,
        "held_out_dual": duals,
        "truth": float(law.measured_w1(2**15)),
        "seconds": (time.process_time() - start) / run.seeds,
    }


MEANS = ("cosine", "l2", "deviation", "slope", "steepest", "per_steepest", "per_slope")


def as_row(record: dict[str, Any], transport: dict[str, Any]) -> dict[str, Any]:
    """One row of the table: means over seeds with standard errors."""
    named = ("dimension", "funnels", "pair", "solver", "steps", "share")
    row = {key: record[key] for key in named} | {"seeds": len(record["cosine"])}
    for key in MEANS:
        values = torch.tensor(_numbers(record[key]), dtype=torch.float64)
        row |= {key: float(values.mean()), f"{key}_stderr": float(standard_error(values))}
    truth = transport["truth"]
    return row | {
        "certified": bool(record["certified"][0]),
        "bounds_broken": sum(d > 1e-4 for d in _numbers(record["deviation"])),
        "truth": truth,
        "transport_deviation": _mean(transport["transport"]) / truth - 1,
        "transport_floor": _mean(transport["transport_floor"]),
        "held_out_dual_deviation": _mean(transport["held_out_dual"]) / truth - 1,
        "seconds": record["seconds"],
        "full_seconds": record["full_seconds"],
        "peak_mib": record["peak_mib"],
    }


def _numbers(values: Sequence[float | str | None]) -> list[float]:
    """Of a record: null stands for NaN, as training that has diverged leaves it."""
    return [math.nan if value is None else float(value) for value in values]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
