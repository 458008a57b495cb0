"""Pictures that are given: their axes, grey levels and classes, or what is wrong with them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from divergences.checks import whole_number
from gans.targets.image_files import Pictures, read_pictures

CHANNELS = (1, 3)


def given_pictures(name: str, images: Any, labels: Any) -> Pictures:
    if isinstance(images, str | Path):
        if labels is not None:
            raise ValueError(f"{name}: labels of {images} come from there; leave labels out")
        return read_pictures(images)
    values = images.detach().cpu() if isinstance(images, Tensor) else images
    if labels is not None:
        labels = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    return Pictures(np.asarray(values), labels)


def channels_first(name: str, values: np.ndarray) -> np.ndarray:
    """Values of shape ``(n, channels, rows, columns)``."""
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name}: values of type {values.dtype}; give real numbers")
    if values.ndim == 3 and values.size:
        return values[:, None]
    first, last = (values.ndim == 4 and values.shape[k] in CHANNELS for k in (1, 3))
    if first == last or 0 in values.shape:
        doubt = "; which axis holds the channels cannot be told" if first else ""
        raise ValueError(
            f"{name}: an array of shape {values.shape}{doubt}; give (n, rows, columns), or with 1 "
            "or 3 channels (n, channels, rows, columns) or (n, rows, columns, channels)"
        )
    return values if first else np.moveaxis(values, 3, 1)


def low_edges(name: str, values: np.ndarray, levels: int | None) -> tuple[Tensor, int | None]:
    """Rows in [-1, 1], each level at the low end of its part; and how many levels there are."""
    rows = torch.from_numpy(values.reshape(len(values), -1).astype(np.float64))
    if not torch.isfinite(rows).all():
        raise ValueError(f"{name}: some values are NaN or infinite; remove those pictures")
    if levels is None and values.dtype.kind in "bu" and values.dtype.itemsize == 1:
        levels = 2 if values.dtype.kind == "b" else 256
    low, high = float(rows.min()), float(rows.max())
    if levels is None:
        if values.dtype.kind != "f" or low < -1 or high > 1:
            raise ValueError(
                f"{name}: values from {low:g} to {high:g} of type {values.dtype}; give how many "
                "levels there are, such as levels=256, or floating-point values in [-1, 1]"
            )
        return rows.to(torch.get_default_dtype()), None
    levels = whole_number(f"{name}: levels", levels, least=2, most=2**14)
    off = rows[(rows < 0) | (rows > levels - 1) | (rows != rows.floor())]
    if len(off):
        raise ValueError(
            f"{name}: {float(off[0]):g} is none of the {levels} levels 0, 1, ..., {levels - 1}; "
            "give another number of levels, or floating-point values in [-1, 1] without one"
        )
    return (rows * (2 / levels) - 1).to(torch.get_default_dtype()), levels


def numbered_classes(
    name: str, labels: np.ndarray, n: int, names: tuple[str, ...] | None
) -> tuple[Tensor, tuple[str, ...]]:
    """The class of each picture, numbered from 0, and the classes' names."""
    labels = labels[:, 0] if labels.shape == (n, 1) else labels
    if labels.shape != (n,):
        raise ValueError(f"{name}: labels of shape {labels.shape} for {n} pictures; give one each")
    if labels.dtype.kind not in "biu":
        raise TypeError(f"{name}: labels of type {labels.dtype}; give integers")
    found, places = np.unique(labels, return_inverse=True)
    if names is None:
        return torch.from_numpy(places), tuple(str(label) for label in found)
    return torch.from_numpy(labels.astype(np.int64)), names
