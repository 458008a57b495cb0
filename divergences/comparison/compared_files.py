"""Tables from files, or one line that says what is wrong. Nothing in them is executed."""

import io
import stat
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from divergences.checks import shown
from divergences.comparison.chosen_columns import Choice
from divergences.comparison.csv_tables import read_text
from divergences.comparison.image_folders import read_folder
from divergences.comparison.tables import MOST_NUMBERS, Table, numbers
from divergences.comparison.unfit_files import check_size, no_numbers, too_fine, too_large

LARGEST_FILE = 2 * 2**30


EVERY_COLUMN = Choice()


def read_table(path: str | Path, choice: Choice = EVERY_COLUMN) -> Table:
    """The table in a file, or the wanted columns of it, or that of a folder of images.

    A file ends in ``.npy``, ``.npz`` (with one array), ``.csv``, ``.tsv``, ``.txt`` or
    ``.parquet``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file, is empty or too large, or does not hold one table of
            numbers.
        TypeError: If it holds something else than numbers.
    """
    path = Path(path)
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileNotFoundError(f"{path}: cannot be opened ({reason}); check the name") from None
    if stat.S_ISDIR(found.st_mode):
        if choice != EVERY_COLUMN:
            raise ValueError(f"{path}: is a folder of images, which have no columns to choose")
        return read_folder(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path}: is no regular file; give a file of points")
    read = READERS.get(path.suffix.lower())
    if read is None:
        as_csv = "; name text .txt"
        raise ValueError(
            f"{path}: cannot read {path.suffix!r} files; give one of {', '.join(READERS)}"
            f"{as_csv if path.suffix.lower() in ('.dat', '') else ''}"
        )
    if found.st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    if found.st_size > LARGEST_FILE:
        raise too_large(path, f"{found.st_size / 2**30:.1f} GiB")
    return read(path, choice)


def _array(path: Path, stream: io.BufferedIOBase, available: int) -> np.ndarray:
    """The array of a stream in NumPy's format, once its header fits what is there."""
    damaged = f"{path}: is no whole .npy array; save it again with numpy.save"
    try:
        version = np.lib.format.read_magic(stream)  # pyright: ignore[reportArgumentType]
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, fortran, dtype = header(stream)  # pyright: ignore[reportArgumentType]
    except Exception:  # what NumPy says of bytes that are no array can be anything
        raise ValueError(damaged) from None
    if dtype.hasobject:
        raise ValueError(
            f"{path}: holds pickled objects, which are not loaded; save numbers, with "
            "numpy.save(path, numpy.asarray(x, dtype=float))"
        )
    if dtype.names:
        raise ValueError(
            f"{path}: holds records, not a table; save numpy.lib.recfunctions."
            "structured_to_unstructured(x)"
        )
    count = 1
    for length in shape:
        count *= int(length)
    check_size(path, count)
    if count * dtype.itemsize > available:
        raise ValueError(f"{path}: is cut off: {shape} numbers are announced, fewer are there")
    data = stream.read(count * dtype.itemsize)
    if len(data) < count * dtype.itemsize:
        raise ValueError(f"{path}: is cut off: {shape} numbers are announced, fewer are there")
    if stream.read(1):
        raise ValueError(f"{path}: holds more than one array; save the one to compare alone")
    array = np.frombuffer(data, dtype=dtype, count=count)
    return array.reshape(shape, order="F" if fortran else "C")


def _read_npy(path: Path, choice: Choice) -> Table:
    with path.open("rb") as stream:
        array = _array(path, stream, path.stat().st_size)
    return choice.taken(Table(path.name, numbers(array, str(path))))


def _read_npz(path: Path, choice: Choice) -> Table:
    try:
        with zipfile.ZipFile(path) as archive:
            inside = archive.infolist()
            if len(inside) != 1:
                held = ", ".join(shown(member.filename) for member in inside[:5])
                raise ValueError(
                    f"{path}: holds {len(inside)} arrays ({held}); save the one to compare alone"
                )
            if inside[0].file_size > 8 * MOST_NUMBERS + 2**20:
                raise too_large(path, f"{inside[0].file_size / 2**30:.1f} GiB")
            with archive.open(inside[0]) as stream:
                array = _array(path, stream, inside[0].file_size)  # pyright: ignore
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f"{path}: is no whole .npz archive ({type(error).__name__})") from None
    return choice.taken(Table(path.name, numbers(array, str(path))))


def _read_parquet(path: Path, choice: Choice) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ValueError(
            f"{path}: .parquet needs pyarrow; install it, or save the table as .csv"
        ) from None
    try:
        file = pyarrow.parquet.ParquetFile(path)
        schema, rows = file.schema_arrow, file.metadata.num_rows
        names = tuple(map(str, schema.names))
        places = choice.places(names, str(path))
        fields = [schema.field(j) for j in (range(len(names)) if places is None else places)]
        check_size(path, rows * len(fields))
        types = pyarrow.types
        kinds = types.is_floating, types.is_integer, types.is_boolean
        other = [f for f in fields if not any(is_kind(f.type) for is_kind in kinds)]
        if other:
            raise no_numbers(path, [field.name for field in other], shown(str(other[0].type)))
        table = file.read(columns=[field.name for field in fields])
    except MemoryError:
        raise
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path}: is no whole .parquet file ({type(error).__name__})") from None
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            columns.append(column.cast("float64").to_numpy(zero_copy_only=False))
        except pyarrow.ArrowInvalid:
            raise too_fine(path, name) from None
    array = np.stack(columns, 1) if columns else np.empty((rows, 0))
    kept = tuple(map(str, table.column_names))
    return Table(path.name, numbers(array, str(path)), kept, all_names=names)


READERS: dict[str, Callable[[Path, Choice], Table]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".csv": read_text,
    ".tsv": partial(read_text, separator="\t"),
    ".txt": read_text,
    ".parquet": _read_parquet,
}
