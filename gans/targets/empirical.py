"""The empirical law of given points: a user's own data as a target."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self, final

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from gans.targets.base import Target, fine_uniform
from gans.targets.loading import read_points
from gans.targets.resolution import check_resolved


@final
class PointCloud(Target):
    """The empirical law of n given points: each drawn with probability 1/n, with replacement.

    It has atoms and so no density, and two samples of it are no held-out data for each other: what
    a network can learn by heart, it may. Points of a file are held in torch's default precision, a
    tensor's in its own, integers in the default one; if that leaves too few digits to tell them
    apart, they are refused.

    Arguments:
        points: A ``.npy`` or ``.csv`` file (one point per line, commas, no header), or a tensor;
            of shape ``(n, d)`` with at least two points.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not hold numbers, is not of shape ``(n, d)``, has fewer than two
            points, some are NaN or infinite, or a column has too little spread for its size (map
            coordinates, time stamps) or is too small to be told apart.

    Example:
        >>> square = PointCloud(torch.tensor([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]]))
        >>> square.mean, square.variance
        (tensor([1., 1.]), tensor([1., 1.]))
    """

    arg_constraints = {}
    support = constraints.independent(constraints.real, 1)

    def __init__(self, points: Tensor | str | Path, validate_args: bool | None = None):
        if isinstance(points, Tensor):
            name, given = "PointCloud", points
            dtype = points.dtype if points.is_floating_point() else torch.get_default_dtype()
        else:
            name, given, dtype = str(points), read_points(points), torch.get_default_dtype()
        self.points = _checked(name, given.to(dtype))
        check_resolved(name, given, self.points)
        super().__init__(Size(), Size([self.points.shape[1]]), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.points.double().mean(0).to(self.points).expand(*self.batch_shape, -1)

    @property
    def variance(self) -> Tensor:
        squares = self.points.double().var(0, correction=0)
        return squares.to(self.points).expand(*self.batch_shape, -1)

    def log_prob(self, value: Tensor) -> Tensor:
        raise NotImplementedError(
            f"PointCloud: the law of {len(self.points)} points has atoms and no density; estimate "
            "divergences from samples instead"
        )

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The same points on ``device``, as ``dtype`` if one is given that tells them apart.

        Raises:
            ValueError: If it does not.
        """
        moved = super().to(device, dtype)
        check_resolved("PointCloud", self.points, moved.points)
        return moved

    def noise(self, source: Any, *shape: int) -> tuple[Tensor, ...]:
        return (source.rand(*shape, 2),)

    def push(self, *noise: Tensor) -> Tensor:
        return self.points[(fine_uniform(noise[0]) * len(self.points)).long()]

    def _shared(self) -> dict[str, Tensor]:
        return {"points": self.points}


def _checked(name: str, points: Tensor) -> Tensor:
    if points.dim() != 2 or points.shape[1] == 0:
        raise ValueError(
            f"{name}: an array of shape {tuple(points.shape)}; points have shape (n, d), on the "
            "line (n, 1)"
        )
    if len(points) < 2:
        raise ValueError(f"{name}: holds {len(points)} point(s); at least 2 are needed")
    bad = ~torch.isfinite(points).all(1)
    if bad.any():
        raise ValueError(
            f"{name}: {int(bad.sum())} of {len(points)} points have a NaN or infinite coordinate "
            f"in {points.dtype}, the first at index {int(bad.nonzero()[0])}; remove them, or if "
            "they are only too large, divide by a scale"
        )
    return points
