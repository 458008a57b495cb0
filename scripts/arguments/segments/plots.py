"""The overview figure of the segments, its table, and what the report's slider reads."""

from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from divergences import exact
from gans import ParallelSegments
from scripts.arguments.segments.common import HOME, LOG2, LOOKS, THETAS
from scripts.lab.claims import in_table, standard_error
from scripts.lab.jobs import Results
from scripts.lab.plotting import Colour, captioned, drawing, with_band


def over_theta(found: Results) -> list[dict[str, Any]]:
    """One row per theta: exact values, means over seeds and their standard errors."""
    js, raw, w1 = found["js"]["js"], found["raw"]["js"], found["w1"]["w1"]
    gradient, slope = found["js"][f"gradient {LOOKS[-1]}"], found["w1"]["slope"]
    js_exact = exact.js_divergence(HOME, ParallelSegments(THETAS))
    w1_exact = exact.wasserstein(HOME, ParallelSegments(THETAS))
    return [
        {
            "theta": theta,
            "js_exact": float(js_exact[i]),
            **in_table(js=js[i]),
            "js_raw_inputs": float(raw[i].mean()),
            "saturating_gradient": float(gradient[i].mean()),
            "w1_exact": float(w1_exact[i]),
            **in_table(w1=w1[i], critic_gradient=slope[i]),
        }
        for i, theta in enumerate(THETAS.tolist())
    ]


def for_the_slider(found: Results) -> dict[str, Any]:
    """What the report's slider over theta measures: exact values, measurements, gradients."""
    away = ParallelSegments(THETAS)
    laws = {
        "KL(P_0‖P_θ)": exact.kl_divergence(HOME, away),
        "KL(P_θ‖P_0)": exact.kl_divergence(away, HOME),
        "JS": exact.js_divergence(HOME, away),
        "TV": exact.total_variation(HOME, away),
        "W1": exact.wasserstein(HOME, away),
    }

    def beside(law: str, name: str, values: Tensor) -> dict[str, Any]:
        mean, stderr = values.mean(-1).tolist(), standard_error(values).tolist()
        return {"name": f"{law}, {name}", "exact": law, "values": mean, "stderr": stderr}

    js, w1 = found["js"], found["w1"]
    return {
        "thetas": THETAS.tolist(),
        "exact": [{"name": name, "values": values.tolist()} for name, values in laws.items()],
        "measured": [
            beside("JS", "trained discriminator", js["js"]),
            beside("W1", "Lipschitz critic", w1["w1"]),
        ],
        "gradients": [
            beside("JS", "through the discriminator", js[f"gradient {LOOKS[-1]}"]),
            beside("W1", "through the critic", w1["slope"]),
        ],
    }


def by_sample(emd: dict[str, Tensor]) -> list[dict[str, Any]]:
    """Exact transport between samples of 1000 points: value and theta-gradient per theta."""
    return [
        {"theta": theta} | in_table(w1=w1, gradient=gradient)
        for theta, w1, gradient in zip(
            emd["thetas"].tolist(), emd["w1"], emd["gradient"], strict=True
        )
    ]


@captioned
def overview(found: Results) -> Figure:
    """Above: JS is the same at every theta, however small, and W1 a straight line. Below: what a
    generator would follow. Gradients next to theta = 0 are large though JS is flat: they are what
    a discriminator leaves that is not yet at its optimum. It is given the points divided by their
    spread, so that in units of theta its slopes are divided by |theta|. The legend has what is
    divided: it falls with every further step, and is 0 at the optimum.
    """
    figure, ((js, w1), (js_gradient, w1_gradient)) = drawing(10, 6.6, 2, 2)
    line = torch.linspace(-1, 1, 201, dtype=torch.float64)

    js.axhline(LOG2, color=Colour.EXACT, lw=1, label="exact: log 2, and 0 at theta = 0")
    js.plot([0], [0], "o", color=Colour.EXACT, ms=8, mfc="none")
    by_side(js, found["raw"]["js"], Colour.TRAP, "discriminator, raw inputs: trained too little")
    by_side(js, found["js"]["js"], Colour.JS, "discriminator, inputs divided by their spread")
    js.set(ylabel="JS (nats)", ylim=(-0.05, 1.15), title="JS: flat, with a jump at 0")
    js.legend(loc="upper center", fontsize=9)

    w1.plot(line, line.abs(), color=Colour.EXACT, lw=1, label="exact: |theta|")
    with_band(w1, THETAS.tolist(), found["w1"]["w1"], Colour.W1, "spectrally normalised critic")
    w1.set(ylabel="W1", title="W1: slope 1 everywhere")
    w1.legend(loc="upper center", fontsize=9)

    js_gradient.axhline(1, color=Colour.W1, lw=1, label="through the critic: 1")
    for step, alpha in zip(LOOKS, (0.35, 0.6, 1.0), strict=True):
        size = found["js"][f"gradient {step}"].abs()
        share = f"{float(shares(size).mean()):.1g} / |theta|"
        by_side(js_gradient, size, Colour.JS, f"after {step} D steps: {share}", alpha=alpha)
    js_gradient.set(ylabel="|d loss / d theta|", yscale="log", ylim=(1e-4, 1e6))
    title = "Saturating loss through D: what is left falls as D is trained"
    js_gradient.set_title(title, fontsize=10)
    js_gradient.legend(loc="upper center", fontsize=9)

    by_side(w1_gradient, found["w1"]["slope"], Colour.W1, "through the critic")
    for side, label in ((line < 0, "exact: sign(theta)"), (line > 0, None)):
        w1_gradient.plot(line[side], line[side].sign(), color=Colour.EXACT, lw=1, label=label)
    w1_gradient.set(ylabel="d loss / d theta", ylim=(-1.3, 1.3))
    w1_gradient.set_title("Gradient of the generator: sign(theta)", fontsize=11)
    w1_gradient.legend(loc="upper left", fontsize=9)
    for axes in (js, js_gradient):
        axes.set_xscale("symlog", linthresh=1e-3)
        axes.set_xlabel("theta (symmetric log axis)", fontsize=9)
    for axes in (w1, w1_gradient):
        axes.set_xlabel("theta", fontsize=9)
    return figure


def shares(gradient: Tensor) -> Tensor:
    """Gradients times |theta|: their sizes in the units in which the discriminator is trained.

    It is given the points divided by their spread, which is |theta| / 2 along theta, so that it is
    trained alike at every theta; in units of theta all its slopes are divided by |theta|.
    """
    away = THETAS != 0
    return gradient[away] * THETAS[away].abs()[:, None]


def by_side(axes: Axes, values: Tensor, colour: str, label: str, alpha: float = 1.0) -> None:
    """Curves left and right of theta = 0 and the point at 0, not joined: they jump there."""
    for side in (THETAS < 0, THETAS == 0, THETAS > 0):
        name = label if bool(side[0]) else "_"
        with_band(axes, THETAS[side].tolist(), values[side], colour, name, alpha)
