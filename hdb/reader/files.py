"""Rows of single files of the history: those that meet a question's terms, as they were known as of a seq."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from hdb.reader.footers import Footer, Footers
from hdb.reader.selecting import Conditions, Pick
from plant.history.catalogue import File
from plant.query.view import Terms
from plant.rows.arrow import columns_from_arrow, nulls
from plant.rows.columns import Columns, taken
from plant.rows.schema import Table

SPARSE = 16
"""From so many row groups on, a few rows are looked for first, and their columns read only where they are."""

PIECE_ROWS = 131_072
"""About so many rows are read at once; a file of more is read in pieces."""

NOTHING = pa.table({})
"""No rows, of whatever columns."""


class Piece(NamedTuple):
    """Some row groups of a file; None: all that a question needs."""

    file: File
    groups: list[int] | None = None


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

    def pieces(self, file: File, terms: Terms) -> Iterator[Piece]:
        """Yield a file in pieces that are worth a CPU each, in its order."""
        if terms.sym is not None or file.rows <= PIECE_ROWS:
            yield Piece(file)  # which row groups it needs is seen by who reads it
            return
        footer = self._footers.of(self._folder, file)
        groups: list[int] = []
        rows = 0
        for group in footer.groups(None, terms.start, terms.end):
            groups.append(group)
            rows += footer.rows_of(group)
            if rows >= PIECE_ROWS:
                yield Piece(file, groups)
                groups, rows = [], 0
        if groups:
            yield Piece(file, groups)

    def read(self, piece: Piece, terms: Terms, columns: Sequence[str]) -> pa.Table:
        """Return the rows of a piece that meet the terms and are known as of the seq, in the file's order.

        They have those of the columns that the file has, and maybe others.
        """
        if terms.budget is not None:
            terms.budget.check()
        footer = self._footers.of(self._folder, piece.file)
        groups = footer.groups(terms.sym, terms.start, terms.end) if piece.groups is None else piece.groups
        if not groups:
            return NOTHING
        conditions = self._conditions(terms, footer, groups)
        found = footer.read(groups, self.declaration, (*columns, *conditions.columns))
        rows = conditions.rows_of(columns_from_arrow(found, self.declaration, conditions.columns))
        if rows is None:
            return found
        return (
            found.slice(rows.start, rows.stop - rows.start) if isinstance(rows, slice) else found.take(pa.array(rows))
        )

    def picked(self, file: File, terms: Terms, columns: Sequence[str], pick: Pick) -> Columns:
        """Return rows of a file that meet the terms, those among them that `pick` takes, read where they are."""
        if terms.budget is not None:
            terms.budget.check()
        footer = self._footers.of(self._folder, file)
        groups = footer.groups(terms.sym, terms.start, terms.end)
        if len(groups) < SPARSE:
            return columns_from_arrow(self.read(Piece(file, groups), terms, columns), self.declaration, columns)
        conditions = self._conditions(terms, footer, groups)
        seen = self._columns(footer, groups, ("time", "seq", "seq_row", "sym", *conditions.columns))
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
        found = self._columns(footer, [groups[i] for i in chosen.tolist()], columns)
        return taken(found, needed - starts[place] + moved[np.searchsorted(chosen, place)])

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

    def _conditions(self, terms: Terms, footer: Footer, groups: list[int]) -> Conditions:
        return Conditions(self.declaration, terms, footer, groups, self.as_of, footer.file in self._replaced)

    def _columns(self, footer: Footer, groups: list[int], columns: Sequence[str]) -> Columns:
        """Return columns of whole row groups, decoded by several CPUs: these may be many."""
        return columns_from_arrow(
            footer.read(groups, self.declaration, columns, threads=True), self.declaration, columns
        )
