"""The argument on measures of fidelity and diversity: its scores, criteria and published table."""

import numpy as np
import pytest
import torch

from divergences.samples.clipped_coverage import ClippedCoverage, ClippedDensity
from divergences.samples.coverage import Coverage, Density, Precision, Recall
from scripts.arguments.fidelity_diversity.pass_criteria import criteria
from scripts.arguments.fidelity_diversity.pass_table import (
    by_desideratum,
    failed,
    of_known_laws,
    published,
)
from scripts.arguments.fidelity_diversity.quality_scores import scores
from scripts.arguments.fidelity_diversity.toy_pairs import (
    TOYS,
    Settings,
    ball,
    of_normals,
    on_sphere,
    ring_tube,
)

ESTIMATORS = Precision(), Density(), ClippedDensity(), Recall(), Coverage(), ClippedCoverage()
LEAST = Settings(repeats=1, places=3, few_places=2, decades_of_sizes=0.1)


@pytest.mark.parametrize(("n", "m", "d", "rounded"), [(80, 60, 3, False), (60, 90, 2, True)])
def test_scores_are_the_values_of_the_estimators(n, m, d, rounded):
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((n, d)), 0.7 * draw.standard_normal((m, d))
    x, y = (torch.from_numpy(z.round() if rounded else z) for z in (x, y))
    for one, estimator in zip(scores(x, y), ESTIMATORS, strict=True):
        value = float(estimator(x, y).value)
        clipped = "Clipped" in type(estimator).__name__
        assert one == pytest.approx(min(value, 1) if clipped else value, abs=1e-12)


AS_PUBLISHED = {
    "precision": "FTFFFTFTFTTTFFFFTFTTFTFFFTFFFF",
    "density": "TTFTFTTFTTTTFFFFTFTTTTTTTTFFFF",
    "recall": "FTFFFHFFFTTTFFFFFFTFFFTFTTFFFF",
    "coverage": "TTTTFFTTTTFFFFFFFFFFTFTTTTFFFF",
}
"""The published letters by toy and desideratum, bounds or sizes first."""


def test_criteria_put_together_are_the_published_table_of_toys():
    table = by_desideratum(published())
    toys = list(dict.fromkeys(toy for toy, _ in table))
    first = "bounds", "data", "hyperparameters"
    rows = sorted(table, key=lambda row: (toys.index(row[0]), row[1] not in first))
    for measure, letters in AS_PUBLISHED.items():
        assert "".join(table[row][measure] for row in rows) == letters
        assert failed(table, measure) == letters.count("F")


def test_every_criterion_has_its_published_row():
    ours = {
        (toy, name, one.desideratum, one.name)
        for toy, lines in TOYS.items()
        for name, _ in lines(LEAST)
        for one in criteria(toy, name)
    }
    assert ours == set(published())


def test_what_the_laws_have_in_common_passes_where_it_is_known():
    known = {
        toy: {
            name: {
                "places": line.places,
                "overlap": [line.overlap(p) for p in line.places] if line.overlap else [],
            }
            for name, line in lines(Settings())
        }
        for toy, lines in TOYS.items()
    }
    found = of_known_laws(known)
    assert len(by_desideratum(found)) == 16
    assert failed(found, "1 - TV") == 0


def test_the_toys_are_where_they_are_said_to_be():
    draw = np.random.default_rng(0)
    assert np.linalg.norm(on_sphere(draw, 0.7, 16), axis=1) == pytest.approx(0.7)
    radii = np.linalg.norm(ball(draw, 4000, 3, 0.8), axis=1)
    assert radii.max() <= 0.8
    assert (radii < 0.4).mean() == pytest.approx(1 / 8, abs=0.02)
    tube = ring_tube(draw, 1000)
    apart = np.hypot(np.hypot(tube[:, 0], tube[:, 1]) - 1, tube[:, 2])
    assert apart.max() <= 0.1
    assert of_normals(0, 8) == 1
    assert of_normals(6, 1) == pytest.approx(0.0026998, abs=1e-7)  # 2 Phi(-3)
