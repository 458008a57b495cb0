"""Draw what finished runs have learned: ``python -m scripts.gallery RUN [RUN ...] --out FILE``."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from divergences import Streams
from divergences.whole_files import atomically
from gans.cli.errors import Parser, guarded
from gans.cli.sample import restored
from gans.figures import FAKE, REAL
from scripts.lab.plotting import drawing

POINTS = 3000
"""Of each side in a panel."""


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


def main(args: Sequence[str] | None = None) -> None:
    """Draw the runs; bad input ends it with one line on stderr and exit code 2."""
    parser = Parser(prog="python -m scripts.gallery", description=__doc__)
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
    drawn = gallery(chosen.runs)
    atomically(chosen.out, partial(drawn.savefig, format=ending, dpi=100))
    print(chosen.out)
    return 0


if __name__ == "__main__":
    main()
