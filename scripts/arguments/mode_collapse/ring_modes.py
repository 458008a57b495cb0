"""Claims ``ring`` and ``grid``: all modes kept with a relativistic game and two flat slopes."""

from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from divergences import Streams
from gans import GeneratorModule, ModeCoverage
from gans.callbacks import InMemory
from gans.monitors import CoveredModes
from gans.networks import points_of
from scripts.lab.claims import Check, Claim, Findings, means
from scripts.lab.jobs import Job, Results
from scripts.lab.mode_table_settings.our_settings import OURS
from scripts.lab.plotting import Colour, captioned, drawing, with_band
from scripts.lab.training import quiet_trainer

KEEPS, LOSES = "relativistic, R1 + R2", "non-saturating"
LOOKS, FIRST_SEED = 20, 100
MODE_METRICS = ("covered_1", "covered_20", "high_quality", "mode_reverse_kl", "core_width")
PUBLISHED = {"ring": ("PacGAN4", 7.8, 0.959, 0.07), "grid": ("PacGAN4", 24.8, 0.936, 0.04)}
"""Row, modes with a sample, high quality and reverse KL, after 400000 iterations."""


@dataclass(frozen=True)
class Prediction:
    """Least modes and share of high quality, largest reverse KL of the modes; means of seeds."""

    modes: int
    high_quality: float
    reverse_kl: float


@dataclass(frozen=True)
class Mixed:
    """Length of the games, seeds of each, and what the good one is to reach."""

    iterations: int
    seeds: int
    expects: Prediction


def trained(module: GeneratorModule, *callbacks: pl.Callback) -> GeneratorModule:
    """The module after its last iteration; nothing is logged."""
    quiet_trainer(callbacks=list(callbacks)).fit(module)
    return module


def played(row: str, target: str, iterations: int, count: int) -> dict[str, Tensor]:
    """Final mode metrics per seed, modes over iterations, and some of the first seed's points."""
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    seen = InMemory(CoveredModes(), max(1, iterations // LOOKS), first=True)
    module = trained(OURS.module(row, target, seeds, iterations), seen)
    mixture = OURS.mixtures[target]
    metric = ModeCoverage.of(mixture.target)
    points = points_of(module.generator, Streams(seeds, "quality"), mixture.samples)
    metric.update(points)
    read = metric.compute()
    names = ("covered_1", "covered_20", "high_quality", "mode_reverse_kl", "core_width")
    return {
        **{name: read[name].reshape(-1).double() for name in names},
        "iterations": torch.tensor(seen.iterations),
        "seen": seen.readings["modes/covered_20"].double(),
        "points": points[0, :1000],
    }


def experiments(target: str, mixed: Mixed) -> dict[str, Job]:
    """The good game and the bad one."""
    nominal = mixed.iterations * mixed.seeds / 1000
    return {
        f"{target}, {row}": Job(cost * nominal, played, row, target, mixed.iterations, mixed.seeds)
        for row, cost in ((KEEPS, 2.3), (LOSES, 1.2))
    }


def judge(target: str, results: Results, mixed: Mixed) -> Findings:
    """The claim about one target."""
    found = {row: results[f"{target}, {row}"] for row in (KEEPS, LOSES)}
    return Findings(
        claims=[claim(target, found, mixed)],
        figures={f"modes_{target}": picture(target, found)},
        tables={f"modes_{target}": table(found)},
    )


def checks(row: str, read: dict[str, Tensor], mixed: Mixed) -> list[Check]:
    """The modes, by samples of high quality, evenly; a mean of all of them is all in each seed."""
    modes, least = f"{row}: modes with 20 samples of high quality or more", mixed.expects
    kl, share = f"{row}: reverse KL of the modes", f"{row}: share of high quality"
    return [
        Check.at_least(f"{modes}, mean of seeds", least.modes, read["covered_20"]),
        Check.at_most(f"{kl}, mean of seeds", least.reverse_kl, read["mode_reverse_kl"]),
        Check.at_least(f"{share}, mean of seeds", least.high_quality, read["high_quality"]),
    ]


def claim(target: str, found: dict[str, dict[str, Tensor]], mixed: Mixed) -> Claim:
    mixture = OURS.mixtures[target]
    name, modes, quality, kl = PUBLISHED[target]
    short = mixed.iterations < mixture.iterations
    width = found[KEEPS]["core_width"].mean()
    return Claim(
        id=target,
        source="Lin et al. 2018, arXiv 1712.04086, Table 1; Huang et al. 2025, arXiv 2501.05441, "
        "for the game",
        statement=f"On the {target} a relativistic GAN with R1 and R2 keeps the modes, and "
        "evenly; a plain GAN of the same length loses some.",
        checks=checks(KEEPS, found[KEEPS], mixed),
        # a game that loses modes may still make samples of high quality: the others must fail
        controls=checks(LOSES, found[LOSES], mixed)[:2],
        equation=r"\max_f \; E_{x, y} \log \sigma(f(x) - f(y)) - \frac{\gamma}{2} "
        r"E_x |\nabla f(x)|^2 - \frac{\gamma}{2} E_y |\nabla f(y)|^2",
        n_seeds=mixed.seeds,
        figure=f"modes_{target}",
        note=f"{mixed.iterations} iterations"
        + (
            f", shortened from {mixture.iterations}; what is asked of the short game was fixed "
            f"after a look at other seeds. All {len(mixture.target.weights)} modes in every seed "
            "are asked of the full one. "
            if short
            else ". "
        )
        + f"{name} has {modes} modes with a sample at least, {100 * quality:.1f} % of high "
        f"quality and a reverse KL of {kl} after 400000. A perfect sampler has 98.9 %. The modes' "
        f"width here is {width:.2f} of the target's, which none of these numbers measures.",
    )


def table(found: dict[str, dict[str, Tensor]]) -> list[dict[str, Any]]:
    """One row per game, means over seeds."""
    return [{"game": row, **means(read, *MODE_METRICS)} for row, read in found.items()]


@captioned
def picture(target: str, found: dict[str, dict[str, Tensor]]) -> Figure:
    """Left: how many of the modes are kept over training. Right: the points at the end, with the
    modes as circles.
    """
    figure, panels = drawing(9.6, 3.6, 1, 3, width_ratios=(1.3, 1, 1))
    law = OURS.mixtures[target].target
    colours: dict[str, str] = {KEEPS: Colour.FIRST, LOSES: Colour.SECOND}
    for row, read in found.items():
        with_band(panels[0], read["iterations"].tolist(), read["seen"].T, colours[row], row)
    panels[0].axhline(len(law.weights), color=Colour.EXACT, lw=0.8, ls="--")
    panels[0].set(xlabel="iteration", ylabel="modes with 20 samples or more")
    panels[0].set_ylim(0, 1.3 * len(law.weights))
    panels[0].legend(fontsize=8, loc="upper left")
    for (row, read), axes in zip(found.items(), panels[1:], strict=True):
        scatter(axes, read["points"], law.centres, colours[row])
        axes.set_title(row, fontsize=10)
    return figure


def scatter(axes: Axes, points: Tensor, centres: Tensor, colour: str) -> None:
    """Generated points, and circles where the modes are."""
    axes.scatter(*centres.T, s=70, facecolors="none", edgecolors=Colour.EXACT, linewidths=0.7)
    axes.scatter(*points.T, s=3, color=colour, alpha=0.6, linewidths=0)
    reach = 1.25 * float(centres.abs().max())
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
