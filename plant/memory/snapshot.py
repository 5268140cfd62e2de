"""The rows of a table in memory as they were at one moment: a View."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from plant.memory.block import Block, Part
from plant.memory.chunk import Rows
from plant.memory.few import columns_of_few, latest_of_few
from plant.memory.latest import latest
from plant.memory.names import Names
from plant.memory.revisions import Marks
from plant.memory.selection import Piece, Wanted, by_arrival, column_of, length, nearest, nearest_of, pieces_of
from plant.query.limits import Budget
from plant.query.parallel import shared
from plant.query.view import Terms, check_where, condition
from plant.rows.arrow import arrow_column
from plant.rows.columns import Columns, Symbols, taken
from plant.rows.ordering import grouped, time_order
from plant.rows.schema import Table

LONG_SCAN_ROWS = 1_000_000
"""A test of so many rows is worth several CPUs."""

FEW_SYMBOLS = 16
"""Rows of so few are put together, which is less work than many small parts are for who takes them."""

CACHED_ROWS = 131_072
"""A megabyte of a column: what is computed from so many rows stays in a CPU's own cache."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows [first, end) of a table, by number of arrival, fixed."""

    declaration: Table
    names: Mapping[str, Names]
    parts_held: tuple[Part, ...]
    first: int
    end: int
    marks: Marks | None
    facts: Mapping[str, int]

    @property
    def rows(self) -> int:
        """How many rows came and were not released, those replaced included."""
        return self.end - self.first

    def column(self, name: str) -> Any:
        """Return a column of every row held, in order of arrival: ndarray, Symbols or Texts."""
        everything = Wanted(None, None, None, self.first, self.end, (), None)
        pieces = [(p, by_arrival(p, everything.rows(p))) for p in everything.in_reach(self.parts_held)]
        return self._gathered(pieces, [name])[name]

    def select(self, terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the rows in order of time, then arrival; those of one symbol without a look at others."""
        wanted = self._wanted(terms)
        pieces = self._pieces(wanted, terms)
        one = terms.sym is not None and len(terms.sym) == 1
        if not one:
            pieces = [(part, by_arrival(part, rows)) for part, rows in pieces]
        count = sum(length(rows) for _, rows in pieces)
        most = terms.last if terms.last is not None else terms.first
        if terms.budget:
            terms.budget.rows(count if most is None else min(count, most))
        found = self._gathered(pieces, ("time",))
        order = time_order(found["time"])
        if most is not None and most < count:
            if order is None:
                pieces, count, found = nearest_of(pieces, most, newest=terms.last is not None), most, {}
            else:
                order = order[:most] if terms.last is None else order[count - most :]
        found |= self._gathered(pieces, (n for n in columns if n not in found and (n != "sym" or not one)))
        if one and "sym" in columns:
            found["sym"] = Symbols(list(terms.sym or ()), np.zeros(count, dtype=np.int32))
        return {name: found[name] if order is None else found[name][order] for name in columns}

    def by_symbol(self, terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the rows symbol by symbol, each symbol's in order of time, then arrival."""
        if terms.sym is not None and len(terms.sym) == 1:
            return self.select(terms, columns)
        found = self._gathered(self._pieces(self._wanted(terms), terms), (*columns, "sym", "time"), terms.budget)
        order = grouped(found["sym"].codes, found["time"])
        return {name: found[name][order] for name in columns}

    def parts(self, terms: Terms, columns: Sequence[str]) -> Iterator[Columns]:
        """Return the rows of each block or chunk, symbol by symbol, each symbol's in order of time, then arrival.

        A large one is given in pieces that fit a CPU's cache; of few symbols all rows are one part.
        """
        if terms.sym is not None and len(terms.sym) <= FEW_SYMBOLS:
            yield self.by_symbol(terms, columns)
            return
        for part, rows in self._pieces(self._wanted(terms), terms):
            if not isinstance(part, Block):
                places = part.arrival(rows)
                rows = places[grouped(part.columns["sym"][places], part.columns["time"][places])]
            for some in pieces_of(rows, CACHED_ROWS):
                if terms.budget:
                    terms.budget.check()
                yield {name: self._column(name, [(part, some)]) for name in columns}

    def last(self, terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the newest row of each symbol (by time, then arrival), ordered by the symbols' names."""
        wanted = self._wanted(terms)
        parts = wanted.in_reach(self.parts_held)
        if (few := latest_of_few(parts, wanted, self.names["sym"].names)) is not None:
            if terms.budget:
                terms.budget.rows(len(few))
            if (found := columns_of_few(few, columns, self.names)) is not None:
                return found
        ranks = self.names["sym"].ranks()
        order = np.empty(len(ranks), dtype=np.int64)
        order[ranks] = np.arange(len(ranks))
        pieces = latest(parts, wanted, order)
        found = self._gathered(pieces, (*columns, "sym"), terms.budget)
        if len(pieces) > 1:
            found = taken(found, np.argsort(ranks[found["sym"].codes]))
        return {name: found[name] for name in columns}

    def count(self, terms: Terms) -> int:
        """Return the number of rows."""
        if self.marks and terms.sym is None and terms.start is None and terms.end is None and not terms.where:
            return self.extent(terms.beyond)[0]
        return sum(length(rows) for _, rows in self._pieces(self._wanted(terms), terms))

    def extent(self, beyond: int = 0) -> tuple[int, int | None, int | None]:
        """Return the number of rows, the first time and the last."""
        wanted = self._wanted(Terms(beyond=beyond))
        spans: list[tuple[int, int]] = []
        for part in wanted.in_reach(self.parts_held):
            whole = wanted.cut <= part.base and part.base + part.span <= self.end
            if whole and part.first_time is not None and part.last_time is not None:
                spans.append((part.first_time, part.last_time))
            elif len(times := part.columns["time"][wanted.rows(part, also_replaced=True)]):
                spans.append((int(times.min()), int(times.max())))
        if not spans:
            return 0, None, None
        count = self.marks.count(wanted.cut, self.end) if self.marks else self.end - wanted.cut
        return count, min(a for a, _ in spans), max(b for _, b in spans)

    def arrow(self, columns: Sequence[str], beyond: int = 0) -> pa.Table:
        """Return these columns of all rows, a chunk for each block, numbers not copied where all rows are in force."""
        wanted = self._wanted(Terms(beyond=beyond))
        dictionaries = {n: self.names[n].dictionary() for n in columns if n in self.names}
        tables = []
        for part in wanted.in_reach(self.parts_held) or self.parts_held[-1:]:
            rows = wanted.rows(part)
            arrays = {n: self._arrow(part, n, rows) for n in columns}
            for name, dictionary in dictionaries.items():
                arrays[name] = pa.DictionaryArray.from_arrays(arrays[name], dictionary, safe=False)
            tables.append(pa.table(arrays))
        return pa.concat_tables(tables)

    def _arrow(self, part: Part, name: str, rows: Rows) -> pa.Array:
        """Return a column as Arrow has it; symbols as codes."""
        if isinstance(part, Block) and name in part.columns and length(rows) == len(part):
            return part.arrow(name, name in self.declaration.times)
        return arrow_column(column_of([(part, rows)], name), name in self.declaration.times)

    def _wanted(self, terms: Terms) -> Wanted:
        check_where(self.declaration, terms.where)
        codes: np.ndarray | None = None
        if terms.sym is not None:
            found = {self.names["sym"].code(name) for name in terms.sym}
            codes = np.array(sorted(found - {-1}), dtype=np.int32)
        tests = tuple((name, self._test(name, operator, value)) for name, operator, value in terms.where)
        return Wanted(codes, terms.start, terms.end, self._cut(terms.beyond), self.end, tests, self.marks)

    def _cut(self, beyond: int) -> int:
        """Return the number of the first row whose seq is beyond this one."""
        if beyond <= self.facts["released"]:
            return self.first
        for part in self.parts_held:
            if (found := part.batches.after(beyond)) is not None:
                return min(max(part.base + found, self.first), self.end)
        return self.end

    def _test(self, name: str, operator: str, value: Any) -> Callable[[Any], np.ndarray]:
        """Return what tells which values of a column meet a condition; of symbols it is given codes."""
        meets = condition(self.declaration, name, operator, value)
        if name not in self.names:
            return meets
        known = self.names[name]
        if operator == "==":
            code = known.code(value)
            return lambda codes: codes == code
        count = len(known.names)
        passes = meets(Symbols(known.names[:count], np.arange(count)))
        return lambda codes: passes[codes]

    def _pieces(self, wanted: Wanted, terms: Terms) -> list[Piece]:
        parts = wanted.in_reach(self.parts_held)
        if terms.last is not None:
            return nearest(parts, wanted, terms.last, newest=True)
        if terms.first is not None:
            return nearest(parts, wanted, terms.first, newest=False)
        if wanted.codes is not None and len(wanted.codes) == 1 and not wanted.tests:
            return wanted.of_one(parts)
        pieces: list[Piece] = []
        long = wanted.codes is None and wanted.tests and sum(map(len, parts)) > LONG_SCAN_ROWS
        for part, rows in zip(parts, (shared if long else map)(wanted.rows, parts), strict=True):
            if length(rows):
                pieces.append((part, rows))
            if terms.budget:
                terms.budget.check()
        return pieces

    def _gathered(self, pieces: list[Piece], names: Iterable[str], budget: Budget | None = None) -> Columns:
        """Return the rows of the pieces, one piece after the other."""
        if budget:
            budget.rows(sum(length(rows) for _, rows in pieces))
        pieces = pieces or [(self.parts_held[-1], slice(0, 0))]
        return {name: self._column(name, pieces) for name in dict.fromkeys(names)}

    def _column(self, name: str, pieces: list[Piece]) -> Any:
        whole = column_of(pieces, name)
        return Symbols(self.names[name].names, whole) if isinstance(whole, np.ndarray) and name in self.names else whole
