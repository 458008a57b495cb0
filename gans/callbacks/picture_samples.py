"""Generated pictures, each beside the picture of training that is nearest to it."""

from typing import final

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from torch import Tensor

from divergences.checks import whole_number
from gans.callbacks.loggers import log_figure
from gans.callbacks.periodic import Measured
from gans.monitors.game import Game
from gans.monitors.picture_quality import PictureQuality
from gans.monitors.real_cloud import nearest
from gans.targets.images import Pixels


def grid(law: Pixels, points: Tensor, columns: int, beside: Tensor | None = None) -> Figure:
    """Pictures ``(n, d)`` in rows; with ``beside`` each of these is right of its own.

    Arguments:
        law: What the pictures are of.
        points: Shape ``(n, d)``.
        columns: Pictures in a row.
        beside: Other pictures, of the same shape.
    """
    shown = [law.pictures(points)] + ([law.pictures(beside)] if beside is not None else [])
    tiles = torch.cat(shown, -1).cpu() / 2 + 0.5
    channels, rows, wide = tiles.shape[1:]
    tiles = torch.nn.functional.pad(tiles, (1, 1, 1, 1), value=1.0).clamp(0, 1)
    lines = -(-len(tiles) // columns)
    canvas = torch.ones(lines * columns, channels, rows + 2, wide + 2)
    canvas[: len(tiles)] = tiles
    canvas = canvas.unflatten(0, (lines, columns)).permute(0, 3, 1, 4, 2)
    canvas = canvas.reshape(lines * (rows + 2), columns * (wide + 2), channels)
    size = 6.0
    figure = Figure(figsize=(size, size * canvas.shape[0] / canvas.shape[1] + 0.3))
    axes = figure.add_axes((0, 0, 1, 1 - 0.3 / figure.get_figheight()))
    axes.imshow(canvas.squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    return figure


@final
class Samples(Measured):
    """A grid of generated pictures beside their nearest ones of training, and their quality.

    Logs what :class:`~gans.monitors.picture_quality.PictureQuality` measures, and nothing where
    the target has no pictures. The grid is of the averaged weights where the module keeps them.

    Arguments:
        every: Iterations between observations; after 1000, 4000, 9000, ... iterations by default.
            There is none before the first iteration.
        n: Generated pictures per member that are measured.
        shown: Pictures in a grid.
        member: Whose.
        steps: Training of the fresh discriminator.
    """

    first, from_start = 1000, False

    def __init__(
        self,
        every: int | None = None,
        n: int = 800,
        shown: int = 40,
        member: int = 0,
        steps: int = 150,
    ):
        super().__init__(PictureQuality(n, steps), every)
        self.shown = whole_number("shown", shown)
        self.member = whole_number("member", member, least=0)

    def observe(self, trainer: pl.Trainer, game: Game) -> None:
        law = game.pictures()
        if law is None:
            return
        if self.member >= len(game.seeds):
            raise ValueError(
                f"member = {self.member}: the run has members 0 to {len(game.seeds) - 1}"
            )
        with torch.no_grad():
            played = game.averaged() or game
            fake = played.fake(self.shown, game.streams("grid"))[self.member]
        training = law.draw(game.streams("nearest"), 2000)[0]
        which = nearest(law.rounded(fake), law.rounded(training))[1]
        figure = grid(law, law.rounded(fake), 8, training[which])
        weights = "" if played is game else ", averaged weights"
        title = f"iteration {trainer.global_step}{weights}"
        figure.text(0.01, 0.995, title, va="top", fontsize=9)
        log_figure(trainer, "pictures", figure, trainer.global_step)
        super().observe(trainer, game)
