"""Rows of single files of the history: those that meet a question's terms, as they were known as of a seq."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from hdb.reader.footers import Footer, Footers
from hdb.reader.selecting import Conditions, Pick
from plant.history.catalogue import File
from plant.query.view import Terms
from plant.rows.arrow import nulls
from plant.rows.columns import Columns, taken
from plant.rows.schema import Table

SPARSE = 16
"""From so many row groups on, a few rows are looked for first, and their columns read only where they are."""


class FileRows:
    """Reads the files of one table. `replaced` are those whose rows count only until a later one took their place."""

    def __init__(
        self, declaration: Table, folder: Path, footers: Footers, as_of: int | None, replaced: Collection[File]
    ) -> None:
        self.declaration = declaration
        self.as_of = as_of
        self._folder = folder
        self._footers = footers
        self._replaced = replaced

    def symbols(self, file: File) -> tuple[str, ...]:
        """Return the names of all symbols of a file, sorted."""
        return self._footers.of(self._folder, file).symbols(self.declaration)

    def matching(self, file: File, terms: Terms, columns: Sequence[str], pick: Pick | None = None) -> Columns:
        """Return the rows of a file that meet the terms and are known as of the seq, in the file's order."""
        if terms.budget is not None:
            terms.budget.check()
        footer = self._footers.of(self._folder, file)
        groups = footer.groups(terms.sym, terms.start, terms.end)
        if not groups:
            return self.empty(columns)
        conditions = Conditions(terms, footer, groups, self.as_of, file in self._replaced)
        if pick is not None and len(groups) >= SPARSE:
            return self._picked(footer, groups, conditions, columns, pick)
        found = footer.read(groups, self.declaration, (*columns, *conditions.columns))
        rows = conditions.rows_of(found)
        return {name: found[name] if rows is None else found[name][rows] for name in columns}

    def takes_whole(self, terms: Terms, file: File) -> bool:
        """Return whether every row of a settled file meets the terms, as far as the catalogue tells."""
        return (
            terms.sym is None
            and not terms.where
            and (terms.start is None or file.first_time >= terms.start)
            and (terms.end is None or file.last_time < terms.end)
            and file.first_seq > terms.beyond
            and (self.as_of is None or file.last_seq <= self.as_of)
            and file not in self._replaced
        )

    def empty(self, columns: Sequence[str]) -> Columns:
        """Return these columns of no rows."""
        return {name: nulls(self.declaration, name, 0) for name in columns}

    def _picked(
        self, footer: Footer, groups: list[int], conditions: Conditions, columns: Sequence[str], pick: Pick
    ) -> Columns:
        """Return the rows that `pick` takes of those that meet the conditions, read where they are."""
        seen = footer.read(groups, self.declaration, ("time", "seq", "seq_row", "sym", *conditions.columns))
        rows = conditions.rows_of(seen)
        all_rows = np.arange(len(seen["time"]))
        met = all_rows if rows is None else all_rows[rows]
        needed = met[np.sort(pick(taken(seen, met)))]
        ends = footer.ends(groups)
        place = np.searchsorted(ends, needed, side="right")
        chosen = np.unique(place)
        if not len(chosen):
            return self.empty(columns)
        starts = np.append(0, ends[:-1])
        moved = np.append(0, np.cumsum((ends - starts)[chosen])[:-1])
        found = footer.read([groups[i] for i in chosen.tolist()], self.declaration, columns)
        return taken(found, needed - starts[place] + moved[np.searchsorted(chosen, place)])
