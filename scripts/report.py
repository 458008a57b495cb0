"""One self-contained ``report.html`` from a reproduce folder: ``python -m scripts.report DIR``."""

from __future__ import annotations

import argparse
import html
import json
import re
import sys
from pathlib import Path
from typing import Any

from scripts.files import write_atomically

STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #777; --good: #1d7f4e; --bad: #b3261e;
  --part: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --quiet: #aaa; --good: #5cc48d; --bad: #ff8a80;
  --part: #e0b04c; } }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 3rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td:first-child a { white-space: nowrap; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1.5rem 0; background: #fff; border-radius: 6px; padding: .5rem; }
figure svg { width: 100%; height: auto; }
.source, .note, footer { color: var(--quiet); }
.verdict { font-weight: 600; white-space: nowrap; }
.holds { color: var(--good); } .fails { color: var(--bad); } .part { color: var(--part); }
blockquote { font-size: 1.1rem; margin: .5rem 0; padding-left: 1rem;
  border-left: 3px solid var(--line); }
.wide { overflow-x: auto; }
@media print { section { break-inside: avoid; } }
"""
TONE = {"holds": "holds", "holds with a qualification": "part", "does not hold": "fails"}


def number(value: Any) -> str:
    """A number as a reader wants it; what JSON could not hold comes as it was written."""
    if value is None:
        return "–"
    return html.escape(value) if isinstance(value, str) else f"{value:.4g}"


def verdict(claim: dict[str, Any]) -> str:
    surprise = "" if claim["verdict"] == claim["expected"] else f" (expected: {claim['expected']})"
    text = html.escape(claim["verdict"] + surprise)
    return f'<span class="verdict {TONE[claim["verdict"]]}">{text}</span>'


def summary(claims: list[dict[str, Any]]) -> str:
    """The table of all claims."""
    rows = "".join(
        f'<tr><td><a href="#{html.escape(c["id"])}">{html.escape(c["id"])}</a></td>'
        f"<td>{html.escape(c['statement'])}</td><td>{verdict(c)}</td></tr>"
        for c in claims
    )
    return (
        '<div class="wide"><table><thead><tr><th>claim</th><th>statement</th><th>verdict</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def check_rows(checks: list[dict[str, Any]], met: str, unmet: str) -> str:
    return "".join(
        f"<tr><td>{html.escape(check['what'])}</td>"
        f'<td class="number">{html.escape(check["relation"])} {number(check["predicted"])}</td>'
        f'<td class="number">{number(check["measured"])}</td>'
        f'<td class="number">{number(check["stderr"])}</td>'
        f'<td class="number">{number(check["tolerance"] or None)}</td>'
        f"<td>{met if check['passed'] else unmet}</td></tr>"
        for check in checks
    )


def section(claim: dict[str, Any], figures: dict[str, str]) -> str:
    """One claim: its sentence, its figure where it is first used, its numbers."""
    figure = figures.pop(claim["figure"], "")
    if figure:
        alternative = html.escape(f"Figure {claim['figure']}: {claim['statement']}")
        figure = f'<figure role="img" aria-label="{alternative}">{figure}</figure>'
    rows = check_rows(claim["checks"], "as predicted", "not as predicted")
    rows += check_rows(claim["limits"], "limit observed", "limit not observed")
    return f"""
<section id="{html.escape(claim["id"])}">
<h2>{html.escape(claim["id"])}</h2>
<blockquote>{html.escape(claim["statement"])}</blockquote>
<p class="source">{html.escape(claim["source"])}</p>
{figure}
<p>Verdict: {verdict(claim)}, from {claim["n_seeds"]} seed{"s" * (claim["n_seeds"] > 1)}.</p>
<div class="wide"><table><thead><tr><th>what</th><th>predicted</th><th>measured</th>
<th>standard error</th><th>tolerance</th><th></th></tr></thead><tbody>{rows}</tbody></table></div>
<p class="note">{html.escape(claim["note"])}</p>
</section>"""


def inline(svg: str, prefix: str) -> str:
    """An SVG file as an element: no XML head, and ids that no other figure of the page has."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", svg)


def write_report(out: Path) -> Path:
    """Write ``report.html`` from ``claims.json`` and ``figures/``; every number is from there.

    Raises:
        FileNotFoundError: If the folder has no ``claims.json``.
    """
    source = out / "claims.json"
    if not source.is_file():
        raise FileNotFoundError(f"{source} does not exist; run python -m scripts.reproduce first")
    claims = json.loads(source.read_text())
    figures = {
        path.stem: inline(path.read_text(), path.stem)
        for path in sorted((out / "figures").glob("*.svg"))
    }
    body = "".join(section(claim, figures) for claim in claims)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>How far apart are two distributions, and what does a GAN learn from each answer?</title>
<style>{STYLE}</style>
</head>
<body>
<h1>How far apart are two distributions, and what does a GAN learn from each answer?</h1>
<p>Each sentence below was turned into predictions with tolerances fixed beforehand, and measured.
A sentence <em>holds</em> if all its predictions came true, <em>with a qualification</em> if a
circumstance was also observed in which it fails, and <em>does not hold</em> otherwise.</p>
{summary(claims)}
{body}
<footer><p>Run again with <code>python -m scripts.reproduce</code>; the numbers are in
<code>claims.json</code>, the curves in <code>tables/</code> and <code>tensorboard/</code>.</p>
</footer>
</body>
</html>
"""
    path = out / "report.html"
    write_atomically(path, page)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.report", description=__doc__)
    parser.add_argument("out", type=Path, help="folder that scripts.reproduce wrote")
    try:
        print(write_report(parser.parse_args().out))
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
