"""Where an estimate is one of many: no answer is NaN and a warning, not the end of the work."""

import re
import warnings
from collections.abc import Callable
from typing import TypeVar, final

T = TypeVar("T")

UNANSWERED = (TypeError, ValueError, RuntimeError)
"""What estimators raise, by their documentation, on points that they have no answer for: points
of the wrong type or number, or no finite ones; a solver out of iterations; a quantity that is not
implemented for the pair (``NotImplementedError`` is a ``RuntimeError``)."""


@final
class Answers:
    """Asks for estimates; what has none is something else, with one warning for each reason.

    Arguments:
        warn: Called with each new reason, in a sentence.

    Example:
        >>> import torch
        >>> from divergences import EarthMover
        >>> answers, one = Answers(print), torch.zeros(1, 2)
        >>> [answers("W1", lambda: float(EarthMover()(one, one)), float("nan")) for _ in range(2)]
        W1 has no estimate: x has shape (1, 2): at least 2 points ...
        [nan, nan]
    """

    def __init__(self, warn: Callable[[str], object] = warnings.warn):
        self.warn = warn
        self._said: set[str] = set()

    def __call__(self, name: str, ask: Callable[[], T], otherwise: T) -> T:
        """What ``ask`` returns, or ``otherwise`` if it raises one of :data:`UNANSWERED`.

        Arguments:
            name: Of what is asked for, for the warning.
            ask: The estimate.
            otherwise: What stands for no answer.
        """
        try:
            return ask()
        except UNANSWERED as error:
            self.say(f"{name} has no estimate: {error}")
        return otherwise

    def say(self, reason: str) -> None:
        """Warn, unless the same has been said, perhaps with other numbers."""
        alike = re.sub(r"[\d.]+", "0", reason)
        if alike not in self._said:
            self._said.add(alike)
            self.warn(reason)
