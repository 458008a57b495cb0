"""The table of passes, measured and published, and what the known laws would pass."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.arguments.fidelity_diversity.pass_criteria import criteria, together
from scripts.arguments.fidelity_diversity.quality_scores import FIDELITY, MEASURES
from scripts.lab.jobs import Results

PUBLISHED = Path(__file__).with_name("published_passes.csv")
IN_PUBLISHED = ("precision", "density", "recall", "coverage")

Key = tuple[str, str, str, str]  # toy, line, desideratum, criterion
Passes = dict[Key, dict[str, str]]  # letters by measure


def published() -> Passes:
    """The letters of four measures, as the released code prints them for ten repeats.

    From ``plotting/print_pass_fail_tables.ipynb`` at commit f091234 (MIT). They are those of the
    paper; its authors note that other random numbers change six of the fifteen checks.
    """
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        return {
            (row["toy"], row["line"], row["desideratum"], row["criterion"]): {
                measure: row[measure] for measure in IN_PUBLISHED
            }
            for row in csv.DictReader(file)
        }


def passes(results: Results) -> Passes:
    """The letters of six measures, of the means over repeats."""
    found: Passes = {}
    for toy, lines in results.items():
        for name, line in lines.items():
            places = np.asarray(line["places"], dtype=float)
            means = line["scores"].double().mean(1).numpy()
            for one in criteria(toy, name):
                found[toy, name, one.desideratum, one.name] = {
                    measure: one.letter(measure in FIDELITY, places, values)
                    for measure, values in zip(MEASURES, means, strict=True)
                }
    return found


def of_known_laws(results: Results) -> Passes:
    """The letters of 1 - TV of both laws, on the lines where it has a closed form."""
    found: Passes = {}
    for toy, lines in results.items():
        for name, line in lines.items():
            if not line["overlap"]:
                continue
            places, values = (np.asarray(line[key], float) for key in ("places", "overlap"))
            for one in criteria(toy, name):
                letter = one.letter(True, places, values)
                found[toy, name, one.desideratum, one.name] = {"1 - TV": letter}
    return found


def by_desideratum(found: Passes) -> dict[tuple[str, str], dict[str, str]]:
    """One letter for each toy and desideratum: its criteria, on all of its lines."""
    gathered: dict[tuple[str, str], dict[str, list[str]]] = {}
    for (toy, _, desideratum, _), letters in found.items():
        row = gathered.setdefault((toy, desideratum), {})
        for measure, letter in letters.items():
            row.setdefault(measure, []).append(letter)
    return {
        key: {measure: together(letters) for measure, letters in row.items()}
        for key, row in gathered.items()
    }


def failed(found: Mapping[Any, Mapping[str, str]], measure: str) -> int:
    """Rows in which a measure failed."""
    return sum(letters[measure] == "F" for letters in found.values())


def agreement(ours: Passes, theirs: Passes, pairs: Sequence[tuple[str, str]]) -> float:
    """Share of criteria on which a measure of ours has the letter of one of theirs."""
    same = [
        ours[key][one] == letters[other]
        for key, letters in theirs.items()
        for one, other in pairs
        if letters[other] and ours[key][one]
    ]
    return sum(same) / len(same)


def rows(found: Passes) -> list[dict[str, Any]]:
    """One row for each toy and desideratum: measured, and published beside it."""
    theirs = by_desideratum(published())
    return [
        {"toy": toy, "desideratum": desideratum}
        | letters
        | {f"{measure}, published": theirs[toy, desideratum][measure] for measure in IN_PUBLISHED}
        for (toy, desideratum), letters in by_desideratum(found).items()
    ]
