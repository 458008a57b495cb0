"""Densities that are constant on the cells of a square lattice: the checkerboard, any picture."""

import itertools
from abc import abstractmethod
from pathlib import Path
from typing import final

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from divergences.checks import whole_number
from gans.targets.base import NoiseSource, Target, fine_uniform, finite, widened
from gans.targets.loading import read_levels
from gans.targets.representable import representable


class Cells(Target):
    """Square cells around the origin, each with its probability, spread uniformly over it.

    ``probabilities`` has shape ``(columns, rows)``: from left to right, then from bottom to top.
    """

    probabilities: Tensor
    support = constraints.independent(constraints.real, 1)

    @property
    @abstractmethod
    def cell(self) -> Tensor:
        """Side of a cell, of ``batch_shape``."""

    def _centres(self) -> Tensor:
        """Centres of the cells in units of their side, shape ``(columns, rows, 2)``."""
        axes = [torch.arange(n).to(self.cell) - (n - 1) / 2 for n in self.probabilities.shape]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)

    def _moment(self, values: Tensor) -> Tensor:
        return (self.probabilities[..., None] * values).sum((0, 1))

    @property
    def mean(self) -> Tensor:
        return self.cell[..., None] * self._moment(self._centres())

    @property
    def variance(self) -> Tensor:
        centres = self._centres()
        squares = self._moment((centres - self._moment(centres)).square())
        variance = self.cell.double().square()[..., None] * (squares.double() + 1 / 12)
        return representable(f"{type(self).__name__}: the variance", variance, self.cell)

    def entropy(self) -> Tensor:
        """Differential entropy with respect to area, in nats."""
        return torch.special.entr(self.probabilities).sum() + 2 * self.cell.log()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to area, ``-inf`` where there is none.

        An edge belongs to the denser of its cells, up to rounding, so that no point that was drawn
        can lie outside.
        """
        if self._validate_args:
            self._validate_sample(value)
        value = widened(value)
        cell = self.cell
        shape = torch.tensor(self.probabilities.shape, device=value.device)
        place = value / cell[..., None] + shape / 2
        slack = 4 * torch.finfo(place.dtype).eps * float(shape.max())
        density = torch.zeros_like(place[..., 0])
        for x, y in itertools.product((-slack, slack), repeat=2):
            index = (place + place.new_tensor([x, y])).floor().long()
            inside = ((index >= 0) & (index < shape)).all(-1)
            column, row = torch.minimum(index.clamp(min=0), shape - 1).unbind(-1)
            here = self.probabilities[column, row].to(density) * inside
            density = torch.maximum(density, here)
        return density.log() - 2 * cell.log()

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        return source.rand(*shape, 2), source.rand(*shape, 2)

    def push(self, *noise: Tensor) -> Tensor:
        pair, within = noise
        total = self.probabilities.double().flatten().cumsum(0)
        place = (fine_uniform(pair) * total[-1]).contiguous()
        which = torch.bucketize(place, total, right=True)
        columns, rows = self.probabilities.shape
        corner = torch.stack([which // rows - columns / 2, which % rows - rows / 2], -1)
        return self.cell[..., None] * (corner.to(within) + within)

    def _shared(self) -> dict[str, Tensor]:
        return {"probabilities": self.probabilities}


@final
class Checkerboard(Cells):
    """Uniform on every other square of a board, the lower left one included.

    References:
        | FFJORD: Free-form Continuous Dynamics for Scalable Reversible Generative Models
          (Grathwohl et al., 2019), the authors' toy data: 4 x 4 squares on [-4, 4] x [-4, 4]
        | https://arxiv.org/abs/1810.01367

    Arguments:
        width: Of the board, greater than 0.
        side: Squares along each axis, at least 2.

    Raises:
        ValueError: If ``side`` is below 2, or ``width`` is not finite or not positive.

    Example:
        >>> board = Checkerboard()
        >>> board.entropy() == torch.tensor(8 * 2.0**2).log()  # uniform on 8 squares of side 2
        tensor(True)
        >>> board.log_prob(torch.tensor([[-3.0, -3.0], [-3.0, -1.0]]))
        tensor([-3.4657,    -inf])
    """

    arg_constraints = {"width": constraints.positive}

    def __init__(
        self, width: Tensor | float = 8.0, side: int = 4, validate_args: bool | None = None
    ):
        side = whole_number("Checkerboard: side", side, least=2)
        (self.width,) = finite("Checkerboard", width=width)
        along = torch.arange(side)
        filled = ((along[:, None] + along) % 2 == 0).double()
        self.probabilities = (filled / filled.sum()).to(self.width)
        super().__init__(self.width.shape, Size([2]), validate_args)

    @property
    def cell(self) -> Tensor:
        return self.width / self.probabilities.shape[0]


@final
class ImageDensity(Cells):
    r"""A picture read as a density: a pixel's probability is proportional to its grey level.

    The picture stands upright, centred at the origin. Colours become grey by Rec. 601 weights
    (.299, .587, .114); a transparent pixel carries no mass, a half transparent one half of it.

    Arguments:
        image: A file (``.png``, ``.jpg``, ``.jpeg``, ``.bmp``), or levels in [0, 1] of shape
            ``(rows, columns)``, ``(rows, columns, 3)`` or, with opacity, ``(rows, columns, 4)``;
            the first row is at the top, 1 is white.
        height: Of the picture, greater than 0; its width follows.
        dark: Whether the dark pixels carry the mass (ink on paper) or the bright ones.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no picture, levels are outside [0, 1], no pixel carries mass, or
            ``height`` is not finite or not positive.

    Example:
        >>> corner = ImageDensity(torch.tensor([[0.0, 1.0], [1.0, 1.0]]))  # upper left is black
        >>> corner.mean, corner.variance  # a square of side 1
        (tensor([-0.5000,  0.5000]), tensor([0.0833, 0.0833]))
    """

    arg_constraints = {"height": constraints.positive}

    def __init__(
        self,
        image: Tensor | str | Path,
        height: Tensor | float = 2.0,
        dark: bool = True,
        validate_args: bool | None = None,
    ):
        levels = image if isinstance(image, Tensor) else read_levels(image)
        mass = _mass(levels.double(), dark)
        if mass.sum() == 0:
            raise ValueError(
                f"ImageDensity: no pixel carries mass with dark={dark}; the picture is blank, or "
                f"wants dark={not dark}"
            )
        (self.height,) = finite("ImageDensity", height=height)
        self.probabilities = (mass / mass.sum()).flip(0).T.contiguous().to(self.height)
        super().__init__(self.height.shape, Size([2]), validate_args)

    @property
    def cell(self) -> Tensor:
        return self.height / self.probabilities.shape[1]


def _mass(levels: Tensor, dark: bool) -> Tensor:
    """Unnormalised mass of the pixels, shape ``(rows, columns)``."""
    if levels.dim() not in (2, 3) or levels.shape[2:] not in (Size(), Size([3]), Size([4])):
        raise ValueError(
            f"ImageDensity: levels of shape {tuple(levels.shape)}; give (rows, columns), with 3 "
            "or 4 colour channels at most"
        )
    bad = levels[~((levels >= 0) & (levels <= 1))]
    if bad.numel():
        raise ValueError(
            f"ImageDensity: level {bad[0].item():g} is outside [0, 1]; divide by the largest "
            "possible level, such as 255"
        )
    grey = levels[..., None] if levels.dim() == 2 else levels[..., :3]
    ink = 1 - grey if dark else grey
    opacity = levels[..., 3] if levels.shape[2:] == Size([4]) else 1.0
    shares = {1: [1.0], 3: [0.299, 0.587, 0.114]}[grey.shape[-1]]
    return ink @ ink.new_tensor(shares) * opacity
