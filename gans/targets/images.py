"""Pictures as a target: dequantised, one half held out, with their classes where they have any."""

import math
from abc import ABC
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self, final

import numpy as np
import torch
from torch import Size, Tensor

from divergences.checks import positive_number
from divergences.random_streams import Streams
from gans.targets.base import NoiseSource, fine_uniform
from gans.targets.empirical import GivenPoints, split
from gans.targets.given_pictures import (
    channels_first,
    given_pictures,
    low_edges,
    numbered_classes,
)
from gans.targets.representable import representable

MARGIN = 0.01
"""Share of a grey level's part that may be left out at either end for rounding."""


class Pixels(GivenPoints, ABC):
    r"""Pictures of a collection as points of :math:`[-1, 1]^d`, d channels times rows times
    columns.

    Grey level j of L becomes uniform on the j-th of L equal parts of [-1, 1] each time a picture
    is drawn: the law then has no atoms, and which level a pixel had can be told from any of its
    values. The ends of a part that rounding could mistake for the next one are left out, a share
    of :math:`2 L \epsilon` in all.

    Attributes:
        points: The pictures of training, each grey level at the low end of its part, after them
            what stands for its class.
        kept_back: Those held out, likewise.
        image_shape: Channels, rows and columns.
        levels: Grey levels L, or ``None`` where values were given as they are.
        labels: The class of each picture of training, or ``None``.
        kept_labels: The same of those held out.
        classes: Names of the classes.
    """

    image_shape: tuple[int, int, int]
    levels: int | None
    labels: Tensor | None
    kept_labels: Tensor | None
    classes: tuple[str, ...]
    stacked: ClassVar[int]
    """How many pictures make a point."""

    def _hold(
        self, images: Any, labels: Any, levels: int | None, share: float, seed: int
    ) -> tuple[int, int, int]:
        """Take the pictures of a source; the shape of one."""
        name = type(self).__name__
        found = given_pictures(name, images, labels)
        values = channels_first(name, np.asarray(found.values))
        edges, self.levels = low_edges(name, values, levels or found.levels)
        law, kept = split(name, len(edges), share, seed)
        self._told = set()
        self.points, self.kept_back = edges[law], edges[kept]
        self.labels = self.kept_labels = None
        self.classes = ()
        if found.labels is not None:
            where, names = numbered_classes(name, found.labels, len(edges), found.classes)
            self.labels, self.kept_labels, self.classes = where[law], where[kept], names
        both = torch.cat([self.points.unique(dim=0), self.kept_back.unique(dim=0)])
        twice = len(both) - len(both.unique(dim=0))
        if twice:
            self._tell(
                f"{twice} pictures are there several times, in both halves: a copy of one of "
                "training then counts as a held-out picture; remove what is there twice"
            )
        return values.shape[1:]  # pyright: ignore

    @property
    def width(self) -> float:
        """Of the part of [-1, 1] that a grey level becomes; 0 where values are as given."""
        return 2 / self.levels if self.levels else 0.0

    @property
    def pixels(self) -> int:
        """Numbers of a point that are values of pixels."""
        return math.prod(self.image_shape)

    def rounded(self, points: Tensor) -> Tensor:
        """The pixels of points ``(..., d)`` at the middle of their grey levels' parts.

        What lies outside of [-1, 1] gets the level nearest to it, as in any file of pictures.
        Where there are no levels, the pixels as they are.
        """
        found = points[..., : self.pixels]
        if not self.levels:
            return found
        level = ((found + 1) / self.width).floor().clamp(0, self.levels - 1)
        return (level + 0.5) * self.width - 1

    def pictures(self, points: Tensor) -> Tensor:
        """Points ``(..., d)`` as pictures ``(..., channels, rows, columns)``."""
        return points[..., : self.pixels].unflatten(-1, self.image_shape)

    @property
    def _spread(self) -> Tensor:
        """By how much each number of a row varies through dequantisation, at most."""
        own = self.pixels // self.stacked
        spread = self.points.new_zeros(self.points.shape[1])
        spread[:own] = self.width
        return spread

    @property
    def mean(self) -> Tensor:
        middle = self.points.double().mean(0).to(self.points) + self._spread / 2
        return middle.repeat(self.stacked).expand(*self.batch_shape, -1)

    @property
    def variance(self) -> Tensor:
        squares = self.points.double().var(0, correction=0) + self._spread.double().square() / 12
        constant = (self.points == self.points[0]).all(0) & (self._spread == 0)
        name = f"{type(self).__name__}: the variance"
        squares = torch.where(constant, 0, squares)  # not what rounding makes of it
        squares = representable(name, squares, self.points, constant)
        return squares.repeat(self.stacked).expand(*self.batch_shape, -1)

    def log_prob(self, value: Tensor) -> NoReturn:
        raise NotImplementedError(
            f"{type(self).__name__}: of the law behind {len(self.points)} pictures no density is "
            "known; estimate divergences from samples instead"
        )

    @torch.no_grad()
    def held_out(self, streams: Streams, n: int) -> Tensor:
        """Held-out pictures of shape ``(K, m, d)``, for each member m different ones.

        m is ``n``, or the number of pictures held out where that is smaller; a warning then says
        so once.
        """
        rows = self._held_out_rows(streams, n, self.stacked).movedim(1, 2)
        uniform = streams.rand(rows.shape[1], self.stacked, self.points.shape[1])
        return self._dequantised(self._source[rows], uniform)

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        which = source.rand(*shape, self.stacked, 2)
        return which, source.rand(*shape, self.stacked, self.points.shape[1])

    def push(self, *noise: Tensor) -> Tensor:
        which, uniform = noise
        rows = (fine_uniform(which) * len(self.points)).long()
        return self._dequantised(self.points[rows], uniform)

    def _dequantised(self, rows: Tensor, uniform: Tensor) -> Tensor:
        """Points from rows ``(..., stacked, d)`` and uniform numbers of the same shape."""
        inner = self._margin + (1 - 2 * self._margin) * uniform.to(rows)
        return (rows + self._spread * inner).flatten(-2)

    @property
    def _margin(self) -> float:
        """Share of a part, at either end, where rounding could take a value to the next level."""
        return 2 * torch.finfo(self.points.dtype).eps / self.width if self.width else 0.0

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The same pictures on ``device``, as ``dtype`` if one is given that tells levels apart.

        Raises:
            ValueError: If it does not.
        """
        moved = super().to(device, dtype)
        if moved._margin > MARGIN:
            raise ValueError(
                f"{type(self).__name__}: {str(dtype).removeprefix('torch.')} has too few digits "
                f"to tell {self.levels} grey levels apart; use float32"
            )
        return moved


@final
class Images(Pixels):
    r"""Your own pictures, or scikit-learn's digits: each drawn with equal probability.

    One half is held out, chosen at random by ``seed``: training never draws it, and
    :meth:`held_out` draws nothing else. Dequantised to [-1, 1], see :class:`Pixels`. The law is
    known from these pictures only, so it has no density.

    With ``label_scale`` a point also holds its class, for conditional games: behind the pixels one
    number per class, :math:`s/\sqrt 2` for its own and 0 for the others. Points of different
    classes are then at least s apart, and W1 between labelled points is that of the joint law of
    picture and class.

    References:
        | RNADE: The real-valued neural autoregressive density-estimator (Uria et al., 2013),
          Section 5.1, for dequantisation
        | https://arxiv.org/abs/1306.0186

    Arguments:
        images: ``"digits"`` for scikit-learn's 1,797 digits of 8 x 8 pixels (``pip install
            'gan-divergences[images]'``); a ``.npz`` file or a folder with one folder per class,
            see :func:`~gans.targets.image_files.read_pictures`; or an array of shape ``(n, rows,
            columns)``, ``(n, channels, rows, columns)`` or ``(n, rows, columns, channels)`` with 1
            or 3 channels. Floating-point values in [-1, 1] are taken as they are.
        labels: The class of each picture of an array, integers.
        levels: Grey levels, numbered from 0; 256 for values of 8 bits and 17 for the digits by
            default.
        label_scale: Distance s between points of different classes, greater than 0; without it
            points hold no class.
        share_held_out: Share of the pictures that is held out, at least 0 and below 1. With 0
            :meth:`held_out` draws from those of training, and says so.
        seed: Of the random choice of that part.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ImportError: If scikit-learn is missing.
        TypeError: If values or labels are no numbers.
        ValueError: If the array has another shape, values are out of range or need ``levels``,
            labels do not fit or are missing, or too few pictures are left.

    Example:
        >>> digits = Images("digits")
        >>> digits.image_shape, len(digits.points), len(digits.kept_back), digits.levels
        ((1, 8, 8), 899, 898, 17)
        >>> digits.draw(Streams([0, 1]), 5).shape
        torch.Size([2, 5, 64])
    """

    stacked = 1

    def __init__(
        self,
        images: Tensor | str | Path = "digits",
        labels: Tensor | None = None,
        levels: int | None = None,
        label_scale: float | None = None,
        share_held_out: float = 0.5,
        seed: int = 0,
        validate_args: bool | None = None,
    ):
        self.image_shape = self._hold(images, labels, levels, share_held_out, seed)
        self.label_scale = label_scale
        if label_scale is not None:
            self._append_classes(positive_number("label_scale", label_scale))
        super().__init__(Size(), Size([self.points.shape[1]]), validate_args)

    def _append_classes(self, scale: float) -> None:
        if self.labels is None or self.kept_labels is None:
            raise ValueError(
                f"label_scale = {scale:g}: these pictures have no labels; give them, or leave "
                "label_scale out"
            )
        for name, labels in (("points", self.labels), ("kept_back", self.kept_labels)):
            own = torch.nn.functional.one_hot(labels, len(self.classes)).to(self.points)
            behind = [getattr(self, name), own * scale / math.sqrt(2)]
            setattr(self, name, torch.cat(behind, 1))


@final
class StackedDigits(Pixels):
    """Three of scikit-learn's digits as the channels of one picture: 1,000 combinations.

    The digits of the channels are independent of each other, so the combinations are close to
    equally frequent: a class is 9.1 to 10.9 % of all digits. Held-out pictures consist of held-out
    digits. The published experiments stack digits of 28 x 28 pixels, of which there are 70,000:
    numbers here are not comparable with theirs, orders of methods may be.

    References:
        | Unrolled Generative Adversarial Networks (Metz et al., 2017), Section 3.3.1
        | https://arxiv.org/abs/1611.02163

    Arguments:
        share_held_out: Share of the digits that is held out, at least 0 and below 1.
        seed: Of the random choice of that part.

    Raises:
        ImportError: If scikit-learn is missing.
        ValueError: If ``share_held_out`` is out of range.

    Example:
        >>> law = StackedDigits()
        >>> law.pictures(law.draw(Streams([0]), 5)).shape
        torch.Size([1, 5, 3, 8, 8])
    """

    stacked = 3

    def __init__(
        self, share_held_out: float = 0.5, seed: int = 0, validate_args: bool | None = None
    ):
        _, rows, columns = self._hold("digits", None, None, share_held_out, seed)
        self.image_shape = (self.stacked, rows, columns)
        super().__init__(Size(), Size([self.pixels]), validate_args)
