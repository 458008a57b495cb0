"""Equations: LaTeX in the records, MathML in the page, which browsers set without web fonts."""

import html
import re
import xml.etree.ElementTree as ET

from latex2mathml.converter import convert
from markupsafe import Markup

from divergences.shown_text import visible

BOUNDS = {"sup", "inf", "max", "min", "lim"}
FUNCTIONS = {"log", "exp", *BOUNDS}
PARTS = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3}
ROWS = {"math", "mrow", "mtd", "msqrt"}
ELEMENTS = {
    "math", "menclose", "mfrac", "mi", "mn", "mo", "mover", "mpadded", "mphantom", "mroot", "mrow",
    "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr",
    "munder", "munderover",
}  # fmt: skip
LOOKS = {
    "accent", "accentunder", "columnalign", "columnlines", "columnspacing", "depth", "display",
    "displaystyle", "fence", "form", "height", "largeop", "linethickness", "lspace", "mathcolor",
    "mathsize", "mathvariant", "maxsize", "minsize", "movablelimits", "notation", "rowspacing",
    "rspace", "scriptlevel", "separator", "stretchy", "symmetric", "width",
}  # fmt: skip
LONGEST = 2_000
"""Characters of an equation."""


def mathml(latex: str) -> Markup:
    """The equation as a ``<math>`` element, built of what equations consist of.

    Raises:
        ValueError: If a command is unknown or lacks a part; names the equation.
    """
    if len(latex) > LONGEST:
        raise ValueError(f"equation {latex[:40]!r}... is longer than {LONGEST} characters")
    try:
        root = ET.fromstring(
            re.sub(r' xmlns="[^"]*"', "", convert(latex, display="block"), count=1)
        )
    except Exception as error:  # its exceptions share no base class
        raise ValueError(f"equation {latex!r} cannot be converted to MathML: {error}") from error
    short = [node.tag for node in root.iter() if len(node) != PARTS.get(node.tag, len(node))]
    if short or latex.count("{") != latex.count("}"):
        raise ValueError(f"equation {latex!r} is not whole: {short[0] if short else 'braces'}")
    unknown = [node.text for node in root.iter() if node.text and node.text.startswith("\\")]
    if unknown:
        raise ValueError(f"equation {latex!r}: {unknown[0]} is not known; use plainer LaTeX")
    for node in list(root.iter()):
        if node.tag == "msub" and node[0].text in BOUNDS:
            node.tag = "munder"  # what is bounded over stands below
        if node.tag in ROWS:
            node[:] = spaced(joined(list(node)))
    for node in root.iter("mo"):
        if node.text == "|":  # a bar opens, closes or separates, and is no operator with space
            node.attrib |= {"lspace": "0", "rspace": "0"}
    for node in root.iter():
        if node.tag not in ELEMENTS:
            raise ValueError(f"equation {latex!r}: <{node.tag}> is no part of an equation")
        for name in {*node.attrib} - LOOKS:
            del node.attrib[name]
        node.text, node.tail = visible(node.text or ""), visible(node.tail or "", "\n")
    root.set("aria-label", visible(latex))
    return Markup(ET.tostring(root, encoding="unicode"))


def joined(nodes: list[ET.Element]) -> list[ET.Element]:
    """Upright letters in a row are one name: ``<mi>KL</mi>``, not K times L."""
    result: list[ET.Element] = []
    for node in nodes:
        before = result[-1] if result else None
        upright = node.tag == "mi" and node.get("mathvariant") == "normal"
        if upright and before is not None and before.get("mathvariant") == "normal":
            before.text = f"{before.text}{node.text}"
        else:
            result.append(node)
    for node in result:
        if node.tag == "mi" and len(html.unescape(node.text or "")) > 1:
            node.attrib.pop("mathvariant", None)  # a name of several letters is upright anyway
    return result


def spaced(nodes: list[ET.Element]) -> list[ET.Element]:
    """A thin space between a function and an argument without brackets: log 2."""
    result: list[ET.Element] = []
    for node in nodes:
        if result and function(result[-1]) and node.tag != "mo":
            result.append(ET.Element("mspace", width="0.17em"))
        result.append(node)
    return result


def function(node: ET.Element) -> bool:
    inner = node[0] if node.tag in {"msub", "msup", "munder"} else node
    return inner.tag == "mi" and inner.text in FUNCTIONS
