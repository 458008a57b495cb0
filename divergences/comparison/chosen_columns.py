"""Which columns of the tables are compared, where not all of them are."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from divergences.checks import shown
from divergences.comparison.tables import Table
from divergences.shown_text import listed, nearest_name


@dataclass(frozen=True)
class Choice:
    """The columns that a user wants, or those that are to be left out.

    Attributes:
        only: Names of the wanted ones; of columns without names also their numbers from 0.
        without: Of those left out of whichever table has them.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @classmethod
    def of_text(cls, only: str | None, without: str | None) -> Self:
        """From lists separated by commas, with quotes around names that hold some.

        Example:
            >>> Choice.of_text('age,"height, cm"', None).only
            ('age', 'height, cm')
        """
        return cls(*(_listed_names(flag, text) for flag, text in
                     (("--columns", only), ("--without", without))))  # fmt: skip

    def places(self, names: Sequence[str], label: str) -> list[int] | None:
        """Where the wanted columns are among those of a table; ``None`` if all are wanted.

        Raises:
            ValueError: If the table lacks one, has one twice, or none is left.
        """
        if not self.only and not self.without:
            return None
        only, without = (tuple(_meant(n, names) for n in named)
                         for named in (self.only, self.without))  # fmt: skip
        for name in only:
            if name not in names:
                close = nearest_name(name, names)
                meant = f"did you mean {shown(close)}?" if close else f"it has {listed(names)}"
                raise ValueError(f"{label} has no column {shown(name)}; {meant}")
        wanted = only or tuple(name for name in names if name not in without)
        twice = [name for name in wanted if list(names).count(name) > 1]
        if twice:
            raise ValueError(
                f"{label}: {listed(twice[:1])} occurs more than once; give each its own name"
            )
        if not wanted:
            raise ValueError(f"{label}: no column is left to compare; leave out fewer")
        return [list(names).index(name) for name in wanted]

    def taken(self, table: Table) -> Table:
        """The wanted columns of a table that is read already."""
        count = table.values.shape[1]
        names = table.names or numbered(count)
        places = self.places(names, table.label)
        if places is None:
            return table
        kept = tuple(names[j] for j in places)
        return replace(table, values=table.values[:, places], names=kept, all_names=names)

    def check(self, tables: Sequence[Table]) -> None:
        """Refuse to leave out a column that no table has."""
        known = [name for table in tables for name in table.all_names]
        for name in self.without:
            if _meant(name, known) not in known:
                close = nearest_name(name, known)
                meant = f"; did you mean {shown(close)}?" if close else ""
                raise ValueError(f"--without: no file has a column {shown(name)}{meant}")


def numbered(count: int) -> tuple[str, ...]:
    """What columns without names are called."""
    return tuple(f"column {j}" for j in range(count))


def _meant(name: str, names: Sequence[str]) -> str:
    """The name, or that of a column without a name whose number it is."""
    return f"column {name}" if name not in names and f"column {name}" in names else name


def _listed_names(flag: str, text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    try:
        (names,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        raise ValueError(f"{flag} {shown(text)}: give names with commas between them") from None
    names = [name.strip() for name in names]
    if not all(names):
        raise ValueError(f"{flag} {shown(text)}: a name is empty; give names with commas between")
    return tuple(dict.fromkeys(names))
