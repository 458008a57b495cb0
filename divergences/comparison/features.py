"""What of images or wide tables is compared: features that run no code of strangers.

A network from a file is a program. So there is none to choose: from Python give
``compare(features(x), features(y))`` with any function of your own.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from divergences.comparison.tables import MOST_NUMBERS, Table, aligned
from divergences.samples.coordinates import standardised

KINDS = "pixels, pca:D (the first D principal components), convolutions"
MOST_TO_FIT = 3000  # points of the largest sample that principal components are found from
CHANNELS, SMALLEST = (32, 64), 8


class Features(ABC):
    """From tables with the same columns to tables of features."""

    @abstractmethod
    def __call__(self, tables: Sequence[Table]) -> list[Table]:
        """The features of each row, in the order of the rows."""


def features(text: str) -> Features:
    """The features that a command line names.

    Raises:
        ValueError: If there are none of that name.

    Example:
        >>> features("pca:10")
        PrincipalComponents(count=10)
    """
    kind, _, count = text.partition(":")
    if kind == "pca" and count.isascii() and count.isdigit() and 0 < int(count) <= 4096:
        return PrincipalComponents(int(count))
    if text == "pixels":
        return Pixels()
    if text == "convolutions":
        return Convolutions()
    raise ValueError(f"--features {text[:40]}: give one of {KINDS}")


def _same_size(tables: Sequence[Table]) -> None:
    sizes = [table.image for table in tables]
    if None in sizes:
        bare = tables[sizes.index(None)].label
        raise ValueError(f"{bare}: is no folder of images, of which these features are")
    for table, size in zip(tables, sizes, strict=True):
        if size != sizes[0]:
            raise ValueError(
                f"{tables[0].label} has images of {_said(sizes[0])} and {table.label} of "
                f"{_said(size)}; bring both to the same"
            )


def _said(size: tuple[int, ...] | None) -> str:
    rows, columns, channels = size or (0, 0, 0)
    return f"{columns} x {rows} pixels in {'grey' if channels == 1 else 'colour'}"


@final
@dataclass(frozen=True)
class Pixels(Features):
    """The levels of all pixels."""

    def __call__(self, tables: Sequence[Table]) -> list[Table]:
        _same_size(tables)
        size = tables[0].image
        assert size is not None
        names = tuple(
            f"row {i} column {j}" + (f" {'RGB'[c]}" if size[2] == 3 else "")
            for i in range(size[0])
            for j in range(size[1])
            for c in range(size[2])
        )
        return [Table(table.label, table.values, names, notes=table.notes) for table in tables]


@final
@dataclass(frozen=True)
class PrincipalComponents(Features):
    """The first principal components of all samples together.

    Columns are standardised first, except those of images. No label matters to them, so tests of
    equal laws keep their size.

    Arguments:
        count: How many.
    """

    count: int

    def __call__(self, tables: Sequence[Table]) -> list[Table]:
        if any(table.image is not None for table in tables):
            _same_size(tables)
            found, names = list(tables), ()
        else:
            found, names, _ = aligned(*tables, widest=MOST_NUMBERS)
        samples = [table.values for table in found]
        if names:
            both = torch.cat(samples)
            samples = list(standardised(both, both).x.split([len(z) for z in samples]))
        # the same share of each: points that directions were found from lie farther out along them
        step = -(-max(map(len, samples)) // MOST_TO_FIT)
        fitted = torch.cat([z[::step] for z in samples])
        centre = fitted.mean(0)
        directions = _directions(fitted - centre)
        if self.count > len(directions):
            raise ValueError(
                f"--features pca:{self.count}: these samples have {len(directions)} principal "
                "components"
            )
        basis = directions[: self.count].T
        names = tuple(f"component {j}" for j in range(self.count))
        return [
            replace(table, values=(z - centre) @ basis, names=names, image=None)
            for table, z in zip(tables, samples, strict=True)
        ]


def _directions(points: Tensor) -> Tensor:
    """Principal directions, those of the largest variance first, ``(r, d)``."""
    n, d = points.shape
    small = points @ points.T if n < d else points.T @ points
    values, vectors = torch.linalg.eigh(small)
    order = values.argsort(descending=True)
    kept = order[values[order] > 1e-10 * values.amax()]
    found = (points.T @ vectors[:, kept]).T if n < d else vectors[:, kept].T
    found = found / torch.linalg.vector_norm(found, dim=1, keepdim=True)
    largest = found.gather(1, found.abs().argmax(1, keepdim=True))
    return found * largest.sign()


@final
@dataclass(frozen=True)
class Convolutions(Features):
    """64 features of a convolutional network with fixed random weights, averaged over places.

    They change where textures and edges do, and hardly where an image is moved by a pixel. They
    know nothing of objects.
    """

    def __call__(self, tables: Sequence[Table]) -> list[Table]:
        _same_size(tables)
        size = tables[0].image
        assert size is not None
        if min(size[:2]) < SMALLEST:
            raise ValueError(
                f"{tables[0].label}: images of {_said(size)} are too small for convolutions; "
                "take pixels"
            )
        draw = torch.Generator().manual_seed(0)
        first = torch.randn(CHANNELS[0], size[2], 5, 5, generator=draw) / (25 * size[2]) ** 0.5
        second = torch.randn(*CHANNELS[::-1], 3, 3, generator=draw) / (9 * CHANNELS[0]) ** 0.5
        names = tuple(f"convolution {j}" for j in range(CHANNELS[1]))
        return [
            Table(table.label, _of_images(table.values, size, first, second), names)
            for table in tables
        ]


def _of_images(values: Tensor, size: tuple[int, ...], first: Tensor, second: Tensor) -> Tensor:
    found = []
    for some in values.float().split(256):
        images = some.reshape(len(some), *size).permute(0, 3, 1, 2) - 0.5
        inner = torch.conv2d(images, first, stride=2, padding=2).relu()
        found.append(torch.conv2d(inner, second, padding=1).relu().mean((2, 3)))
    return torch.cat(found).double()
