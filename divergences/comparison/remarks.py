"""What is remarked on two samples beside their comparison, one sentence each."""

from collections.abc import Sequence

import torch
from scipy.stats import rankdata
from torch import Tensor

from divergences.checks import shown
from divergences.comparison.sentence import number
from divergences.comparison.tables import Matched
from divergences.comparison.two_sample_test import MOST_POINTS
from divergences.repeated_points import different
from divergences.samples.coordinates import Standardised
from divergences.shown_text import listed

ALIKE = 0.3  # rank correlation of neighbouring rows from which they are a series
FEWEST_IN_SERIES = 30
FEWEST_VALUES = 10  # different ones in a column of which a far one may stand for missing values
ROUGH = 0.05  # of a spread: steps of rounded numbers that are not small
UNLIKE = 10  # ratio of spreads from which columns have hardly one unit


def remarks(pair: Matched, standard: Standardised) -> list[str]:
    """On rounded columns, values that may stand for missing ones, rows that both samples have, and
    rows that are like those before."""
    notes = _codes(pair)
    rough = [pair.names[int(j)] for j in (standard.resolution[0] > ROUGH).nonzero()[:, 0]]
    if rough:
        notes.append(
            f"{listed(rough)}: rounded to few values; JS, KL and TV may be refused or rough"
        )
    notes += copies(pair.x, pair.y, pair.labels)
    for points, label in zip((pair.x, pair.y), pair.labels, strict=True):
        notes += series(points, label, pair.names)
    return notes


def copies(x: Tensor, y: Tensor, labels: Sequence[str]) -> list[str]:
    """On rows of the second sample that are also in the first, where laws repeat hardly any."""
    kept = {row.tobytes() for row in x.numpy()}
    copied = sum(row.tobytes() in kept for row in y.numpy())
    if copied <= 0.01 * len(y) or len(kept) <= 0.9 * len(x):
        return []
    return [
        f"{copied} of {len(y)} rows of {shown(labels[1])} are also in {shown(labels[0])}: copies "
        "are no independent draws, and say less of a law than as many new points"
    ]


def series(points: Tensor, label: str, names: Sequence[str]) -> list[str]:
    """On rows that are like those before."""
    alike = _likeness_of_neighbours(points[:MOST_POINTS])
    most = int(alike.argmax())
    if float(alike[most]) < max(ALIKE, 5 * min(len(points), MOST_POINTS) ** -0.5):
        return []
    return [
        f"each row of {shown(label)} is like the one before (rank correlation "
        f"{float(alike[most]):.2f} in {listed([names[most]])}): if rows are a series, and not "
        "only sorted, they are no independent draws, and p-values and intervals are too small"
    ]


def without_spread(pair: Matched) -> list[str]:
    """Names of columns that have one value in each sample, and not the same."""
    x, y = pair.x, pair.y
    fixed = (x == x[0]).all(0) & (y == y[0]).all(0) & (x[0] != y[0])
    return [pair.names[int(j)] for j in fixed.nonzero()]


def _codes(pair: Matched) -> list[str]:
    """On repeated values farther from all others than these are from each other, such as -999."""
    notes = []
    for name, column in zip(pair.names, torch.cat([pair.x, pair.y]).T, strict=True):
        for value in (column.min(), column.max()):
            rest = column[column != value]
            times = len(column) - len(rest)
            if times < 2 or len(rest) < FEWEST_VALUES or len(rest.unique()) < FEWEST_VALUES:
                continue
            if float((rest - value).abs().min()) > float(rest.max() - rest.min()):
                notes.append(
                    f"{listed([name])}: {number(float(value))} occurs {times} times, farther from "
                    "all other values than they are from each other; if it stands for missing "
                    "values, remove these rows, in both samples alike"
                )
    return notes


def _likeness_of_neighbours(rows: Tensor) -> Tensor:
    """Rank correlation of each row with the one before, by columns; 0 of few rows."""
    if len(rows) < FEWEST_IN_SERIES:
        return torch.zeros(rows.shape[1])
    ranks = torch.from_numpy(rankdata(rows.numpy(), axis=0))  # equal values share theirs
    ranks = ranks - ranks.mean(0)
    return (ranks[1:] * ranks[:-1]).sum(0) / ranks.square().sum(0).clamp_min(1.0)


def widest(pair: Matched, standard: Standardised) -> list[str]:
    """On a column that decides what distances in the columns' own units are."""
    scale = standard.scale[0]
    if float(scale.max()) <= UNLIKE * float(scale.min()):
        return []
    wide, narrow = (pair.names[int(j)] for j in (scale.argmax(), scale.argmin()))
    return [
        f"{listed([wide])} spreads {number(float(scale.max() / scale.min()))} times as wide as "
        f"{listed([narrow])}: as they are, distances are mostly those of the widest columns"
    ]


def once_each(pair: Matched) -> tuple[Tensor, Tensor, list[str]]:
    """Both samples for the tests, each row once where rows are repeated; and a note on each."""
    both, notes = [], []
    for sample, other, label in zip((pair.x, pair.y), (pair.y, pair.x), pair.labels, strict=True):
        few = different(sample, other)
        both.append(sample if few is None else torch.unique(sample, dim=0))
        if few is not None:
            notes.append(
                f"{shown(label)} holds only {few} different rows of {len(sample)}: the tests use "
                "each row once, and intervals are too short"
            )
    return both[0], both[1], notes
