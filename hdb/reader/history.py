"""The history as views: the rows of one table in the files of one version of the catalogue.

A view reads the files that may have the rows asked for, chosen by the catalogue (times, seqs) and by the footers
(symbols, times), and of these only the columns it needs. The files of days and months have different times; parts and
files in replaced may have any.

In a table with a key, the file of a day holds the newest revision of each key as of its close; what came since is in
parts. So a row of a part is in force unless another part revises it, and takes the place of a closed row of its key.

Read as of an earlier seq, a view leaves out what came later, and adds the rows that were replaced since. That is exact
as of every end of day: of what was revised before its day was closed, only the journal has the earlier revisions.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from hdb.reader.files import FileRows, Piece
from hdb.reader.footers import Footers
from hdb.reader.loose import Loose
from hdb.reader.runs import by_symbol, columns_of, joined_columns, parts_of, runs_of
from hdb.reader.selecting import Pick, earliest, in_order, latest, newest_of_each_symbol
from plant.history.catalogue import ArchivedFile, Catalogue, File
from plant.history.layout import cut_of_replaced
from plant.query.limits import Budget
from plant.query.parallel import shared
from plant.query.view import Terms, check_where, known_columns
from plant.rows.arrow import arrow_column
from plant.rows.columns import Columns, Symbols, taken
from plant.rows.ordering import order_by_code, ranks, time_order
from plant.rows.schema import META_COLUMNS, Table

_FILES = 4
"""Files that one CPU reads at once for a few symbols: one alone takes little longer than to hand it over."""


class HistoryView:
    """The rows of one table in the files of one version; see plant.query.view.View.

    Raises HistoryError if a file that is needed is missing or damaged; questions that do not need it are answered.
    """

    def __init__(
        self, declaration: Table, folder: Path, footers: Footers, catalogue: Catalogue, as_of: int | None = None
    ) -> None:
        self.declaration = declaration
        known = catalogue.through if as_of is None else as_of
        self.facts = {"through": catalogue.through, "closed": catalogue.closed, "seq": known}
        self.as_of = as_of
        name = declaration.name
        closed, parts = self._known(catalogue.days_of(name)), self._known(catalogue.parts_of(name))
        replaced = self._known(catalogue.replaced_of(name)) if as_of is not None else []
        far: list[File] = []
        if footers.archived is not None:
            far = self._known(catalogue.archived_of(name))
            replaced += self._known(catalogue.archived_of(name, replaced=True)) if as_of is not None else []
        gone = [f for f in replaced if as_of is not None and cut_of_replaced(f.path) > as_of]
        later = later_than(far, closed, gone) if declaration.key else []
        self._parts = [*parts, *later] if declaration.key else []
        settled = [f for f in (*far, *closed, *gone) if f not in later] if later else [*far, *closed, *gone]
        self._settled = [*settled, *([] if declaration.key else parts)]
        self._rows_in = FileRows(declaration, folder, footers, as_of, gone)
        self._apart = ("seq_row",) if gone else ()  # what tells the order of a symbol's rows of one seq in two files

    def select(self, terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the rows in order of time, seq, seq_row; where a file has no seq_row, in its own order, by sym."""
        one = terms.sym is not None and len(terms.sym) == 1
        if one and terms.first is None and terms.last is None and not self._apart:
            runs = list(runs_of(self._reached(terms)))
            if all(len(run) == 1 for run in runs):
                return self._of_one_symbol([file for (file,) in runs], terms, columns)
        return self._ordered(terms, columns, self._apart if one else ("seq_row",))

    def _of_one_symbol(self, files: Sequence[File], terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the rows of one symbol, which lie in order within each file, of files that came one after the other.

        So neither seq nor seq_row has to be read to put them in order.
        """
        columns = known_columns(self.declaration, columns)
        check_where(self.declaration, terms.where)
        need = tuple(name for name in dict.fromkeys((*columns, "time")) if name != "sym")
        loose = self._loose(terms, need)
        found = self._counted([*files], terms, need, loose)
        if (order := time_order(found["time"])) is not None:
            found = taken(found, order)
        if "sym" in columns:
            found["sym"] = Symbols(list(terms.sym or ()), np.zeros(len(found["time"]), dtype=np.int32))
        return {name: found[name] for name in columns}

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

    def parts(self, terms: Terms, columns: Sequence[str]) -> Iterator[Columns]:
        """Yield the rows in parts of some row groups each; a few are in memory at once, however many files there are.

        Each is in order of symbol, time, seq, seq_row; the symbols in any order.
        """
        columns = tuple(dict.fromkeys((*known_columns(self.declaration, columns), "sym", "time")))
        check_where(self.declaration, terms.where)
        loose = self._loose(terms, columns)
        alone: list[File] = []
        for run in runs_of(self._reached(terms)):
            if len(run) == 1:
                alone += run
                continue
            yield from parts_of(self._read(alone, terms, columns, loose), self.declaration, columns)
            alone = []
            apart = tuple(dict.fromkeys((*columns, "seq", *self._apart)))
            together = columns_of(self._read(run, terms, apart, loose), self.declaration, apart)
            yield by_symbol(_in_order(together), columns)
        yield from parts_of(self._read(alone, terms, columns, loose), self.declaration, columns)
        yield by_symbol(loose.chosen, columns)

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
            found = self._picked(file, replace(terms, sym=wanted), need, loose, newest_of_each_symbol)
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
        others = []
        for file in self._reached(terms):
            if self._rows_in.takes_whole(terms, file) and not loose.may_revise(file):
                total += file.rows
            else:
                others.append(file)
        return total + sum(found.num_rows for found in self._read(others, terms, (), loose))

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
        return pa.table({name: arrow_column(found[name], name in self.declaration.times) for name in columns})

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
        reached = self._reached(terms)
        here = [f for f in reached if not isinstance(f, ArchivedFile)]
        whole = [f for f in here if self._rows_in.takes_whole(terms, f) and not loose.may_revise(f)]
        others = columns_of(
            self._read([f for f in here if f not in whole], terms, every, loose), self.declaration, every
        )
        if len(here) < len(reached):  # DuckDB does not reach the archive: its days are held in memory, if they are few
            far = self._counted([f for f in reached if f not in here], terms, every, loose._replace(chosen=self._none))
            others = joined_columns([others, far], every)
        rows = joined_columns([loose.chosen, *([] if key or later is None else [later]), others], every)
        return whole, pa.table({name: arrow_column(rows[name], name in self.declaration.times) for name in every})

    @property
    def _none(self) -> Columns:
        """No rows, with every column."""
        return self._rows_in.empty((*self.declaration.names, *META_COLUMNS))

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
        if limit is None:
            return self._counted(self._reached(terms)[::-1], terms, columns, loose)
        found, pick = [loose.chosen], earliest(limit) if oldest_first else latest(limit)
        for file in self._reached(terms, oldest_first):
            if _beyond(found, file, oldest_first) >= limit:
                break
            found.append(self._picked(file, terms, columns, loose, pick))
        return joined_columns(found[::-1], columns)

    def _loose(self, terms: Terms, columns: Sequence[str], later: Columns | None = None) -> Loose:
        """Return the rows of parts, and `later` ones, if the table has a key."""
        return Loose.of(self._rows_in, [f for f in self._parts if _reaches(terms, f)], terms, columns, later)

    def _counted(self, files: Iterable[File], terms: Terms, columns: Sequence[str], loose: Loose) -> Columns:
        """Return the rows of settled files that meet the terms, then those of parts. Raises QueryLimit if too many."""
        found, rows = [], len(loose.chosen["time"])
        for piece in self._read(files, terms, columns, loose):
            found.append(piece)
            rows += piece.num_rows
            if terms.budget is not None:
                terms.budget.rows(rows)
        if not rows:
            return self._rows_in.empty(columns)
        return joined_columns([columns_of(found, self.declaration, columns), loose.chosen], columns)

    def _read(self, files: Iterable[File], terms: Terms, columns: Sequence[str], loose: Loose) -> Iterator[pa.Table]:
        """Yield the rows in force of settled files that meet the terms, in their order, read by several CPUs.

        They have those of the columns that their file has, and maybe others.
        """
        pieces = (piece for file in files for piece in self._rows_in.pieces(file, terms))
        together = _together(pieces, _FILES if terms.sym is not None else 1)
        work = shared(lambda some: [loose.read(self._rows_in, piece, terms, columns) for piece in some], together)
        return (piece for some in work for piece in some)

    def _picked(self, file: File, terms: Terms, columns: Sequence[str], loose: Loose, pick: Pick) -> Columns:
        """Return rows in force of a settled file that meet the terms, those among them that `pick` takes."""
        columns = tuple(dict.fromkeys((*columns, "time")))
        if not loose.may_revise(file):
            return self._rows_in.picked(file, terms, columns, pick)
        return columns_of(self._read([file], terms, columns, loose), self.declaration, columns)


def later_than(archived: Iterable[File], closed: Iterable[File], gone: Iterable[File]) -> list[File]:
    """Return the files whose rows may take the place of rows of a day that was closed before, and was in the archive.

    Such a day is not written anew with what came late: that has a file of its own, or is in that of its month, which
    may begin before the day's last row; its rows count as those of parts do. So do rows of its days that were replaced
    since, `gone`.
    """
    months: dict[str, list[File]] = {}
    for file in archived:
        months.setdefault(file.first_day[:7], []).append(file)

    def shares(file: File, other: File) -> bool:
        return file.first_day <= other.last_day and other.first_day <= file.last_day

    found = [f for f in (*archived, *closed)
             if any(shares(f, o) and o.last_seq < f.last_seq for o in months.get(f.first_day[:7], ()))]  # fmt: skip
    return found + [f for f in gone if any(shares(f, o) for o in months.get(f.first_day[:7], ()))]


def _together(pieces: Iterator[Piece], count: int) -> Iterator[list[Piece]]:
    """Yield so many pieces at a time."""
    while some := list(islice(pieces, count)):
        yield some


def _in_order(rows: Columns) -> Columns:
    order = in_order(rows)
    return rows if order is None else taken(rows, order)


def _reaches(terms: Terms, file: File) -> bool:
    return (terms.start is None or file.last_time >= terms.start) and (terms.end is None or file.first_time < terms.end)


def _beyond(pieces: Sequence[Columns], file: File, oldest_first: bool) -> int:
    """Return how many rows are newer than all of a file, or older."""
    if oldest_first:
        return sum(int((piece["time"] < file.first_time).sum()) for piece in pieces)
    return sum(int((piece["time"] > file.last_time).sum()) for piece in pieces)
