"""Matplotlib's SVG files as elements of the page, legible on light and on dark ground."""

from __future__ import annotations

import colorsys
import re
from pathlib import Path

from scripts.report.svg import Svg, read_svg

DARK_PAGE = "#15171b"  # --page of style.css on dark ground
CONTRAST = 4.5


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
        light = "".join(f"--c{c[1:]}:{c};" for c in sorted(self.colours))
        dark = "".join(f"--c{c[1:]}:{lightened(c)};" for c in sorted(self.colours))
        return (
            f":root {{ {light} }}\n"
            f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
        )


def rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour, as WCAG 2.2 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(colour)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, from 1 to 21, as WCAG 2.2 defines it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def lightened(colour: str) -> str:
    """The same hue, as much lighter as dark ground asks for."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*rgb(colour))
    while contrast(colour, DARK_PAGE) < CONTRAST:
        lightness += 0.02
        channels = colorsys.hls_to_rgb(hue, min(lightness, 1.0), saturation)
        colour = "#" + "".join(f"{round(255 * c):02x}" for c in channels)
    return colour
