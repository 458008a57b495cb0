"""The page: what it opens with, its sections, and what it may weigh."""

from __future__ import annotations

import base64
import csv
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.files import write_atomically
from scripts.report import claims as of_claims
from scripts.report import theta, training
from scripts.report.figures import Figures
from scripts.report.markup import escape, read_json, table

HERE = Path(__file__).parent
TITLE = "How far apart are two distributions, and what does a GAN learn from each answer?"
LIMIT = 3_000_000
OVERVIEW = "segments"
ROWS = 200


def write_report(out: Path, titles: Mapping[str, str] | None = None) -> Path:
    """Write ``report.html`` from a folder's records; every number in it is from there.

    Args:
        out: A folder with ``claims.json``, ``figures/*.svg``, ``tables/*.csv``, ``data/*.json``.
        titles: One line about each argument, by name.

    Raises:
        FileNotFoundError: If the folder has no ``claims.json``, or no figure that a claim names.
        ValueError: If a record is incomplete, or the page would weigh more than 3 MB.
    """
    source = out / "claims.json"
    if not source.is_file():
        raise FileNotFoundError(f"{source} does not exist; run python -m scripts.reproduce first")
    claims = read_json(source)
    ids = [claim["id"] for claim in claims]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError(f"{source}: two claims are called {name!r}; rename one")
    try:
        page = whole(out, claims, titles or {})
    except KeyError as error:
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


def whole(out: Path, claims: list[dict[str, Any]], titles: Mapping[str, str]) -> str:
    """The text of the page."""
    figures = Figures(out / "figures")
    arguments: dict[str, list[dict[str, Any]]] = {}
    for claim in claims:
        arguments.setdefault(claim["argument"], []).append(claim)
    parts = [opening(claims, figures)]
    scripts, places = [], {"verdicts": "Verdicts"}
    if (path := out / "data" / "segments.json").is_file():
        parts.append(theta.section(path))
        scripts.append((HERE / "theta.js").read_text(encoding="utf-8"))
        places["theta-section"] = "Move the segments"
    if (path := out / "data" / "training.json").is_file():
        parts.append(training.section(path, figures))
        scripts.append((HERE / "training.js").read_text(encoding="utf-8"))
        places["training-section"] = "Watch two games"
    parts += [argument(name, its, titles, figures) for name, its in arguments.items()]
    parts.append(appendix(out, figures))
    style = (HERE / "style.css").read_text(encoding="utf-8") + figures.stylesheet()
    hashes = " ".join(f"'sha256-{digest(script)}'" for script in scripts) or "'none'"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'; script-src {hashes}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#verdicts">Skip to the verdicts</a>
{navigation(places, arguments)}
<main>
{"".join(parts)}
<footer><p>All of it again: <code>python -m scripts.reproduce</code>. The numbers are those
of <code>claims.json</code>, <code>data/</code> and <code>tables/</code> beside this file.</p>
</footer>
</main>
{"".join(f"<script>{script}</script>" for script in scripts)}
</body>
</html>
"""


def digest(script: str) -> str:
    """What the content security policy knows a script by."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def navigation(places: Mapping[str, str], arguments: Mapping[str, list[dict[str, Any]]]) -> str:
    """Links to every argument and claim, each with the sign of its verdict."""
    items = "".join(
        f'<li><a href="#{key}">{escape(text)}</a></li>' for key, text in places.items()
    )
    for name, claims in arguments.items():
        inner = "".join(
            f'<li><a href="#{escape(c["id"])}">'
            f'<span class="{of_claims.TONES[c["verdict"]][0]}" title="{escape(c["verdict"])}">'
            f"{of_claims.TONES[c['verdict']][1]}</span> {escape(c['id'])}</a></li>"
            for c in claims
        )
        items += (
            f'<li><a href="#argument-{escape(name)}">{escape(spoken(name))}</a>'
            f"<ul>{inner}</ul></li>"
        )
    return f'<nav aria-label="Arguments and claims"><ul>{items}</ul></nav>'


def spoken(name: str) -> str:
    words = {"wgan": "WGAN", "d": "D", "vs": "against"}
    return " ".join(words.get(word, word) for word in name.split("_"))


def opening(claims: list[dict[str, Any]], figures: Figures) -> str:
    """The first screen: the argument in one figure, and what became of every claim."""
    figure = ""
    if OVERVIEW in figures.names:
        label = (
            "JS and W1 between two segments over their distance, and what each tells a generator."
        )
        figure = figures.show(OVERVIEW, label)
    return f"""<header>
<h1>{TITLE}</h1>
<div class="first">
<div>{figure}</div>
<div class="lead">
<p>Each sentence of the articles and papers was turned into predictions, with tolerances fixed
beforehand, and measured.</p>
{of_claims.counts(claims)}
<p class="source">A sentence <em>holds</em> if all its predictions came true, <em>with a
qualification</em> if a circumstance was also observed in which it fails, and <em>does not
hold</em> otherwise. Controls ask the same of a case where it must not be so.</p>
</div>
</div>
</header>
<section id="verdicts" aria-labelledby="verdicts-title">
<h2 id="verdicts-title">The verdicts</h2>
{of_claims.summary(claims)}</section>
"""


def argument(
    name: str, claims: list[dict[str, Any]], titles: Mapping[str, str], figures: Figures
) -> str:
    """The claims of one argument."""
    about = f"<p>{escape(titles[name])}</p>" if name in titles else ""
    sections = "".join(of_claims.section(claim, figures) for claim in claims)
    title = escape(spoken(name))
    return f"""<section id="argument-{escape(name)}" class="argument">
<h2>{title[:1].upper()}{title[1:]}</h2>
{about}
{sections}</section>
"""


def appendix(out: Path, figures: Figures) -> str:
    """The figures that no claim shows, and the tables behind all of them."""
    rest = figures.remaining()
    tables = "".join(of_file(path) for path in sorted((out / "tables").glob("*.csv")))
    if not rest and not tables:
        return ""
    return (
        f'<section id="appendix"><h2>The numbers behind the figures</h2>\n{rest}{tables}</section>'
    )


def of_file(path: Path) -> str:
    """One CSV file, folded; of a long one its beginning, which is said."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    more = f" (the first {ROWS} rows of {len(rows)})" if len(rows) > ROWS else ""
    cells = [[short(text) for text in row] for row in rows[:ROWS]]
    return (
        f"<details><summary><code>tables/{escape(path.name)}</code>{more}</summary>"
        f"{table([escape(name) for name in head], cells, label=path.stem)}</details>\n"
    )


def short(text: str) -> str:
    """A cell of a CSV file; its numbers with six digits."""
    try:
        return f"{float(text):.6g}"
    except ValueError:
        return escape(text)
