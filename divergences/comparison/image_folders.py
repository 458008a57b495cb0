"""A folder of images as a table: a row for each image, a column for each level of a pixel."""

from pathlib import Path

import numpy as np

from divergences.checks import shown
from divergences.comparison.tables import MOST_NUMBERS, Table, numbers
from divergences.image_pixels import ENDINGS, read_image


def read_folder(path: Path) -> Table:
    """The images in a folder, in the order of their names, with levels from 0 to 1.

    Hidden files are skipped. Grey images stay grey if all of them are.

    Raises:
        ValueError: If it holds no images or anything else, or images of several sizes, of other
            than 8 bits, with transparency, or animated.
    """
    inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    if not inside:
        raise ValueError(f"{path}: the folder is empty; give a folder of images")
    other = [entry.name for entry in inside if entry.suffix.lower() not in ENDINGS]
    if other:
        raise ValueError(
            f"{path}: holds {shown(other[0])}, which is no image ({', '.join(ENDINGS)}); keep "
            "nothing but images in the folder"
        )
    pictures: list[np.ndarray] = []
    for entry in inside:
        picture = read_image(entry)
        if pictures and picture.shape[:2] != pictures[0].shape[:2]:
            sizes = (f"{p.shape[1]} x {p.shape[0]}" for p in (pictures[0], picture))
            raise ValueError(
                f"{path}: {shown(inside[0].name)} has {next(sizes)} pixels and "
                f"{shown(entry.name)} {next(sizes)}; bring all images to one size"
            )
        if picture.size * len(inside) > MOST_NUMBERS:
            raise ValueError(
                f"{path}: {len(inside)} images of {picture.shape[1]} x {picture.shape[0]} pixels "
                "are more than fits; make them smaller, or take some of them"
            )
        pictures.append(picture)
    grey = all(picture.ndim == 2 for picture in pictures)
    stacked = np.stack([p[..., None] if grey else _coloured(p) for p in pictures])
    values = numbers(stacked.reshape(len(stacked), -1) / 255.0, str(path))
    return Table(path.name or str(path), values, image=stacked.shape[1:])


def _coloured(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture
