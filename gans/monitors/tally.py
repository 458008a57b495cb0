"""How many looks at a GAN there were, how many failed, and when the last good one was."""

from typing import final


@final
class Tally:
    """Counts looks.

    Attributes:
        good: Looks that have measured something.
        failed: Those that have raised an error.
        last: The step of the last good one, ``None`` before it.

    Example:
        >>> tally = Tally("batch")
        >>> tally.count(0)
        >>> tally.failed += 2
        >>> print(tally, "W1 from 0.4 to 0.5")
        2 of 3 looks have failed, and this is of batch 0: W1 from 0.4 to 0.5
    """

    def __init__(self, unit: str, good: int = 0, failed: int = 0):
        self.unit, self.good, self.failed = unit, good, failed
        self.last: int | None = None

    def count(self, step: int) -> None:
        """There was a good look after this step."""
        self.good, self.last = self.good + 1, step

    def __str__(self) -> str:
        """What stands before the numbers of the last good look; empty if none has failed."""
        failed = f"{self.failed} of {self.good + self.failed} looks have failed"
        if self.last is None:
            return "nothing was measured" + (f": {failed}" if self.failed else "")
        return f"{failed}, and this is of {self.unit} {self.last}:" if self.failed else ""
