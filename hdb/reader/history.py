"""The history as views: the rows of one table in the files of one version of the catalogue.

A view reads the files that may have the rows asked for, chosen by the catalogue (times, seqs) and by the footers
(symbols, times), and of these only the columns it needs. The files of days and months have different times; parts and
files in replaced may have any.

In a table with a key, the file of a day holds the newest revision of each key as of its close; what came since is in
parts. So a row of a part is in force unless another part revises it, and takes the place of a closed row of its key.

Read as of an earlier seq, a view leaves out what came later, and adds the rows that were replaced since. That is exact
as of every end of day: of what was revised before its day was closed, only the journal has the earlier revisions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from hdb.reader.files import FileRows
from hdb.reader.footers import Footers
from hdb.reader.selecting import Conditions, Pick, earliest, in_order, latest, newest_of_each_symbol
from plant.history.catalogue import Catalogue, File
from plant.history.layout import cut_of_replaced
from plant.query.limits import Budget
from plant.query.view import Terms, check_where, known_columns
from plant.rows.arrow import arrow_column
from plant.rows.columns import Columns, taken
from plant.rows.ordering import joined, order_by_code, ranks
from plant.rows.row_keys import among, newest
from plant.rows.schema import META_COLUMNS, Table

_TIMES = ("time", "received")


class _Loose(NamedTuple):
    """Rows of parts of a table with a key: the newest revisions, and of these the ones that meet all terms."""

    in_force: Columns
    chosen: Columns

    @classmethod
    def all_of(cls, rows: Columns) -> "_Loose":
        """Return rows that are in force and meet all terms."""
        return cls(rows, rows)

    def may_revise(self, file: File) -> bool:
        """Return whether one of them may take the place of a row of a closed file."""
        times = self.in_force["time"]
        return bool(((times >= file.first_time) & (times <= file.last_time)).any())


class HistoryView:
    """The rows of one table in the files of one version; see plant.query.view.View.

    Raises HistoryError if a file that is needed is missing or damaged; questions that do not need it are answered.
    """

    def __init__(
        self, declaration: Table, folder: Path, footers: Footers, catalogue: Catalogue, as_of: int | None = None
    ) -> None:
        self.declaration = declaration
        self.facts = {"through": catalogue.through, "closed": catalogue.closed}
        self.as_of = as_of
        name = declaration.name
        closed, parts = self._known(catalogue.days_of(name)), self._known(catalogue.parts_of(name))
        replaced = self._known(catalogue.replaced_of(name)) if as_of is not None else []
        gone = [f for f in replaced if as_of is not None and cut_of_replaced(f.path) > as_of]
        self._parts = parts if declaration.key else []
        self._settled = [*closed, *gone, *([] if declaration.key else parts)]
        self._rows_in = FileRows(declaration, folder, footers, as_of, gone)
        self._apart = ("seq_row",) if gone else ()  # what tells the order of a symbol's rows of one seq in two files

    def select(self, terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the rows in order of time, seq, seq_row; where a file has no seq_row, in its own order, by sym."""
        one = terms.sym is not None and len(terms.sym) == 1
        return self._ordered(terms, columns, self._apart if one else ("seq_row",))

    def _ordered(self, terms: Terms, columns: Sequence[str], apart: tuple[str, ...]) -> Columns:
        """Return the rows in order of time, seq, and what else tells rows apart that are not in order as they lie."""
        columns = known_columns(self.declaration, columns)
        found = self._gathered(terms, (*columns, "time", "seq", *apart))
        if (order := in_order(found)) is not None:
            found = taken(found, order)
        if terms.last is not None:
            found = taken(found, slice(max(len(found["time"]) - terms.last, 0), None))
        elif terms.first is not None:
            found = taken(found, slice(terms.first))
        if terms.budget is not None:
            terms.budget.rows(len(found["time"]))
        return {name: found[name] for name in columns}

    def by_symbol(self, terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the rows symbol by symbol, by name, each symbol's in order of time, seq, seq_row."""
        columns = known_columns(self.declaration, columns)
        across = ("seq_row",) if terms.first is not None or terms.last is not None else self._apart
        found = self._ordered(terms, tuple(dict.fromkeys((*columns, "sym"))), across)
        order = ranks(found["sym"])
        if (order[1:] < order[:-1]).any():
            found = taken(found, order_by_code(order))
        return {name: found[name] for name in columns}

    def parts(self, terms: Terms, columns: Sequence[str]) -> Iterable[Columns]:
        """Return the rows of `by_symbol` in one part."""
        return [self.by_symbol(terms, columns)]

    def last(self, terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the newest row of each symbol (by time, seq, seq_row), ordered by the symbols' names.

        Files are read from the newest back, until every symbol that is asked for, or that there is, is found.
        """
        columns = known_columns(self.declaration, columns)
        check_where(self.declaration, terms.where)
        need = tuple(dict.fromkeys((*columns, "sym", "time", "seq", *self._apart)))
        loose = self._loose(terms, need)
        best = taken(loose.chosen, newest_of_each_symbol(loose.chosen))
        for file in self._reached(terms):
            names = best["sym"].names
            done = {names[code] for code in best["sym"].codes[best["time"] > file.last_time].tolist()}
            wanted = terms.sym
            if done:
                there = self._rows_in.symbols(file) if wanted is None else wanted
                wanted = tuple(name for name in there if name not in done)
                if not wanted and terms.sym is not None:
                    break
            found = self._rows_of(file, replace(terms, sym=wanted), need, loose, newest_of_each_symbol)
            best = joined_columns([best, found], need)
            best = taken(best, newest_of_each_symbol(best))
        return {name: best[name] for name in columns}

    def count(self, terms: Terms) -> int:
        """Return the number of rows; of files that the terms take whole, from the catalogue."""
        check_where(self.declaration, terms.where)
        if terms.first is not None or terms.last is not None:
            return len(self.select(terms, ("time",))["time"])
        loose = self._loose(terms, ())
        total = len(loose.chosen["time"])
        for file in self._reached(terms):
            if self._rows_in.takes_whole(terms, file) and not loose.may_revise(file):
                total += file.rows
            else:
                total += len(self._rows_of(file, terms, (), loose)["time"])
        return total

    def extent(self, beyond: int = 0) -> tuple[int, int | None, int | None]:
        """Return the number of rows, the first time and the last; from the catalogue as far as possible."""
        terms = Terms(beyond=beyond)
        rows = self._rows if not beyond else self.count(terms)
        if not rows:
            return 0, None, None
        if all(f.first_seq > beyond and (self.as_of is None or f.last_seq <= self.as_of) for f in self.files):
            return rows, min(f.first_time for f in self.files), max(f.last_time for f in self.files)
        first, last = self.select(replace(terms, first=1), ("time",)), self.select(replace(terms, last=1), ("time",))
        return rows, int(first["time"][0]), int(last["time"][0])

    def arrow(self, columns: Sequence[str], beyond: int = 0) -> pa.Table:
        """Return these columns of all rows, read into memory."""
        found = self._gathered(Terms(beyond=beyond), columns)
        return pa.table({name: arrow_column(found[name], name in _TIMES) for name in columns})

    @property
    def files(self) -> list[File]:
        """Every file with rows of this view."""
        return [*self._settled, *self._parts]

    def sources(
        self, beyond: int = 0, budget: Budget | None = None, later: Columns | None = None
    ) -> tuple[list[File], pa.Table]:
        """Return all rows in two pieces: files whose rows all count, and the others, with every column, in memory.

        `later`: rows that came after those of the history, with every column.
        """
        every = (*self.declaration.names, *META_COLUMNS)
        terms, key = Terms(beyond=beyond, budget=budget), self.declaration.key
        loose = self._loose(terms, every, later if key else None)
        whole, others = [], [loose.chosen, *([] if key or later is None else [later])]
        for file in self._reached(terms):
            if self._rows_in.takes_whole(terms, file) and not loose.may_revise(file):
                whole.append(file)
            else:
                others.append(self._rows_of(file, terms, every, loose))
        rows = joined_columns(others, every)
        return whole, pa.table({name: arrow_column(rows[name], name in _TIMES) for name in every})

    @cached_property
    def _rows(self) -> int:
        return self.count(Terms())

    def _known(self, files: list[File]) -> list[File]:
        """Return the files that have rows known as of the seq."""
        return [f for f in files if self.as_of is None or f.first_seq <= self.as_of]

    def _reached(self, terms: Terms, oldest_first: bool = False) -> list[File]:
        """Return the settled files that may have rows within the terms' times and seqs, newest first."""
        found = [f for f in self._settled if _reaches(terms, f) and f.last_seq > terms.beyond]
        if oldest_first:
            return sorted(found, key=lambda f: f.first_time)
        return sorted(found, key=lambda f: f.last_time, reverse=True)

    def _gathered(self, terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the rows, in any order; with `first` or `last`, those that it takes are among them."""
        check_where(self.declaration, terms.where)
        columns = tuple(dict.fromkeys((*columns, "time", "seq")))
        if terms.first == 0 or terms.last == 0:
            return self._rows_in.empty(columns)
        loose = self._loose(terms, columns)
        limit, oldest_first = terms.last if terms.first is None else terms.first, terms.first is not None
        found, rows = [loose.chosen], len(loose.chosen["time"])
        for file in self._reached(terms, oldest_first):
            if limit is not None and _beyond(found, file, oldest_first) >= limit:
                break
            pick = None if limit is None else earliest(limit) if oldest_first else latest(limit)
            found.append(self._rows_of(file, terms, columns, loose, pick))
            rows += len(found[-1]["time"])
            if terms.budget is not None and limit is None:
                terms.budget.rows(rows)
        return joined_columns([piece for piece in found[::-1] if len(piece["time"])] or found[:1], columns)

    def _loose(self, terms: Terms, columns: Sequence[str], later: Columns | None = None) -> _Loose:
        """Return the rows of parts, and `later` ones, if the table has a key: the newest of each key are in force."""
        key = self.declaration.key
        columns = tuple(dict.fromkeys((*columns, "time")))
        files = [f for f in self._parts if _reaches(terms, f)]
        if not files and later is None:
            return _Loose.all_of(self._rows_in.empty(tuple(dict.fromkeys((*columns, *key)))))
        of_key = tuple(c for c in terms.where if c[0] in key)
        others = tuple(c for c in terms.where if c[0] not in key)
        need = tuple(dict.fromkeys((*columns, *key, "seq", *(c[0] for c in others))))
        keyed = replace(terms, where=of_key, beyond=0)
        found = [self._rows_in.matching(file, keyed, need) for file in files] + ([] if later is None else [later])
        in_force = joined_columns(found, need)
        in_force = taken(in_force, newest(in_force, key))
        kept = Conditions(replace(terms, sym=None, start=None, end=None, where=others)).rows_of(in_force)
        return _Loose(in_force, in_force if kept is None else taken(in_force, kept))

    def _rows_of(
        self, file: File, terms: Terms, columns: Sequence[str], loose: _Loose, pick: Pick | None = None
    ) -> Columns:
        """Return the rows in force of a settled file that meet the terms; `time` is among their columns.

        `pick`: only rows that it takes are needed.
        """
        if not loose.may_revise(file):
            return self._rows_in.matching(file, terms, tuple(dict.fromkeys((*columns, "time"))), pick)
        found = self._rows_in.matching(file, terms, tuple(dict.fromkeys((*columns, *self.declaration.key))))
        return taken(found, ~among(found, loose.in_force, self.declaration.key))


def joined_columns(pieces: Sequence[Columns], columns: Sequence[str]) -> Columns:
    """Return these columns of all pieces, one after the other."""
    return {name: joined([piece[name] for piece in pieces]) for name in columns}


def _reaches(terms: Terms, file: File) -> bool:
    return (terms.start is None or file.last_time >= terms.start) and (terms.end is None or file.first_time < terms.end)


def _beyond(pieces: Sequence[Columns], file: File, oldest_first: bool) -> int:
    """Return how many rows are newer than all of a file, or older."""
    if oldest_first:
        return sum(int((piece["time"] < file.first_time).sum()) for piece in pieces)
    return sum(int((piece["time"] > file.last_time).sum()) for piece in pieces)
