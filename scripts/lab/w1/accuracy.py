"""Critics on pairs whose W1 is known: one solver on one pair at a time.

The metrics are those of the published benchmark, taken on fresh points of the moved side: mean
cosine and squared distance (L2) between the critic's gradient and the potential's, and the
deviation of its value. Beside them stands what a user without the truth can see: the slope, and
the value divided by it.
"""

import math
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from divergences import EarthMover, HeldOutDual, Streams
from divergences.learned.base import Fit
from divergences.networks.gradient_penalty import corrected_value
from divergences.networks.slopes import input_gradient, lipschitz_audit
from gans import Funnels, Transported
from scripts.lab.claims import in_table
from scripts.lab.w1.solvers import SOLVERS

HELD_OUT = 4096  # fresh points that the metrics are taken on, as published
TRANSPORT_POINTS = 1024  # points per side of exact transport


@dataclass(frozen=True)
class Run:
    """One solver on one pair, its seeds as members, for a share of its full protocol.

    Attributes:
        pair: A file of funnels, in place of those that are drawn.
        share: Of the full protocol's steps, but never fewer than the solver's ``least``.
        pair_seed: What the pair is drawn with. Settings of ``anchored``, ``sorted`` and
            ``released`` were chosen on pairs of seed 0: only others say what these are worth.
    """

    solver: str
    dimension: int
    funnels: int
    seeds: int
    share: float
    pair: str = ""
    pair_seed: int = 0

    @property
    def key(self) -> str:
        """Name of its record."""
        words = f"{self.solver} D{self.dimension} N{self.funnels} x{self.seeds} {self.share:g}"
        words += f" {self.pair}" if self.pair else f" pair{self.pair_seed}"
        return words.replace("/", "-")

    @property
    def steps(self) -> int:
        return SOLVERS[self.solver].cut(self.share)

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
    share = run.steps / SOLVERS[run.solver].steps
    shared = {
        "solver": run.solver,
        "what": SOLVERS[run.solver].seen,
        **run.which,
        "steps": run.steps,
        "share": share,
        "seconds": seconds / run.seeds,
        "full_seconds": seconds / run.seeds / share,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    return shared | found


def compared(fit: Fit, law: Transported, n: int) -> dict[str, Tensor]:
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
    found = {key: _numbers(record[key]) for key in MEANS} | {"corrected": corrected(record)}
    row |= in_table(**{k: torch.tensor(v, dtype=torch.float64) for k, v in found.items()})
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


def corrected(record: dict[str, Any]) -> list[float]:
    """What values deviate by once a slope penalty's overshoot is taken out; NaN without one.

    NaN, too, where the value is less than any that a critic under that penalty measures.
    """
    values, weight = _numbers(record["value"]), SOLVERS[record["solver"]].penalty_weight()
    if weight is None:
        return [math.nan] * len(values)
    return [
        float(corrected_value(torch.tensor(value, dtype=torch.float64), weight)) / truth - 1
        if value > -weight / 2
        else math.nan
        for value, truth in zip(values, record["truth"], strict=True)
    ]


def _numbers(values: Sequence[float | str | None]) -> list[float]:
    """Of a record: null stands for NaN, as training that has diverged leaves it."""
    return [math.nan if value is None else float(value) for value in values]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
