"""Matplotlib's SVG files as elements of the page, legible on light and on dark ground."""

from __future__ import annotations

import colorsys
import re
from pathlib import Path

from scripts.report.markup import escape

DARK_PAGE = "#15171b"  # --page of style.css on dark ground
CONTRAST = 4.5


class Figures:
    """The figures of a folder: each is shown where it is first asked for, and linked later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = sorted(path.stem for path in folder.glob("*.svg"))
        self.shown: list[str] = []
        self.colours: set[str] = set()

    def show(self, name: str, label: str) -> str:
        """The figure, or a link to where it already is.

        Raises:
            FileNotFoundError: If the folder has no such figure.
        """
        anchor = f"figure-{escape(name)}"
        if name in self.shown:
            return f'<p class="seen">Shown in <a href="#{anchor}">figure {escape(name)}</a>.</p>\n'
        if name not in self.names:
            raise FileNotFoundError(
                f"{self.folder / name}.svg does not exist; run python -m scripts.reproduce again"
            )
        self.shown.append(name)
        opening = f'<svg role="img" aria-label="{escape(label)}"'
        return (
            f'<figure id="{anchor}"><div class="scroll" role="region" tabindex="0" '
            f'aria-label="figure {escape(name)}">'
            f"{self.inline(name).replace('<svg', opening, 1)}</div>"
            f"<figcaption>Figure <code>{escape(name)}</code>. {escape(label)}</figcaption>"
            "</figure>\n"
        )

    def remaining(self) -> str:
        """The figures that no claim asked for."""
        left = [name for name in self.names if name not in self.shown]
        return "".join(self.show(name, "No claim refers to it.") for name in left)

    def inline(self, name: str) -> str:
        """The file as an element: ids of its own, the page's colours, no more digits than seen."""
        text = (self.folder / f"{name}.svg").read_text(encoding="utf-8")
        svg = text[text.index("<svg") :].strip()
        svg = re.sub(
            r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL
        )
        svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href=", "href=")
        svg = re.sub(r'(<svg[^>]*?)\swidth="[^"]*"\sheight="[^"]*"', r"\1", svg, count=1)
        svg = re.sub(r'\s(?:d|x|y|points)="[^"]*"', rounded, svg)
        svg = self.with_own_ids(svg, f"svg{self.names.index(name)}")
        return re.sub(r'(style|fill|stroke)="[^"]*"', self.recoloured, svg)

    def with_own_ids(self, svg: str, prefix: str) -> str:
        """Keep the ids that something refers to, and make them the page's only ones."""
        used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))

        def rename(match: re.Match[str]) -> str:
            return f' id="{prefix}-{match[1]}"' if match[1] in used else ""

        svg = re.sub(r'\sid="([^"]*)"', rename, svg)
        return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", svg)

    def recoloured(self, match: re.Match[str]) -> str:
        return re.sub(r"#[0-9a-fA-F]{6}\b", self.colour, match[0])

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
        """The colours seen so far, for light and for dark ground."""
        light = "".join(f"--c{c[1:]}:{c};" for c in sorted(self.colours))
        dark = "".join(f"--c{c[1:]}:{lightened(c)};" for c in sorted(self.colours))
        return (
            f":root {{ {light} }}\n"
            f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
        )


def rounded(match: re.Match[str]) -> str:
    """Coordinates in points need no more than two decimals, and no line breaks."""
    return re.sub(r"\s+", " ", re.sub(r"(\.\d\d)\d+", r"\1", match[0]))


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
