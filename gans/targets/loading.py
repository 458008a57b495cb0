"""Points and pictures from a user's files, or an error that says what is wrong with them."""

from __future__ import annotations

import re
import warnings
from functools import partial
from pathlib import Path

import matplotlib.image
import numpy as np
import torch
from torch import Tensor

from gans.targets.resolution import check_resolved

EMPTY = "the file is empty"


def _existing(path: str | Path, readable: tuple[str, ...]) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (looked in {Path.cwd()})")
    if path.suffix.lower() not in readable:
        raise ValueError(f"{path}: cannot read {path.suffix!r}; give one of {', '.join(readable)}")
    return path


def read_points(path: str | Path) -> Tensor:
    """Points of shape ``(n, d)`` from a ``.npy`` or ``.csv`` file (one per line, no header).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has another ending, does not hold numbers, or holds integers so large
            that double precision cannot tell them apart.
    """
    path = _existing(path, (".npy", ".csv"))
    try:
        values = _READERS[path.suffix.lower()](path)
    except Exception as error:  # what NumPy says of bytes that are no array can be anything
        raise ValueError(
            f"{path}: cannot be read as an array of numbers ({_reason(error)}); a .npy file must "
            "not be pickled, a .csv file has numbers between commas and no header"
        ) from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        kind = getattr(values, "dtype", type(values).__name__)
        raise ValueError(f"{path}: holds {kind}, not real numbers")
    points = torch.from_numpy(values.astype(np.float64))
    if (values.dtype.kind in "iu" or values.dtype.itemsize > 8) and values.ndim == 2:
        check_resolved(str(path), values, points)
    return points


def _reason(error: Exception) -> str:
    """What NumPy says, without what is in the file: it need not be the user's own."""
    if str(error) == EMPTY:
        return EMPTY
    place = r"number of columns changed from \d+ to \d+ at row \d+|at row \d+(, column \d+)?"
    found = re.search(place, str(error))
    return found[0] if found else type(error).__name__


def _read_npy(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def _read_csv(path: Path) -> np.ndarray:
    read = partial(np.loadtxt, delimiter=",", ndmin=2, encoding="utf-8-sig")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "loadtxt: input contained no data")
        try:
            values = read(path)
        except UserWarning as empty:
            raise ValueError(EMPTY) from empty
    large = np.abs(values).max(initial=0) >= 2**53  # integers of that size need more digits
    return read(path, dtype=np.longdouble) if large else values


_READERS = {".npy": _read_npy, ".csv": _read_csv}


def read_image(path: str | Path) -> Tensor:
    """Levels in [0, 1] of shape ``(rows, columns)``, or with 3 or 4 channels at the end.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has an unknown ending or is no picture.
    """
    path = _existing(path, (".png", ".jpg", ".jpeg", ".bmp"))
    try:
        pixels = matplotlib.image.imread(path)
    except Exception as error:  # and so can what Pillow says, SyntaxError on a broken PNG
        raise ValueError(f"{path}: cannot be read as a picture ({error})") from error
    if pixels.dtype.kind == "f":  # matplotlib has divided PNG levels already
        return torch.from_numpy(pixels.astype(np.float64))
    return torch.from_numpy(pixels / np.float64(np.iinfo(pixels.dtype).max))
