"""How far the work is: a bar on a terminal, plain lines elsewhere."""

import sys
from types import TracebackType
from typing import Self, final

from tqdm import tqdm

from divergences.shown_text import one_line
from gans.runtime.escaping import tell

BAR = "{percentage:3.0f}%|{bar}| {elapsed} so far, about {remaining} to go{postfix}"
LINES = 20
"""How many lines say how far it is, at most."""


@final
class Progress:
    """Counts work that is done, by its nominal length.

    Arguments:
        total: Nominal length of all of it.
        count: How many pieces that are.
    """

    def __init__(self, total: float, count: int) -> None:
        self.total, self.count = total, count
        self.done, self.pieces = 0.0, 0
        self._bar = None
        if count and sys.stderr.isatty():
            self._bar = tqdm(total=total, file=sys.stderr, bar_format=BAR)

    def advance(self, length: float, name: str) -> None:
        """Count a piece that is done."""
        before = int(LINES * self.done / self.total)
        self.done, self.pieces = self.done + length, self.pieces + 1
        if self._bar is not None:
            self._bar.set_postfix_str(one_line(name), refresh=False)
            self._bar.update(length)
        elif int(LINES * self.done / self.total) > before or self.pieces == self.count:
            share = round(100 * self.done / self.total)
            tell(f"{share:3d} %, {self.pieces} of {self.count} done: {one_line(name)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
