"""Points of the real law from whatever holds them, drawn without replacement."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
)

from divergences.checks import shown
from divergences.samples.random_halves import random_order
from gans.monitors.reservoir import at_random

MOST = 100_000
"""Points that are kept of an array or tensor."""


REMEDY = "give points alone, such as lambda n: generate(n)[0] or [pair[0] for pair in dataset]"


def _is_alike(other: Any, points: Tensor) -> bool:
    """Whether it is an array of as many numbers with a fraction, in the same shape."""
    if not isinstance(other, (Tensor, np.ndarray)) or points.ndim == 0:
        return False
    floating = torch.as_tensor(other[:0]).is_floating_point() if other.ndim else False
    return floating and tuple(other.shape) == tuple(points.shape)


def first_tensor(batch: Any, name: str = "real") -> Tensor:
    """The first floating-point tensor of a batch: of tuples and dicts, their first entry.

    Raises:
        TypeError: If there is none.
        ValueError: If the entry beside it has as many numbers: it may be the one that is meant.

    Example:
        >>> first_tensor((np.zeros((2, 3)), np.ones(2))).shape
        torch.Size([2, 3])
    """
    beside: list[Any] = []
    while isinstance(batch, (tuple, list, Mapping)) and len(batch) and not _is_numbers(batch):
        batch, *beside = batch.values() if isinstance(batch, Mapping) else batch
    try:
        points = batch if isinstance(batch, Tensor) else torch.from_numpy(np.array(batch))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} gives {shown(batch)}, and no tensor or array: {REMEDY}"
        ) from error
    refuse_undense(points, name)
    points = points.detach().clone() if points.is_inference() else points.detach()
    if points.is_complex():
        raise TypeError(f"{name} gives complex numbers; give real ones, such as their parts")
    if any(_is_alike(other, points) for other in beside):
        raise ValueError(
            f"{name} gives {1 + len(beside)} entries, of which more than one has shape "
            f"{tuple(points.shape)}, and it is not clear which holds the points: {REMEDY}"
        )
    return points if points.is_floating_point() else points.float()


def refuse_undense(points: Tensor, name: str) -> None:
    """Raise where a tensor holds its numbers in another way than as one array of them.

    Raises:
        TypeError: If it is sparse, nested, quantized or without numbers.
    """
    kinds = {
        "nested": points.is_nested,
        "quantized": points.is_quantized,
        "meta": points.is_meta,
        str(points.layout).removeprefix("torch."): points.layout != torch.strided,
    }
    for kind, is_so in kinds.items():
        if is_so:
            raise TypeError(
                f"{name} gives a {kind} tensor: give a dense one of numbers, such as to_dense() "
                "of it"
            )


def stacked(points: Any, n: int) -> Any:
    """A list of n points as one tensor; anything else as it is."""
    alike = isinstance(points, list) and len(points) == n
    if not alike or not all(isinstance(point, (Tensor, np.ndarray)) for point in points):
        return points
    shapes = {tuple(point.shape) for point in points}
    return _stacked(points) if len(shapes) == 1 else points


def drawn_from(law: Distribution, n: int) -> Tensor:
    """So many points of a distribution, ``(n, ...)``."""
    return law.sample(torch.Size([n]))


@final
class RealPoints:
    """A user's real points, of shape ``(n, ...)``.

    Arguments:
        source: A tensor, an array, a dataset of points, a dataloader, any iterable of batches, a
            distribution or a function of n. Of tuples and dicts the first entry is taken.
        keep: Points that are kept of a dataset, a dataloader or an iterable, at random: of one
            that has an order of its own, see :func:`.reservoir.at_random`.

    Raises:
        TypeError: If ``source`` is none of these.
        ValueError: If it holds fewer than 8 points, or numbers that are not finite.
    """

    def __init__(self, source: Any, keep: int):
        self.function: Callable[[int], Any] | None = None
        self.law: Distribution | None = None
        self.pool = torch.empty(0)
        if isinstance(source, Distribution):
            if source.batch_shape:
                raise ValueError(
                    f"real = {shown(source)} are {tuple(source.batch_shape)} distributions: give "
                    "one, e.g. torch.distributions.Independent(real, 1), whose coordinates are "
                    "independent"
                )
            self.law, self.function = source, partial(drawn_from, source)
            return
        if hasattr(source, "__next__"):
            raise TypeError(
                f"real = {shown(source)}: training would go without what the monitor takes of an "
                "iterator; give the points, the dataset or the dataloader"
            )
        if _is_numbers(source):
            source = first_tensor(source)
        if isinstance(source, Tensor) or hasattr(source, "__array__"):
            self.pool = _some(first_tensor(source), MOST)
        elif isinstance(source, (DataLoader, Dataset)) or hasattr(source, "__iter__"):
            parts = (first_tensor(batch).cpu() for batch in _batches(source, keep))
            self.pool = at_random(parts, keep)
        elif callable(source):
            self.function = source
            return
        else:
            raise TypeError(
                f"real = {shown(source)}: it must be a tensor, an array, a dataset, a dataloader "
                "or a function of n"
            )
        if self.pool.ndim < 1 or len(self.pool) < 8:
            raise ValueError(
                f"real has shape {tuple(self.pool.shape)}: at least 8 points are needed"
            )
        finite = torch.isfinite(self.pool.reshape(len(self.pool), -1)).all(-1)
        if not finite.all():
            raise ValueError(
                f"real has {int((~finite).sum())} of {len(finite)} points with numbers that are "
                f"NaN or infinite, first point {int((~finite).nonzero()[0])}; leave them out"
            )

    @property
    def most(self) -> int | None:
        """Points in one sample, so that a second one is different; ``None`` without limit."""
        return None if self.function else len(self.pool) // 2

    def draw(self, n: int, start: int, seed: int) -> Tensor:
        """``n`` points from place ``start`` of a random order, which the seed alone fixes."""
        if self.function is not None:
            return first_tensor(self.function(n))
        order = random_order(len(self.pool), seed)
        return self.pool[order[(torch.arange(n) + start) % len(order)].to(self.pool.device)]


def _is_numbers(source: Any) -> bool:
    """Whether it is a list of numbers, or of lists of numbers."""
    if not isinstance(source, (list, tuple)):
        return False
    while isinstance(source, (list, tuple)) and len(source):
        source = source[0]
    return isinstance(source, (int, float))


def _some(points: Tensor, most: int) -> Tensor:
    if len(points) <= most:
        return points
    order = random_order(len(points), 0)
    return points[order[:most].to(points.device)]


def _batches(source: Any, keep: int) -> Any:
    if isinstance(source, DataLoader):
        plain = isinstance(source.sampler, (RandomSampler, SequentialSampler))
        if plain and source.batch_sampler is not None and hasattr(source.dataset, "__getitem__"):
            return _picked(source.dataset, keep, source.collate_fn)
        return source
    if isinstance(source, IterableDataset):
        return _in_parts(source)
    if isinstance(source, Dataset) and hasattr(source, "__len__"):
        return _picked(source, keep, _stacked)
    first = next(iter(source), None)
    if not _is_one_point(first):
        return source
    if hasattr(source, "__len__") and hasattr(source, "__getitem__"):
        return _picked(source, keep, _stacked)
    return _in_parts(source)


def _in_parts(points: Any) -> Iterator[Tensor]:
    """Single points, many at a time."""
    left = iter(points)
    while some := list(islice(left, 256)):
        yield _stacked(some)


def _stacked(items: list[Any]) -> Tensor:
    return torch.stack([first_tensor(item) for item in items])


def _is_one_point(entry: Any) -> bool:
    """Whether an entry of a list is a point, with its label perhaps, and not a batch of points."""
    parts = list(entry.values()) if isinstance(entry, Mapping) else entry
    if isinstance(parts, (tuple, list)) and not _is_numbers(parts):
        if len(parts) > 1:
            label = parts[1]
            return isinstance(label, (int, float, str)) or np.ndim(label) == 0
        [parts] = parts or [parts]
    return np.ndim(parts) == 1  # of a batch this would be of points of no dimension


def _picked(dataset: Any, keep: int, collate: Callable[[list[Any]], Any]) -> Iterator[Any]:
    order = random_order(len(dataset), 0)[:keep]
    for indices in order.split(256):
        yield collate([dataset[i] for i in indices.tolist()])
