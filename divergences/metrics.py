"""Any estimator as a torchmetrics metric: update on batches, compute once, merge across processes.

The metrics add nothing to the number. They collect points where a training loop produces them, and
hand them to the estimator together.
"""

import math
from collections.abc import Sequence
from typing import Any, final

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from divergences.array_likes import as_pair
from divergences.estimate import QUANTITIES, Estimate
from divergences.estimator import Estimator, check_samples
from divergences.guard import guard


@final
class DivergenceMetric(Metric):
    """The divergence estimated from all real and generated points seen since the last reset.

    All points are kept until then, so memory grows with them. Points seen by several processes are
    concatenated before the estimator is called, on every one of them.

    Arguments:
        estimator: What to estimate between the real points (P) and the fake ones (Q).
        kwargs: As for :class:`torchmetrics.Metric`.

    Example:
        >>> import torch
        >>> from divergences.samples.energy_distance_and_mmd import EnergyDistance
        >>> metric = DivergenceMetric(EnergyDistance())
        >>> for step in range(4):
        ...     metric.update(torch.eye(2), torch.eye(2) + 3)
        >>> metric.compute().shape, metric.estimate().n
        (torch.Size([]), (8, 8))
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    plot_lower_bound = 0.0

    real: list[Tensor] | Tensor
    fake: list[Tensor] | Tensor

    def __init__(self, estimator: Estimator, **kwargs: Any):
        if not isinstance(estimator, Estimator):
            raise TypeError(f"estimator = {estimator!r}: it must be an Estimator, such as MMD()")
        super().__init__(**kwargs)
        self.estimator = estimator
        # torchmetrics joins states along their first dimension: points come first, then members
        self.add_state("real", default=[], dist_reduce_fx="cat")
        self.add_state("fake", default=[], dist_reduce_fx="cat")
        self._latest: Estimate | None = None

    @property
    def plot_upper_bound(self) -> float | None:
        """The largest value that the quantity can have, if there is one."""
        known = QUANTITIES.get(self.estimator.quantity)
        return None if known is None or math.isinf(known.largest) else known.largest

    def update(self, real: Any, fake: Any) -> None:
        """Keep a batch of real and of generated points, not necessarily equally many.

        Arguments:
            real: Points of P, shape ``(n, d)`` or, with a member axis, ``(K, n, d)``.
            fake: Points of Q, shape ``(m, d)`` or ``(K, m, d)``.

        Raises:
            TypeError: As :func:`~divergences.estimator.check_samples`.
            ValueError: As :func:`~divergences.estimator.check_samples`, and if members or
                dimension are not those of the batches before.
        """
        real, fake = as_pair(real, fake)
        check_samples(real, fake, at_least=1)
        assert isinstance(self.real, list)
        assert isinstance(self.fake, list)
        for kept, batch in ((self.real, real), (self.fake, fake)):
            points = batch.detach().movedim(-2, 0)
            if kept and kept[0].shape[1:] != points.shape[1:]:
                before = tuple(kept[0].movedim(0, -2).shape)
                raise ValueError(
                    f"a batch of shape {tuple(batch.shape)} after one of {before}: members and "
                    "dimension must stay the same; call reset() in between"
                )
            kept.append(points.clone())  # which the caller may write to again

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """Add the points of another such metric, or of its state, to those of this one."""
        super().merge_state(incoming_state)
        self._computed = None  # of its own points alone

    def compute(self) -> Tensor:
        """The value, of shape ``()`` or ``(K,)``.

        Raises:
            ValueError: If there are no points yet, or too few for the estimator.
        """
        if len(self.real) == 0:
            raise ValueError("no points yet: call update(real, fake) before compute()")
        real, fake = (dim_zero_cat(kept).movedim(0, -2) for kept in (self.real, self.fake))
        self._latest = self.estimator(real, fake)
        return self._latest.value

    def estimate(self) -> Estimate:
        """The value with its error, interval and warnings."""
        self.compute()  # cached unless there are new points
        assert self._latest is not None
        return self._latest

    def plot(self, val: Tensor | Sequence[Tensor] | None = None, ax: Any = None) -> Any:
        """Figure and axes with one value, or with a list of them over the steps.

        Arguments:
            val: What ``forward`` or ``compute`` returned, or a list of that; computed if omitted.
            ax: Matplotlib axes to draw on.

        Raises:
            TypeError: If ``ax`` are no axes of Matplotlib.
        """
        if ax is not None and not hasattr(ax, "get_xaxis"):
            raise TypeError(f"ax = {ax!r}: it must be Matplotlib axes, as plt.subplots() makes")
        return self._plot(self.compute() if val is None else val, ax)


guard(__name__)  # imported after the rest of the package, when it is asked for
