"""What a game will take in memory, extrapolated from trials of few members on few points."""

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import torch

from divergences.available_memory import available, gigabytes, lack_of_memory
from gans.runtime.tracked_allocations import Allocations

FEW, MORE, GROWTH = 12, 24, 4
"""Points of the smallest trials, divisible by what packs of points usually hold; larger ones have
so many times those of the one before."""
LARGE = 2**24
"""Bytes of a trial that is large enough to extrapolate from."""
SECONDS = 1.0
"""Of a trial that is long enough not to take a larger one."""
OVERHEAD = 10**8
"""Bytes that any run takes, for libraries that it loads later."""
HIDDEN = 1.25
"""What a process takes over what tensors hold."""
NEGLIGIBLE = 0.05
"""Share of what is available, below which a rough bound suffices."""
MATRICES = 32
"""Bytes for each pair of points, of what works on all pairs; for the rough bound."""

Act = Callable[[Any, int], object]
"""Something done with a module and a number of points."""


class Wanted(NamedTuple):
    """Something that a run does again and again.

    Attributes:
        setting: What says on how many points.
        points: Per member and side.
        act: Does it once.
    """

    setting: str
    points: int
    act: Act


def training(batch_size: int) -> Wanted:
    """Training of a :class:`gans.GeneratorModule` on minibatches of that size."""
    return Wanted("model.batch_size", batch_size, _step)


def _step(module: Any, points: int) -> None:
    module.batch_size = points
    module.try_steps()


@final
@dataclass(frozen=True)
class Growth:
    """Bytes by the number n of points: ``constant + linear n + square n^2``."""

    constant: float
    linear: float = 0.0
    square: float = 0.0

    @classmethod
    def through(cls, found: Mapping[int, float]) -> "Growth":
        """Through what was found for the smallest and the two largest numbers of points."""
        few, *rest = sorted(found)
        if not rest:
            return cls(found[few])
        half, whole = ([few, *rest])[-2:]
        slope = (found[whole] - found[few]) / (whole - few)
        before = (found[half] - found[few]) / (half - few) if half > few else slope
        square = max(0.0, (slope - before) / (whole - half))
        linear = slope - square * (whole + few)
        return cls(found[few] - linear * few - square * few**2, linear, square)

    def __call__(self, points: float) -> float:
        return max(0.0, self.constant + self.linear * points + self.square * points**2)


@final
@dataclass(frozen=True)
class Need:
    """Bytes by members and points: of each member, and of all together."""

    alone: Growth
    shared: Growth = Growth(0)

    def __call__(self, members: float, points: float) -> float:
        return OVERHEAD + HIDDEN * (self.shared(points) + members * self.alone(points))


@final
class Trials:
    """Counts what few members take on few points, when they are built, trained and looked at.

    Arguments:
        make: Makes a :class:`gans.GeneratorModule` of so many members.
        members: Of the run.
        wanted: What the run does, its training first.

    Attributes:
        built: Bytes at the most while a module is built, by its members.
        peaks: Bytes at the most while one member does something, by the number of points.
    """

    def __init__(self, make: Callable[[int], Any], members: int, wanted: Sequence[Wanted]):
        self.make, self.members, self.trained = make, members, wanted[0]
        self.built: dict[int, int] = {}
        self.peaks: dict[Wanted, dict[int, int]] = {one: {} for one in wanted}
        for points in (FEW, MORE):
            self._try(points, wanted)

    def _try(self, points: int, wanted: Iterable[Wanted]) -> None:
        few = {one: min(points, one.points) for one in wanted}
        for one, peak in self._counted(1, few).items():
            self.peaks[one][few[one]] = peak

    def _counted(self, members: int, points: Mapping[Wanted, int]) -> dict[Wanted, int]:
        """Bytes at the most while each thing is done on so many points, after a step."""
        peaks = {}
        with Allocations() as counted, torch.random.fork_rng(devices=[]):
            module = self.make(members)
            self.built[members] = counted.peak
            self.trained.act(module, min(FEW, self.trained.points))
            for one, n in points.items():
                counted.peak = counted.now
                one.act(module, n)
                peaks[one] = counted.peak
        return peaks

    def build(self) -> Need:
        """What building the module takes."""
        if 2 not in self.built:
            self._counted(2, {})
        one, two = self.built[1], self.built[2]
        return Need(Growth(two - one), Growth(2 * one - two))

    def rough(self, one: Wanted) -> float:
        """Bytes that suffice, unless what works on all pairs does so many times over."""
        need = Need(Growth.through(self.peaks[one]))
        return 2 * need(self.members, one.points) + MATRICES * one.points**2

    def need(self, one: Wanted) -> Need:
        """What one thing takes, from trials as large as :data:`LARGE`."""
        peaks, seconds = self.peaks[one], 0.0
        while (n := max(peaks)) < one.points and peaks[n] < LARGE and seconds < SECONDS:
            start = time.perf_counter()
            self._try(GROWTH * n, [one])
            seconds = time.perf_counter() - start
        if self.members == 1:
            return Need(Growth.through(peaks))
        few, *rest = sorted(peaks)
        of_two = {n: self._counted(2, {one: n})[one] for n in (few, *rest[-2:])}
        alone = {n: peak - peaks[n] for n, peak in of_two.items()}
        shared = {n: 2 * peaks[n] - peak for n, peak in of_two.items()}
        return Need(Growth.through(alone), Growth.through(shared))


def largest(fits: Callable[[int], bool], below: int) -> int:
    """The largest number below another that fits, 0 if none does; all below one that fits do."""
    low, high = 0, below
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def check_fits(
    make: Callable[[int], Any], members: int, wanted: Sequence[Wanted], there: int | None = None
) -> None:
    """Refuse a run that takes more memory than there is, before it is built.

    A trial that fails says nothing of the memory: what is wrong is said when the run is built.

    Arguments:
        make: Makes the module of so many of the run's members.
        members: Of the run.
        wanted: What the run does, its training first.
        there: Bytes that are available; those that the system says if omitted.

    Raises:
        ValueError: Names the setting, what it takes, what there is, and what would fit.
    """
    there = available() if there is None else there
    if there is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            needs = _needs(make, members, wanted, there)
        except Exception as error:
            if lack_of_memory(error):
                raise
            return
    for one, need in needs.items():
        if need(members, one.points) > there:
            raise ValueError(_refusal(one, need, members, there))


def _refusal(one: Wanted, need: Need, members: int, there: int) -> str:
    fewer = largest(lambda k: need(k, one.points) <= there, members)
    points = largest(lambda n: need(members, n) <= there, one.points)
    fit = [f"{one.setting} = {points}"] * (points > 0) + [f"{fewer} members"] * (fewer > 0)
    would = f"about {' or '.join(fit)} would fit" if fit else "make networks smaller"
    asked = f"{one.setting} = {one.points} with " if one.points > 1 else ""
    return (
        f"{asked}{members} members (model.seeds) takes about "
        f"{gigabytes(need(members, one.points))} of memory, and {gigabytes(there)} are available; "
        f"{would}"
    )


def _needs(
    make: Callable[[int], Any], members: int, wanted: Sequence[Wanted], there: int
) -> dict[Wanted, Need]:
    """What is needed for what may not fit."""
    trials = Trials(make, members, wanted)
    needs = {}
    if 2 * members * trials.built[1] > NEGLIGIBLE * there:
        needs[wanted[0]._replace(points=1)] = trials.build()
    return needs | {
        one: trials.need(one) for one in wanted if trials.rough(one) > NEGLIGIBLE * there
    }
