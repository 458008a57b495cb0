"""The page: what it is made from, and what it may weigh."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError
from markupsafe import Markup

from scripts.files import write_atomically
from scripts.report.claims import TONES
from scripts.report.equations import mathml
from scripts.report.figures import Figures
from scripts.report.markup import short
from scripts.report.rendering import HERE, render
from scripts.report.theta import Theta
from scripts.report.training import Training

TITLE = "How far apart are two distributions, and what does a GAN learn from each answer?"
LIMIT = 3_000_000
OVERVIEW = "segments"
ROWS = 200
WIDGETS = {"segments": Theta, "training": Training}


def write_report(out: Path, titles: Mapping[str, str] | None = None) -> Path:
    """Write ``report.html`` from a folder's records; every number in it is from there.

    Args:
        out: A folder with ``claims.json``, ``figures/*.svg``, ``tables/*.csv``, ``data/*.json``.
        titles: One line about each argument, by name.

    Raises:
        FileNotFoundError: If the folder has no ``claims.json``, or no figure that a claim names.
        ValueError: If a record is incomplete, or the page would weigh more than 3 MB.
    """
    try:
        page = whole(out, titles or {})
    except (KeyError, UndefinedError) as error:
        raise ValueError(
            f"{out}: a record has no {error}; run python -m scripts.reproduce again"
        ) from error
    weight = len(page.encode())
    if weight >= LIMIT:
        raise ValueError(
            f"the report would weigh {weight / 1e6:.1f} MB, {LIMIT / 1e6:.0f} MB are allowed; "
            "keep fewer frames in data/training.json or fewer points in the figures"
        )
    path = out / "report.html"
    write_atomically(path, page)
    return path


def whole(out: Path, titles: Mapping[str, str]) -> str:
    """The text of the page."""
    claims = read_claims(out)
    figures = Figures(out / "figures")
    arguments: dict[str, list[dict[str, Any]]] = {}
    for claim in claims:
        arguments.setdefault(claim["argument"], []).append(claim)
    widgets = [
        widget(read_json(path), path)
        for name, widget in WIDGETS.items()
        if (path := out / "data" / f"{name}.json").is_file()
    ]
    style = (HERE / "style.css").read_text(encoding="utf-8") + figures.stylesheet()
    return render(
        "page.html",
        title=TITLE,
        hashes=[digest(widget.script) for widget in widgets],
        style=Markup(style),
        widgets=widgets,
        claims=claims,
        arguments=arguments,
        equations={
            claim["id"]: claim["equation"] and mathml(claim["equation"]) for claim in claims
        },
        titles=titles,
        figures=figures,
        overview=OVERVIEW,
        tables=[read_table(path) for path in sorted((out / "tables").glob("*.csv"))],
        TONES=TONES,
    )


def digest(script: str) -> str:
    """What the content security policy knows a script by."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def read_claims(out: Path) -> list[dict[str, Any]]:
    """The claims of the folder, each under a name of its own."""
    source = out / "claims.json"
    if not source.is_file():
        raise FileNotFoundError(f"{source} does not exist; run python -m scripts.reproduce first")
    claims = read_json(source)
    for name, times in Counter(claim["id"] for claim in claims).items():
        if times > 1:
            raise ValueError(f"{source}: two claims are called {name!r}; rename one")
    return claims


def read_table(path: Path) -> dict[str, Any]:
    """One CSV file; of a long one its beginning, which is said."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    more = f" (the first {ROWS} rows of {len(rows)})" if len(rows) > ROWS else ""
    cells = [[short(text) for text in row] for row in rows[:ROWS]]
    return {"name": path.name, "stem": path.stem, "head": head, "rows": cells, "more": more}


def read_json(path: Path) -> Any:
    """The file's content.

    Raises:
        ValueError: If it is not JSON; names the file.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} is not JSON ({error}); run python -m scripts.reproduce"
        ) from error
