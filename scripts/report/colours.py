"""One colour per quantity, on the page and in its figures, on light and on dark ground."""

import colorsys
from collections.abc import Mapping

from scripts.lab.plotting import Colour

DARK_PAGE = "#15171b"  # --page of style.css on dark ground
CONTRAST = 4.5
QUANTITIES = {
    name: str(Colour[name.upper()])
    for name in ("js", "w1", "limited", "kl", "tv", "own", "pull", "sample")
}
"""Names of the page's variables, and what the figures have for the same quantity."""


def stylesheet(colours: Mapping[str, str]) -> str:
    """Variables of these names, each lightened on dark ground."""
    light = "".join(f"--{name}:{colour};" for name, colour in colours.items())
    dark = "".join(f"--{name}:{lightened(colour)};" for name, colour in colours.items())
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
