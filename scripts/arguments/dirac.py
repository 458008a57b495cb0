r"""The smallest GAN there is: one point against one point, and which games converge.

The data sit at 0, the generator at theta, the critic is linear: f(x) = psi x. Every game has its
equilibrium at theta = psi = 0. Whether gradient descent gets there is a matter of the objective
and of what holds psi, and can be computed to all digits.

Source: Which Training Methods for GANs do actually Converge? (Mescheder et al., 2018).
"""

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from gans import NonSaturating, Objective, Saturating, Wasserstein
from scripts.lab.claims import Check, Claim, Findings
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.plotting import Colour, captioned

SOURCE = "Mescheder, Geiger & Nowozin 2018, arXiv 1801.04406"
START = (1.0, -1.0)
"""theta and psi at first; the paper's sign of psi is the opposite of ours."""
RATE = 0.2


@dataclass(frozen=True)
class Settings(CommonSettings):
    """Steps of size .2, and how many random starts beside the published one."""

    steps: int = 500
    starts: int = 16


PROFILES = {"quick": Settings(), "paper": Settings(starts=1000)}


def free(psi: Tensor) -> Tensor:
    return torch.zeros_like(psi)


def as_it_is(psi: Tensor) -> Tensor:
    return psi


@dataclass(frozen=True)
class Game:
    """An objective, a penalty on psi (per member), and what psi is projected to.

    ``published`` are the final radii under each of ``SCHEMES``, with the digits they came with.
    """

    objective: Objective
    penalty: Callable[[Tensor], Tensor] = free
    project: Callable[[Tensor], Tensor] = as_it_is
    published: tuple[str, ...] = ()

    def pull_on_theta(self, theta: Tensor, psi: Tensor) -> Tensor:
        """Derivative of the generator's loss."""
        theta = theta.detach().requires_grad_(True)
        loss = self.objective.generator_loss(psi * theta)
        return torch.autograd.grad(loss.sum(), theta)[0]

    def pull_on_psi(self, theta: Tensor, psi: Tensor) -> Tensor:
        """Derivative of the critic's loss, penalty included."""
        psi = psi.detach().requires_grad_(True)
        loss = self.objective.critic_loss(0 * psi, psi * theta).sum() + self.penalty(psi).sum()
        return torch.autograd.grad(loss, psi)[0]


def r1(weight: float) -> Callable[[Tensor], Tensor]:
    """weight/2 times the squared input gradient at the data, which is psi² for a linear critic."""
    return lambda psi: weight / 2 * psi.square()


def gradient_penalty(weight: float, target: float) -> Callable[[Tensor], Tensor]:
    """weight/2 times the squared distance of the slope from its target."""
    return lambda psi: weight / 2 * (psi.abs() - target).square()


def clip(psi: Tensor) -> Tensor:
    return psi.clamp(-1, 1)


GAMES = {
    "GAN, saturating": Game(Saturating(), published=("3.10", "1.42", "1.85")),
    "GAN, non-saturating": Game(NonSaturating(), published=("0.64", "0.284", "0.139")),
    "WGAN, clipping at 1": Game(Wasserstein(), project=clip, published=("1.0", "1.02", "0.917")),
    "WGAN, gradient penalty": Game(
        Wasserstein(), gradient_penalty(0.7, 1.0), published=("1.8", "1.22", "0.716")
    ),
    "GAN with R1, weight .3": Game(Saturating(), r1(0.3), published=("2.6e-6", "2.3e-7", "9e-34")),
    "GAN with R1, weight 1": Game(Saturating(), r1(1.0), published=("9.5e-22", "7.5e-17")),
}
CIRCLING, RESTING = list(GAMES)[2:4], list(GAMES)[4:]
SCHEMES = {"simultaneous": 0, "alternating": 1, "5 critic steps": 5}
"""Critic steps after each generator step; 0 for both players at once."""


def play(game: Game, critic_steps: int, starts: Tensor, steps: int) -> Tensor:
    """Paths of (theta, psi), ``(members, steps + 1, 2)``, from starts ``(members, 2)``."""
    theta, psi = starts.T.unsqueeze(-1).unbind()
    path = [torch.cat([theta, psi], -1)]
    for _ in range(steps):
        if critic_steps == 0:
            pulls = game.pull_on_theta(theta, psi), game.pull_on_psi(theta, psi)
            theta, psi = theta - RATE * pulls[0], game.project(psi - RATE * pulls[1])
        else:
            theta = theta - RATE * game.pull_on_theta(theta, psi)
            for _ in range(critic_steps):
                psi = game.project(psi - RATE * game.pull_on_psi(theta, psi))
        path.append(torch.cat([theta, psi], -1))
    return torch.stack(path, 1)


def paths(name: str, settings: Settings) -> dict[str, Tensor]:
    """One game's paths under every scheme; member 0 starts where the paper does."""
    generator = torch.Generator().manual_seed(0)
    angle = 2 * math.pi * torch.rand(settings.starts, generator=generator, dtype=torch.float64)
    elsewhere = math.sqrt(2) * torch.stack([angle.cos(), angle.sin()], -1)
    starts = torch.cat([torch.tensor([START], dtype=torch.float64), elsewhere])
    return {
        scheme: play(GAMES[name], critic_steps, starts, settings.steps)
        for scheme, critic_steps in SCHEMES.items()
    }


def experiments(settings: Settings) -> dict[str, Job]:
    return {name: Job(3, paths, name, settings) for name in GAMES}


def judge(found: Results, settings: Settings) -> Findings:
    """Claim ``dirac``."""
    return Findings(
        claims=[dirac_claim(found)],
        figures={"dirac": phase_portraits(found)},
        tables={"dirac": final_radii(found)},
    )


def radius(path: Tensor) -> Tensor:
    """Distance from the equilibrium along the path, ``(members, steps + 1)``."""
    return path.norm(dim=-1)


def shrinking(weight: float) -> float:
    """By how much a step with R1 shrinks the radius: the linearisation's spectral radius.

    Around the equilibrium of the saturating game f'(0) = 1/2, and the vector field has the
    eigenvalues -weight/2 ± sqrt(weight²/4 - 1/4).
    """
    root = cmath.sqrt(weight**2 / 4 - 0.25)
    return max(abs(1 + RATE * (-weight / 2 + sign * root)) for sign in (1, -1))


def rate(path: Tensor) -> float:
    """Measured factor per step, mean over the second half of the first member's path."""
    r = radius(path)[0]
    middle = len(r) // 2
    return float((r[-1] / r[middle]) ** (1 / (len(r) - 1 - middle)))


def rounding(number: str) -> float:
    """Half a unit of the last digit of a printed number, and a little for its being binary."""
    exponent = Decimal(number).as_tuple().exponent
    assert isinstance(exponent, int)
    return 0.5000001 * 10.0**exponent


def keeps_away(name: str, paths: dict[str, Tensor]) -> Check:
    least = torch.stack([radius(path)[:, -1].amin() for path in paths.values()]).amin()
    return Check.at_least(f"{name}: least final radius, any start and scheme", 0.1, least)


def comes_to_rest(name: str, paths: dict[str, Tensor]) -> Check:
    most = torch.stack([radius(path)[:, -1].amax() for path in paths.values()]).amax()
    return Check.at_most(f"{name}: largest final radius, any start and scheme", 1e-3, most)


def dirac_claim(found: Results) -> Claim:
    as_published = [
        Check.near(
            f"{name}, {scheme}: final radius from the published start",
            float(expected),
            radius(path)[0, -1],
            rounding(expected),
        )
        for name, paths in found.items()
        for expected, (scheme, path) in zip(GAMES[name].published, paths.items(), strict=False)
    ]
    r1_path = found["GAN with R1, weight .3"]["simultaneous"]
    return Claim(
        id="dirac",
        source=f"{SOURCE}, Section 2 and Theorems 2.1 to 2.4",
        statement="On the Dirac-GAN the WGAN, clipped or penalised, circles its equilibrium and "
        "does not converge; a GAN with the R1 penalty does.",
        checks=[
            *(keeps_away(name, found[name]) for name in CIRCLING),
            *(comes_to_rest(name, found[name]) for name in RESTING),
            Check.near(
                "R1, weight .3, simultaneous: factor per step against the linearisation",
                shrinking(0.3),
                rate(r1_path),
                1e-3,
            ),
            *as_published,
        ],
        controls=[
            *(comes_to_rest(name, found[name]) for name in CIRCLING),
            *(keeps_away(name, found[name]) for name in RESTING),
        ],
        equation=r"\min_\theta \max_\psi \; f(\psi\theta) + f(0), \quad "
        r"\lambda = -\frac{\gamma}{2} \pm \sqrt{\frac{\gamma^2}{4} - f'(0)^2}",
        n_seeds=len(r1_path),
        figure="dirac",
        note="All games are deterministic; what varies is the start. The published radii are of "
        "one start, the paper's simulators run again; the others lie at random angles on the same "
        "circle. A smooth distance is no promise that training comes to rest.",
    )


def final_radii(found: Results) -> list[dict[str, Any]]:
    """One row per game and scheme."""
    return [
        {
            "game": name,
            "scheme": scheme,
            "published": dict(enumerate(GAMES[name].published)).get(i, ""),
            "final_radius": float(radius(path)[0, -1]),
            "least_over_starts": float(radius(path)[:, -1].amin()),
            "largest_over_starts": float(radius(path)[:, -1].amax()),
        }
        for name, paths in found.items()
        for i, (scheme, path) in enumerate(paths.items())
    ]


@captioned
def phase_portraits(found: Results) -> Figure:
    """Each path starts at the dot and should end at the cross. Circles never arrive."""
    figure = Figure(figsize=(10.5, 6.4), layout="constrained")
    grid = figure.add_gridspec(2, 4, width_ratios=[1, 1, 1, 1.25])
    colours = [Colour.JS, Colour.TRAP, Colour.W1, Colour.W1, Colour.JS, Colour.JS]
    size = figure.add_subplot(grid[:, 3])
    styles = ["-", "-", "-", "--", "--", ":"]
    for i, (name, paths) in enumerate(found.items()):
        path = paths["alternating"][0]
        panel = figure.add_subplot(grid[i // 3, i % 3])
        panel.plot(*path.T, color=colours[i], lw=0.8)
        panel.plot(*START, "o", color=Colour.EXACT, ms=4)
        panel.plot(0, 0, "+", color=Colour.EXACT, ms=10)
        panel.set(xlim=(-1.9, 1.9), ylim=(-1.9, 1.9), aspect="equal")
        panel.set_title(name.replace(", ", ",\n"), fontsize=9)
        size.plot(radius(path), color=colours[i], ls=styles[i], lw=1.2, label=name)
        if i == 3:
            panel.set(xlabel="theta (generator)", ylabel="psi (critic)")
    size.set(yscale="log", ylim=(1e-18, 10), xlabel="steps", title="distance from rest")
    size.legend(fontsize=7, loc="lower left")
    return figure
