"""A reproduce folder with made-up numbers: every kind of claim, two figures, both widgets."""

import json
import math
import shutil
from dataclasses import replace

import torch
from matplotlib.figure import Figure

from divergences.whole_files import write_atomically
from scripts import reproduce
from scripts.lab.claims import FAILS, HOLDS, QUALIFIED, Check, Claim, Findings
from scripts.lab.plotting import Colour, captioned

MET = Check.near("JS at theta = 1", 0.6931, 0.6930, 1e-3, 2e-5)
MISSED = Check.at_most("theta after 400 iterations", 0.1, 0.9)
SEEN = Check.at_most("JS of overlapping laws", 0.5, 0.1234, 0.0056)
TRUE = Claim(
    id="true",
    source="Arjovsky et al. 2017, Example 1",
    statement="JS is log 2 wherever a < b & c.",
    expected=HOLDS,
    checks=[MET, Check.near("KL", math.inf, math.inf, 0)],
    controls=[MISSED],
    equation=r"\mathrm{JS}(P_0, P_\theta) = \log 2",
    n_seeds=5,
    figure="curve",
    note="<script>alert(1)</script>",
)
CLAIMS = {
    "one": [
        TRUE,
        replace(TRUE, id="in-part", limits=[SEEN], expected=QUALIFIED, equation="", note=""),
        replace(
            TRUE, id="untrue", checks=[MET, MISSED], controls=[MET], expected=FAILS, figure=""
        ),
    ],
    "two_games": [
        replace(TRUE, id="proves-nothing", controls=[MET], equation=r"\frac{a}{b} \le K"),
        replace(TRUE, id="astonishing", expected=FAILS, equation=r"E_{x \sim p}[\log D(x)]"),
    ],
}
THETAS = [-1.0, -0.3, -0.1, -0.03, -0.01, -0.001, 0.0, 0.001, 0.01, 0.03, 0.1, 0.3, 1.0]
STEPS, SIDE = 24, 20
GAMES = (
    "GAN, saturating",
    "WGAN, one-sided penalty",
    "WGAN, clipped, with a name that takes two lines",
)


def segments():
    """``data/segments.json``: closed forms, and a slight error for what would be measured."""
    apart = [float(theta != 0) for theta in THETAS]
    error = [1e-4 * (1 + i % 3) for i in range(len(THETAS))]
    js = [math.log(2) * a for a in apart]
    w1 = [abs(theta) for theta in THETAS]
    return {
        "thetas": THETAS,
        "exact": [
            {"name": "KL(P_0‖P_θ)", "values": ["inf" if a else 0.0 for a in apart]},
            {"name": "JS", "values": js},
            {"name": "TV", "values": apart},
            {"name": "W1", "values": w1},
        ],
        "measured": [
            {
                "name": "JS, trained discriminator",
                "values": [v - e for v, e in zip(js, error, strict=True)],
                "stderr": error,
                "exact": "JS",
            },
            {
                "name": "W1, critic with spectral norm",
                "values": [v + 3 * e for v, e in zip(w1, error, strict=True)],
                "stderr": error,
                "exact": "W1",
            },
        ],
        "gradients": [
            {
                "name": "JS, through the discriminator",
                "exact": "JS",
                "values": [1e-3 / t if t else None for t in THETAS],
                "stderr": [1e-5 if t else None for t in THETAS],
            },
            {
                "name": "W1, through the critic",
                "exact": "W1",
                "values": [
                    0.9998 * math.copysign(a, t) for a, t in zip(apart, THETAS, strict=True)
                ],
                "stderr": error,
            },
        ],
    }


def limited_slope():
    """``data/limited_slope.json``: the closed form, with a slight error."""
    slopes, thetas = [0.5, 1.0, 2.0, 8.0], [0.1, 0.3, 1.0, 3.0]
    js = [[math.log(2) - math.log1p(math.exp(-a * t / 2)) for t in thetas] for a in slopes]
    pull = [[a / 2 / (1 + math.exp(a * t / 2)) for t in thetas] for a in slopes]
    error = [[1e-4] * len(thetas)] * len(slopes)
    return {
        "slopes": slopes,
        "thetas": thetas,
        "js": js,
        "js_stderr": error,
        "gradient": pull,
        "gradient_stderr": error,
    }


def game(name, target, noise, grid, vanishes):
    """One game of ``data/training.json``: points that drift to the ring, or stay."""
    frames = {"samples": [], "surface": [], "low": [], "high": []}
    vectors, js, w1, norm = [], [], [], []
    for step in range(STEPS):
        share = (0.15 if vanishes else 1.0) * step / (STEPS - 1)
        points = share * target + (1 - share) * noise
        pull = -grid / grid.norm(dim=-1, keepdim=True).clamp(min=0.2)
        pull = pull * (1 - grid.norm(dim=-1, keepdim=True)) * (math.exp(-step) if vanishes else 1)
        height = (grid.norm(dim=-1) - share).abs()
        cells = (255 * (height - height.min()) / (height.max() - height.min())).round().int()
        frames["samples"].append([round(v, 3) for v in points.flatten().tolist()])
        frames["surface"].append(cells.tolist())
        frames["low"].append(-float(height.max()))
        frames["high"].append(float(step + 1))
        vectors.append([round(v, 4) for v in pull[::9].flatten().tolist()])
        js.append(None if step == 0 else math.log(2) * (1 if vanishes else 1 - share**4))
        w1.append(float((points - target).norm(dim=-1).mean()))
        norm.append(math.exp(-step) if vanishes else 1.0)
    return frames | {
        "name": name,
        "arrows": {"points": grid[::9].tolist(), "vectors": vectors},
        "curves": [
            {"name": "JS estimate (nats)", "values": js},
            {"name": "W1 (exact transport)", "values": w1},
            {"name": "gradient norm at the fakes", "values": norm, "log": True},
        ],
    }


def training():
    """``data/training.json``."""
    random = torch.Generator().manual_seed(0)
    angle = 2 * math.pi * torch.arange(96) / 96
    target = torch.stack([angle.cos(), angle.sin()], -1)
    noise = 0.15 * torch.randn(96, 2, generator=random)
    axis = torch.linspace(-1.5, 1.5, SIDE)
    grid = torch.cartesian_prod(axis, axis).flip(-1)
    return {
        "iterations": [10 * step for step in range(STEPS)],
        "target": target.tolist(),
        "extent": [-1.5, 1.5, -1.5, 1.5],
        "side": SIDE,
        "games": [game(name, target, noise, grid, name == GAMES[0]) for name in GAMES],
    }


@captioned
def curve():
    """Look at the <end> of the curves."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0.69, color=Colour.EXACT, label="exact, <b>")
    axes.plot([0, 1], [1, 0], color=Colour.JS, marker="o", label="JS")
    axes.plot([0, 1], [0, 1], color=Colour.W1, label=r"$W_1$")
    axes.legend()
    return figure


def make(out, settings=None):
    """Write the folder as the arguments would."""
    data = {"segments": segments(), "limited_slope": limited_slope(), "training": training()}
    rows = [{"game": "a & b", "value": 1 / 3, "arrival": math.inf}]
    first = Findings(CLAIMS["one"], {"curve": curve()}, {"rows": rows}, data)
    claims = []
    for name, findings in zip(CLAIMS, (first, Findings(CLAIMS["two_games"])), strict=True):
        reproduce.keep(name, findings, out, settings or {"seeds": 5}, 1.5, "origin")
        claims += json.loads((out / "records" / f"{name}.json").read_text())["claims"]
    write_atomically(out / "claims.json", json.dumps(claims))
    for name in ("segments", "training", "unseen"):
        shutil.copy(out / "figures" / "curve.svg", out / "figures" / f"{name}.svg")
    return out
