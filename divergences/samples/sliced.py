"""Wasserstein distances between projections of samples on random lines."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from divergences.checks import boolean, seed_number, whole_number
from divergences.estimate import Bound, Estimate
from divergences.estimator import Estimator, each_member
from divergences.samples import earth_mover
from divergences.samples.few_points import Sum
from divergences.samples.plans import matched, monotone
from divergences.samples.units import coarse, in_own_unit

AT_ONCE = 2**18  # projected points that are in memory at a time, times about 200 bytes
FLOOR_POINTS = 1024  # points per half that the floor is measured on


@final
@dataclass(frozen=True)
class Sliced(Estimator):
    r"""Sliced Wasserstein distance: the mean over lines of that between the projections.

    .. math::
        SW_p(P, Q)^p = E_{\theta \sim S^{d-1}} W_p(\langle \theta, x \rangle,
        \langle \theta, y \rangle)^p

    in the unit of the data. Its floor does not grow with the dimension as that of
    :class:`~divergences.EarthMover` does; its value shrinks instead: for a shift by
    ``s`` it is :math:`s\, E|\theta_1|`, that is ``2 s / pi`` in the plane and about
    :math:`s \sqrt{2 / (\pi d)}` in ``d`` dimensions.

    The stderr joins the variance over projections and that over points, the latter from the
    potentials averaged over projections.

    References:
        | Sliced and Radon Wasserstein Barycenters of Measures (Bonneel et al., 2015), section 3
        | https://doi.org/10.1007/s10851-014-0506-3

    Arguments:
        order: 1 or 2.
        projections: Number of random lines; in one dimension a single one is used.
        seed: Of the lines, the same in each call and for each member.
        floor: Measure its value between samples of the same law, on halves of each sample.
            Without it, and of fewer than 4 points, the interval begins below 0.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, ``order`` is not 1 or 2, or there
            are fewer than 2 projections.

    Example:
        >>> x = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
        >>> Sliced(projections=2000)(x, x + torch.tensor([torch.pi / 2, 0.0])).value
        tensor(1.00...)
    """

    quantity: ClassVar[str] = "sw1"
    bound: ClassVar[Bound] = "upper"
    rate: ClassVar[float | None] = 0.5

    order: int = 1
    projections: int = 200
    seed: int = 0
    floor: bool = True

    def __post_init__(self) -> None:
        earth_mover.check_order(self.order)
        if whole_number("projections", self.projections, least=0) < 2:
            raise ValueError(f"projections = {self.projections}: at least 2 give an error")
        seed_number("seed", self.seed)
        boolean("floor", self.floor)
        if self.order == 2:
            object.__setattr__(self, "quantity", "sw2")
            object.__setattr__(self, "bound", "none")

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y)

    def _directions(self, like: Tensor) -> Tensor:
        d = like.shape[1]
        if d == 1:
            return like.new_ones(1, 1, dtype=torch.float64)
        generator = torch.Generator().manual_seed(int(self.seed))
        normal = torch.randn(int(self.projections), d, generator=generator, dtype=torch.float64)
        return (normal / torch.linalg.vector_norm(normal, dim=1, keepdim=True)).to(like.device)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        a, b, exponent = in_own_unit(x, y)
        directions = self._directions(x)
        means, u, v = self._read(a, b, directions)
        floor = self._floor(a.detach(), b.detach(), directions)
        error, mean = Sum.between(u, v), means.mean()
        of_lines = means.detach().var() / len(means) if len(means) > 1 else 0.0
        estimate = earth_mover.estimate_of(mean, error, self.order, floor, x, exponent, of_lines)
        rounded = coarse(x, y, float(estimate.stderr), float(estimate.value.detach()))
        notes = estimate.warnings + error.rests_on_few(earth_mover.least_of(self.order)) + rounded
        return replace(estimate, bound=self.bound, n=(len(x), len(y)), warnings=notes)

    def _read(self, x: Tensor, y: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean cost on each line, and both potentials averaged over lines.

        A few lines at a time; if there is a gradient it computes them a second time.
        """
        parts = []
        for some in directions.split(max(1, AT_ONCE // (len(x) + len(y)))):
            if len(some) < len(directions) and (x.requires_grad or y.requires_grad):
                parts.append(checkpoint(self._on_lines, x, y, some, use_reentrant=False))
            else:
                parts.append(self._on_lines(x, y, some))
        means, u, v = zip(*parts, strict=True)
        k = len(directions)
        return torch.cat(means), torch.stack(u).sum(0) / k, torch.stack(v).sum(0) / k

    def _on_lines(self, x: Tensor, y: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        means, u, v = monotone(directions @ x.T, directions @ y.T, self.order)
        return means, u.sum(0), v.sum(0)

    @torch.no_grad()
    def _floor(self, x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
        if not self.floor:
            return x.new_tensor(math.nan)

        def read(first: Tensor, second: Tensor) -> Tensor:
            at_once = directions.split(max(1, AT_ONCE // (2 * len(first))))
            means = [matched(some @ first.T, some @ second.T, self.order) for some in at_once]
            return earth_mover.root(torch.cat(means).mean(), self.order)

        return earth_mover.floor_from_halves(x, y, read, 0.5, FLOOR_POINTS)
