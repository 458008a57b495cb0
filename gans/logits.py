"""Whether a critic gives probabilities where its objective is of scores before the sigmoid."""

from collections.abc import Callable

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor

from gans.objectives import Objective

OF_LOGITS = "js", "js_of_pairs"
"""Quantities that an objective measures from scores whose sigmoid is a probability."""
SHAPING = (
    "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Alias", "Clone", "ToCopy",
    "Select", "Slice", "Transpose", "T", "Permute", "AsStrided", "Expand", "Mean", "Clamp",
)  # fmt: skip
"""Operations after which probabilities are still probabilities."""
LINEAR = "Addmm", "Mm", "Mv", "Bmm", "Baddbmm", "Convolution", "Add", "Sub"
"""Last operations of critics whose scores may be any numbers."""
REMEDY = (
    "give the critic without its last sigmoid: its scores are logits then, and "
    "BCEWithLogitsLoss trains it as BCELoss did"
)


def refuse_sigmoid(
    objective: Objective | None, scored: Callable[[Tensor], Tensor], points: Tensor
) -> Tensor | None:
    """The scores of points; refuse a critic that ends in a sigmoid if the objective takes logits.

    Arguments:
        objective: Of the game.
        scored: The scores that the critic gives to points.
        points: Some points, ``(K, n, d)``.

    Returns:
        ``None`` if the objective takes any scores.

    Raises:
        ValueError: If the last operation of the critic is a sigmoid.
    """
    if objective is None or objective.quantity not in OF_LOGITS:
        return None
    with torch.enable_grad():
        scores = scored(points.detach().requires_grad_())
    if last_operation(scores) == "Sigmoid":
        raise ValueError(f"the critic ends in a sigmoid, but {_named(objective)}; {REMEDY}")
    return scores


def refuse_probabilities(
    objective: Objective | None, scored: Callable[[Tensor], Tensor], points: Tensor
) -> None:
    """The same, with a warning where scores from no linear layer are all within [0, 1].

    Raises:
        ValueError: As :func:`refuse_sigmoid`.
    """
    scores = refuse_sigmoid(objective, scored, points)
    if scores is None or objective is None or last_operation(scores) in LINEAR:
        return
    scores = scores.detach()
    if 0 <= float(scores.min()) <= float(scores.max()) <= 1:
        named = _named(objective)
        rank_zero_warn(f"all scores of the critic are within [0, 1], but {named}; {REMEDY}")


def _named(objective: Objective) -> str:
    return f"the objective {type(objective).__name__} takes scores before the sigmoid"


def last_operation(scores: Tensor) -> str | None:
    """The last operation that is not one of shape, such as ``Sigmoid``; ``None`` if unknown.

    Example:
        >>> x = torch.ones(3, 1, requires_grad=True)
        >>> last_operation(torch.sigmoid(2 * x).view(-1)), last_operation(x.detach())
        ('Sigmoid', None)
    """
    node = scores.grad_fn
    while node is not None:
        name = node.name().split("Backward")[0]
        if name not in SHAPING:
            return name
        node = node.next_functions[0][0]
    return None
