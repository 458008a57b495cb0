"""Matplotlib's SVG files as elements of the page, legible on light and on dark ground."""

import re
from pathlib import Path

from scripts.report.colours import rgb, stylesheet
from scripts.report.svg import Svg, read_svg


class Figures:
    """The figures of a folder: each is shown where it is first asked for, and linked later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = sorted(path.stem for path in folder.glob("*.svg"))
        self.shown: list[str] = []
        self.colours: set[str] = set()
        self.drawn = {
            name: read_svg(folder / f"{name}.svg", f"svg{i}", self.recoloured)
            for i, name in enumerate(self.names)
        }

    def show(self, name: str) -> Svg | None:
        """The figure, or ``None`` if it is in the page already.

        Raises:
            FileNotFoundError: If the folder has no such figure.
        """
        if name in self.shown:
            return None
        if name not in self.drawn:
            raise FileNotFoundError(
                f"{self.folder / name}.svg does not exist; run python -m scripts.reproduce again"
            )
        self.shown.append(name)
        return self.drawn[name]

    def remaining(self) -> list[str]:
        """The figures that no claim asked for."""
        return [name for name in self.names if name not in self.shown]

    def recoloured(self, text: str) -> str:
        """A style with the page's colours."""
        return re.sub(r"#[0-9a-fA-F]{6}\b", self.colour, text)

    def colour(self, match: re.Match[str]) -> str:
        """Near-black is the text's colour and white the page's; the rest lightens in the dark."""
        value = match[0].lower()
        channels = rgb(value)
        if value == "#ffffff":
            return "var(--page)"
        if max(channels) <= 0x33 / 255 and max(channels) - min(channels) <= 0x10 / 255:
            return "currentColor"
        self.colours.add(value)
        return f"var(--c{value[1:]})"

    def stylesheet(self) -> str:
        """The colours of all figures, for light and for dark ground."""
        return stylesheet({f"c{colour[1:]}": colour for colour in sorted(self.colours)})
