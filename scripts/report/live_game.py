"""A GAN that trains in the page itself: small enough for a browser, step by step as in Python."""

from typing import final

from markupsafe import Markup

from scripts.report.embedded_figures import Figures
from scripts.report.markup import render, script

WORKER = (
    "random",
    "matrices",
    "perceptron",
    "constraints",
    "objectives",
    "optimizers",
    "sample_distances",
    "games",
    "trainer",
    "worker",
)
"""What the worker is made of, in order."""


def worker_source() -> Markup:
    """The text that the page starts its worker from."""
    return Markup("\n").join(script(f"live/{name}.js") for name in WORKER)


@final
class LiveGame:
    """Controls, a canvas, and the source of the worker that trains; takes no records."""

    place, called = "live-section", "Train in the page"
    scripts = ("browser/plot.js", "browser/picture.js", "browser/game_notes.js", "browser/live.js")

    def section(self, figures: Figures) -> Markup:
        """The section, which without scripts says what it would show."""
        return Markup(render("live.html", source=worker_source()))
