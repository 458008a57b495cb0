"""Whether networks that begin with outputs of about 1 can reach a target's points."""

import warnings

from gans.targets.base import Target

WIDEST = 50.0
"""Standard deviation of a column from which on, as below its inverse, a warning names it."""

FARTHEST = 100.0
"""Size of a column's mean from which on a warning names it."""


def warn_of_units(target: Target) -> None:
    """Warn where a column of the target is far from what networks give at first.

    Example:
        >>> from gans import Gaussian
        >>> warnings.simplefilter("error")
        >>> warn_of_units(Gaussian(3.0, 20.0))
        >>> warn_of_units(Gaussian(3.0, 2000.0))
        Traceback (most recent call last):
        ...
        UserWarning: Gaussian: column 0 has mean 3 and standard deviation 2e+03; networks begin ...
    """
    try:
        mean, deviation = target.mean.double(), target.variance.double().sqrt()
    except (NotImplementedError, ValueError):  # unknown, or beyond the numbers of its precision
        return
    small = (deviation < 1 / WIDEST) & (mean.abs() < 1 / WIDEST) & (deviation > 0)
    far = (deviation > WIDEST) | (mean.abs() > FARTHEST) | small
    if far.any():
        where = tuple(far.nonzero()[0].tolist())
        warnings.warn(
            f"{type(target).__name__}: column {where[-1]} has mean {float(mean[where]):.3g} and "
            f"standard deviation {float(deviation[where]):.3g}; networks begin with outputs of "
            "about 1, so it may be learned slowly or never. Take another unit; for points of "
            "your own, standardise=True (--model.target.standardise true)",
            stacklevel=3,
        )
