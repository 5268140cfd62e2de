"""Rows of a table with a key that came since its days were closed: of each key the newest is in force."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import pyarrow as pa

from hdb.reader.files import FileRows, Piece
from hdb.reader.runs import columns_of, joined_columns
from hdb.reader.selecting import Conditions
from plant.history.catalogue import File
from plant.query.view import Terms
from plant.rows.arrow import columns_from_arrow
from plant.rows.columns import Columns, taken
from plant.rows.ordering import among, newest


class Loose(NamedTuple):
    """Rows of parts of a table with a key: the newest revisions, and of these the ones that meet all terms."""

    key: Sequence[str]
    in_force: Columns
    chosen: Columns

    @classmethod
    def of(
        cls,
        rows_in: FileRows,
        files: Sequence[File],
        terms: Terms,
        columns: Sequence[str],
        later: Columns | None = None,
    ) -> "Loose":
        """Return the rows of parts, and `later` ones: with these columns and `time`, in the order in which they came.

        `later`: rows with every column that came after those of the parts.
        """
        table = rows_in.declaration
        columns = tuple(dict.fromkeys((*columns, "time")))
        if not files and later is None:
            nothing = rows_in.empty(tuple(dict.fromkeys((*columns, *table.key))))
            return cls(table.key, nothing, nothing)
        of_key = tuple(c for c in terms.where if c[0] in table.key)
        others = tuple(c for c in terms.where if c[0] not in table.key)
        need = tuple(dict.fromkeys((*columns, *table.key, "seq", *(c[0] for c in others))))
        keyed = replace(terms, where=of_key, beyond=0)
        found = columns_of([rows_in.read(Piece(file), keyed, need) for file in files], table, need)
        in_force = found if later is None else joined_columns([found, later], need)
        in_force = taken(in_force, newest(in_force, table.key))
        kept = Conditions(table, replace(terms, sym=None, start=None, end=None, where=others)).rows_of(in_force)
        return cls(table.key, in_force, in_force if kept is None else taken(in_force, kept))

    def may_revise(self, file: File) -> bool:
        """Return whether one of them may take the place of a row of a closed file."""
        times = self.in_force["time"]
        return len(times) > 0 and bool(((times >= file.first_time) & (times <= file.last_time)).any())

    def read(self, rows_in: FileRows, piece: Piece, terms: Terms, columns: Sequence[str]) -> pa.Table:
        """Return the rows of a piece of a closed file that meet the terms and are in force; `time` is among them."""
        if not self.may_revise(piece.file):
            return rows_in.read(piece, terms, (*columns, "time"))
        found = rows_in.read(piece, terms, (*columns, *self.key))
        if not found.num_rows:
            return found
        revised = among(columns_from_arrow(found, rows_in.declaration, self.key), self.in_force, self.key)
        return found.filter(pa.array(~revised)) if revised.any() else found
