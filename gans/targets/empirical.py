"""The empirical law of given points: a user's own data as a target."""

import warnings
from abc import ABC
from pathlib import Path
from typing import Self, final

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from divergences.checks import boolean, real_number, seed_number
from divergences.random_streams import Streams
from gans.targets.base import NoiseSource, Target, fine_uniform
from gans.targets.loading import read_points
from gans.targets.representable import representable
from gans.targets.resolution import check_resolved


class GivenPoints(Target, ABC):
    """The law that draws each of given points with equal probability, with replacement.

    A part of them is held out: training never draws it, and :meth:`held_out` draws nothing else.

    Attributes:
        points: The points of the law, one per row.
        kept_back: The points held out, likewise.
    """

    points: Tensor
    kept_back: Tensor
    _told: set[str]
    arg_constraints = {}
    support = constraints.independent(constraints.real, 1)

    def _held_out_rows(self, streams: Streams, n: int, *each: int) -> Tensor:
        """At most ``n`` places among the rows held out, ``(K, *each, m)``, none of them twice."""
        source = self._source
        if not len(self.kept_back):
            self._tell(
                "share_held_out = 0: what is measured is measured on the points of training; "
                "memorised points count as success"
            )
        m = min(n, len(source))
        if m < n:
            self._tell(
                f"{m} of {n} points are there to be held out, and all are used each time; give "
                "more points or a larger share_held_out for smaller errors"
            )
        # the n largest of random numbers are n places at random, none of them twice
        places = streams.rand(*each, len(source)).topk(m, dim=-1).indices
        return places.to(source.device)

    @property
    def _source(self) -> Tensor:
        """Where held-out points come from."""
        return self.kept_back if len(self.kept_back) else self.points

    def _tell(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            warnings.warn(f"{type(self).__name__}: {what}", stacklevel=4)

    def _shared(self) -> dict[str, Tensor]:
        return {"points": self.points, "kept_back": self.kept_back}


@final
class PointCloud(GivenPoints):
    """The empirical law of given points: each drawn with equal probability, with replacement.

    A part of the points is held out, chosen at random by ``seed``: training never draws it, and
    :meth:`held_out` draws nothing else, each point at most once. The law, with its mean and
    variance, is that of the other points. It has atoms and so no density.

    Points of a file are held in torch's default precision, a tensor's in its own, integers in the
    default one; if that leaves too few digits to tell them apart, they are refused.

    Networks begin with outputs of about 1, so columns in other units are learned slowly or never.
    With ``standardise`` each column is taken in its own standard deviation, from its own mean.
    The law, what is generated and all that is measured are then in these units. :meth:`as_given`
    turns generated points into the units of the data; ``gans sample`` writes these.

    Arguments:
        points: A ``.npy``, ``.csv`` or ``.parquet`` file, see
            :func:`~gans.targets.loading.read_points`, or a tensor; of shape ``(n, d)`` for any
            dimension d.
        share_held_out: Share of the points that is held out, at least 0 and below 1. With 0
            :meth:`held_out` draws from the points of the law itself, and says so.
        seed: Of the random choice of that part.
        standardise: Whether to subtract the mean of each column and to divide by its standard
            deviation, both of the points that are not held out. A constant column becomes 0.

    Attributes:
        points: The points of the law, ``(n - m, d)``.
        kept_back: The points held out, ``(m, d)``.

    Raises:
        TypeError: If ``standardise`` is neither true nor false.
        FileNotFoundError: If there is no such file.
        ValueError: If it does not hold numbers, is not of shape ``(n, d)``, has fewer than two
            points for the law or none to hold out, some are NaN or infinite, or a column has too
            little spread for its size (map coordinates, time stamps) or is too small to be told
            apart.

    Example:
        >>> cloud = PointCloud(torch.arange(10.0)[:, None], share_held_out=0.3)
        >>> sorted(torch.cat([cloud.points, cloud.kept_back]).squeeze(1).tolist())
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
        >>> cloud.held_out(Streams([0, 1]), 3).shape
        torch.Size([2, 3, 1])
        >>> people = PointCloud(torch.tensor([[160.0], [184.0]]), 0.0, standardise=True)
        >>> people.points.T, people.as_given(people.points).T
        (tensor([[-1.,  1.]]), tensor([[160., 184.]], dtype=torch.float64))
    """

    def __init__(
        self,
        points: Tensor | str | Path,
        share_held_out: float = 0.2,
        seed: int = 0,
        standardise: bool = False,
        validate_args: bool | None = None,
    ):
        if isinstance(points, Tensor):
            name, given = "PointCloud", points
            dtype = points.dtype if points.is_floating_point() else torch.get_default_dtype()
        else:
            name, given, dtype = str(points), read_points(points), torch.get_default_dtype()
        every = _checked(name, given.to(dtype))
        self._told = set()
        law, kept = (
            rows.to(every.device) for rows in split(name, len(every), share_held_out, seed)
        )
        self._units: tuple[Tensor, Tensor] | None = None
        if boolean("standardise", standardise):
            self._units = middle, unit = mean_and_deviation(given.double()[law])
            given = (given.double() - middle) / unit
            every = given.to(dtype)
        check_resolved(name, given, every)
        self.points, self.kept_back = every[law], every[kept]
        super().__init__(Size(), Size([every.shape[1]]), validate_args)

    def as_given(self, points: Tensor) -> Tensor:
        """Points ``(..., d)`` in the units of the data, in double precision if standardised."""
        if self._units is None:
            return points
        middle, unit = (t.to(points.device) for t in self._units)
        return points.double() * unit + middle

    @property
    def mean(self) -> Tensor:
        return self.points.double().mean(0).to(self.points).expand(*self.batch_shape, -1)

    @property
    def variance(self) -> Tensor:
        squares = self.points.double().var(0, correction=0)
        constant = (self.points == self.points[0]).all(0)
        squares = torch.where(constant, 0, squares)  # not what rounding makes of it
        squares = representable("PointCloud: the variance", squares, self.points, constant)
        return squares.expand(*self.batch_shape, -1)

    def log_prob(self, value: Tensor) -> Tensor:
        raise NotImplementedError(
            f"PointCloud: the law of {len(self.points)} points has atoms and no density; estimate "
            "divergences from samples instead"
        )

    @torch.no_grad()
    def held_out(self, streams: Streams, n: int) -> Tensor:
        """Held-out points of shape ``(K, m, d)``, for each member m different ones.

        m is ``n``, or the number of points held out where that is smaller; a warning then says
        so once.
        """
        return self._source[self._held_out_rows(streams, n)]

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The same points on ``device``, as ``dtype`` if one is given that tells them apart.

        Raises:
            ValueError: If it does not.
        """
        moved = super().to(device, dtype)
        before, after = (torch.cat([c.points, c.kept_back]) for c in (self, moved))
        check_resolved("PointCloud", before, after)
        return moved

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        return (source.rand(*shape, 2),)

    def push(self, *noise: Tensor) -> Tensor:
        return self.points[(fine_uniform(noise[0]) * len(self.points)).long()]


def split(name: str, points: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Places of the points of the law, in their order, and of those held out."""
    if not 0 <= real_number("share_held_out", share) < 1:
        raise ValueError(f"share_held_out = {share}: it must be at least 0 and below 1, e.g. .2")
    generator = torch.Generator().manual_seed(seed_number("seed", seed))
    order = torch.randperm(points, generator=generator)
    kept = max(1, round(share * points)) if share else 0
    if points - kept < 2:
        raise ValueError(
            f"{name}: of {points} points {kept} would be held out (share_held_out = {share}),"
            " which leaves fewer than 2 to train on; give more points, or share_held_out=0 to "
            "measure on the points of training"
        )
    return order[kept:].sort().values, order[:kept]


def mean_and_deviation(points: Tensor) -> tuple[Tensor, Tensor]:
    """Of each column of points ``(n, d)`` in double precision; of a constant one, 1."""
    largest = points.abs().amax(0).clamp(min=torch.finfo(points.dtype).tiny)
    scaled = (
        points / largest
    )  # squares of numbers near the ends of the range are not representable
    deviation = scaled.std(0, correction=0) * largest
    constant = (points == points[0]).all(0) | (deviation == 0)
    mean = scaled.mean(0)
    mean = mean + (scaled - mean).mean(0)  # what rounding of the first sum has left
    return (
        torch.where(constant, points[0], mean * largest),
        torch.where(constant, 1.0, deviation),
    )


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
