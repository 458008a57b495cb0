"""Every argument from its experiments to its findings, with settings as small as they can be."""

import importlib
import json
import math
from dataclasses import replace

import pytest

from scripts.arguments import ARGUMENTS
from scripts.arguments.mode_collapse.ring_modes import Mixed, Prediction
from scripts.arguments.mode_collapse.stalled_generators import Silenced
from scripts.lab.jobs import Doing
from scripts.lab.json_values import restored, stored
from scripts.reproduce import Argument

SHORT = Mixed(iterations=20, seeds=2, expects=Prediction(0, 0.0, 1.0))
LEAST = {
    "information": {"pairs": 20, "triples": 20, "steps": 3},
    "binary_entropy": {"pairs": 20},
    "couplings": {"matchings": 20},
    "lipschitz_js": {"steps": 4, "iterations": 6, "repeats": 4, "warmup": 4, "moves": 44},
    "particle_flows": {},
    "segments": {"steps": 4, "followed": 120, "iterations": 10},
    "optimal_discriminator": {"steps": 4, "memory_steps": 4, "sizes": (16, 32), "repeats": 2},
    "vanishing_gradient": {"steps": 40, "pretraining": 4, "looks": 6, "points": 16},
    "log_d_alternative": {
        "steps": 120, "generators": 2, "discriminators": 4, "others": 4, "minibatches": 2,
        "batch": 8, "looks": 3,
    },
    "discriminator_vs_critic": {"steps": 3, "unconstrained": 3},
    "wgan_in_practice": {
        "iterations": 4, "every": 2, "fresh_steps": 2, "hidden": (8,), "last_points": 16,
    },
    "critic_accuracy": {
        "steps": 4, "budgets": (2,), "hidden": (8, 8), "batch": 16, "candidates": 64,
        "transport_points": 16, "dimensions": (2, 4), "generators": 2, "iterations": 2,
    },
    "clipping": {"width": 8, "steps": 2},
    "dirac": {"steps": 20, "starts": 2},
    "mode_collapse": {
        "ring": SHORT,
        "grid": SHORT,
        "silenced": Silenced(
            iterations=20, seeds=4, controls=2, together=2, generator=8, critic=8, samples=100
        ),
    },
    "minibatch_objectives": {"ring": 20, "grid": 20},
    "images": {
        "iterations": 4, "gan_iterations": 4, "count": 2, "fresh_steps": 2, "transported": 20,
        "steps": 40, "looks": 6, "points": 16, "stacked": 4, "counted": 20, "hidden": (8,),
        "channels": (4,),
    },
    "estimators": {"repeats": 2},
    "fidelity_diversity": {"repeats": 1, "places": 3, "few_places": 2, "decades_of_sizes": 0.1},
}  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.* has no estimate"),  # so few points, so short a training
]


def test_every_argument_is_run():
    assert set(LEAST) == set(ARGUMENTS)


@pytest.mark.parametrize("name", LEAST)
def test_an_argument_is_judged_from_what_its_experiments_left(name, tmp_path, monkeypatch):
    argument = Argument.of(name, "quick", seeds=2)
    if name == "segments":
        for part in ("distances", "plots"):
            module = importlib.import_module(f"scripts.arguments.segments.{part}")
            monkeypatch.setattr(module, "LOOKS", (1, 2, 3))
    argument = replace(argument, settings=replace(argument.settings, **LEAST[name]))
    results = {
        key: restored(json.loads(json.dumps(stored(Doing(tmp_path)(job).result))))
        for key, job in argument.jobs.items()
    }
    findings = argument.findings(results)
    assert findings.claims
    for claim in findings.claims:
        assert claim.checks
        assert claim.controls
        assert all(not math.isnan(check.predicted) for check in claim.checks)
    shown = {claim.figure for claim in findings.claims} - {""}
    assert all(findings.figures[name].get_label() for name in shown)
    assert all(rows for rows in findings.tables.values())
