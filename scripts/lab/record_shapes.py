"""What the files of a reproduce folder hold: the shapes they are checked against."""

from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from gans.runtime.files import inside
from scripts.lab.checked_files import Count, Damaged, Name, Number, Seconds, digest_of

REMEDY = "run python -m scripts.reproduce again"
Verdict = Literal["holds", "holds with a qualification", "does not hold"]
Relation = Literal["=", "<=", ">="]
Line = Annotated[str, Meta(max_length=100_000)]


class Headline(TypedDict):
    """What a check predicts, and what was measured."""

    what: Line
    predicted: Number
    measured: Number
    tolerance: Number
    stderr: Number
    relation: Relation


class Check(Headline):
    """A :class:`scripts.lab.claims.Check`."""

    passed: bool


class Control(Check):
    """A check of a case where it must come out the other way."""

    sound: bool


class Claim(Headline):
    """An entry of ``claims.json``, with its headline."""

    argument: Name
    id: Name
    source: Line
    statement: Line
    expected: Verdict
    verdict: Verdict
    as_expected: bool
    equation: str
    n_seeds: Count
    seconds: Seconds
    figure: Annotated[str, Meta(pattern=r"^([\w.,()=+-]{1,200})?\Z")]
    note: str
    checks: Annotated[list[Check], Meta(min_length=1)]
    controls: list[Control]
    limits: list[Check]


class Record(TypedDict):
    """What an argument leaves, with the digests of the files beside it."""

    argument: Name
    settings: dict[str, Any]
    origin: NotRequired[str]
    seconds: Seconds
    claims: Annotated[list[Claim], Meta(min_length=1)]
    files: dict[str, str]


class Distance(TypedDict):
    """A quantity at each theta."""

    name: Line
    values: list[Number]


class Measured(TypedDict):
    """What was measured of a quantity at each theta, with standard errors."""

    name: Line
    values: list[Number]
    stderr: list[Number]
    exact: Line


class Segments(TypedDict):
    """``data/segments.json``."""

    thetas: Annotated[list[float], Meta(min_length=1)]
    exact: list[Distance]
    measured: list[Measured]
    gradients: list[Measured]


class LimitedSlope(TypedDict):
    """``data/limited_slope.json``: by L, then by theta."""

    slopes: Annotated[list[float], Meta(min_length=1)]
    thetas: Annotated[list[float], Meta(min_length=1)]
    js: list[list[Number]]
    js_stderr: list[list[Number]]
    gradient: list[list[Number]]
    gradient_stderr: list[list[Number]]


Point = tuple[float, float]


class Arrows(TypedDict):
    points: list[Point]
    vectors: list[list[float]]


class Curve(TypedDict):
    name: Line
    values: list[Number]
    log: NotRequired[bool]


class Game(TypedDict):
    name: Line
    samples: list[list[float]]
    surface: list[list[float]]
    low: list[Number]
    high: list[Number]
    arrows: Arrows
    curves: list[Curve]


class Training(TypedDict):
    """``data/training.json``."""

    iterations: Annotated[list[Count], Meta(min_length=1)]
    target: list[Point]
    extent: tuple[float, float, float, float]
    side: Annotated[int, Meta(ge=1, le=10_000)]
    games: Annotated[list[Game], Meta(min_length=1)]


def changed_files(out: Path, record: Record) -> list[Damaged]:
    """Which files of a record are missing, or not those that were written with it."""
    found = []
    for name, digest in record["files"].items():
        try:
            path = inside(out, name)
        except ValueError as error:
            found.append(Damaged(out / "records" / f"{record['argument']}.json", error, REMEDY))
            continue
        if not path.is_file():
            found.append(Damaged(path, "it is not there", REMEDY))
        elif digest_of(path) != digest:
            found.append(Damaged(path, "it is not the file that was written", REMEDY))
    return found
