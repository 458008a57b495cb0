"""Discriminators of slope at most L on the segments: what they read, what they tell theta."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Adam

from divergences import MLP, Constraint, Discriminator, Estimate, SpectralNorm, Streams, bounds
from divergences.estimate import Bound
from divergences.learned.base import Fit, Learned, paired_scores
from divergences.learned.sources import Source
from divergences.networks.slopes import input_gradient
from gans import ParallelSegments
from scripts.arguments.lipschitz_js.limited_slope import (
    LOG2,
    between_two_points,
    limited_js,
    limited_js_slope,
    program,
)
from scripts.arguments.segments.common import HOME, on_quadrature
from scripts.lab.claims import Check, Claim, in_table, standard_error, worst

SLOPES = torch.tensor([0.5, 1.0, 2.0, 8.0], dtype=torch.float64)
THETAS = torch.tensor([0.1, 0.3, 1.0, 3.0], dtype=torch.float64)
ATOMS = 6  # of each segment, for the program
TRAINING: dict[str, Any] = {
    "batch": 32,
    "hidden": (32, 32),
    "optimizer": partial(Adam, lr=5e-3, fused=True),
    "cooldown": 0.5,
}
STEEP = 1000.0
"""A slope that is no constraint at the distances of ``THETAS``: exp(-1000 / 20) is left."""
TRAINED = 1e-3
"""How far a trained reading may be from the closed form, in nats."""


@final
@dataclass(frozen=True, kw_only=True)
class LimitedDiscriminator(Learned):
    r"""Lower bound on JS_L: a logistic discriminator whose logit has at most slope L, in nats.

    The logit is L times a network of slope at most 1.

    Arguments:
        slopes: L, one per member.
        constraint: What keeps the network's slope at most 1, certified.
    """

    quantity: ClassVar[str] = "js"
    bound: ClassVar[Bound] = "lower"

    slopes: Sequence[float] = (1.0,)
    constraint: Constraint = field(default_factory=SpectralNorm)

    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> nn.Module:
        network = MLP(streams, dimension, 1, self.hidden)
        self.constraint.parametrize(network)
        return network

    def logits(self, scores: Tensor) -> Tensor:
        return scores * scores.new_tensor(self.slopes)[:, None]

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        on_p, on_q = map(self.logits, paired_scores(network, x, y))
        return softplus(-on_p).mean(-1) + softplus(on_q).mean(-1)

    def project(self, network: nn.Module) -> None:
        self.constraint.project(network)

    def read(self, p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return bounds.jensen_shannon(self.logits(p_scores), self.logits(q_scores))


def pull(fit: Fit, fake: Tensor, slopes: Tensor) -> Tensor:
    r"""Derivative of the reading in theta, D held fixed: :math:`-\frac12 E[\sigma(f) f']`."""
    logit = fit.scores(fake).double() * slopes[:, None]
    slope = input_gradient(fit.network, fake)[..., 0].double() * slopes[:, None]
    return -(torch.sigmoid(logit) * slope).mean(-1) / 2


def limited(seeds: int, steps: int) -> dict[str, Tensor]:
    """Readings and derivatives of discriminators of limited slope, ``(slopes, thetas, seeds)``."""
    shape = len(SLOPES), len(THETAS), seeds
    slope = SLOPES[:, None, None].expand(shape).flatten()
    theta = THETAS[:, None].expand(shape).flatten()
    estimator = LimitedDiscriminator(slopes=slope.tolist(), steps=steps, **TRAINING)
    away = ParallelSegments(theta.float())
    fit = estimator.fit(HOME, away, list(range(seeds)) * (len(slope) // seeds))
    fake = on_quadrature(away, len(slope))
    return {
        "js": fit.estimate(on_quadrature(HOME, len(slope)), fake).value.view(shape),
        "gradient": pull(fit, fake, slope).view(shape),
    }


def unlimited(seeds: int, steps: int) -> dict[str, Tensor]:
    """The same without a constraint on the slope, ``(thetas, seeds)``."""
    theta = THETAS[:, None].expand(-1, seeds).flatten()
    away = ParallelSegments(theta.float())
    estimator = Discriminator(steps=steps, **TRAINING)
    fit = estimator.fit(HOME, away, list(range(seeds)) * len(THETAS))
    fake = on_quadrature(away, len(theta))
    return {
        "js": fit.estimate(on_quadrature(HOME, len(theta)), fake).value.view(-1, seeds),
        "gradient": pull(fit, fake, torch.ones_like(theta)).view(-1, seeds),
    }


def segments_of_atoms(theta: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of both segments, and the probabilities that either law gives them."""
    height = (np.arange(ATOMS) + 0.5) / ATOMS
    points = np.r_[np.c_[0 * height, height], np.c_[0 * height + theta, height]]
    p = np.r_[np.full(ATOMS, 1 / ATOMS), np.zeros(ATOMS)]
    return points, p, p[::-1].copy()


def programs() -> dict[str, Tensor]:
    """JS_L on atoms, by a search in one dimension, and of the optimal plane by quadrature."""
    pairs = [(float(slope), float(theta)) for slope in SLOPES for theta in THETAS]
    shape = len(SLOPES), len(THETAS)
    on_atoms = [program(*segments_of_atoms(theta), slope) for slope, theta in pairs]
    low, high = torch.tensor(on_atoms, dtype=torch.float64).T
    steep = [program(*segments_of_atoms(float(theta)), STEEP) for theta in THETAS]
    searched = [between_two_points(theta, slope) for slope, theta in pairs]
    theta = THETAS.expand(shape).flatten()
    home = on_quadrature(HOME, len(theta)).double()
    away = on_quadrature(ParallelSegments(theta), len(theta)).double()
    slope = SLOPES[:, None].expand(shape).flatten()

    def plane(points: Tensor) -> Tensor:
        return slope[:, None] * (theta[:, None] / 2 - points[..., 0])

    return {
        "low": low.view(shape),
        "high": high.view(shape),
        "steep": torch.tensor(steep, dtype=torch.float64)[:, 0],
        "search": torch.tensor(searched, dtype=torch.float64).view(shape),
        "quadrature": bounds.jensen_shannon(plane(home), plane(away)).value.view(shape),
    }


def exact() -> Tensor:
    """The closed form, ``(slopes, thetas)``."""
    return limited_js(THETAS, SLOPES[:, None])


def agrees(who: str, values: Tensor) -> Check:
    return Check.zero(f"{who}, from the closed form: farthest, nats", values - exact(), 1e-9)


def reads(who: str, js: Tensor, predicted: Tensor) -> Check:
    return Check.near(
        f"{who}: reading less closed form, farthest of thetas and seeds, nats",
        0,
        worst(js - predicted[..., None], 0),
        TRAINED,
        standard_error(js).max(),
    )


def same_gradient(who: str, gradient: Tensor, predicted: Tensor) -> Check:
    share = gradient / predicted[..., None]
    what = f"{who}: gradient of theta / that of the closed form, farthest of thetas and seeds"
    return Check.all_near(what, 1, share, 0.02)


def claim(solved: dict[str, Tensor], found: dict[str, Tensor], free: dict[str, Tensor]) -> Claim:
    """Claim ``lipschitz-js``."""
    slope_of_exact = limited_js_slope(THETAS, SLOPES[:, None])
    one = int((SLOPES == 2.0).nonzero())
    relative = worst(found["js"] / exact()[..., None], 1)
    pulled = free["gradient"].mean(-1).abs().max()
    tiny = torch.tensor([1e-6], dtype=torch.float64)
    rise = worst(limited_js(tiny, SLOPES) / tiny / SLOPES, 0.25)
    steep, fall = worst(solved["steep"], LOG2), slope_of_exact[-1, -1] / slope_of_exact[-1, 0]
    return Claim(
        id="lipschitz-js",
        source="after Zhou et al. 2019, arXiv 1902.05687, and Qin et al. 2018, arXiv 1811.09567",
        statement="A discriminator whose slope is at most L measures "
        "log 2 - log(1 + exp(-L|theta|/2)) on the segments, and not JS. That has a gradient, L/4 "
        "next to theta = 0, until L|theta| is large: the constraint is the cure, not the "
        "Wasserstein objective.",
        checks=[
            *(
                reads(f"trained, L = {slope:g}", found["js"][k], exact()[k])
                for k, slope in enumerate(SLOPES.tolist())
            ),
            same_gradient("trained, L = .5, 1, 2", found["gradient"][:-1], slope_of_exact[:-1]),
            agrees("program on atoms, lower end", solved["low"]),
            agrees("program on atoms, upper end", solved["high"]),
            agrees("search in one dimension", solved["search"]),
            agrees("optimal plane on the segments, by quadrature", solved["quadrature"]),
            Check.near(
                "JS_L / (L theta) at theta = 1e-6, farthest from 1/4",
                0.25,
                rise,
                SLOPES.max().item() * 1e-6,
            ),
            Check.at_most(
                "L = 8: gradient at theta = 3 as a share of that at .1 (closed form)", 1e-4, fall
            ),
            Check.all_near(
                "without a constraint the plateau is back: farthest reading from log 2",
                LOG2,
                free["js"],
                5e-3,
            ),
            Check.near("program, slopes up to 1000: farthest from log 2", LOG2, steep, 1e-9),
        ],
        controls=[
            reads("no constraint, against L = 2", free["js"], exact()[one]),
            same_gradient("no constraint, against L = 2", free["gradient"], slope_of_exact[one]),
            reads("JS itself, log 2, against L = 8", free["js"] * 0 + LOG2, exact()[-1]),
        ],
        equation=r"\max_{\|f\|_{Lip} \le L} \log 2 + \frac{1}{2} E_{P_0}[\log \sigma(f)] + "
        r"\frac{1}{2} E_{P_\theta}[\log \sigma(-f)] = \log 2 - \log(1 + e^{-L|\theta|/2})",
        n_seeds=found["js"].shape[-1],
        figure="lipschitz_js",
        note="Smooth it is for theta other than 0 only: at 0 it has a kink, as W1 has. Farthest "
        f"trained reading, as a share of the closed form: {relative:.4f}. Through a "
        f"discriminator without constraint the gradient is {pulled:.2g} at most; "
        f"with L = 2 it is {found['gradient'][one, 1].mean():.3f} at theta = .3.",
    )


def by_slope(
    solved: dict[str, Tensor], found: dict[str, Tensor], free: dict[str, Tensor]
) -> list[dict[str, Any]]:
    """One row per L and theta: closed form, program, trained, and the gradients."""
    derivative, n = limited_js_slope(THETAS, SLOPES[:, None]), len(THETAS)
    exactly = [t.tolist() for t in (SLOPES, exact(), solved["low"], solved["high"], derivative)]
    of_slopes: list[Any] = [*zip(*exactly, found["js"], found["gradient"], strict=True)]
    without = (math.inf, [LOG2] * n, [""] * n, [""] * n, [0.0] * n, free["js"], free["gradient"])
    return [
        {
            "slope": slope,
            "theta": theta,
            "closed_form": closed_form[i],
            "program_low": low[i],
            "program_high": high[i],
            **in_table(trained=js[i]),
            "gradient_closed_form": steepness[i],
            "gradient_trained": float(pulled[i].mean()),
        }
        for slope, closed_form, low, high, steepness, js, pulled in [*of_slopes, without]
        for i, theta in enumerate(THETAS.tolist())
    ]


def for_the_slider(found: dict[str, Tensor]) -> dict[str, Any]:
    """What the page draws beside the closed form: means over seeds, by L and theta."""
    data: dict[str, Any] = {"slopes": SLOPES.tolist(), "thetas": THETAS.tolist()}
    for name in ("js", "gradient"):
        data[name] = found[name].mean(-1).tolist()
        data[f"{name}_stderr"] = standard_error(found[name]).tolist()
    return data
