"""No estimate is NaN and one warning wherever it is one number among many; the work goes on."""

import math
import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch

from divergences import EarthMover, Estimator, HeldOutDual
from divergences.failed_estimates import Answers
from gans.callbacks import Coverage, Divergences
from gans.modules import VanillaGAN
from gans.monitors import AdversarialGame
from gans.objectives import NonSaturating
from gans.targets import Ring
from scripts.lab.compared_estimators import ComparedEstimator, _ours
from scripts.lab.known_pairs import CASES
from scripts.lab.training_monitors import CriticAgainstTransport
from scripts.sweep.joint_training import Readings
from tests.gans.test_callbacks import curve, run
from tests.small_games import ring, segments


@dataclass(frozen=True)
class Refusing(Estimator):
    """Has no answer for any points."""

    quantity: ClassVar[str] = "js"
    bound: ClassVar[str] = "none"
    error: Exception

    def measure(self, x, y):
        raise self.error


class Recording:
    """A logger that keeps what it is given."""

    def __init__(self):
        self.kept = []

    def log_metrics(self, scalars, step):
        self.kept.append(scalars)


ERRORS = [
    RuntimeError("no optimal plan found; raise max_iterations = 10"),
    ValueError("x has shape (1, 2): at least 2 points are needed"),
    TypeError("x has dtype torch.float32 and y torch.float64; convert one of them"),
    NotImplementedError("no closed form"),
    torch.linalg.LinAlgError("the matrix is singular"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_documented_error_of_an_estimator_leaves_the_run_alone(tmp_path, error):
    message = re.escape(f"js_Refusing has no estimate: {error}")
    with pytest.warns(UserWarning, match=message) as caught:
        events = run(
            segments(iterations=4),
            tmp_path,
            Divergences(every=1, n=8, estimators=[Refusing(error), HeldOutDual()]),
        )
    assert [step for step, value in curve(events, "divergence/js_Refusing")] == [0, 1, 2, 3, 4]
    assert all(math.isnan(value) for _, value in curve(events, "divergence/js_Refusing"))
    assert all(math.isfinite(value) for _, value in curve(events, "divergence/w1_HeldOutDual"))
    assert sum("no estimate" in str(w.message) for w in caught) == 1


def test_a_solver_out_of_iterations_is_one_of_them(tmp_path):
    with pytest.warns(UserWarning, match="max_iterations = 1"):
        events = run(
            ring(iterations=2),
            tmp_path,
            Divergences(every=1, n=64, estimators=[EarthMover(max_iterations=1)]),
        )
    assert all(math.isnan(value) for _, value in curve(events, "divergence/w1_EarthMover"))
    assert math.isfinite(curve(events, "divergence/w1_floor")[-1][1])


def test_too_few_points_for_some_estimators_leave_the_run_alone(tmp_path):
    with pytest.warns(UserWarning, match="has no estimate"):
        events = run(segments(iterations=2), tmp_path, Divergences(every=1, n=3))
    for name in ("w1_HeldOutDual", "kl_NearestNeighbours"):
        assert all(math.isnan(value) for _, value in curve(events, f"divergence/{name}"))
    assert math.isfinite(curve(events, "divergence/w1_exact")[-1][1])


def test_so_is_what_the_critic_and_the_exact_laws_say(tmp_path, monkeypatch):
    def refuse(*_):
        raise RuntimeError("no answer at these parameters")

    monkeypatch.setattr(NonSaturating, "estimate", refuse)
    monkeypatch.setattr("divergences.exact.ExactDivergence.__call__", refuse)
    with pytest.warns(UserWarning, match="no answer at these parameters"):
        events = run(segments(VanillaGAN, iterations=2), tmp_path, Divergences(every=1, n=16))
    for name in ("js_critic", "kl_exact"):
        assert all(math.isnan(value) for _, value in curve(events, f"divergence/{name}"))
    assert math.isfinite(curve(events, "divergence/w1_EarthMover")[-1][1])


def test_a_sweep_reads_on():
    module = ring(VanillaGAN, iterations=2)
    estimators = [Refusing(ERRORS[0])]
    readings = Readings(n=8, samples=50, estimators=estimators)
    trainer = SimpleNamespace(logger=Recording(), global_step=0)
    with pytest.warns(UserWarning, match="js_Refusing has no estimate"):
        readings.observe(trainer, AdversarialGame(module))
    assert all(math.isnan(c.final()["divergence/js_Refusing"]) for c in readings.curves())


def test_modes_that_overlap_are_said_and_not_counted(tmp_path):
    module = segments(VanillaGAN, target=Ring(1.0, 0.3), iterations=2)
    with pytest.warns(UserWarning, match="modes has no estimate: centres 0 and 1 are closer"):
        events = run(module, tmp_path, Coverage(every=1, n=50))
    assert not [tag for tag in events.Tags()["scalars"] if tag.startswith("modes")]


def test_a_table_of_repeats_keeps_the_others():
    estimator = Refusing(ERRORS[0])
    compared = ComparedEstimator("Refusing", "js", _ours(estimator))
    x = torch.zeros(3, 4, 2)
    with pytest.warns(UserWarning, match="a repeat has no estimate"):
        readings = compared.make(CASES[0])(x, x)
    assert len(readings) == 3
    assert all(math.isnan(r[0]) and r[-1] for r in readings)


def test_reasons_that_differ_in_numbers_are_said_once_and_others_by_themselves():
    said = []
    answers = Answers(said.append)

    def refuse(message):
        raise ValueError(message)

    for message in ("3 of 8 points", "4.5 of 9 points", "another reason"):
        assert answers("W1", lambda message=message: refuse(message), "none") == "none"
    assert said == [f"W1 has no estimate: {m}" for m in ("3 of 8 points", "another reason")]
    assert answers("JS", lambda: refuse("5 of 9 points"), None) is None
    assert len(said) == 3
    assert answers("W1", lambda: 7.0, None) == 7.0


def test_what_is_no_refusal_is_not_caught():
    with pytest.raises(KeyboardInterrupt):
        Answers()("W1", lambda: (_ for _ in ()).throw(KeyboardInterrupt), None)
    with pytest.raises(ZeroDivisionError):
        Answers()("W1", lambda: 1 / 0, None)


def test_an_experiment_measures_on(monkeypatch):
    monkeypatch.setattr("scripts.lab.training_monitors.FEW", 1)
    module = ring(VanillaGAN, iterations=2)
    with pytest.warns(UserWarning, match="transport has no estimate"):
        read = CriticAgainstTransport(fresh_steps=2).read(AdversarialGame(module))
    assert read.pop("transport").isnan().all()
    assert len(read) == 3
    assert all(found.isfinite().all() for found in read.values())


def test_an_estimate_of_members_keeps_its_numbers(tmp_path):
    monitor = Divergences(every=1, n=16)
    run(segments(iterations=1), tmp_path, monitor)
    assert monitor.stderr.keys() < monitor.latest.keys()
    assert all(read.shape == (2,) for read in monitor.stderr.values())
    before = monitor.state_dict()
    again = Divergences(every=1, n=16)
    again.load_state_dict(before)
    assert again.stderr == monitor.stderr
    before.pop("stderr")
    again.load_state_dict(before)  # as checkpoints were
    assert again.stderr == {}
