"""An SVG file built anew from what a drawing may consist of: nothing in it runs or loads."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from divergences.shown_text import visible
from gans.runtime.files import contents

ELEMENTS = {
    "circle", "clipPath", "defs", "desc", "ellipse", "g", "image", "line", "linearGradient",
    "marker", "path", "pattern", "polygon", "polyline", "radialGradient", "rect", "stop", "svg",
    "text", "title", "tspan", "use",
}  # fmt: skip
PLACES = {
    "clip-path", "clipPathUnits", "cx", "cy", "d", "dx", "dy", "gradientTransform",
    "gradientUnits", "height", "id", "offset", "points", "preserveAspectRatio", "r", "rotate",
    "rx", "ry", "textLength", "transform", "viewBox", "width", "x", "x1", "x2", "y", "y1", "y2",
}  # fmt: skip
LOOKS = {
    "clip-path", "clip-rule", "color", "dominant-baseline", "fill", "fill-opacity", "fill-rule",
    "font", "font-family", "font-size", "font-stretch", "font-style", "font-variant",
    "font-weight", "image-rendering", "opacity", "stop-color", "stop-opacity", "stroke",
    "stroke-dasharray", "stroke-dashoffset", "stroke-linecap", "stroke-linejoin",
    "stroke-miterlimit", "stroke-opacity", "stroke-width", "text-anchor", "writing-mode",
}  # fmt: skip
FUNCTIONS = {
    "hsl", "matrix", "rgb", "rgba", "rotate", "scale", "skewX", "skewY", "translate", "url",
}  # fmt: skip
PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=\s]*")
DESCRIPTION = ".//{http://purl.org/dc/elements/1.1/}description"
DEEPEST = 100
"""Elements within each other; matplotlib's stay below ten."""


@dataclass(frozen=True)
class Svg:
    """Attributes and content of an ``<svg>`` element, and what it says of itself."""

    attributes: dict[str, str]
    content: Markup
    caption: str


def read_svg(path: Path, prefix: str, recoloured: Callable[[str], str]) -> Svg:
    """The drawing in the file, with ids of its own and no more digits than are seen.

    What is no part of a drawing is left out: scripts, handlers of events, links, style sheets,
    HTML, addresses, animations.

    Raises:
        ValueError: If it is no SVG file; names it.
    """
    try:
        text = contents(path).decode("utf-8")
        if "<!ENTITY" in text:
            raise ValueError("it declares entities")
        root = ET.fromstring(text)
        if _local(root.tag) != "svg":
            raise ValueError(f"its root is <{_local(root.tag)}>")
        ids = {name: f"{prefix}-{i}" for i, name in enumerate(sorted(_referred(root)))}
        drawn = _rebuilt(root, ids, recoloured, DEEPEST)
    except (ET.ParseError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is no SVG file ({error}); run the argument that draws it again"
        ) from error
    content = Markup("").join(Markup(ET.tostring(child, encoding="unicode")) for child in drawn)
    attributes = {key: drawn.attrib[key] for key in ("viewBox",) if key in drawn.attrib}
    return Svg(attributes, content, visible(root.findtext(DESCRIPTION) or ""))


def _local(name: str) -> str:
    """The name without its namespace."""
    return name.rpartition("}")[2]


def _referred(root: ET.Element) -> set[str]:
    """The ids that something in the file refers to."""
    found: set[str] = set()
    for node in root.iter():
        for name, value in node.attrib.items():
            found |= set(re.findall(r"url\(#([^)]+)\)", value))
            if _local(name) == "href" and value.startswith("#"):
                found.add(value[1:])
    return found


def _rebuilt(
    node: ET.Element, ids: dict[str, str], recoloured: Callable[[str], str], depth: int
) -> ET.Element:
    if not depth:
        raise ValueError(f"more than {DEEPEST} elements lie within each other")
    made = ET.Element(_local(node.tag))
    for key, value in node.attrib.items():
        name, value = _local(key), visible(value, "\n\t").strip()
        if name == "style":
            value = recoloured(_styled(value))
        elif name in LOOKS and _harmless(value):
            value = recoloured(value)
        elif name == "href":
            if not (value.startswith("#") or (made.tag == "image" and PICTURE.fullmatch(value))):
                continue
        elif name not in PLACES or not _harmless(value):
            continue
        if name == "id":
            value = ids.get(value, "")
        elif name == "href" and value.startswith("#"):
            value = f"#{ids.get(value[1:], '')}"
        elif name in ("d", "x", "y", "points"):
            value = _rounded(value)
        value = re.sub(r"url\(#([^)]+)\)", lambda found: f"url(#{ids.get(found[1], '')})", value)
        if value:
            made.set(name, value)
    made.text, made.tail = _written(node.text), _written(node.tail)
    for child in node:
        if isinstance(child.tag, str) and _local(child.tag) in ELEMENTS:
            made.append(_rebuilt(child, ids, recoloured, depth - 1))
    return made


def _harmless(value: str) -> bool:
    """Whether a value only says how something looks, with references to this file alone."""
    called = set(re.findall(r"([\w-]*)\s*\(", value))
    return called <= FUNCTIONS and not re.search(r"[;@\\<>{}]|url\s*\((?!#)|&", value)


def _styled(text: str) -> str:
    """The declarations of how something looks, without those that do anything else."""
    kept = []
    for declaration in text.split(";"):
        name, _, value = declaration.partition(":")
        if name.strip() in LOOKS and _harmless(value):
            families = value.split(",") if name.strip() == "font-family" else [value]
            kept.append(f"{name.strip()}: {','.join(dict.fromkeys((families[0], families[-1])))}")
    return ";".join(" ".join(declaration.split()) for declaration in kept)


def _written(text: str | None) -> str:
    """What stands between elements, without the indentation that nobody sees."""
    return visible(text, "\n") if text and text.strip() else ""


def _rounded(text: str) -> str:
    """Coordinates in points need one decimal and no line breaks; lines go on without a letter."""
    numbers = re.sub(r"\s+", " ", re.sub(r"\d+\.\d+", _one_decimal, text)).strip()
    straight = set(re.findall(r"[A-Za-z]", numbers)) <= set("MLz")
    return re.sub(r"(?<=\d) L (?=[-\d])", " ", numbers) if straight else numbers


def _one_decimal(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")
