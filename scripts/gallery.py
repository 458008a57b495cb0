"""Draw what finished runs have learned: ``python -m scripts.gallery RUN [RUN ...] --out FILE``.

Of points in the plane, those of the target above and generated ones below. Of pictures, what one
run makes of the same noise in each checkpoint that it keeps.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from matplotlib.figure import Figure

from divergences import Streams
from divergences.command_line import Parser
from divergences.whole_files import atomically
from gans.callbacks.checkpoints import numbered
from gans.callbacks.picture_samples import grid
from gans.cli.errors import guarded
from gans.cli.sample import restored
from gans.figures import FAKE, REAL
from gans.monitors.picture_quality import pictures_of_training
from gans.monitors.real_cloud import nearest
from gans.targets.images import Pixels
from scripts.lab.plotting import drawing

POINTS = 3000
"""Of each side in a panel."""
COLUMNS = 16
"""Pictures in a row."""


def gallery(runs: Sequence[Path]) -> Figure:
    """For each run the law above and points of its first member's generator below.

    Raises:
        ValueError: If a folder holds no run, or its points are not in the plane.
    """
    figure, panels = drawing(2.3 * len(runs), 4.6, 2, len(runs), squeeze=False, sharex="col")
    for (above, below), run in zip(panels.T, runs, strict=True):
        module, _ = restored(run, None, ())
        if module.dimension != 2:
            raise ValueError(f"{run} has points of {module.dimension} dimensions; give 2")
        real = module.target.draw(Streams(module.seeds, "gallery"), POINTS)[0]
        above.set_title(run.name.replace("_", " "), fontsize=10)
        for axes, points, colour in ((above, real, REAL), (below, module.sample(POINTS)[0], FAKE)):
            axes.plot(*points.T, ".", ms=1.5, mew=0, color=colour)
            axes.set(aspect="equal", xticks=[], yticks=[])
        below.set_ylim(above.get_ylim())
    return figure


def pictures(run: Path) -> Figure:
    """A row of pictures for each checkpoint, all from the same noise, of the first member.

    Weights are those in training, not their averages, which lag behind at first. The last row has
    the pictures of training that are nearest to those of the last checkpoint.

    Raises:
        ValueError: If the run keeps no checkpoint, or has no pictures.
    """
    rows, names = [], []
    for path in reversed(numbered(run / "checkpoints")):
        module, iteration = restored(run, path.name, ())
        law = module.target
        if not isinstance(law, Pixels):
            raise ValueError(f"{run} has no pictures; give a run whose target is gans.Images")
        rows.append(law.rounded(module.sample(COLUMNS, averaged=False)[0]))
        names.append(f"iteration {iteration}")
    if not rows:
        raise ValueError(f"{run / 'checkpoints'} holds no checkpoint yet")
    training = pictures_of_training(law)
    rows.append(training[nearest(rows[-1], training)[1]])
    figure = grid(law, torch.cat(rows), COLUMNS)
    [axes] = figure.axes
    axes.set_axis_on()
    middles = (torch.arange(len(rows)) + 0.5) * (law.image_shape[1] + 2) - 0.5
    axes.set_yticks(middles.tolist(), [*names, "nearest real"])
    axes.set(xticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    width, height = 8.0, 6.8 * len(rows) / COLUMNS + 0.1
    figure.set_size_inches(width, height)
    axes.set_position((0.14, 0.0, 0.86, 1.0))
    return figure


def main(args: Sequence[str] | None = None) -> None:
    """Draw the runs; bad input ends it with one line on stderr and exit code 2."""
    parser = Parser(
        prog="python -m scripts.gallery",
        description="Draw what finished runs have learned: points beside the target's, or "
        "pictures that one run makes of the same noise in each checkpoint that it keeps.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .png or .svg")
    chosen = parser.parse_args(args)
    code = guarded(lambda: _draw(chosen))
    if code:
        raise SystemExit(code)


def _draw(chosen: argparse.Namespace) -> int:
    ending = chosen.out.suffix.removeprefix(".")
    if ending not in ("png", "svg"):
        raise ValueError(f"--out {chosen.out}: give a name that ends in .png or .svg")
    has_pictures = isinstance(restored(chosen.runs[0], None, ())[0].target, Pixels)
    if has_pictures and len(chosen.runs) > 1:
        raise ValueError(f"of pictures one run at a time; {len(chosen.runs)} are given")
    drawn = pictures(chosen.runs[0]) if has_pictures else gallery(chosen.runs)
    atomically(chosen.out, partial(drawn.savefig, format=ending, dpi=100))
    print(chosen.out)
    return 0


if __name__ == "__main__":
    main()
