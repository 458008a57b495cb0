"""The verdict table, and one section per claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scripts.findings import FAILS, HOLDS, QUALIFIED
from scripts.report.equations import mathml
from scripts.report.figures import Figures
from scripts.report.markup import RELATIONS, escape, number, table, to_error, with_error

Record = dict[str, Any]
TONES = {HOLDS: ("holds", "✓"), QUALIFIED: ("part", "◐"), FAILS: ("fails", "✗")}


def verdict(claim: Record) -> str:
    """The verdict in words, with a sign and a colour beside them."""
    tone, sign = TONES[claim["verdict"]]
    text = f'<span class="verdict {tone}">{sign} {escape(claim["verdict"])}</span>'
    if claim["as_expected"]:
        return text
    reason = f"expected: {claim['expected']}"
    if not all(control["sound"] for control in claim["controls"]):
        reason = "a control shows that the checks prove nothing"
    return f"{text} {odd(f'not as expected ({escape(reason)})')}"


def counts(claims: Sequence[Record]) -> str:
    """How many claims got which verdict."""
    found = Counter(claim["verdict"] for claim in claims)
    items = "".join(
        f'<li class="{tone}"><b>{found[name]}</b> {sign} {escape(name)}</li>'
        for name, (tone, sign) in TONES.items()
    )
    odd = sum(not claim["as_expected"] for claim in claims)
    return (
        f'<ul class="counts">{items}</ul>\n<p>{len(claims)} claims; '
        f"{odd or 'none'} not as expected.</p>\n"
    )


def predicted(check: Mapping[str, Any]) -> str:
    return f"{escape(RELATIONS[check['relation']])} {number(check['predicted'])}"


def tolerance(check: Mapping[str, Any]) -> str:
    """What was allowed; a bound allows nothing beside it."""
    return number(check["tolerance"] if check["relation"] == "=" else None)


def summary(claims: Sequence[Record]) -> str:
    """The table of all claims; on a narrow screen each row becomes a card."""
    rows = "".join(
        f'<tr><th scope="row"><a href="#{escape(c["id"])}">{escape(c["id"])}</a></th>'
        f'<td class="sentence">{escape(c["statement"])}</td>'
        f'<td class="number" data-label="predicted">{predicted(c)}</td>'
        f'<td class="number" data-label="measured">{with_error(c["measured"], c["stderr"])}</td>'
        f"<td>{verdict(c)}</td></tr>\n"
        for c in claims
    )
    head = ("claim", "sentence", "predicted", "measured", "verdict")
    top = "".join(f'<th scope="col">{name}</th>' for name in head)
    return (
        '<table class="summary"><caption>Every claim, with the first of its predictions (or the '
        f"first that failed)</caption><thead><tr>{top}</tr></thead>\n"
        f"<tbody>{rows}</tbody></table>\n"
    )


def results(claim: Record) -> str:
    """The headline: what was predicted, found, allowed, and what it took."""
    row = (
        escape(claim["what"]),
        predicted(claim),
        *to_error(claim["measured"], claim["stderr"]),
        tolerance(claim),
        str(claim["n_seeds"]),
        number(claim["seconds"]),
    )
    head = (
        "quantity",
        "predicted",
        "measured",
        "standard error",
        "tolerance",
        "seeds",
        "seconds, whole argument",
    )
    return table(head, [row], label=f"{claim['id']}: verdict row", numeric=range(1, 7))


def checks(claim: Record, kind: str, outcome: Callable[[Record], str]) -> str:
    """The claim's checks, limits or controls with what became of each."""
    if not claim[kind]:
        return ""
    rows = [
        (
            escape(check["what"]),
            predicted(check),
            with_error(check["measured"], check["stderr"]),
            tolerance(check),
            outcome(check),
        )
        for check in claim[kind]
    ]
    head = ("quantity", "predicted", "measured", "tolerance", "outcome")
    title = f"<h4>{kind.capitalize()}</h4>"
    return title + table(head, rows, label=f"{claim['id']}: {kind}", numeric=range(1, 4))


def of_check(check: Record) -> str:
    return "as predicted" if check["passed"] else odd("not as predicted")


def of_limit(limit: Record) -> str:
    return "limit observed" if limit["passed"] else "limit not observed"


def of_control(control: Record) -> str:
    """Whether it came out the other way than the checks, which else prove nothing."""
    if control["sound"]:
        return f"{'passes' if control['passed'] else 'fails'}, as it must"
    return odd(f"{'PASSES' if control['passed'] else 'FAILS'}: the check proves nothing")


def odd(text: str) -> str:
    """Where a reader should stop."""
    return f'<strong class="surprise">{text}</strong>'


def tally(claim: Record) -> str:
    """What the folded tables hold: how many of each, and how many came out as they should."""
    met = sum(check["passed"] for check in claim["checks"])
    parts = [f"{met} of {len(claim['checks'])} checks as predicted"]
    if claim["limits"]:
        seen = sum(limit["passed"] for limit in claim["limits"])
        parts.append(f"{seen} of {len(claim['limits'])} limits observed")
    sound = sum(control["sound"] for control in claim["controls"])
    parts.append(f"{sound} of {len(claim['controls'])} controls as they must be")
    return "; ".join(parts)


def section(claim: Record, figures: Figures) -> str:
    """One claim: its sentence, equation and figure, its numbers, and how to measure them again."""
    name = escape(claim["id"])
    equation = (
        f'<div class="equation">{mathml(claim["equation"])}</div>' if claim["equation"] else ""
    )
    figure = figures.show(claim["figure"], claim["statement"]) if claim["figure"] else ""
    note = f'<p class="note">{escape(claim["note"])}</p>' if claim["note"] else ""
    return f"""<article class="claim" id="{name}" aria-labelledby="title-{name}">
<h3 id="title-{name}"><a href="#{name}">{name}</a> {verdict(claim)}</h3>
<blockquote>{escape(claim["statement"])}</blockquote>
<p class="source">{escape(claim["source"])}</p>
{equation}
{results(claim)}{note}
{figure}<details{"" if claim["as_expected"] else " open"}><summary>{tally(claim)}</summary>
{checks(claim, "checks", of_check)}{checks(claim, "limits", of_limit)}
{checks(claim, "controls", of_control)}</details>
<p class="again">Measure it again:
<code>python -m scripts.reproduce {escape(claim["argument"])}</code></p>
</article>
"""
