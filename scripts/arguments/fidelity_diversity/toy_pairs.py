"""Fifteen lines of pairs of laws, along which fidelity or diversity changes in a known way.

Laws, dimensions and sizes are those of Räisä, van Breugel & van der Schaar 2025, arXiv 2505.22450,
as their released code has them (github.com/DPBayes/position-fidelity-diversity-metrics-flawed,
commit f091234). ``x`` are the real points and ``y`` the generated ones, 1,000 of each unless
their number is what changes.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr

from scripts.arguments.fidelity_diversity.quality_scores import scores
from scripts.lab.jobs import CommonSettings

Points = NDArray[np.float64]
Draw = Callable[[np.random.Generator, float], Points]

N = 1000
DIMENSIONS = (1, 8, 64)
ON_SPHERES = (2, 16, 128)
FARTHEST = {1: 6.0, 8: 3.0, 64: 1.0}  # shift of every coordinate
DECADES = {1: 3.0, 8: 1.0, 64: 0.5}  # of standard deviations, either way
MODES = 10
WIDTH = {1: 1 / 6, 8: 1 / 3, 64: 1.0}  # of a mode
OVERLAP = 0.2  # volume that both cubes share
REAL_OUTLIER, FAKE_OUTLIER = "real outlier", "generated outlier"
INVENTED = (
    (5.46794328, -4.08481523), (4.87211875, -13.64864684), (-16.39432073, 9.09802249),
    (-2.15447941, 12.46200019), (11.55784483, -4.96049923), (-24.60558474, 14.18020818),
    (16.84215967, -3.18710751), (-5.47807206, -6.77247129), (9.46726546, 1.05922347),
    (-5.40346201, -17.29490131),
)  # fmt: skip
"""Centres of ten modes; the real law has the first five."""


@dataclass(frozen=True)
class Settings(CommonSettings):
    """Repeats, how finely each line is followed, and the largest samples."""

    repeats: int = 4
    places: int = 5
    few_places: int = 5
    decades_of_sizes: float = 1.5


@dataclass(frozen=True)
class Line:
    """Pairs of laws along a line.

    Attributes:
        places: Where pairs are measured.
        real: Draws the real points at a place.
        fake: Draws the generated ones.
        fixed: Whether the real law is the same everywhere, so that its points are drawn once.
        overlap: 1 - TV of both laws at a place, where it has a closed form.
    """

    places: NDArray[np.float64]
    real: Draw
    fake: Draw
    fixed: bool = True
    overlap: Callable[[float], float] | None = None


def measured(toy: str, settings: Settings) -> dict[str, dict[str, Any]]:
    """Of each line of a toy its places, the scores ``(6, repeats, places)``, and the overlap."""
    found = {}
    for name, line in TOYS[toy](settings):
        own = zlib.crc32(f"{toy}/{name}".encode())
        values = []
        for repeat in range(settings.repeats):
            for j, place in enumerate(line.places):
                real = np.random.default_rng([own, repeat, 0 if line.fixed else j + 1, 0])
                x = line.real(real, float(place))
                y = line.fake(np.random.default_rng([own, repeat, j + 1, 1]), float(place))
                values.append(scores(*standardised_by_real(x, y)))
        shape = settings.repeats, len(line.places), -1
        found[name] = {
            "places": line.places.tolist(),
            "scores": torch.tensor(values, dtype=torch.float64).reshape(shape).permute(2, 0, 1),
            "overlap": [] if line.overlap is None else list(map(line.overlap, line.places)),
        }
    return found


def standardised_by_real(x: Points, y: Points) -> tuple[torch.Tensor, torch.Tensor]:
    """Both samples with the mean and standard deviation of the real one taken out."""
    deviation = x.std(0)
    scale = np.where(deviation > 0, deviation, 1.0)
    first, second = ((z - x.mean(0)) / scale for z in (x, y))
    return torch.from_numpy(first), torch.from_numpy(second)


def normal(draw: np.random.Generator, place: float, d: int) -> Points:
    return draw.normal(size=(N, d))


def shifted(draw: np.random.Generator, place: float, d: int) -> Points:
    return draw.normal(place, size=(N, d))


def with_outlier(draw: np.random.Generator, place: float, of: Draw, d: int) -> Points:
    return np.concatenate([of(draw, place), np.full((1, d), FARTHEST[d])])


def of_normals(place: float, d: int) -> float:
    """1 - TV of two normal laws of variance 1, all means of which are ``place`` apart."""
    return float(2 * ndtr(-(d**0.5) * abs(place) / 2))


def mean_difference(settings: Settings) -> Iterator[tuple[str, Line]]:
    for d in DIMENSIONS:
        places = np.linspace(-FARTHEST[d], FARTHEST[d], settings.places)
        overlap = partial(of_normals, d=d)
        yield f"{d}-D", Line(places, partial(normal, d=d), partial(shifted, d=d), overlap=overlap)


def outlier(settings: Settings) -> Iterator[tuple[str, Line]]:
    for name, line in mean_difference(settings):
        d = int(name[:-2])
        real, fake = (partial(with_outlier, of=of, d=d) for of in (line.real, line.fake))
        yield f"{REAL_OUTLIER}, {name}", Line(line.places, real, line.fake)
        yield f"{FAKE_OUTLIER}, {name}", Line(line.places, line.real, fake)


def deviation_difference(settings: Settings) -> Iterator[tuple[str, Line]]:
    for d in DIMENSIONS:
        places = 10 ** np.linspace(-DECADES[d], DECADES[d], settings.places)

        def scaled(draw: np.random.Generator, place: float, d: int = d) -> Points:
            return draw.normal(scale=place, size=(N, d))

        yield f"{d}-D", Line(places, partial(normal, d=d), scaled)


def mixture(draw: np.random.Generator, centres: Points, width: float, weights: Points) -> Points:
    """N points of a mixture of normal laws with centres ``(modes, d)``."""
    chosen = draw.choice(len(weights), size=N, p=weights / weights.sum())
    return centres[chosen] + width * draw.normal(size=(N, centres.shape[1]))


def dropping(settings: Settings, at: Points, left: Callable[[float], Points]) -> Any:
    """Ten modes along the diagonal, of which the generated law has weights ``left(place)``."""
    for d in DIMENSIONS:
        centres = np.linspace(0, 10, MODES)[:, None].repeat(d, 1)

        def fake(
            draw: np.random.Generator, place: float, centres: Points = centres, d: int = d
        ) -> Points:
            return mixture(draw, centres, WIDTH[d], left(place))

        def real(
            draw: np.random.Generator, place: float, centres: Points = centres, d: int = d
        ) -> Points:
            return mixture(draw, centres, WIDTH[d], np.ones(MODES))

        yield f"{d}-D", Line(at, real, fake)


def simultaneous(settings: Settings) -> Iterator[tuple[str, Line]]:
    def left(place: float) -> Points:
        return np.array([1.0] + [1 - place] * (MODES - 1))

    # 95 % is where diversity must have fallen
    yield from dropping(settings, np.unique([*np.linspace(0, 1, settings.places), 0.95]), left)


def sequential(settings: Settings) -> Iterator[tuple[str, Line]]:
    def left(place: float) -> Points:
        return (np.arange(MODES) < MODES - place).astype(float)

    at = np.unique(np.linspace(0, MODES - 1, settings.places).round())
    yield from dropping(settings, at, left)


def invention(settings: Settings) -> Iterator[tuple[str, Line]]:
    def modes(draw: np.random.Generator, place: float) -> Points:
        return mixture(draw, np.array(INVENTED), 0.25, (np.arange(MODES) < place).astype(float))

    yield "2-D", Line(np.arange(1.0, MODES + 1), lambda draw, place: modes(draw, 5), modes)


def on_sphere(draw: np.random.Generator, radius: float, d: int) -> Points:
    points = draw.normal(size=(N, d))
    return radius * points / np.linalg.norm(points, axis=1, keepdims=True)


def spheres(settings: Settings) -> Iterator[tuple[str, Line]]:
    for d in ON_SPHERES:
        places = np.linspace(0.1, 1.9, settings.places)

        def real(draw: np.random.Generator, place: float, d: int = d) -> Points:
            return on_sphere(draw, 1.0, d)

        def overlap(place: float) -> float:
            return float(np.isclose(place, 1))

        yield f"{d}-D", Line(places, real, partial(on_sphere, d=d), overlap=overlap)


def sizes(settings: Settings) -> Points:
    return np.floor(10 ** np.linspace(2, 2 + settings.decades_of_sizes, settings.few_places))


def cubes(settings: Settings, real_varies: bool) -> Iterator[tuple[str, Line]]:
    for d in DIMENSIONS:

        def real(draw: np.random.Generator, place: float, d: int = d) -> Points:
            return draw.uniform(size=(int(place) if real_varies else N, d))

        def fake(draw: np.random.Generator, place: float, d: int = d) -> Points:
            return draw.uniform(size=(int(place), d)) + 1 - OVERLAP ** (1 / d)

        fixed = not real_varies
        yield f"{d}-D", Line(sizes(settings), real, fake, fixed, lambda place: OVERLAP)


def ball(draw: np.random.Generator, n: int, d: int, radius: float) -> Points:
    directions = draw.normal(size=(n, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return radius * directions * draw.uniform(size=(n, 1)) ** (1 / d)


def ring_tube(draw: np.random.Generator, n: int) -> Points:
    """A disc of radius .1, uniform, that goes round a circle of radius 1."""
    disc, angle = ball(draw, n, 2, 0.1), draw.uniform(0, 2 * np.pi, n)
    reach = 1 + disc[:, 0]
    return np.stack([reach * np.cos(angle), reach * np.sin(angle), disc[:, 1]], 1)


def ball_and_ring(settings: Settings) -> Iterator[tuple[str, Line]]:
    laws = {"ball": lambda draw, n: ball(draw, n, 3, 0.8), "torus": ring_tube}
    for real, fake in (("ball", "torus"), ("torus", "ball")):
        yield (
            f"real {real}",
            Line(
                sizes(settings),
                lambda draw, place, law=laws[real]: law(draw, N),
                lambda draw, place, law=laws[fake]: law(draw, int(place)),
                overlap=lambda place: 0.0,
            ),
        )


def two_modes(settings: Settings) -> Iterator[tuple[str, Line]]:
    for d in DIMENSIONS:

        def real(draw: np.random.Generator, place: float, d: int = d) -> Points:
            centres = np.array([-place / 2, place / 2])[:, None].repeat(d, 1)
            return mixture(draw, centres, 1.0, np.ones(2))

        def fake(draw: np.random.Generator, place: float, d: int = d) -> Points:
            return draw.normal(scale=(1 + place**2) ** 0.5, size=(N, d))

        yield f"{d}-D", Line(np.linspace(0, 5, settings.few_places), real, fake, fixed=False)


def one_coordinate_scaled(settings: Settings) -> Iterator[tuple[str, Line]]:
    def points(draw: np.random.Generator, place: float, shift: float) -> Points:
        moved = draw.normal(size=(N, 2)) + np.array([shift, 0])
        return moved * np.array([1, place])

    places = 10 ** np.linspace(-3, 3, settings.few_places)
    yield "2-D", Line(
        places, partial(points, shift=0.0), partial(points, shift=6.0), fixed=False,
        overlap=lambda place: of_normals(6, 1),
    )  # fmt: skip


def beside_pareto(settings: Settings) -> Iterator[tuple[str, Line]]:
    def points(draw: np.random.Generator, place: float) -> Points:
        return np.stack([draw.normal(place, size=N), 1 + draw.pareto(1.01, size=N)], 1)

    places = np.linspace(-6, 6, settings.places)
    overlap = partial(of_normals, d=1)
    yield "2-D", Line(places, lambda draw, place: points(draw, 0), points, overlap=overlap)


def one_disjoint_coordinate(settings: Settings) -> Iterator[tuple[str, Line]]:
    def points(draw: np.random.Generator, place: float, shift: float) -> Points:
        moved = draw.normal(size=(N, int(place) + 1))
        moved[:, 0] += shift
        return moved

    places = np.floor(10 ** np.linspace(0, 3, settings.few_places) + 1e-9)
    yield "1 to 1000 others", Line(
        places, partial(points, shift=0.0), partial(points, shift=6.0), fixed=False,
        overlap=lambda place: of_normals(6, 1),
    )  # fmt: skip


def rounded(settings: Settings) -> Iterator[tuple[str, Line]]:
    def smooth(draw: np.random.Generator, place: float) -> Points:
        return place * draw.normal(size=(N, 1))

    def whole(draw: np.random.Generator, place: float) -> Points:
        return np.round(smooth(draw, place))

    places = 10 ** np.linspace(0, 3, settings.few_places)
    yield "real rounded", Line(places, whole, smooth, fixed=False)
    yield "generated rounded", Line(places, smooth, whole, fixed=False)


TOYS: dict[str, Callable[[Settings], Iterator[tuple[str, Line]]]] = {
    "mean difference": mean_difference,
    "mean difference, outlier": outlier,
    "deviation difference": deviation_difference,
    "simultaneous mode dropping": simultaneous,
    "sequential mode dropping": sequential,
    "mode dropping, invention": invention,
    "surfaces of spheres": spheres,
    "cubes, size of both": partial(cubes, real_varies=True),
    "cubes, generated size": partial(cubes, real_varies=False),
    "ball and torus": ball_and_ring,
    "two modes as one": two_modes,
    "one coordinate scaled": one_coordinate_scaled,
    "mean difference, Pareto": beside_pareto,
    "one disjoint coordinate": one_disjoint_coordinate,
    "rounded and continuous": rounded,
}
