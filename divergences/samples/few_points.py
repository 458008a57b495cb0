"""Whether the error of a mean rests on a few points, as it does where the tails are heavy."""

from torch import Tensor

from divergences.tail_index import tail_index

FEWEST = 3.0  # points that may make up most of a variance, from 40 points on
FEW = 20.0  # points behind a variance up to which the tail is looked at
HEAVY = 0.5  # shape of the tail above which there is no variance


def points_behind(terms: Tensor) -> float:
    r"""Effective number of points behind the variance of ``terms``, of shape ``(n,)``.

    :math:`(\sum_i \delta_i^2)^2 / \sum_i \delta_i^4` with the deviations :math:`\delta_i` from the
    mean: ``n`` over the kurtosis, so about ``n / 3`` for a normal law and about 1 where one point
    makes up the sum.

    Example:
        >>> import torch
        >>> round(points_behind(torch.tensor([0.0] * 99 + [100.0])), 2)
        1.02
    """
    deviations = terms.double() - terms.double().mean()
    largest = deviations.abs().max()
    if largest == 0:
        return float(len(terms))
    squares = (deviations / largest).square()
    return float(squares.sum() ** 2 / squares.square().sum())


def variance_rests_on_few(*samples: Tensor) -> tuple[str, ...]:
    """A warning where a few points make up a sum's variance, or the tail is as heavy as if so.

    The mean of a law with heavy tails may be infinite, and no sample shows that for sure; where
    its largest few terms decide the sample's variance, an interval from that variance is no
    better than those.

    Arguments:
        samples: Each point's term, of shape ``(n,)``, per sample.

    Example:
        >>> import torch
        >>> variance_rests_on_few(torch.arange(100.0))
        ()
        >>> variance_rests_on_few(torch.tensor([0.0] * 99 + [100.0]))[0]
        'rests on few: 1.0 of 100 points make up the variance; ...'
    """
    variances = [float(terms.double().var()) / len(terms) for terms in samples]
    for terms, variance in zip(samples, variances, strict=True):
        if variance < sum(variances) / 10:
            continue
        size = points_behind(terms)
        few = size < min(FEWEST, 1 + len(terms) / 20)
        if not few and (size > FEW or len(terms) < 100 or _tail(terms) < HEAVY):
            continue
        return (
            f"rests on few: {size:.1f} of {len(terms)} points make up the variance; value and "
            "interval are no surer than those, and the mean may be infinite",
        )
    return ()


def _tail(terms: Tensor) -> float:
    deviations = (terms.double() - terms.double().median()).abs()
    return float(tail_index(deviations[:, None].cpu())[0])
