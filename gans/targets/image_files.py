"""Pictures and their classes from files, or an error that says what is wrong with them."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from divergences.image_pixels import ENDINGS, read_image
from gans.targets.loading import MOST_NUMBERS, Unreadable

DIGITS = "digits"
"""The word for scikit-learn's digits; a folder of that name is written ``./digits``."""
ARRAYS = (
    ("images", "labels"),
    ("x_train", "y_train"),
    ("train_images", "train_labels"),
    ("data", "target"),
)
"""Names of pictures and of their classes in a ``.npz`` file, in this order of precedence."""


class Pictures(NamedTuple):
    """What a file or a folder holds.

    Attributes:
        values: Grey or colour values, of an integer or a floating-point type.
        labels: The class of each picture, or ``None``.
        classes: The classes' names, where they have any.
        levels: How many grey levels there are, where the source says so.
    """

    values: np.ndarray
    labels: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    levels: int | None = None


def read_pictures(source: str | Path) -> Pictures:
    """Pictures from scikit-learn's digits, a ``.npz`` file or a folder, read as numbers only.

    A ``.npz`` file holds an array ``images`` and perhaps ``labels``; the names of two collections,
    ``x_train`` with ``y_train`` and ``train_images`` with ``train_labels``, are known as well. A
    folder has one folder per class, as torchvision's ``ImageFolder`` takes it, or pictures only.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ImportError: If the digits are asked for and scikit-learn is not installed.
        ValueError: If there are no pictures in it, or such as cannot be read.
    """
    if source == DIGITS:
        return _digits()
    path = Path(source)
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file or folder (looked in {Path.cwd()}); give a .npz file, a folder "
            f"with a folder per class, or {DIGITS!r} for scikit-learn's digits"
        )
    if path.suffix.lower() != ".npz":
        raise ValueError(f"{path}: cannot read {path.suffix!r}; give a .npz file or a folder")
    return _read_npz(path)


def _digits() -> Pictures:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError(
            "the digits come with scikit-learn: pip install 'gan-divergences[images]'"
        ) from None
    found = load_digits()
    names = tuple(str(digit) for digit in range(10))
    values = found.images.astype(np.int64)  # pyright: ignore
    return Pictures(values, found.target, names, levels=17)  # pyright: ignore


def _read_npz(path: Path) -> Pictures:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > 8 * MOST_NUMBERS:
            raise Unreadable(
                f"grows to {size:.2g} bytes, more than {8 * MOST_NUMBERS}; take a part"
            )
        with np.load(path, allow_pickle=False) as arrays:
            names = next((pair for pair in ARRAYS if pair[0] in arrays.files), None)
            if names is None:
                known = ", ".join(pair[0] for pair in ARRAYS)
                raise Unreadable(
                    f"holds no array with pictures; name it {known.replace(', ', ' or ')}"
                )
            values, labels = (arrays[n] if n in arrays.files else None for n in names)
    except Unreadable as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:  # what a library says of bytes that are no archive can be anything
        raise ValueError(
            f"{path}: cannot be read as arrays of numbers ({type(error).__name__}); save it with "
            "numpy.savez, no object arrays"
        ) from None
    assert values is not None
    return Pictures(values, labels)


def _read_folder(folder: Path) -> Pictures:
    inside = _inside(folder)
    groups = [path for path in inside if path.is_dir()]
    files = [(0, path) for path in inside if not path.is_dir()]
    if groups and files:
        raise ValueError(
            f"{folder}: holds pictures beside folders ({files[0][1].name}); move each into the "
            "folder of its class"
        )
    for number, group in enumerate(groups):
        own = _inside(group)
        if not own:
            raise ValueError(f"{group}: holds no picture ({', '.join(ENDINGS)})")
        files += [(number, path) for path in own]
    for _, path in files:
        if path.is_dir() or path.suffix.lower() not in ENDINGS:
            raise ValueError(
                f"{path}: is no picture ({', '.join(ENDINGS)}); keep nothing but pictures in "
                f"{path.parent}"
            )
    if not files:
        raise ValueError(f"{folder}: holds no picture ({', '.join(ENDINGS)})")
    first = read_image(files[0][1])
    if first.size * len(files) > MOST_NUMBERS:
        raise ValueError(
            f"{folder}: {len(files)} pictures of {first.size} values are more than "
            f"{MOST_NUMBERS} numbers; take smaller or fewer ones"
        )
    values = np.empty((len(files), *first.shape), np.uint8)
    for row, (_, path) in enumerate(files):
        pixels = read_image(path)
        if pixels.shape != first.shape:
            raise ValueError(
                f"{path}: is of shape {pixels.shape} and {files[0][1].name} of {first.shape}; "
                "bring all pictures to one size, and to grey or to colours"
            )
        values[row] = pixels
    if not groups:
        return Pictures(values)
    labels = np.array([number for number, _ in files])
    return Pictures(values, labels, tuple(group.name for group in groups))


def _inside(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
