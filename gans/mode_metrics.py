"""Mode coverage as a torchmetrics metric: update on batches, compute once, merge."""

import math
from collections.abc import Sequence
from typing import Any, Self, final

import torch
from scipy.stats import chi2
from torch import Tensor

from divergences.estimator import check_samples
from divergences.metrics import PointsMetric
from divergences.pair_distances import pair_distances
from gans.mode_coverage import (
    assign,
    core_width,
    covered_modes,
    mode_counts,
    mode_kl,
    perfect_covered,
    perfect_share,
)
from gans.targets.base import widened
from gans.targets.gaussian_mixtures import Modes


@final
class ModeCoverage(PointsMetric):
    """Coverage, quality, evenness and width of the modes, of all points since the last reset.

    ``compute`` returns tensors of shape ``(K,)``, or ``()`` for points ``(n, d)``:

    - ``covered_1``, ``covered_20``: modes with so many samples of high quality;
    - ``high_quality``: share of samples within 3 standard deviations of a centre;
    - ``mode_kl``, ``mode_reverse_kl``: see :func:`mode_kl`;
    - ``core_width``: see :func:`core_width`;
    - ``covered_1_perfect``, ``covered_20_perfect``, ``high_quality_perfect``: the value of a
      perfect sampler, where it is not the obvious one.

    torchmetrics drops the axis of a single member. A generator and its moving average are two
    models: give each a metric of its own, or ``reset`` in between.

    Arguments:
        centres: Shape ``(M, d)`` or ``(K, M, d)``; all apart by twice the radius of high quality.
        scale: Standard deviation of the modes, one or ``(K,)``, greater than 0.
        weights: Of the modes, shape ``(M,)`` or ``(K, M)``; equal if omitted.
        within: Radius of high quality in standard deviations.
        at_least: Thresholds for covered modes.
        enough: Samples that a mode must have for its width to be measured.
        dimension: Of the modes' noise, if less than that of the points: what a perfect sampler
            measures depends on it.
        kwargs: As for :class:`torchmetrics.Metric`.

    Raises:
        ValueError: If any of these is out of range, or the balls of two modes overlap, as they do
            when a published ring repeats its first mode.

    Example:
        >>> from gans.targets import Ring
        >>> metric = ModeCoverage.of(Ring())
        >>> metric.update(Ring().centres[:4].repeat(30, 1))
        >>> read = metric.compute()
        >>> read["covered_1"], read["mode_reverse_kl"], read["core_width"]
        (tensor(4.), tensor(0.6931), tensor(0.))
    """

    centres: Tensor
    scale: Tensor
    weights: Tensor
    points: list[Tensor] | Tensor

    def __init__(
        self,
        centres: Tensor,
        scale: Tensor | float,
        weights: Tensor | None = None,
        within: float = 3.0,
        at_least: Sequence[int] = (1, 20),
        enough: int = 20,
        dimension: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_samples(centres, centres, at_least=1)
        centres = widened(centres)
        modes = centres.shape[-2]
        if weights is None:
            weights = torch.full((modes,), 1 / modes, dtype=torch.float64).to(centres.device)
        self.within, self.at_least, self.enough = within, tuple(at_least), enough
        self.dimension = centres.shape[-1] if dimension is None else dimension
        self.register_buffer("centres", centres, persistent=False)
        self.register_buffer("scale", torch.as_tensor(scale).to(centres), persistent=False)
        self.register_buffer("weights", weights, persistent=False)
        self._check()
        self.add_state("points", default=[], dist_reduce_fx="cat")

    @classmethod
    def of(cls, target: Modes, **kwargs: Any) -> Self:
        """The metric with the centres, scale, weights and noise dimension of a target."""
        kwargs = {"dimension": target.noise_dimension} | kwargs
        weights = target.weights.double()
        return cls(target.centres, target.scale, weights / weights.sum(), **kwargs)

    def _check(self) -> None:
        lead, modes = self.centres.shape[:-2], self.centres.shape[-2]
        for name, tensor, own in (("scale", self.scale, ()), ("weights", self.weights, (modes,))):
            fitting = {str(own): own, str((*lead, *own)): (*lead, *own)}
            if tuple(tensor.shape) not in fitting.values():
                raise ValueError(
                    f"{name} of shape {tuple(tensor.shape)} for centres of shape "
                    f"{tuple(self.centres.shape)}; pass shape {' or '.join(fitting)}"
                )
        for name, least in (("scale", self.scale.min()), ("within", self.within)):
            if not 0 < least < math.inf:
                raise ValueError(f"{name} = {float(least)} must be a finite number above 0")
        if not (self.weights > 0).all():
            raise ValueError(
                f"a mode has weight {float(self.weights.min())}: leave out modes without mass"
            )
        # these two raise on weights that do not sum to one and on thresholds below one
        mode_kl(torch.ones_like(self.weights, dtype=torch.long), self.weights)
        for threshold in self.at_least:
            covered_modes(self.weights, threshold)
        if not 1 <= self.dimension <= self.centres.shape[-1]:
            raise ValueError(
                f"dimension = {self.dimension}: the noise of modes in {self.centres.shape[-1]} "
                "dimensions has between 1 and as many"
            )
        if perfect_share(self.dimension, self.within) == 0:
            as_in_the_plane = float(chi2.ppf(perfect_share(2), self.dimension)) ** 0.5
            raise ValueError(
                f"within = {self.within:g}: in {self.dimension} dimensions no sample of a normal "
                f"law lies so near to its centre; within = {as_in_the_plane:.1f} holds as much as "
                "3 does in the plane"
            )
        if self.enough < 2:
            raise ValueError(f"enough = {self.enough}: a width takes at least 2 samples")
        gaps = pair_distances(self.centres, self.centres)
        gaps = gaps.masked_fill(torch.eye(modes, dtype=torch.bool, device=gaps.device), math.inf)
        radius = (self.within * self.scale)[..., None, None]
        overlap = (gaps < 2 * radius).nonzero()
        if len(overlap):
            i, j = overlap[0, -2:].tolist()
            raise ValueError(
                f"centres {i} and {j} are closer than twice {self.within:g} standard deviations, "
                "so that a sample can be of high quality for both; merge modes that coincide and "
                "add up their weights, or pass a smaller within"
            )

    def update(self, points: Tensor) -> None:
        """Keep a batch of generated points.

        Arguments:
            points: Shape ``(n, d)`` or, with a member axis, ``(K, n, d)``.

        Raises:
            TypeError: If it is not a floating-point tensor.
            ValueError: If shapes do not fit the centres or the batches before, or a coordinate is
                NaN or infinite.
        """
        check_samples(points, points, at_least=1)
        assign(points[..., :1, :], self.centres)  # raises if they do not fit
        self._keep(points=widened(points))

    def compute(self) -> dict[str, Tensor]:
        """All numbers by name, each in the dtype of the points, or in float32 for half precision.

        Raises:
            ValueError: If there are no points yet.
        """
        points = self._kept("points")
        mode, distance = assign(points, self.centres)
        good = distance < self.within * self.scale[..., None]
        counts = mode_counts(mode, good, self.centres.shape[-2])
        forward, reverse = mode_kl(counts, self.weights)
        share = good.double().mean(-1)
        d, n = self.dimension, points.shape[-2]
        values = {
            "high_quality": share,
            "high_quality_perfect": torch.full_like(share, perfect_share(d, self.within)),
            "mode_kl": forward,
            "mode_reverse_kl": reverse,
            "core_width": core_width(points, mode, self.scale, self.enough, d),
        }
        for t in self.at_least:
            perfect = perfect_covered(self.weights, n, t, d, self.within)
            values[f"covered_{t}"] = covered_modes(counts, t)
            values[f"covered_{t}_perfect"] = perfect.expand(share.shape)
        return {name: value.to(points.dtype) for name, value in values.items()}
