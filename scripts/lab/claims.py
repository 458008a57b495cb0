"""What an argument finds: checks, the claims they add up to, figures and tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from matplotlib.figure import Figure
from torch import Tensor

HOLDS = "holds"
QUALIFIED = "holds with a qualification"
FAILS = "does not hold"


@dataclass(frozen=True)
class Check:
    """One prediction beside its measurement; the tolerance was fixed before the measurement.

    Attributes:
        what: The quantity in words.
        predicted: The number expected.
        measured: The number found.
        tolerance: How far apart they may be.
        passed: Whether they are that close, or on the right side for a one-sided check.
        stderr: Standard error of ``measured`` over seeds, ``nan`` if it has none.
        relation: ``"="``, ``"<="`` or ``">="``.
    """

    what: str
    predicted: float
    measured: float
    tolerance: float
    passed: bool
    stderr: float = math.nan
    relation: str = "="

    @classmethod
    def near(
        cls,
        what: str,
        predicted: float,
        measured: Any,
        tolerance: float | None = None,
        stderr: Any = None,
    ) -> Self:
        """``measured`` must lie within ``tolerance`` of ``predicted``; equal infinities agree.

        ``measured`` is a number, or a value per seed: its mean is then meant, and its standard
        error is computed. Without a tolerance it is three standard errors.
        """
        measured, error = over_seeds(measured, stderr)
        within = 3 * error if tolerance is None else tolerance
        passed = measured == predicted or abs(measured - predicted) <= within
        return cls(what, predicted, measured, within, passed, error)

    @classmethod
    def at_most(cls, what: str, bound: float, measured: Any, stderr: Any = None) -> Self:
        """``measured``, a number or the mean of a value per seed, must be at most ``bound``."""
        measured, error = over_seeds(measured, stderr)
        return cls(what, bound, measured, 0.0, measured <= bound, error, "<=")

    @classmethod
    def at_least(cls, what: str, bound: float, measured: Any, stderr: Any = None) -> Self:
        """``measured``, a number or the mean of a value per seed, must be at least ``bound``."""
        measured, error = over_seeds(measured, stderr)
        return cls(what, bound, measured, 0.0, measured >= bound, error, ">=")

    @classmethod
    def zero(cls, what: str, gap: Any, tolerance: float) -> Self:
        """``gap``, a number or the largest size in a tensor, must be 0 within ``tolerance``."""
        return cls.near(what, 0, gap.abs().max() if isinstance(gap, Tensor) else gap, tolerance)

    @classmethod
    def all_near(cls, what: str, predicted: float, values: Tensor, tolerance: float) -> Self:
        """The value farthest from ``predicted`` must lie within ``tolerance`` of it."""
        farthest, error = worst(values, predicted), over_seeds(values)[1]
        return cls.near(what, predicted, farthest, tolerance, error)

    @classmethod
    def all_at_most(cls, what: str, bound: float, values: Tensor) -> Self:
        """The largest value must not exceed ``bound``."""
        return cls.at_most(what, bound, values.max(), over_seeds(values)[1])

    @classmethod
    def all_at_least(cls, what: str, bound: float, values: Tensor) -> Self:
        """The least value must not fall below ``bound``."""
        return cls.at_least(what, bound, values.min(), over_seeds(values)[1])


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence of the articles and what became of it.

    The verdict follows from the measurements alone. ``checks`` are what the sentence, taken at
    its word, predicts; if one fails the sentence *does not hold*. ``limits`` are circumstances
    beside it in which it is expected to fail; where one of those is indeed observed the sentence
    *holds with a qualification*. The first check is the headline of the claims table.

    ``controls`` ask the same of a case where it must come out the other way: overlapping supports,
    a reversed KL, a critic without constraint. They must fail, and where the sentence is expected
    not to hold they must pass; otherwise the checks can come out in one way only, prove nothing,
    and the claim is not as expected, whatever its verdict.

    Attributes:
        id: Short name.
        source: Where the sentence comes from.
        statement: The sentence.
        expected: The verdict that earlier measurements lead one to expect, if it is another.
        checks: What it predicts.
        controls: The same on cases where it must come out the other way, at least one.
        limits: Where it stops being true.
        equation: What it says, in LaTeX.
        n_seeds: Seeds behind each measurement.
        figure: Name of the figure that shows it.
        note: What a reader should know beside the numbers.
    """

    id: str
    source: str
    statement: str
    expected: str = HOLDS
    checks: Sequence[Check]
    controls: Sequence[Check] = ()
    limits: Sequence[Check] = ()
    equation: str = ""
    n_seeds: int = 1
    figure: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        if not all(check.passed for check in self.checks):
            return FAILS
        return QUALIFIED if any(limit.passed for limit in self.limits) else HOLDS

    @property
    def as_expected(self) -> bool:
        """The expected verdict, from checks whose controls came out the other way."""
        return self.verdict == self.expected and all(map(self.sound, self.controls))

    def sound(self, control: Check) -> bool:
        """Whether a control came out otherwise than the checks are expected to."""
        return control.passed == (self.expected == FAILS)

    def record(self, seconds: float) -> dict[str, Any]:
        """The claim as one entry of ``claims.json``."""
        headline = vars(next((c for c in self.checks if not c.passed), self.checks[0]))
        return {
            **vars(self),
            **{key: value for key, value in headline.items() if key != "passed"},
            "verdict": self.verdict,
            "as_expected": self.as_expected,
            "seconds": seconds,
            "checks": [vars(check) for check in self.checks],
            "controls": [vars(one) | {"sound": self.sound(one)} for one in self.controls],
            "limits": [vars(limit) for limit in self.limits],
        }


@dataclass
class Findings:
    """Everything one argument leaves behind.

    Attributes:
        claims: In the order they are to be read.
        figures: Name to figure.
        tables: Name to rows, each a mapping from column to value.
        data: Name to what an interactive figure of the report draws: plain lists and numbers.
    """

    claims: list[Claim] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    data: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def merged(cls, parts: Sequence[Self]) -> Self:
        """The parts of one argument as a whole."""
        whole = cls()
        for part in parts:
            whole.claims += part.claims
            whole.figures |= part.figures
            whole.tables |= part.tables
            whole.data |= part.data
        return whole


def standard_error(values: Tensor) -> Tensor:
    """Standard error of the mean over the last dimension, the seeds."""
    return values.double().std(-1) / math.sqrt(values.shape[-1])


def over_seeds(values: Any, stderr: Any = None) -> tuple[float, float]:
    """The mean of a value per seed, the last dimension, and its standard error unless given.

    A number has no standard error; of several rows the largest is taken.
    """
    error = math.nan if stderr is None else float(stderr)
    if not isinstance(values, Tensor) or values.numel() < 2:
        return float(values), error
    return float(values.mean()), float(standard_error(values).max()) if stderr is None else error


def in_table(**columns: Tensor) -> dict[str, float]:
    """Columns of a table: the mean of each value per seed, and ``_stderr`` beside it."""
    row: dict[str, float] = {}
    for name, values in columns.items():
        row[name], row[f"{name}_stderr"] = over_seeds(values)
    return row


def means(read: Mapping[str, Tensor], *columns: str) -> dict[str, float]:
    """Columns of a table: the means over seeds of what has these names."""
    return {name: float(read[name].double().mean()) for name in columns}


def worst(values: Tensor, predicted: Tensor | float) -> Tensor:
    """The entry farthest from its prediction."""
    flat, target = torch.broadcast_tensors(values, torch.as_tensor(predicted).to(values))
    return flat.flatten()[(flat - target).abs().argmax()]
