"""The tables of claims in ``scripts/arguments/README.md``, written from reproduce folders."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from divergences.shown_text import one_line
from divergences.whole_files import write_atomically
from scripts.lab.checked_files import Damaged, load_record
from scripts.lab.claims import FAILS, HOLDS, QUALIFIED
from scripts.lab.record_shapes import REMEDY, Claim, Record
from scripts.report.markup import RELATIONS, number, with_error
from scripts.report.page import check_records, read_claims

README = Path(__file__).parents[1] / "arguments" / "README.md"
BEGIN, END = "<!-- claims: begin -->\n", "<!-- claims: end -->\n"
VERDICTS = {HOLDS: HOLDS, QUALIFIED: f"*{QUALIFIED}*", FAILS: f"**{FAILS}**"}


def write_readme(folders: Sequence[Path], titles: Mapping[str, str], path: Path = README) -> Path:
    """Replace the tables of claims between the two marks in a Markdown file.

    Args:
        folders: What ``scripts.reproduce`` wrote, all claims in the first; each further folder,
            of another profile, adds a column.
        titles: One line about each argument, by name.
        path: The file.

    Raises:
        FileNotFoundError: If a folder has no ``claims.json``, or not the record of an argument.
        Damaged: If a folder is incomplete.
        ValueError: If an argument is missing, or the file lacks the marks.
    """
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"{path}: the tables go between one line {BEGIN!r} and one {END!r}")
    before, rest = text.split(BEGIN)
    tables = "\n".join(lines(folders, titles))
    write_atomically(path, f"{before}{BEGIN}{tables}\n{END}{rest.split(END)[1]}")
    return path


def lines(folders: Sequence[Path], titles: Mapping[str, str]) -> Iterator[str]:
    """A table of what does not hold, and one per argument, in the order of ``titles``."""
    every = [read_whole(out) for out in folders]
    claims, *others = every
    missing = set(titles) - {claim["argument"] for claim in claims}
    if missing:
        remedy = f"run python -m scripts.reproduce --out {folders[0]}"
        raise ValueError(f"{folders[0]} has no claims of {sorted(missing)[0]}; {remedy}")
    profiles = [profile(out, found[0]) for out, found in zip(folders, every, strict=True)]
    beside = [{claim["id"]: claim for claim in other} for other in others]
    head = ["claim", "sentence", "verdict", "quantity", "predicted", "measured", "n"]
    head += [f"profile {name}" for name in profiles[1:]]
    seconds = {claim["argument"]: claim["seconds"] for claim in claims}
    total = sum(seconds.values())
    verdicts = Counter(claim["verdict"] for claim in claims)
    yield f"{len(claims)} claims; profile {profiles[0]}, {total:.0f} s of computing in all."
    yield f"{verdicts[HOLDS]} hold, {verdicts[QUALIFIED]} hold with a qualification.\n"
    yield row(["does not hold", "quantity", "predicted", "measured", "argument"])
    yield row(["---"] * 5)
    for claim in claims:
        if claim["verdict"] == FAILS:
            found = [escaped(claim["what"]), predicted(claim), measured(claim)]
            yield row([escaped(claim["statement"]), *found, claim["argument"]])
    for name, group in groupby(claims, lambda claim: claim["argument"]):
        yield f"\n### {name}: {escaped(titles.get(name, ''))}\n"
        yield f"Rerun: `python -m scripts.reproduce {name}` ({seconds[name]:.0f} s).\n"
        yield row(head)
        yield row(["---"] * len(head))
        for claim in group:
            yield row([*cells(claim), *(told(other.get(claim["id"])) for other in beside)])


def read_whole(out: Path) -> list[Claim]:
    """The claims of a folder, compared with the records beside them."""
    claims = read_claims(out)
    check_records(out, claims)
    return claims


def profile(out: Path, claim: Claim) -> str:
    """What a folder was run with."""
    path = out / "records" / f"{claim['argument']}.json"
    name = load_record(path, Record, REMEDY)["settings"].get("profile")
    if not isinstance(name, str):
        raise Damaged(path, "its settings have no profile", REMEDY)
    return escaped(name)


def cells(claim: Claim) -> list[str]:
    """A claim on one line, by its first check or the first that failed."""
    return [
        f"`{claim['id']}`",
        escaped(claim["statement"]),
        VERDICTS[claim["verdict"]],
        escaped(claim["what"]),
        predicted(claim),
        measured(claim),
        str(claim["n_seeds"]),
    ]


def told(claim: Claim | None) -> str:
    """The same claim under another profile."""
    return "" if claim is None else f"{measured(claim)}, {VERDICTS[claim['verdict']]}"


def predicted(claim: Claim) -> str:
    sign = RELATIONS[claim["relation"]].replace("=", "")
    within = f", within {number(claim['tolerance'])}" if claim["tolerance"] else ""
    return f"{sign} {number(claim['predicted'])}{within}".strip()


def measured(claim: Claim) -> str:
    return with_error(claim["measured"], claim["stderr"])


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, in a cell of a table."""
    return re.sub(r"([\\`*<\[|$])", r"\\\1", one_line(text))


def row(entries: Sequence[str]) -> str:
    return f"| {' | '.join(entries)} |"
