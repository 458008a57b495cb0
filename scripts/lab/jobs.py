"""A job: a function and what it is called with; and a program that does one."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

from scripts.lab.origin import origin

Results = Mapping[str, Any]
"""What the jobs of an argument returned, by their keys."""


@dataclass(frozen=True, kw_only=True)
class CommonSettings:
    """What the settings of every argument have.

    Attributes:
        seeds: How many seeds each experiment uses, unless its claim asks for more.
    """

    seeds: int = 5


@final
class Job:
    """A piece of work that is done once and whose result is kept.

    Arguments:
        cost: Its nominal length in seconds, for the progress that is shown.
        work: A function that can be found by name.
        arguments: What it is called with.
        folder: A folder inside the command's own that the work writes to; its path is passed
            first. A result must not depend on where that is.
    """

    def __init__(
        self, cost: float, work: Callable[..., Any], *arguments: Any, folder: str = ""
    ) -> None:
        self.cost, self.work, self.arguments, self.folder = cost, work, arguments, folder

    @property
    def origin(self) -> str:
        """The digest of the function's source and of the arguments, see :mod:`.origin`."""
        return origin(self.work, self.arguments)

    def alone(self) -> list[Self]:
        """A job for each of its members: it has one."""
        return [self]


@dataclass(frozen=True)
class Outcome:
    """What a job returned, and the seconds that it took."""

    result: Any
    seconds: float


@final
@dataclass(frozen=True)
class Doing:
    """Does jobs of a command that writes to ``out``."""

    out: Path

    def __call__(self, job: Job) -> Outcome:
        first = [str(self.out.absolute() / job.folder)] if job.folder else []
        start = time.perf_counter()
        result = job.work(*first, *job.arguments)
        return Outcome(result, time.perf_counter() - start)
