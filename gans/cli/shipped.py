"""The configurations that come with the package: listed, found by name, copied."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from divergences.command_line import Parser, suggestion
from divergences.whole_files import write_atomically
from gans.cli.errors import guarded
from gans.runtime.escaping import printable

PLACES = Path(__file__).parents[1] / "configs", Path(__file__).parents[2] / "configs"
"""In an installed package, and in a checkout."""


def shipped() -> dict[str, Path]:
    """Name to file of every configuration that comes with the package.

    Example:
        >>> "segments_wgan_lp" in shipped()
        True
    """
    folder = next((place for place in PLACES if place.is_dir()), PLACES[0])
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def found(name: str) -> Path:
    """The file itself if there is one; else the configuration of that name that is shipped.

    Raises:
        ValueError: If there is neither, but one of a similar name.
    """
    given = Path(name)
    ours = shipped().get(given.stem)
    plain = given.parent in (Path(), Path("configs")) and given.suffix in ("", ".yaml")
    if not plain or given.exists():
        return given
    if ours is None and (meant := suggestion(given.stem, list(shipped()))):
        raise ValueError(f"there is no configuration {printable(name)}{meant}")
    return ours or given


def in_argument(argument: str) -> str:
    """A flag with a shipped configuration in the place of its name.

    Example:
        >>> Path(in_argument("--config=ring_gan")).name
        'ring_gan.yaml'
    """
    name = argument.removeprefix("--config=")
    return argument if name == argument else f"--config={found(name)}"


def claim(path: Path) -> str:
    """What a configuration says at its top that it shows."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = [line.lstrip("# ") for line in lines[: _comments(lines)]]
    return " ".join(head).removeprefix("Claim: ").rstrip(".")


def _comments(lines: Sequence[str]) -> int:
    return next((k for k, line in enumerate(lines) if not line.startswith("#")), len(lines))


def main(args: Sequence[str] | None = None) -> None:
    """List the configurations, or copy some of them; bad input ends it with exit code 2."""
    parser = Parser(prog="gans configs", description="The configurations that come with gans.")
    parser.add_argument("names", nargs="*", help="configurations to copy; none lists them all")
    parser.add_argument("--to", default=".", metavar="DIR", help="where they go (default: here)")
    chosen = parser.parse_args(args)
    code = guarded(lambda: _run(chosen))
    if code:
        raise SystemExit(code)


def _run(chosen: argparse.Namespace) -> int:
    known = shipped()
    if not chosen.names:
        for name, path in known.items():
            print(f"{name}\n    {claim(path)}")
        print("\ntrain one: gans fit --config NAME    copy one: gans configs NAME")
        return 0
    folder, names = Path(chosen.to), [name.removesuffix(".yaml") for name in chosen.names]
    for name in names:
        if name not in known:
            meant = suggestion(name, list(known)) or "; see gans configs"
            raise ValueError(f"there is no configuration {printable(name)}{meant}")
        if (folder / f"{name}.yaml").exists():
            raise FileExistsError(f"{folder / f'{name}.yaml'} is there already; name another --to")
    for name in names:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f"{name}.yaml", known[name].read_text(encoding="utf-8"))
        print(folder / f"{name}.yaml")
    return 0
