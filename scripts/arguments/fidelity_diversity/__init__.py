"""Measures of fidelity and diversity on fifteen toys whose answers are known.

Fixed before anything was measured: at least 95 % of the published criteria come out alike; a
measure "fails a significant number of checks" if it fails 5 of the 30 rows of the table; between
equal laws a value is "near" what it should be within .05, the paper's own tolerance.

The quick profile follows each line at fewer places, with four repeats instead of ten and samples
of up to 3,162 points instead of 10,000. The paper profile has the published settings.
"""

import math
from collections.abc import Sequence

from scripts.arguments.fidelity_diversity.pass_table import (
    IN_PUBLISHED,
    Passes,
    agreement,
    by_desideratum,
    failed,
    of_known_laws,
    passes,
    published,
    rows,
)
from scripts.arguments.fidelity_diversity.plots import lines, pass_table
from scripts.arguments.fidelity_diversity.quality_scores import MEASURES, K
from scripts.arguments.fidelity_diversity.toy_pairs import TOYS, N, Settings, measured
from scripts.lab.claims import FAILS, Check, Claim, Findings
from scripts.lab.jobs import Job, Results

ALIKE, MANY, NEAR = 0.95, 5, 0.05
PROFILES = {
    "quick": Settings(),
    "paper": Settings(repeats=10, places=51, few_places=20, decades_of_sizes=2),
}


def experiments(settings: Settings) -> dict[str, Job]:
    return {toy: Job(4, measured, toy, settings) for toy in TOYS}


def judge(results: Results, settings: Settings) -> Findings:
    """Claims ``quality-table``, ``-flawed``, ``-clipped`` and ``-equal-laws``."""
    found, known = passes(results), of_known_laws(results)
    return Findings(
        claims=[
            table_claim(found, settings),
            flawed_claim(found, known, settings),
            clipped_claim(found, settings),
            equal_claim(results, settings),
        ],
        figures={
            "fidelity_diversity_table": pass_table(found),
            "fidelity_diversity_lines": lines(results),
        },
        tables={"fidelity_diversity": rows(found)},
    )


SOURCE = "Räisä, van Breugel & van der Schaar 2025, arXiv 2505.22450"
SWAPPED = tuple(zip(IN_PUBLISHED, ("density", "precision", "coverage", "recall"), strict=True))


def alike(what: str, found: Passes, pairs: Sequence[tuple[str, str]]) -> Check:
    share = agreement(found, published(), pairs)
    return Check.at_least(f"{what}: share of criteria with the published letter", ALIKE, share)


def table_claim(found: Passes, settings: Settings) -> Claim:
    theirs, ours = by_desideratum(published()), by_desideratum(found)
    same = sum(ours[key][m] == theirs[key][m] for key in theirs for m in IN_PUBLISHED)
    each = {m: agreement(found, published(), [(m, m)]) for m in IN_PUBLISHED}
    return Claim(
        id="quality-table",
        source=f"{SOURCE}, Tables 3 and 4, and the released tables by criterion",
        statement="Precision, recall, density and coverage pass and fail the fifteen sanity "
        "checks as published.",
        checks=[alike("all four", found, [(m, m) for m in IN_PUBLISHED])],
        controls=[alike("each against the letters of its rival", found, SWAPPED)],
        n_seeds=settings.repeats,
        figure="fidelity_diversity_table",
        note="Alike are "
        + ", ".join(f"{100 * share:.0f} % ({measure})" for measure, share in each.items())
        + f"; of the {len(theirs) * len(IN_PUBLISHED)} letters of the paper's tables, which put "
        f"all lines of a toy together, {same}. Its authors found that other random numbers change "
        "six of the fifteen checks. The quick profile ends at samples of 3,162 points, where "
        "recall of the torus is not yet 0. Four pairs of measures of that paper are not in this "
        "library, and their letters are left out: integrated alpha-precision, precision cover, "
        "symmetric and probabilistic precision, each with its measure of diversity.",
    )


def fails_many(measure: str, found: Passes) -> Check:
    by_row = by_desideratum(found)
    return Check.at_least(
        f"{measure}: rows failed of {len(by_row)}", MANY, failed(by_row, measure)
    )


def flawed_claim(found: Passes, known: Passes, settings: Settings) -> Claim:
    return Claim(
        id="quality-flawed",
        source=f"{SOURCE}, its title; clipped ones: Salvy et al. 2025, arXiv 2507.01761",
        statement="Every measure of fidelity or diversity fails a significant number of sanity "
        "checks, the clipped ones too.",
        checks=[fails_many(measure, found) for measure in MEASURES],
        controls=[fails_many("1 - TV", known)],
        n_seeds=settings.repeats,
        figure="fidelity_diversity_lines",
        note="The control shows that the criteria can be met: 1 - TV, from the laws themselves, "
        "passes every row of the toys in which it has a closed form. No measure from samples "
        "passes them: balls around points fill space that holds no law, such as the inside of a "
        "sphere, and in many dimensions one coordinate does not count.",
    )


def clipped_claim(found: Passes, settings: Settings) -> Claim:
    by_row = by_desideratum(found)
    counts = {measure: len(by_row) - failed(by_row, measure) for measure in MEASURES}

    def more(one: str, other: str) -> Check:
        return Check.at_least(f"{one} less {other}: rows passed", 1, counts[one] - counts[other])

    return Claim(
        id="quality-clipped",
        source="Salvy et al. 2025, arXiv 2507.01761: more robust than the measures before them",
        statement="Clipped density and coverage pass more checks than density and coverage.",
        expected=FAILS,
        checks=[more("clipped density", "density"), more("clipped coverage", "coverage")],
        controls=[more("clipped density", "precision"), more("clipped coverage", "recall")],
        n_seeds=settings.repeats,
        figure="fidelity_diversity_table",
        note="Rows passed of "
        f"{len(by_row)}: "
        + ", ".join(f"{name} {count}" for name, count in counts.items())
        + ". Other sizes and random numbers change a few of them.",
    )


def equal_claim(results: Results, settings: Settings) -> Claim:
    middle = {
        name: line["scores"][..., len(line["places"]) // 2]
        for name, line in results["mean difference"].items()
    }
    *_, most = middle

    def of_one_law(measure: str, name: str, target: float = 1) -> Check:
        what = f"{measure} of two samples of one law, {name}"
        return Check.near(what, target, middle[name][MEASURES.index(measure)], NEAR)

    expected = 1 - math.prod((N - i) / (2 * N - i) for i in range(1, K + 1))
    return Claim(
        id="quality-equal-laws",
        source="Kynkäänniemi et al. 2019, arXiv 1904.06991; Naeem et al. 2020, arXiv 2002.09797",
        statement="Precision and recall of two samples of one law are near 1, so that a lower "
        "value shows that the generator is wrong.",
        expected=FAILS,
        checks=[of_one_law(m, name) for m in ("precision", "recall") for name in middle],
        controls=[
            of_one_law("density", most),
            of_one_law("coverage", most, expected),
        ],
        equation=r"E[\text{coverage}] = 1 - \prod_{i=1}^{k} \frac{n - i}{n + m - i}",
        n_seeds=settings.repeats,
        figure="fidelity_diversity_lines",
        note="Balls to the third neighbour cover less of the law the more dimensions there are. "
        f"With 1,000 points of each, coverage is {expected:.3f} on average in any dimension, and "
        "density 1. Compare a precision with that of two halves of the real points.",
    )
