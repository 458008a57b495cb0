"""Write the API pages from the docstrings: ``python -m scripts.api_pages DIR``.

Needs pdoc (the extra ``docs``). What it cannot find or read is an error.
"""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import divergences
import gans
from divergences.command_line import Parser
from divergences.shown_text import one_line
from gans.cli.errors import guarded
from gans.runtime.escaping import say


def main(args: Sequence[str] | None = None) -> int:
    """Write them and print where; 0 if that went well."""
    parser = Parser(prog="python -m scripts.api_pages", description="Write HTML pages of the API.")
    parser.add_argument("out", type=Path, metavar="DIR", help="folder for the pages")
    options = parser.parse_args(args)
    return guarded(lambda: write(options.out), refused=(ModuleNotFoundError,))


def write(out: Path) -> int:
    """One page per module.

    Raises:
        ValueError: If the folder holds something else.
        ModuleNotFoundError: If pdoc is not installed.
    """
    try:
        import pdoc  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the API pages need pdoc; run python -m pip install --editable '.[docs]'"
        ) from None
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; name a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / "divergences.html").is_file():
        raise ValueError(f"{out} holds something else than API pages; name a new folder")
    for package in (divergences, gans):
        for name in package.__all__:  # some are imported when they are first asked for
            vars(package)[name] = getattr(package, name)
    pdoc.render.configure(docformat="google", math=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        # of an inherited dataclass field, whose annotation names what its own module imports
        warnings.filterwarnings("ignore", "Error parsing type annotation", UserWarning)
        pdoc.pdoc("divergences", "gans", output_directory=out)
    say(one_line(out / "index.html"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
