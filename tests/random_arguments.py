"""Arguments at random: by what an annotation asks for, and now and then something else."""

from __future__ import annotations

import inspect
import math
import random
import re
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributions as td
from torch import nn

import divergences as dv
import gans
from divergences import f_divergences

WORDS = {
    "Literal": "words",
    "Bound": "words",
    "Tensor": "tensors",
    "Density|Distribution|Source": "laws",
    "Target|Modes|Rivals": "targets",
    "Objective|ConvexGenerator": "objectives",
    "AdversarialModule|LightningModule": "modules",
    "GeneratorFactory|CriticFactory|OptimizerFactory|SchedulerFactory": "factories",
    "nn.Module": "networks",
    "Constraint": "constraints",
    "Estimator": "estimators",
    "Integrator": "integrators",
    "Streams": "streams",
    "Optimizer": "optimizers",
    "dict|Mapping": "states",
    "dtype": "dtypes",
    "device": "devices",
    "Path": "paths",
    "Callable": "functions",
    "Size|Sequence|tuple|Iterable": "sequences",
    "bool": "truths",
    "float": "numbers",
    "int": "counts",
    "str": "words",
}
"""Which pool serves an annotation: the first whose word occurs in it."""


class Pool:
    """Arguments by kind: what a careful caller gives, and what a careless one does.

    Sizes are drawn once, so that points, networks and streams of a careful call fit each other.
    """

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.generator = torch.Generator().manual_seed(rng.randrange(2**31))
        self.members, self.d = rng.choice([1, 1, 2]), rng.choice([1, 2, 2, 3, 5])
        self.n = rng.choice([1, 2, 5, 16, 40, 100])

    def arguments(self, function: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
        given, named = [], {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            optional = parameter.default is not parameter.empty
            if optional and self.rng.random() < 0.6:
                continue
            value = self.argument(str(parameter.annotation))
            if parameter.kind is parameter.POSITIONAL_ONLY:
                given.append(value)
            else:
                named[parameter.name] = value
        if {"steps"} <= set(inspect.signature(function).parameters):
            named.setdefault("steps", self.rng.choice([1, 3]))
        return given, named

    def argument(self, annotation: str) -> Any:
        kind = next((WORDS[word] for word in WORDS if re.search(word, annotation)), "tensors")
        chance = self.rng.random()
        if chance < 0.08:
            kind = self.rng.choice(list(WORDS.values()))
        elif chance < 0.2:
            kind = "odd"
        return self.rng.choice(getattr(self, kind))

    def points(self, *shape: int) -> Any:
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64)

    @cached_property
    def streams(self) -> list[Any]:
        return [dv.Streams(range(self.members)), dv.Streams((7,)), dv.Streams((0, 1, 2))]

    @cached_property
    def tensors(self) -> list[Any]:
        n, d, points, uniform = self.n, self.d, self.points, self.rng.uniform
        shares = torch.rand(4, generator=self.generator).double()
        fitting = [points(self.members, n, d).float(), points(self.members, n).float()]
        return [
            *fitting, *fitting,
            points(n, d),
            points(n, d) * 10.0 ** uniform(-8, 8),
            points(n, d) + 10.0 ** uniform(0, 6),
            points(n, d) * 10.0 ** uniform(100, 300),
            points(3, n, d),
            points(n, d).float(),
            points(n, d).half(),
            points(n, d).bfloat16(),
            points(n),
            points(0, 2),
            torch.tensor(0.5),
            points(n, d).round(),
            torch.zeros(n, d),
            torch.full((n, d), math.nan),
            torch.full((n, d), math.inf),
            torch.ones(n, d).int(),
            torch.ones(n, d) > 0,
            points(n, d).to(torch.complex64),
            shares / shares.sum(),
            points(n, d).to_sparse(),
            points(n, d).requires_grad_(),
            points(n, 2 * d)[:, ::2],
            points(n, d).float().numpy(),
        ]  # fmt: skip

    @cached_property
    def laws(self) -> list[Any]:
        return [
            td.Normal(0.0, 1.0),
            td.Normal(torch.tensor([0.0, 3.0]), 2.0),
            td.Uniform(0.0, 1.0),
            td.MultivariateNormal(torch.zeros(2), torch.eye(2)),
            td.Categorical(torch.tensor([0.2, 0.8])),
            td.StudentT(2.0),
            td.MixtureSameFamily(td.Categorical(torch.ones(2)), td.Normal(torch.zeros(2), 1.0)),
            td.Independent(td.Normal(torch.zeros(2), 1.0), 1),
            td.Poisson(3.0),
            td.Dirichlet(torch.ones(3)),
            gans.Ring(),
        ]

    @cached_property
    def targets(self) -> list[Any]:
        return [gans.Ring(), gans.Grid(), gans.Gaussian(), gans.ParallelSegments(0.0),
                gans.SwissRoll(), gans.Embedded(gans.Ring(), 3), gans.OneFunnel(3),
                gans.PointCloud(torch.eye(3)), gans.Box([1.0]), gans.Ball(1.0, 3)]  # fmt: skip

    @cached_property
    def objectives(self) -> list[Any]:
        return [gans.Saturating(), gans.Hinge(), gans.LeastSquares(), gans.Relativistic(),
                gans.FGAN(), gans.Alpha(0.5), gans.Wasserstein(),
                f_divergences.KullbackLeibler(), f_divergences.SquaredHellinger()]  # fmt: skip

    @cached_property
    def modules(self) -> list[Any]:
        small = {"critic": partial(dv.MLP, hidden=(4,)), "seeds": range(self.members)}
        optimizers = dict.fromkeys(
            ("critic_optimizer", "generator_optimizer"), partial(torch.optim.SGD, lr=0.1)
        )
        made = partial(gans.NoiseGenerator, hidden=(4,))
        return [gans.VanillaGAN(gans.Ring(), generator=made, **small, **optimizers)]

    @cached_property
    def factories(self) -> list[Any]:
        return [
            partial(dv.MLP, hidden=(4,)),
            partial(gans.NoiseGenerator, hidden=(4,)),
            gans.SegmentGenerator,
            partial(torch.optim.Adam, lr=1e-3),
            partial(torch.optim.SGD, lr=0.1),
            partial(gans.ConstantThenLinear, iterations=5),
            nn.Linear,
            lambda *_: None,
        ]

    @cached_property
    def networks(self) -> list[Any]:
        own = dv.Streams(range(self.members))
        return [
            dv.MLP(own, self.d, 1, hidden=(4,)),
            dv.MLP(own, self.d, 1, hidden=(4,)),
            gans.Packed(own, self.d, 1, network=partial(dv.MLP, hidden=(4,))),
            gans.NoiseGenerator(own, 2, hidden=(4,)),
            dv.McShane(self.points(self.members, 4, self.d).float()),
            nn.Linear(self.d, 1),
            nn.Identity(),
        ]

    @cached_property
    def constraints(self) -> list[Any]:
        return [dv.Unconstrained(), dv.GradientPenalty(1.0), dv.SpectralNorm(), dv.Orthogonal(),
                dv.WeightClipping(), gans.R1(), gans.R2(), gans.DRAGAN(), gans.GradientClipping(),
                gans.Combined([gans.R1(), gans.R2()])]  # fmt: skip

    @cached_property
    def estimators(self) -> list[Any]:
        return [dv.RossJS(), dv.EnergyDistance(), dv.HistogramJS(), dv.NearestNeighbours()]

    @cached_property
    def integrators(self) -> list[Any]:
        return [dv.Quadrature(max_evaluations=2**12), dv.MonteCarlo(100)]

    @cached_property
    def optimizers(self) -> list[Any]:
        weight = nn.Parameter(torch.zeros(2, 2))
        return [torch.optim.SGD([weight], lr=0.1), torch.optim.Adam([weight])]

    @property
    def states(self) -> list[Any]:
        return [{}, {"a": 1}, {"seen": 3}, {"seen": "x"}, {"start": None, "position": 0},
                {"rand/3": {}}, {"streams": {}}, {"streams": {}}, None]  # fmt: skip

    dtypes = (
        torch.float32,
        torch.float64,
        torch.float16,
        torch.int64,
        torch.bool,
        torch.complex64,
    )
    devices = ("cpu", torch.device("cpu"), "nowhere", 0)
    paths = (Path("/nowhere/at.png"), "", "/", "README.md", Path("."))
    truths = (True, False)
    words = ("", "kl", "lower", "exact", "none", "training", "é" * 100, "\n")
    counts = (0, 1, 2, 3, 5, 8, 64, np.int64(3))
    numbers = (0, 1, 2, 0.5, 0.1, 1e-3, 1e-12, 30.0, 1e6, np.float32(2), torch.tensor(0.5))
    functions = (
        lambda x: x,
        lambda *_: None,
        lambda x: x.square().sum(-1),
        lambda x: {}[0],
        print,
        len,
        torch.tanh,
    )
    sequences = (
        (), [], (4,), [8, 8], (2, 3), (0,), (-1, 2), [1.5], (0.5, 1.0), (math.nan, 1.0),
        [None], "ab", torch.Size([2]), [[1, 2], [3, 4]], np.ones(3), range(3), (10**12,),
        [(0.0, 1.0)], [(-3.0, 3.0), (-3.0, 3.0)],
    )  # fmt: skip
    odd = (
        -1, 3.3, 1e30, 10**30, 2**63, -(2**40), 1e-300, math.nan, math.inf, -math.inf, True,
        "abc", "", b"x", [], [1, 2], (), {}, {"a": 1}, object(), 1j, np.float32(2), None,
        np.ones((4, 2)), torch.tensor(3), lambda x: x, print, int, dv.RossJS,
        nn.Linear(2, 1), range(4), nn.ReLU, NotImplemented, ...,
    )  # fmt: skip
