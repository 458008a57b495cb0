"""The pixels of one image file, by decoders that start no other program."""

import warnings
from pathlib import Path

import numpy as np

FORMATS = "PNG", "JPEG", "BMP", "WEBP", "PPM"
ENDINGS = ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm"
MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}
SEEN_THROUGH = "LA", "PA", "RGBA"


def read_image(path: Path, opacity: bool = False) -> np.ndarray:
    """Levels from 0 to 255, of shape ``(rows, columns)`` or, in colours, ``(rows, columns, 3)``.

    Arguments:
        path: The file. It is turned as its metadata say, as whatever shows it does.
        opacity: Whether an image may be transparent, which is then the fourth channel.

    Raises:
        ValueError: If it is no whole image, has transparency, 16 bits a level, or several
            pictures that follow each other.
    """
    from PIL import Image, ImageOps

    if not path.is_file():  # before it is opened: a pipe would wait
        raise ValueError(f"{path}: is no regular file; keep nothing but images in the folder")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of images that are too large to be meant
            with Image.open(path, formats=FORMATS) as image:
                # a camera's file may hold views of the same picture, which come after it
                frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
                mode, deep = image.mode, ";16" in str(image.tile)  # of which Pillow reads 8 bits
                clear = "transparency" in image.info or mode in SEEN_THROUGH
                into = ("RGBA" if opacity else None) if clear else MODES.get(mode)
                usable = into is not None and not deep and frames == 1
                shown = ImageOps.exif_transpose(image) if usable else image
                pixels = np.array(shown.convert(into)) if usable else None
    except Exception as error:  # Pillow raises many kinds, SyntaxError on a broken PNG
        raise ValueError(f"{path}: is no whole image ({type(error).__name__})") from None
    if frames > 1:
        raise ValueError(f"{path}: is animated, of {frames} pictures; save one of them")
    if pixels is None:
        raise ValueError(
            f"{path}: has mode {mode}{' of 16 bits' * deep} or transparency; save it as RGB or "
            "grey with 8 bits"
        )
    return pixels
