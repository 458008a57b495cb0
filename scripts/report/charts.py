"""Small charts drawn while the page is written, so that they are there without JavaScript."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scripts.report.markup import number

WIDTH, HEIGHT = 360, 104
LEFT, RIGHT, TOP, BOTTOM = 46, 354, 6, 88

Value = float | str | None


@dataclass(frozen=True)
class Series:
    """One value per step; what is not finite, or not positive on a logarithmic axis, is a gap.

    Attributes:
        values: As the records have them.
        tone: CSS class that colours it.
    """

    values: Sequence[Value]
    tone: str


class Axis:
    """The upright axis, from the least to the largest value that can be drawn.

    A linear one starts at 0 unless something is well below.
    """

    def __init__(self, values: Sequence[Value], log: bool = False) -> None:
        self.log = log
        drawn = [v for v in map(self.place, values) if v is not None] or [1.0]
        if not log:
            drawn.append(0.0)
        self.low, self.high = min(drawn), max(drawn)
        if not log and -self.low < 0.02 * self.high:
            self.low = 0.0
        if self.low == self.high:
            self.high = self.low * 10 if log else self.low + 1

    def place(self, value: Value) -> float | None:
        """The value, if this axis has a place for it."""
        if not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return None if self.log and value <= 0 else float(value)

    def y(self, value: float) -> float:
        bend = math.log if self.log else float
        share = (bend(value) - bend(self.low)) / (bend(self.high) - bend(self.low))
        return BOTTOM - share * (BOTTOM - TOP)


def x(step: int, steps: int) -> float:
    return LEFT + (RIGHT - LEFT) * (step / (steps - 1) if steps > 1 else 0)


@dataclass(frozen=True)
class Chart:
    """Curves over steps, with a mark that a script may move.

    Attributes:
        series: What to draw.
        axis: The upright axis, which charts side by side may share.
        ends: What to write at the first and at the last step.
        mark: The step that is marked.
        label: What the chart shows, for those who hear the page.
    """

    series: Sequence[Series]
    axis: Axis
    ends: tuple[str, str]
    mark: int
    label: str
    box = (WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM)
    first, last = LEFT, RIGHT

    @property
    def steps(self) -> int:
        return len(self.series[0].values)

    @property
    def paths(self) -> list[tuple[str, str]]:
        """Tone and path of each series."""
        return [(one.tone, line(one, self.axis)) for one in self.series]

    @property
    def ticks(self) -> tuple[str, str]:
        """What stands at the upper and the lower end of the upright axis."""
        return tick(self.axis.high), tick(self.axis.low)

    @property
    def zero(self) -> float | None:
        """Where a line at 0 goes, if 0 lies within the axis."""
        return self.axis.y(0) if self.axis.low < 0 < self.axis.high else None

    @property
    def marked(self) -> float:
        return x(self.mark, self.steps)


def tick(value: float) -> str:
    """What stands at an end of the upright axis, short enough for the space beside it."""
    text = number(value)
    return text if len(text) <= 6 else number(float(f"{value:.1g}"))


def points(series: Series, axis: Axis) -> Iterator[tuple[int, float] | None]:
    """Step and height of each number, ``None`` for a gap."""
    for step, value in enumerate(series.values):
        placed = axis.place(value)
        yield None if placed is None else (step, axis.y(placed))


def line(series: Series, axis: Axis) -> str:
    """A path that breaks where there is no number."""
    path, pen = "", "M"
    for point in points(series, axis):
        if point is not None:
            path += f"{pen}{x(point[0], len(series.values)):.1f} {point[1]:.1f}"
        pen = "M" if point is None else "L"
    return path
