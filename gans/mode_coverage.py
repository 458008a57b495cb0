r"""Which modes of a mixture a generator covers, how evenly, and how wide it makes them.

By the published definitions. A sample belongs to the mode with the nearest centre and is of *high
quality* if it lies within 3 standard deviations of it. Every number is of the sample given: n =
2500 is what the published tables use. None of them measures everything. Coverage and the mode KL
ignore bad samples; the share of high quality rewards modes that are too narrow, which only their
width shows; and all of them ignore shape, which :func:`exact_w1` does not.
"""

import math
from typing import NamedTuple

import torch
from scipy.stats import binom, chi2
from torch import Tensor

from divergences.discrete import kl_divergence
from divergences.estimator import check_samples
from divergences.pair_distances import pair_distances
from divergences.samples.earth_mover import EarthMover
from gans.targets.base import widened


class Assignment(NamedTuple):
    """For each point the index of the nearest centre and the distance to it, ``(..., n)``."""

    mode: Tensor
    distance: Tensor


class ModeKL(NamedTuple):
    """KL of the modes' histogram from the target, ``KL(w || h)``, and reversed, ``KL(h || w)``."""

    forward: Tensor
    reverse: Tensor


def assign(points: Tensor, centres: Tensor) -> Assignment:
    """The nearest centre to each point, and its Euclidean distance in the unit of the data.

    Arguments:
        points: Shape ``(n, d)`` or, with a member axis, ``(K, n, d)``.
        centres: Shape ``(M, d)``, or ``(K, M, d)`` for members with modes of their own.

    Raises:
        TypeError: If either is not a floating-point tensor.
        ValueError: If shapes disagree or a coordinate is NaN or infinite.

    Example:
        >>> assign(torch.tensor([[0.0, 1.0], [9.0, 8.0]]), torch.tensor([[0.0, 0.0], [9.0, 9.0]]))
        Assignment(mode=tensor([0, 1]), distance=tensor([1., 1.]))
    """
    check_samples(points, points, at_least=1)
    check_samples(centres, centres, at_least=1)
    points = widened(points)
    if centres.ndim == 2:
        agree = centres.shape[-1] == points.shape[-1]
    else:
        agree = (len(centres), centres.shape[-1]) == (*points.shape[:-2], points.shape[-1])
    if not agree:
        raise ValueError(
            f"points of shape {tuple(points.shape)} and centres of shape {tuple(centres.shape)} "
            "do not fit: pass (n, d) or (K, n, d) with (M, d), or (K, n, d) with (K, M, d)"
        )
    distance, mode = pair_distances(points, centres.to(points)).min(-1)
    return Assignment(mode, distance)


def mode_counts(mode: Tensor, counted: Tensor, modes: int) -> Tensor:
    """How many of the ``counted`` points each mode has.

    Arguments:
        mode: Index of each point's mode, shape ``(..., n)``.
        counted: Which points count, shape ``(..., n)``, boolean.
        modes: Number M of modes.

    Returns:
        Counts, shape ``(..., M)``.

    Example:
        >>> mode_counts(torch.tensor([0, 2, 2, 2]), torch.tensor([True, True, True, False]), 4)
        tensor([1, 0, 2, 0])
    """
    counts = torch.zeros(*mode.shape[:-1], modes, dtype=torch.long, device=mode.device)
    return counts.scatter_add(-1, mode, counted.long())


def covered_modes(counts: Tensor, at_least: int = 1) -> Tensor:
    """How many modes have ``at_least`` samples of high quality.

    One is the published rule, and weak: of 2500 points scattered at random some hit every mode.

    References:
        | PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
          Section 4.1; at least one sample
        | https://arxiv.org/abs/1712.04086

    Arguments:
        counts: From :func:`mode_counts`, shape ``(..., M)``.
        at_least: Samples that a covered mode has, at least 1.

    Raises:
        ValueError: If ``at_least`` is less than 1.

    Example:
        >>> counts = torch.tensor([300, 19, 0, 1])
        >>> covered_modes(counts), covered_modes(counts, at_least=20)
        (tensor(3), tensor(1))
    """
    if at_least < 1:
        raise ValueError(f"at_least = {at_least}: a covered mode has at least 1 sample")
    return (counts >= at_least).sum(-1)


def mode_kl(counts: Tensor, weights: Tensor) -> ModeKL:
    r"""How unevenly the samples of high quality fall on the modes, in nats, in both directions.

    .. math::
        \mathrm{KL}(w \| h) = \sum_j w_j \log \frac{w_j}{h_j}, \qquad
        \mathrm{KL}(h \| w) = \sum_j h_j \log \frac{h_j}{w_j}

    with the histogram :math:`h_j = c_j / \sum_i c_i` of the counts and the target's weights w. The
    *reverse* direction, generated first, is the one that published tables name so: it is finite,
    and :math:`\log(M / k)` for k of M equal modes covered evenly. The forward direction is
    infinite as soon as a mode has no sample. No smoothing. It is a divergence of histograms, not
    of densities: blind to where in its mode a sample lies.

    A perfect sampler's reverse KL is not 0: :math:`2 n\, \mathrm{KL}` is about chi-square with
    M - 1 degrees of freedom, so that it is about (M - 1) / 2n, that is .0014 for 8 modes and
    .0049 for 25 at n = 2500.

    References:
        | PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018),
          Section 4.1, reverse KL over the modes
        | https://arxiv.org/abs/1712.04086

    Arguments:
        counts: Samples of high quality in each mode, shape ``(..., M)``.
        weights: The target's, shape ``(M,)`` or ``(..., M)``, positive with sum 1.

    Returns:
        Both, shape ``(...)``; NaN where there is no sample of high quality at all.

    Raises:
        ValueError: If a row of weights is not a probability vector of M entries.

    Example:
        >>> mode_kl(torch.tensor([5, 5, 0, 0]), torch.full((4,), 0.25))
        ModeKL(forward=tensor(inf), reverse=tensor(0.6931))
    """
    if weights.shape[-1] != counts.shape[-1]:
        raise ValueError(
            f"{weights.shape[-1]} weights for counts of {counts.shape[-1]} modes; pass one each"
        )
    total = counts.sum(-1, keepdim=True)
    none = total == 0
    histogram = torch.where(none, weights, counts.to(weights.dtype) / total)
    both = (kl_divergence(weights, histogram), kl_divergence(histogram, weights))
    return ModeKL(*(torch.where(none.squeeze(-1), math.nan, kl) for kl in both))


def perfect_share(d: int, within: float = 3.0) -> float:
    r"""Share of a normal law within so many standard deviations of its centre.

    .. math:: P(\|x\| < r) = F_{\chi^2_d}(r^2), \qquad 1 - e^{-r^2 / 2} \text{ for } d = 2

    The share of high quality of a perfect sampler: 98.89 % in the plane. More means
    modes narrower than the target's, not better samples. It falls with the dimension: 3 standard
    deviations hold 8.7 % of a law in 16 dimensions, and 10 hold nothing of one in 700.

    Arguments:
        d: Dimension, at least 1.
        within: Radius r in standard deviations, greater than 0.

    Raises:
        ValueError: If either is out of range.

    Example:
        >>> f"{perfect_share(2):.4f} {perfect_share(1):.4f}"
        '0.9889 0.9973'
    """
    if d < 1:
        raise ValueError(f"d = {d}: a dimension is at least 1")
    if not within > 0:
        raise ValueError(f"within = {within}: a radius is greater than 0")
    return float(chi2.cdf(within**2, d))


def perfect_covered(
    weights: Tensor, n: int, at_least: int = 1, d: int = 2, within: float = 3.0
) -> Tensor:
    r"""How many modes a perfect sampler covers with n samples, in expectation.

    .. math:: \sum_j P(\mathrm{Binomial}(n, w_j \, F_{\chi^2_d}(r^2)) \ge t)

    All of the ring and the grid at n = 2500, but 86 of 100 equal modes with at least t = 20
    samples: those take n = 4000.

    Arguments:
        weights: The target's, shape ``(..., M)``.
        n: Number of samples.
        at_least: Samples t that a covered mode has.
        d: Dimension, at least 1.
        within: Radius r in standard deviations.

    Returns:
        The number, shape ``(...)``.

    Example:
        >>> f"{perfect_covered(torch.full((100,), 0.01), 2500, at_least=20):.1f}"
        '85.6'
    """
    share = weights.double().cpu() * perfect_share(d, within)
    return torch.as_tensor(binom.sf(at_least - 1, n, share)).sum(-1).to(weights)


def core_width(
    points: Tensor, mode: Tensor, scale: Tensor, enough: int = 20, dimension: int | None = None
) -> Tensor:
    r"""Median radius within a mode over that of the target.

    .. math:: \mathrm{med}_i \|x_i - \mathrm{med}\, x\| \,/\, \sigma \sqrt{F^{-1}_{\chi^2_d}(1/2)}

    around the coordinatewise median of *all* samples nearest to the mode, averaged over modes with
    ``enough`` of them. No tail moves it, as stray samples would a standard deviation about the
    mean, and normal modes of any width s read s: 1 for a perfect sampler.

    References:
        | ParticleGAN (Garcia, 2025), lib/toy_metrics.py, per_mode_core_ratio; at least 50 samples
        | https://github.com/255BITS/ParticleGAN

    Arguments:
        points: Shape ``(n, d)`` or ``(K, n, d)``.
        mode: Each point's mode, shape ``(n,)`` or ``(K, n)``.
        scale: The target's standard deviation, shape ``()`` or ``(K,)``.
        enough: Samples that a mode must have to count.
        dimension: Of the modes' noise, if less than that of the points.

    Returns:
        The ratio, shape ``()`` or ``(K,)``; NaN if no mode has samples enough.
    """
    if points.shape[:-1] != mode.shape:
        raise ValueError(
            f"points of shape {tuple(points.shape)} need modes of shape "
            f"{tuple(points.shape[:-1])}, not {tuple(mode.shape)}"
        )
    points, medians = widened(points), []
    n, d = points.shape[-2:]
    for x, where in zip(points.reshape(-1, n, d), mode.reshape(-1, n), strict=True):
        groups = x[where.argsort()].split(where.bincount().tolist())
        radii = [(g - g.quantile(0.5, dim=0)).norm(dim=-1) for g in groups if len(g) >= enough]
        medians.append(torch.tensor([r.quantile(0.5) for r in radii]).to(x).mean())
    radius = float(chi2.ppf(0.5, d if dimension is None else dimension)) ** 0.5
    return torch.stack(medians).view(mode.shape[:-1]) / (radius * scale)


def exact_w1(points: Tensor, fresh: Tensor, again: Tensor) -> dict[str, Tensor]:
    """Exact W1 of generated points from fresh points of the target, and its floor.

    The floor is what a perfect sampler would read against the same fresh points. It is large: .036
    on the ring and .15 on the grid at n = 2500, mostly from uneven counts. Never subtracted. One
    draw of it scatters by a third, and a reading likewise, so that a good generator can read less
    than the floor beside it: average over draws before comparing. The time grows a little faster
    than the square of n: .3 s per member at 1000, 1.3 s at 2000.

    Arguments:
        points: Generated, shape ``(n, d)`` or ``(K, n, d)``.
        fresh: Of the target, shape ``(m, d)`` or ``(K, m, d)``.
        again: Of the target, independent of ``fresh``, of the shape of ``points``.

    Returns:
        ``w1``, its ``w1_stderr`` and ``w1_floor``, each of shape ``()`` or ``(K,)``.

    Raises:
        TypeError: As :class:`~divergences.EarthMover`.
        ValueError: Likewise, and if ``again`` is not of the shape of ``points``.

    Example:
        >>> real = torch.eye(2)
        >>> exact_w1(real + torch.tensor([3.0, 4.0]), real, real)["w1"]
        tensor(5.)
    """
    if again.shape != points.shape:
        raise ValueError(
            f"again has shape {tuple(again.shape)} and points {tuple(points.shape)}: the floor "
            "depends on the number of points, so draw as many"
        )
    transport = EarthMover(floor=False)
    read, floor = transport(points, fresh), transport(again, fresh)
    return {"w1": read.value, "w1_stderr": read.stderr, "w1_floor": floor.value}
