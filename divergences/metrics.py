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


class PointsMetric(Metric):
    """What metrics share that keep all points since the last reset, in states that are lists.

    torchmetrics joins states along their first dimension: points come first, then members.
    """

    is_differentiable = False
    full_state_update = False

    def _keep(self, **batches: Tensor) -> None:
        """Add points of shape ``(n, d)`` or ``(K, n, d)`` to the states of these names.

        Raises:
            ValueError: If members or dimension are not those of the batches before.
        """
        for name, batch in batches.items():
            kept, points = getattr(self, name), batch.detach().movedim(-2, 0)
            if kept and kept[0].shape[1:] != points.shape[1:]:
                before = tuple(kept[0].movedim(0, -2).shape)
                raise ValueError(
                    f"a batch of shape {tuple(batch.shape)} after one of {before}: members and "
                    "dimension must stay the same; call reset() in between"
                )
            kept.append(points.clone())  # which the caller may write to again

    def _kept(self, name: str) -> Tensor:
        """All points of a state, of shape ``(n, d)`` or ``(K, n, d)``.

        Raises:
            ValueError: If there are none, or those merged have other members or dimensions.
        """
        parts = getattr(self, name)
        if len(parts) == 0:
            call = f"update({', '.join(self._defaults)})"
            raise ValueError(f"no points yet: call {call} before compute()")
        shapes = {tuple(part.shape[1:]) for part in parts if isinstance(parts, list)}
        if len(shapes) > 1:
            raise ValueError(
                f"merged points have the shapes {sorted(shapes)}: members and dimension must be "
                "the same"
            )
        return dim_zero_cat(parts).movedim(0, -2)

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """Add the points of another such metric, or of its state, to those of this one."""
        super().merge_state(incoming_state)
        self._computed = None  # of its own points alone


@final
class DivergenceMetric(PointsMetric):
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

    higher_is_better = False
    plot_lower_bound = 0.0

    real: list[Tensor] | Tensor
    fake: list[Tensor] | Tensor

    def __init__(self, estimator: Estimator, **kwargs: Any):
        if not isinstance(estimator, Estimator):
            raise TypeError(f"estimator = {estimator!r}: it must be an Estimator, such as MMD()")
        super().__init__(**kwargs)
        self.estimator = estimator
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
        self._keep(real=real, fake=fake)

    def compute(self) -> Tensor:
        """The value, of shape ``()`` or ``(K,)``.

        Raises:
            ValueError: If there are no points yet, or too few for the estimator.
        """
        self._latest = self.estimator(self._kept("real"), self._kept("fake"))
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
