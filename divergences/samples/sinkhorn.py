"""Entropically regularised transport between samples."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self, final

import torch
from torch import Tensor

from divergences.checks import boolean, positive_number, whole_number
from divergences.estimate import Bound, Estimate
from divergences.estimator import Estimator, each_member
from divergences.pair_distances import pair_distances
from divergences.samples.earth_mover import (
    FLOOR_POINTS,
    check_order,
    floor_from_halves,
    least_of,
)
from divergences.samples.few_points import Sum
from divergences.samples.units import coarse, in_own_unit, times_two_to

AVERAGED = 60  # averaged steps before others are tried
NEWTON, HALVINGS = 60, 40  # of Newton's steps, and of each of them
MOST_IN_NEWTON = 1024  # points, whose square is solved for in each step
MOST_PAIRS = 10_000 * 10_000  # each matrix of costs then takes 800 MB

CHECKED = 500  # iterations between looks at whether errors fall fast enough
LENIENT = 3  # times the iterations left that a prediction may ask for
SMALL = 0.1  # exponents up to which exp(x) - 1 is more exact than exp(x)
EPS = 2.0**-53  # of double precision
LEAST_EPSILON = 8.0  # roundings of an exponent that are below the tolerance

Potentials = Callable[[Tensor], tuple[Tensor, Tensor]]


class _Progress:
    """Whether marginal errors fall fast enough to reach a tolerance in the iterations allowed."""

    def __init__(self, tolerance: float, iterations: int):
        self.tolerance, self.left, self.before = tolerance, iterations, math.inf

    def hopeless(self, error: float) -> bool:
        """Count an iteration, and predict the rest from the rate of the last ones."""
        self.left -= 1
        if self.left % CHECKED:
            return False
        before, self.before = self.before, error
        if math.isinf(before):
            return False
        fallen = min(error / before, 0.999)
        return CHECKED * math.log(self.tolerance / error) / math.log(fallen) > LENIENT * self.left


@final
@dataclass(frozen=True)
class Sinkhorn(Estimator):
    r"""Sinkhorn divergence between two samples: smooth in them, and 0 if they are the same.

    .. math::
        S_\varepsilon = OT_\varepsilon(x, y) - \tfrac12 OT_\varepsilon(x, x)
        - \tfrac12 OT_\varepsilon(y, y), \qquad
        OT_\varepsilon = \min_\pi \langle \pi, C \rangle
        + \varepsilon\, \mathrm{KL}(\pi \| \tfrac1n \otimes \tfrac1m)

    with cost :math:`C = \|x_i - y_j\|^p`, so in the unit of the data to the power ``order``. Tends
    to :math:`W_p^p` as ε goes to 0 and, for ``order`` 1, to half the energy distance as it goes to
    infinity; in between it is low (0.83 for a W1 of 1.13 at ε = 0.1). Take
    :class:`~divergences.EarthMover` for the number and this for a gradient.

    Solved in the log domain while ε falls to its final value, until the marginals of the plan are
    off by less than ``tolerance`` in total variation norm. The stderr is from the potentials.

    Of the laws' own divergence it is an overestimate, in expectation, by about ``floor``: its
    value between samples of equal laws, measured between halves of ``x`` and of ``y`` and rescaled
    to the full sizes by :math:`n^{-p/\max(2p, d)}`. The interval's lower end allows for that much,
    and so covers more than 95 % where ε is large; a warning says where it exceeds the error.

    References:
        | Interpolating between Optimal Transport and MMD using Sinkhorn Divergences
          (Feydy et al., 2019), equations (3) and (26)
        | https://arxiv.org/abs/1810.08278

    Arguments:
        regularisation: ε, in the unit of the cost.
        order: 1 or 2.
        tolerance: Largest error of a marginal, as the sum of absolute differences.
        max_iterations: Of each of the three problems.
        floor: Measure the floor, at the cost of two more divergences of up to 256 points each.
            Without it, and of fewer than 4 points, the interval begins below 0.
        most_pairs: More pairs of points than this are refused before any work.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, ``order`` is not 1 or 2,
            ``regularisation`` or ``tolerance`` is not positive, there are too many pairs, or the
            points are too large for the regularisation or the distance for the dtype.
        RuntimeError: If the tolerance was not reached, or errors fall too slowly to reach it.

    Example:
        >>> x = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
        >>> Sinkhorn(regularisation=0.01)(x, x + torch.tensor([3.0, 0.0])).value
        tensor(3.)
    """

    quantity: ClassVar[str] = "sinkhorn"
    bound: ClassVar[Bound] = "none"
    rate: ClassVar[float | None] = 0.5

    regularisation: float = 0.1
    order: int = 1
    tolerance: float = 1e-6
    max_iterations: int = 10_000
    floor: bool = True
    most_pairs: int = MOST_PAIRS

    def __post_init__(self) -> None:
        check_order(self.order)
        for name in ("regularisation", "tolerance"):
            positive_number(name, getattr(self, name))
        whole_number("max_iterations", self.max_iterations)
        boolean("floor", self.floor)
        whole_number("most_pairs", self.most_pairs)
        if self.order == 2:
            object.__setattr__(self, "quantity", "sinkhorn2")

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        pairs = max(len(x), len(y)) ** 2
        if pairs > self.most_pairs:
            raise ValueError(
                f"{len(x)} and {len(y)} points have up to {pairs:.2g} pairs, more than most_pairs "
                f"= {self.most_pairs:.2g}: take fewer points, or raise it"
            )
        a, b, exponent = in_own_unit(x, y)
        found = self._with_unit_costs(exponent)._in_own_unit(a, b)
        low, high, value, stderr, floor = (
            times_two_to(self.order * exponent, t)
            for t in (*found.ci, found.value, found.stderr, found.floor)
        )
        lost = high.to(x.dtype) < torch.finfo(x.dtype).tiny < found.ci[1]
        if lost or not bool(torch.stack([low, high, value, stderr]).to(x.dtype).isfinite().all()):
            raise ValueError(f"the distance is beyond the range of {x.dtype}: change the unit")
        distance = float(value.detach()) if self.order == 1 else 0.0
        notes = found.warnings + coarse(x, y, float(stderr) ** (1 / self.order), distance)
        return replace(
            found, value=value, stderr=stderr, ci=(low, high), floor=floor, warnings=notes
        )

    def _with_unit_costs(self, exponent: int) -> Self:
        """The same for points in a unit of ``2**exponent``, of which no cost is far above 1."""
        one = torch.ones((), dtype=torch.float64)
        scaled = self.regularisation * float(times_two_to(-self.order * exponent, one))
        if not LEAST_EPSILON * EPS / self.tolerance < scaled < math.inf:
            size = "large" if scaled < 1 else "small"
            raise ValueError(
                f"points of a size of {math.ldexp(0.5, exponent):.0e} are too {size} for "
                f"regularisation = {self.regularisation:g}: scale it with the points, or take "
                "EarthMover or EnergyDistance"
            )
        return replace(self, regularisation=scaled)

    def _in_own_unit(self, a: Tensor, b: Tensor) -> Estimate:
        among_x, f_x, _ = self._solve(a, a, self._own_potential)
        among_y, f_y, _ = self._solve(b, b, self._own_potential)
        same = torch.equal(a, b)
        if same:
            across, f, g = self._solve(a, b, lambda _: (f_x, f_x))
        else:
            across, f, g = self._solve(a, b, lambda cost: self._potentials(cost, f_x, f_y))
        value = across - (among_x + among_y) / 2
        error = Sum.between(f - f_x, g - f_y)
        stderr = error.variance.sqrt()
        half = error.reach * stderr
        floor = self._floor(a, b)
        read = value.detach()
        measured = not bool(floor.isnan())
        bias = 0.0 if same else float(floor if measured else read.clamp_min(0))
        notes = error.rests_on_few(least_of(self.order))
        if measured and bias > half:
            notes += (
                f"biased upward by up to {bias:.3g}: that is what is read between samples of "
                "equal laws",
            )
        ends = (read - bias - half, read + half)
        size = (len(a), len(b))
        return Estimate(value, stderr, ci=ends, n=size, floor=floor, warnings=notes)

    @torch.no_grad()
    def _floor(self, x: Tensor, y: Tensor) -> Tensor:
        """By halves, which are larger by at most this power of sizes: entropy speeds the decay."""
        if not self.floor:
            return x.new_tensor(math.nan)
        plain, rate = replace(self, floor=False), self.order / max(2 * self.order, x.shape[1])
        read = lambda a, b: plain._in_own_unit(a, b).value.clamp_min(0)  # noqa: E731
        return floor_from_halves(x, y, read, rate, FLOOR_POINTS)

    def _solve(self, x: Tensor, y: Tensor, potentials: Potentials) -> tuple[Tensor, ...]:
        """Regularised cost, with gradient, and its two potentials, without."""
        cost = pair_distances(x, y) ** self.order
        with torch.no_grad():
            f, g = potentials(cost)
            excess = ((f[:, None] + g - cost) / self.regularisation).expm1()
            optimum = f.mean() + g.mean() - self.regularisation * excess.mean()
            plan = (1 + excess) / cost.numel()
        return optimum + (plan * (cost - cost.detach())).sum(), f, g

    def _close_enough(self, cost: Tensor) -> float:
        """Errors of marginals that count as none: all are small where costs are far below ε."""
        return self.tolerance * min(1.0, float(cost.max()) / self.regularisation)

    def _schedule(self, cost: Tensor) -> Iterator[float]:
        """ε by halves from the largest cost down to its final value, which is then repeated."""
        epsilon = float(cost.max())
        for _ in range(self.max_iterations):
            yield max(epsilon, self.regularisation)
            epsilon /= 2

    def _potentials(self, cost: Tensor, own_f: Tensor, own_g: Tensor) -> tuple[Tensor, Tensor]:
        """By averaged steps from the clouds' own potentials, then Newton's, then relaxed."""
        f, g, enough = own_f, own_g, self._close_enough(cost)
        for _ in range(min(AVERAGED, self.max_iterations)):
            exact_g, exact_f = (
                _fitted(f, cost.T, self.regularisation),
                _fitted(g, cost, self.regularisation),
            )
            f, g = (f + exact_f) / 2, (g + exact_g) / 2
            errors = [
                _marginal_error(f, _fitted(g, cost, self.regularisation), self.regularisation),
                _marginal_error(g, _fitted(f, cost.T, self.regularisation), self.regularisation),
            ]
            if max(errors) <= enough:
                return f, g
        return self._newton(cost, g) or self._relaxed(cost)

    def _newton(self, cost: Tensor, g: Tensor) -> tuple[Tensor, Tensor] | None:
        """Newton's steps on the dual in ``g`` alone, halved until it rises; None if that fails.

        Where points nearly coincide the plan is nearly a permutation, and alternating steps move
        each point's pair of potentials by next to nothing.
        """
        n, m = cost.shape
        epsilon = self.regularisation
        if max(n, m) > MOST_IN_NEWTON:
            return None
        f = _fitted(g, cost, epsilon)
        for _ in range(min(NEWTON, self.max_iterations)):
            plan = ((f[:, None] + g - cost) / epsilon).exp() / (n * m)
            column = plan.sum(0)
            miss = 1 / m - column
            if float(miss.abs().sum()) < self.tolerance:
                return f, g
            curvature = column.diag() - n * plan.T @ plan + 1 / m**2
            curvature.diagonal().add_(1e-12 / m)
            step = epsilon * torch.linalg.solve(curvature, miss)
            before = f.mean() + g.mean()
            for _ in range(HALVINGS):
                f_next = _fitted(g + step, cost, epsilon)
                if f_next.mean() + (g + step).mean() >= before - 1e-14 * abs(before):
                    break
                step = step / 2
            else:
                return None
            f, g = f_next, g + step
        return None

    def _relaxed(self, cost: Tensor) -> tuple[Tensor, Tensor]:
        f, g, error = cost.new_zeros(len(cost)), cost.new_zeros(cost.shape[1]), math.inf
        progress = _Progress(self.tolerance, self.max_iterations)
        for epsilon in self._schedule(cost):
            if epsilon > self.regularisation:
                g = _fitted(f, cost.T, epsilon)
                f = _fitted(g, cost, epsilon)
                continue
            exact = _fitted(f, cost.T, epsilon)
            error = _marginal_error(g, exact, epsilon)
            if error < self.tolerance:  # take the exact step; then only row sums can be off
                error = _marginal_error(f, _fitted(exact, cost, epsilon), epsilon)
                if error < self.tolerance:
                    return f, exact
            if progress.hopeless(error):
                break
            # over-relaxed steps need 2 to 5 times fewer iterations than exact ones (1711.01851)
            g = torch.lerp(g, exact, 1.5)
            f = torch.lerp(f, _fitted(g, cost, epsilon), 1.5)
        raise self._not_converged(error)

    def _own_potential(self, cost: Tensor) -> tuple[Tensor, Tensor]:
        f, error, enough = cost.new_zeros(len(cost)), math.inf, self._close_enough(cost)
        progress = _Progress(self.tolerance, self.max_iterations)
        for epsilon in self._schedule(cost):
            exact = _fitted(f, cost, epsilon)
            if epsilon == self.regularisation:
                error = _marginal_error(f, exact, epsilon)
                if error <= enough:
                    return f, f
                if progress.hopeless(error):
                    break
            f = (f + exact) / 2
        raise self._not_converged(error)

    def _not_converged(self, error: float) -> RuntimeError:
        return RuntimeError(
            f"marginals are off by {error:.1e} and do not come below tolerance = "
            f"{self.tolerance:.1e} within max_iterations = {self.max_iterations}; raise it, or "
            "regularisation"
        )


def _fitted(g: Tensor, cost: Tensor, epsilon: float) -> Tensor:
    """The row potential that makes all row sums right, given the column potential ``g``."""
    exponents = (g - cost) / epsilon
    # so small that a sum of exponentials loses digits; nearly always the first row is not
    if all(float(rows.abs().max()) < SMALL for rows in (exponents[:1], exponents)):
        return -epsilon * exponents.expm1().mean(1).log1p()
    return -epsilon * (exponents.logsumexp(1) - math.log(cost.shape[1]))


def _marginal_error(f: Tensor, exact: Tensor, epsilon: float) -> float:
    """Sum of absolute errors of the row sums under ``f``, where ``exact`` would be right."""
    return float(((f - exact) / epsilon).expm1().abs().mean())
