"""The page: what it is made from, and what it may weigh."""

import base64
import csv
import hashlib
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from divergences.whole_files import write_atomically
from gans.runtime.files import contents
from scripts.lab import record_shapes as shapes
from scripts.lab.checked_files import Damaged, load, load_record
from scripts.lab.claims import FAILS, HOLDS, QUALIFIED
from scripts.report.colours import QUANTITIES, stylesheet
from scripts.report.embedded_figures import Figures
from scripts.report.equations import mathml
from scripts.report.live_game import LiveGame
from scripts.report.markup import HERE, render, script, short
from scripts.report.moved_segments import MovedSegments
from scripts.report.player import Player

TITLE = "How far apart are two distributions, and what does a GAN learn from each answer?"
LIMIT = 3_000_000
STYLES = ("widgets.css", "style.css")
ROWS = 200
TONES = {HOLDS: ("holds", "✓"), QUALIFIED: ("part", "◐"), FAILS: ("fails", "✗")}
"""The colour and the sign of each verdict."""
WORDS = (
    ("law", "a probability distribution"),
    ("parted", "of two distributions: no point is possible under both"),
    ("generator", "the network that turns noise into points; it learns from the loss's gradient"),
    ("discriminator", "a GAN's second network: is this point real or generated?"),
    ("critic", "a WGAN's second network; its slope is limited, and its scores measure W1"),
    ("pull", "size of the gradient that reaches a generated point"),
    ("saturating", "the GAN loss log(1 - D), whose gradient vanishes where D is sure"),
    ("fresh discriminator", "one that was trained anew, only to measure"),
    ("reading", "what was measured"),
    ("nats", "the unit of information with natural logarithms; 1 bit is 0.693 nats"),
)
"""What a reader may not know, in the words of the page and of the claims."""
PARTS = {
    place
    for template in sorted((HERE / "templates").glob("*.html"))
    for place in re.findall(r'id="([\w-]+)"', template.read_text(encoding="utf-8"))
}
"""Places of the page itself that a claim could be called like."""


def write_report(out: Path, titles: Mapping[str, str] | None = None) -> Path:
    """Write ``report.html`` from a folder's records; every number in it is from there.

    Args:
        out: A folder with ``claims.json``, ``figures/*.svg``, ``tables/*.csv``, ``data/*.json``.
        titles: One line about each argument, by name.

    Raises:
        FileNotFoundError: If the folder has no ``claims.json``, or no figure that a claim names.
        Damaged: If a file is incomplete, or not what it was when the argument was finished.

    Warns:
        UserWarning: If the page weighs more than 3 MB; it is written, and slow to open.
    """
    page = whole(out, titles or {})
    weight = len(page.encode())
    path = out / "report.html"
    write_atomically(path, page)
    if weight >= LIMIT:
        warnings.warn(
            f"{path} weighs {weight / 1e6:.1f} MB, more than the {LIMIT / 1e6:.0f} MB that open "
            "fast; keep fewer frames in data/training.json or fewer points in the figures",
            stacklevel=2,
        )
    return path


def whole(out: Path, titles: Mapping[str, str]) -> str:
    """The text of the page."""
    claims = read_claims(out)
    figures = Figures(out / "figures")
    arguments: dict[str, list[shapes.Claim]] = {}
    for claim in claims:
        arguments.setdefault(claim["argument"], []).append(claim)
    widgets = list(widgets_of(out / "data"))
    tables = [read_table(path) for path in sorted((out / "tables").glob("*.csv"))]
    equations = read_equations(out, claims)
    check_records(out, claims)
    style = stylesheet(QUANTITIES) + figures.stylesheet()
    style += "".join((HERE / name).read_text(encoding="utf-8") for name in STYLES)
    names = dict.fromkeys(name for widget in widgets for name in widget.scripts)
    scripts = [script(name) for name in names]
    return render(
        "page.html",
        title=TITLE,
        scripts=scripts,
        hashes=[digest(text) for text in scripts],
        style=Markup(style),
        widgets=widgets,
        claims=claims,
        arguments=arguments,
        equations=equations,
        titles=titles,
        figures=figures,
        WORDS=WORDS,
        tables=tables,
        TONES=TONES,
    )


def widgets_of(folder: Path) -> Iterator[MovedSegments | LiveGame | Player]:
    """What moves on the page; two of them show records of the folder, if it has them."""
    segments, limited = folder / "segments.json", folder / "limited_slope.json"
    games = folder / "training.json"
    if segments.is_file():
        trained = load(limited, shapes.LimitedSlope, shapes.REMEDY) if limited.is_file() else None
        yield MovedSegments(load(segments, shapes.Segments, shapes.REMEDY), segments, trained)
    yield LiveGame()
    if games.is_file():
        yield Player(load(games, shapes.Training, shapes.REMEDY), games)


def digest(text: str) -> str:
    """What the content security policy knows a script by."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def read_claims(out: Path) -> list[shapes.Claim]:
    """The claims of the folder, each under a name of its own, as their records have them."""
    source = out / "claims.json"
    if not source.is_file():
        raise FileNotFoundError(f"{source} does not exist; run python -m scripts.reproduce first")
    claims = load(source, list[shapes.Claim], shapes.REMEDY)
    if not claims:
        raise Damaged(source, "it holds no claim", shapes.REMEDY)
    for name, times in Counter(claim["id"] for claim in claims).items():
        if times > 1:
            raise ValueError(f"{source}: two claims are called {name!r}; rename one")
        if name in PARTS or re.match(r"(argument|figure|title|svg\d+)-", name):
            raise ValueError(f"{source}: a claim is called {name!r}, as a part of the page is")
    return claims


def read_equations(out: Path, claims: list[shapes.Claim]) -> dict[str, Markup]:
    """Each claim's equation, by its name."""
    try:
        return {c["id"]: mathml(c["equation"]) if c["equation"] else Markup() for c in claims}
    except ValueError as error:
        raise Damaged(out / "claims.json", error, shapes.REMEDY) from None


def check_records(out: Path, claims: list[shapes.Claim]) -> None:
    """Every claim is as its argument's record has it, and every file as it was written.

    Raises:
        Damaged: If one is not; where there is no record, nothing can be said.
    """
    source = out / "claims.json"
    for name in dict.fromkeys(claim["argument"] for claim in claims):
        path = out / "records" / f"{name}.json"
        if not path.exists():
            continue  # claims.json may be all that was sent
        record = load_record(path, shapes.Record, shapes.REMEDY)
        for damaged in shapes.changed_files(out, record):
            raise damaged
        if record["claims"] != [claim for claim in claims if claim["argument"] == name]:
            raise Damaged(source, f"it differs from {path}", shapes.REMEDY)


def read_table(path: Path) -> dict[str, Any]:
    """One CSV file; of a long one its beginning, which is said."""
    try:
        text = io.StringIO(contents(path).decode("utf-8"), newline="")
        head, *rows = csv.reader(text, strict=True)
        if any(len(row) != len(head) for row in rows):
            raise ValueError("its rows differ in length")
    except (ValueError, csv.Error) as error:
        raise Damaged(path, f"it is no CSV file ({error})", shapes.REMEDY) from None
    more = f" (the first {ROWS} rows of {len(rows)})" if len(rows) > ROWS else ""
    cells = [[short(text) for text in row] for row in rows[:ROWS]]
    return {"name": path.name, "stem": path.stem, "head": head, "rows": cells, "more": more}
