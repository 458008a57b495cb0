"""Wasserstein distances between projections of samples on random lines."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from divergences.checks import boolean, seed_number, whole_number
from divergences.few_points import rests_on_few
from divergences.interface import Bound, Estimate, Estimator, each_member
from divergences.plans import interpolated, monotone
from divergences.transport import (
    FEWEST_SHARED,
    Shared,
    check_order,
    estimate_of,
    halves,
    root,
    sampling_variance,
    shared_part,
)
from divergences.units import coarse, in_own_unit

AT_ONCE = 2**20  # projected points that are in memory at a time, times about 200 bytes
FLOOR_POINTS = 1024  # points per half that the floor is measured on
SHARED_POINTS = 256  # points per half whose potentials are compared


@final
@dataclass(frozen=True)
class Sliced(Estimator):
    r"""Sliced Wasserstein distance: the mean over lines of that between the projections.

    .. math::
        SW_p(P, Q)^p = E_{\theta \sim S^{d-1}} W_p(\langle \theta, x \rangle,
        \langle \theta, y \rangle)^p

    in the unit of the data. Its floor does not grow with the dimension as that of
    :class:`~divergences.transport.EarthMover` does; its value shrinks instead: for a shift by
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
        floor: Measure what it reads between samples of the same law, on halves of each sample.

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
    references: ClassVar[tuple[str, ...]] = ("https://doi.org/10.1007/s10851-014-0506-3",)

    order: int = 1
    projections: int = 200
    seed: int = 0
    floor: bool = True

    def __post_init__(self) -> None:
        check_order(self.order)
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
        means, u, v, *_ = self._read(a, b, directions)
        floor, shared = self._from_halves(a.detach(), b.detach(), directions)
        variance = sampling_variance(u, v, shared)
        if len(means) > 1:
            variance = variance + means.detach().var() / len(means)
        estimate = estimate_of(means.mean(), variance, self.order, floor, x, exponent)
        notes = estimate.warnings + rests_on_few(u, v) + coarse(x, y, float(estimate.stderr))
        return replace(estimate, bound=self.bound, n=(len(x), len(y)), warnings=notes)

    def _read(
        self, x: Tensor, y: Tensor, directions: Tensor, *beyond: Tensor
    ) -> tuple[Tensor, ...]:
        """Mean cost on each line; averaged over lines both potentials, and both at other points.

        A few lines at a time; if there is a gradient it computes them a second time.
        """
        at_once = max(1, AT_ONCE // (len(x) + len(y)))
        parts = []
        for some in directions.split(at_once):
            if len(some) < len(directions) and (x.requires_grad or y.requires_grad):
                parts.append(checkpoint(self._on_lines, x, y, some, *beyond, use_reentrant=False))
            else:
                parts.append(self._on_lines(x, y, some, *beyond))
        means, *sums = zip(*parts, strict=True)
        return torch.cat(means), *(torch.stack(s).sum(0) / len(directions) for s in sums)

    def _on_lines(
        self, x: Tensor, y: Tensor, directions: Tensor, *beyond: Tensor
    ) -> tuple[Tensor, ...]:
        a, b, *others = (directions @ points.T for points in (x, y, *beyond))
        means, u, v = monotone(a, b, self.order)
        potentials = [u, v]
        for other, anchors, potential in zip(others, (a, b), (u, v), strict=False):
            potentials.append(interpolated(other, anchors, potential))
        return means, *(potential.sum(0) for potential in potentials)

    @torch.no_grad()
    def _from_halves(
        self, x: Tensor, y: Tensor, directions: Tensor
    ) -> tuple[Tensor, Shared | None]:
        n, m = len(x), len(y)
        if not self.floor or min(n, m) < 4:
            return x.new_tensor(math.nan), None
        split = [halves(sample, FLOOR_POINTS) for sample in (x, y)]
        floors = []
        for first, second in split:
            reading = root(self._read(first, second, directions)[0].mean(), self.order)
            floors.append(reading * ((1 / n + 1 / m) / (2 / len(first))) ** 0.5)
        floor = torch.stack(floors).mean()
        if min(n, m) < FEWEST_SHARED:
            return floor, None
        (x1, x2), (y1, y2) = ([z[:SHARED_POINTS] for z in sample] for sample in split)
        _, u1, v1, u_at_2, v_at_2 = self._read(x1, y1, directions, x2, y2)
        _, u2, v2, u_at_1, v_at_1 = self._read(x2, y2, directions, x1, y1)
        return floor, shared_part((u1, u2), (v1, v2), (u_at_2, u_at_1), (v_at_2, v_at_1))
