"""Wasserstein distances between projections of samples on random lines."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from divergences.interface import Bound, Estimate, Estimator, each_member
from divergences.transport import check_order, estimate_of, monotone, root, sampling_variance


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
        if self.projections < 2:
            raise ValueError(f"projections = {self.projections}: at least 2 give an error")
        if self.order == 2:
            object.__setattr__(self, "quantity", "sw2")
            object.__setattr__(self, "bound", "none")

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y)

    def _directions(self, like: Tensor) -> Tensor:
        d = like.shape[1]
        if d == 1:
            return like.new_ones(1, 1, dtype=torch.float64)
        generator = torch.Generator().manual_seed(self.seed)
        normal = torch.randn(self.projections, d, generator=generator, dtype=torch.float64)
        return (normal / torch.linalg.vector_norm(normal, dim=1, keepdim=True)).to(like.device)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        directions = self._directions(x)
        a, b = (directions @ sample.double().T for sample in (x, y))
        costs, u, v = monotone(a, b, self.order)
        variance = sampling_variance(u.mean(0), v.mean(0))
        if len(costs) > 1:
            variance = variance + costs.detach().var() / len(costs)
        estimate = estimate_of(costs.mean(), variance, self.order, self._floor(a, b), x)
        return replace(estimate, bound=self.bound, n=(len(x), len(y)))

    @torch.no_grad()
    def _floor(self, a: Tensor, b: Tensor) -> Tensor:
        n, m = a.shape[1], b.shape[1]
        if not self.floor or min(n, m) < 4:
            return a.new_tensor(math.nan)
        readings = []
        for projected in (a, b):
            first, second = projected[:, 0::2], projected[:, 1::2]
            reading = root(monotone(first, second, self.order)[0].mean(), self.order)
            sizes = (1 / n + 1 / m) / (1 / first.shape[1] + 1 / second.shape[1])
            readings.append(reading * sizes**0.5)
        return torch.stack(readings).mean()
