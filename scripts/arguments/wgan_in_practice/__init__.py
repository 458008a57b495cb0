r"""WGAN as it is trained: does the critic's value say how far the samples are, and is it W1?

Generators learn the ring of eight modes, in the plane and embedded in 32 dimensions. On the way
what the players read themselves is put beside exact transport between samples and beside JS as a
discriminator trained from scratch measures it.

Source: Wasserstein GAN (Arjovsky et al., 2017), Section 4.2.
"""

import math
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from divergences import Critic, SpectralNorm, Streams
from gans import ParallelSegments
from scripts.arguments.wgan_in_practice import games
from scripts.lab.claims import FAILS, QUALIFIED, Check, Claim, Findings
from scripts.lab.jobs import Job, Results
from scripts.lab.plotting import Colour, captioned, drawing, with_band
from scripts.lab.training_monitors import spearman

SOURCE = "Arjovsky, Chintala & Bottou 2017, arXiv 1701.07875"
ON_SEGMENTS = "critic on the segments"
PROFILES = {
    "quick": games.Settings(),
    "paper": games.Settings(iterations=3000, every=100, hidden=(128, 128), last_points=2000),
}


def on_segments(seeds: int, theta: float) -> dict[str, Tensor]:
    """A critic that does read W1: spectrally normalised, on the segments."""
    p, q = ParallelSegments(0.0), ParallelSegments(theta)
    fit = Critic(steps=600, constraint=SpectralNorm()).fit(p, q, range(seeds))
    truth = torch.full((seeds,), theta, dtype=torch.float64)
    return {"own": fit.held_out(p, q).value, "transport": truth, "floor": 0.02 * truth}


def experiments(settings: games.Settings) -> dict[str, Job]:
    seeds, logs = settings.seeds, "tensorboard/wgan_in_practice/"
    followed = {
        name: Job(cost, games.follow, game, seeds, settings, folder=logs + name.replace(", ", "-"))
        for name, (cost, game) in games.GAMES.items()
    }
    return followed | {ON_SEGMENTS: Job(3, on_segments, seeds, 0.3)}


def judge(results: Results, settings: games.Settings) -> Findings:
    """Claims ``loss-tracks-quality`` and ``critic-is-not-w``."""
    found = {name: results[name] for name in games.GAMES}
    return Findings(
        claims=[tracking_claim(found), value_claim(found, results[ON_SEGMENTS])],
        figures={"practice_tracking": tracking(found), "training": beside(found)},
        tables={"practice": by_look(found)},
        data={"training": frames(found)},
    )


def shuffled(values: Tensor) -> Tensor:
    """The same values in another order of looks, the same for all members."""
    order = torch.randperm(values.shape[-1], generator=torch.Generator().manual_seed(0))
    return values[:, order]


def tracks(what: str, values: Tensor, transport: Tensor) -> Check:
    """The mean rank correlation with exact transport must reach .85."""
    rho = spearman(values, transport)
    return Check.at_least(f"{what}: Spearman correlation with exact W1, mean of seeds", 0.85, rho)


def tracking_claim(found: dict[str, dict[str, Any]]) -> Claim:
    checks = [
        tracks(name, found[name]["own"], found[name]["transport"])
        for name in (games.PENALTY, games.PENALTY_32, games.SPECTRAL_32)
    ]
    for name in (games.PENALTY_32, games.SPECTRAL_32):
        fresh, what = found[name]["fresh"], "range of a fresh discriminator's JS"
        spread = fresh.amax() - fresh.amin()
        checks.append(Check.at_most(f"{name}: {what}, all seeds and looks", 0.02, spread))
    plane, transport = found[games.PENALTY], found[games.PENALTY]["transport"]
    saturating = found[games.SATURATING]["transport"]
    clipped = spearman(found[games.CLIPPING]["own"], found[games.CLIPPING]["transport"])
    return Claim(
        id="loss-tracks-quality",
        source=f"{SOURCE}, Section 4.2 and Figures 3 and 4",
        statement="While a WGAN trains, the critic's value falls with the true distance of the "
        "samples, and the JS estimate stays near log 2.",
        expected=QUALIFIED,
        checks=checks,
        controls=[
            tracks("critic's value shuffled over the looks", shuffled(plane["own"]), transport),
            *(
                tracks(f"{name}, its own JS", found[name]["own"], found[name]["transport"])
                for name in (games.SATURATING, games.USUAL)
            ),
        ],
        limits=[
            Check.at_least(
                "in the plane: fall of a fresh discriminator's JS below log 2, least of the seeds",
                0.1,
                (math.log(2) - plane["fresh"].amin(-1)).amin(),
            ),
            Check.at_most(
                f"{games.CLIPPING}: Spearman correlation with exact W1, mean of seeds",
                0.85,
                clipped,
            ),
        ],
        equation=r"\max_{\|f\|_L \le 1} E_{P_r}[f] - E_{P_g}[f] = W_1(P_r, P_g)",
        n_seeds=len(plane["own"]),
        figure="practice_tracking",
        note="It takes a critic that was warmed up and takes ten steps per generator step. JS "
        "stays at log 2 only where supports stay apart, as they do in 32 dimensions; in the plane "
        "they soon overlap, and a fresh discriminator's JS tracks the distance as well "
        f"({spearman(plane['fresh'], transport).mean():.2f}). Under the same care the "
        f"saturating GAN ends at W1 = {saturating[:, -1].mean():.2f}, the WGAN at "
        f"{transport[:, -1].mean():.2f}.",
    )


def is_w1(what: str, read: dict[str, Tensor]) -> Check:
    """The value must be as near to exact transport as transport's own floor."""
    return Check.near(
        f"{what}: critic's value against exact W1",
        float(read["transport"].mean()),
        read["own"],
        float(read["floor"].mean()),
    )


def value_claim(found: dict[str, dict[str, Any]], segments: dict[str, Tensor]) -> Claim:
    wgans = (games.SPECTRAL_32, games.CLIPPING, games.PENALTY_32, games.PENALTY)
    last = {name: found[name]["last"] for name in wgans}
    ratios = ", ".join(
        f"{(read['own'] / read['transport']).mean():.2f} ({name})" for name, read in last.items()
    )
    return Claim(
        id="critic-is-not-w",
        source=f"{SOURCE}, Section 3; against it Mallasto et al. 2019, arXiv 1910.03875, and "
        "Stanczuk et al. 2021, arXiv 2103.01678",
        statement="The critic's value during training is W1.",
        expected=FAILS,
        checks=[is_w1(name, read) for name, read in last.items()],
        controls=[is_w1("spectrally normalised critic on the segments, theta = .3", segments)],
        n_seeds=len(last[games.PENALTY]["own"]),
        figure="practice_tracking",
        note=f"Ratio to exact transport at the end of training: {ratios}. The tolerance is what "
        "exact transport itself measures between two samples of the target. A critic can track a "
        "distance (loss-tracks-quality) without measuring it.",
    )


def by_look(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per game and look: means over seeds."""
    return [
        {
            "game": name,
            "iteration": iteration,
            **{key: float(run[key][:, i].mean()) for key in ("own", "transport", "fresh", "pull")},
        }
        for name, run in found.items()
        for i, iteration in enumerate(run["iterations"])
    ]


LOG2 = math.log(2)
WINDOW = [-games.EXTENT, games.EXTENT, -games.EXTENT, games.EXTENT]


@captioned
def tracking(found: dict[str, dict[str, Any]]) -> Figure:
    """In each panel: does the green curve, the network's own value, fall with the blue one, the
    exact W1? And does the orange JS stay at the dotted log 2?
    """
    figure, panels = drawing(10.5, 6.2, 2, 3, sharex=True, sharey=True)
    for (name, run), axes in zip(found.items(), panels.flat, strict=True):
        axes.axhline(LOG2, color=Colour.EXACT, lw=0.8, ls=":")
        x = run["iterations"]
        with_band(axes, x, run["transport"].T, Colour.W1, "exact W1 of samples")
        with_band(axes, x, run["fresh"].T, Colour.JS, "JS, fresh discriminator")
        label = "critic's value" if "WGAN" in name else "its own JS"
        with_band(axes, x, run["own"].T, Colour.OWN, label)
        axes.set_title(name, fontsize=9)
        axes.legend(fontsize=7, loc="upper right")
        axes.set_ylim(-0.05, 1.7)
    figure.supxlabel("generator iterations")
    figure.supylabel("nats (JS), or length (W1); dotted: log 2")
    return figure


@captioned
def beside(found: dict[str, dict[str, Any]]) -> Figure:
    """Two games at three of their iterations: generated points, red, should reach the circles."""
    figure, panels = drawing(9.6, 6.4, 2, 3, sharex=True, sharey=True)
    for row, name in zip(panels, (games.SATURATING, games.PENALTY), strict=True):
        run = found[name]
        for axes, i in zip(row, (0, len(run["frames"]) // 2, -1), strict=True):
            still(axes, run["frames"][i])
            axes.set_title(f"iteration {run['iterations'][i]}", fontsize=9)
        row[0].set_ylabel(name.replace(", D", ",\nD"), fontsize=9)
    return figure


def still(axes: Any, shot: dict[str, list[Any]]) -> None:
    """The critic's surface, what pulls on a point there, the target and the generated points."""
    surface = torch.tensor(shot["surface"]).view(games.SIDE, games.SIDE).numpy()
    axes.imshow(surface, origin="lower", extent=WINDOW, cmap="PuOr", alpha=0.6)
    arrows, points = (
        torch.tensor(shot[name]).view(games.ARROWS, games.ARROWS, 2)[::2, ::2].reshape(-1, 2)
        for name in ("arrows", "points")
    )
    axes.quiver(*points.T, *arrows.T, color=Colour.EXACT, width=0.005, alpha=0.7)
    dots: Any = {"color": Colour.SAMPLE, "ms": 2.5, "rasterized": True}  # each weighs 90 bytes
    axes.plot(*torch.tensor(shot["samples"]).T, ".", **dots)
    axes.plot(*games.PLANE.centres.T, "o", mfc="none", color=Colour.EXACT, ms=7)  # pyright: ignore
    axes.set(xlim=(-games.EXTENT, games.EXTENT), ylim=(-games.EXTENT, games.EXTENT))


def rounded(values: Tensor) -> list[float]:
    return [round(v, 3) for v in values.flatten().tolist()]


def frames(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the report's player draws: pictures of the first member, curves of all."""
    drawn = []
    for game in dict.fromkeys((games.SATURATING, games.PENALTY, *found)):
        run = found[game]
        samples, surfaces, arrows = (
            [torch.tensor(shot[what]) for shot in run["frames"]]
            for what in ("samples", "surface", "arrows")
        )
        lows, highs = [float(s.min()) for s in surfaces], [float(s.max()) for s in surfaces]
        curves = {
            "JS, by a discriminator trained anew (nats)": run["fresh"],
            "W1, exact transport": run["transport"],
            f"the {'critic' if 'WGAN' in game else 'discriminator'}'s own value": run["own"],
            "pull on the generated points": run["pull"],
        }
        drawn.append(
            {
                "name": game,
                "samples": [rounded(points) for points in samples],
                "surface": [
                    ((s - low) / max(high - low, 1e-12) * 255).round().int().tolist()
                    for s, low, high in zip(surfaces, lows, highs, strict=True)
                ],
                "low": lows,
                "high": highs,
                "arrows": {
                    "points": [rounded(torch.tensor(p)) for p in run["frames"][0]["points"]],
                    "vectors": [[float(f"{v:.3g}") for v in a.flatten().tolist()] for a in arrows],
                },
                "curves": [
                    {"name": name, "values": values.mean(0).tolist(), "log": "pull" in name}
                    for name, values in curves.items()
                ],
            }
        )
    target = games.PLANE.draw(Streams([0], "picture"), 250)[0]
    return {
        "iterations": found[games.SATURATING]["iterations"],
        "target": [rounded(p) for p in target],
        "extent": WINDOW,
        "side": games.SIDE,
        "games": drawn,
    }
