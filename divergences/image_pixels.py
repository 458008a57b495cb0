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
        path: The file.
        opacity: Whether an image may be transparent, which is then the fourth channel.

    Raises:
        ValueError: If it is no whole image, has transparency, or other than 8 bits a level.
    """
    from PIL import Image

    if not path.is_file():  # before it is opened: a pipe would wait
        raise ValueError(f"{path}: is no regular file; keep nothing but images in the folder")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of images that are too large to be meant
            with Image.open(path, formats=FORMATS) as image:
                clear = "transparency" in image.info or image.mode in SEEN_THROUGH
                into = ("RGBA" if opacity else None) if clear else MODES.get(image.mode)
                mode, pixels = image.mode, np.array(image.convert(into)) if into else None
    except Exception as error:  # Pillow raises many kinds, SyntaxError on a broken PNG
        raise ValueError(f"{path}: is no whole image ({type(error).__name__})") from None
    if pixels is None:
        raise ValueError(
            f"{path}: has mode {mode} or transparency; save it as RGB or grey with 8 bits"
        )
    return pixels
