"""Files as rows of one table: CSV (also .csv.gz), Excel, Parquet and Arrow in, columns in order of time out.

A file of somebody else's making has other names, other clocks and broken lines. Names are found by alias or given,
times become UTC nanoseconds, numbers are read from the file's own text, and a row that cannot be read is left out and
counted while its neighbours are kept. What a column's values may mean in two ways is refused until an option says it;
what was decided is told (`Recording.assumed`).
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from plant.errors import QueryError
from plant.files.clocks import UNIT_OPTIONS, Clock, days_before
from plant.files.file_names import interval_in, symbol_in
from plant.files.foreign_file import ForeignFile, Rejects
from plant.files.formats import open_file
from plant.files.moments import dated, read_times
from plant.files.texts import as_symbols, as_texts, read_texts
from plant.files.unknown import allows, read_known
from plant.files.values import decimal_mark, read_numbers, read_whole_numbers, scaled
from plant.rows.columns import DEFAULTS, Symbols, Texts, constant
from plant.rows.intervals import interval_ns
from plant.rows.schema import UNKNOWN_TIME, Column, Schema, Table
from plant.rows.tables import schema_of
from plant.transfer.recording import Recording, in_one
from plant.transfer.replaying import NEVER

ALIASES: dict[str, tuple[str, ...]] = {
    "time": ("datetime", "timestamp", "ts_utc", "ts", "date_time", "open_time", "ts_event", "date"),
    "sym": ("symbol", "ticker", "instrument", "pair"),
    "open": ("o", "open_price", "first"),
    "high": ("h", "high_price", "max"),
    "low": ("l", "low_price", "min"),
    "close": ("c", "close_price", "last"),
    "price": ("last", "last_price", "trade_price"),
    "size": ("quantity", "qty", "amount", "volume", "last_size"),
    "volume": ("vol", "v", "qty"),
    "bid": ("bid_price", "best_bid", "bidprice"),
    "ask": ("ask_price", "best_ask", "askprice", "offer"),
    "bid_size": ("bid_quantity", "bid_qty", "bidsize", "bid_volume"),
    "ask_size": ("ask_quantity", "ask_qty", "asksize", "ask_volume"),
    "trade_id": ("tradeid", "id", "trade_no"),
}
"""Other names of our columns, the first that a file has is taken; upper and lower case and blanks do not matter."""

OPTIONAL = {"bars": ("vwap", "trades"), "trades": ("venue_seq",)}
"""Numbers that a file may leave out, of each table: they are then what a publisher gives that leaves them out."""

_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True)
class Reader:
    """How files are read.

    table       "bars", "trades", "quotes", or any other table of `schema` whose rows are no orders to the plant
    columns     our name -> the file's name of it ({"time": "datetime"}), or a number for all rows ({"volume": 0});
                usual names (`ALIASES`) are found without it
    sym         of all rows; without it the file's column, or else the file's name (`symbol_in`)
    interval    of bars whose file has no such column; "": as the file's name says, else 1m
    time_zone   of times without an offset
    stamp       "start" or "end": which edge of its interval a bar is stamped with in the file; `time` is the start
    scale       our name -> factor ({"price": 1e-4} for prices in hundredths of a cent)
    unit        of times in digits: s, ms, us or ns since 1970 (a time of day: since midnight), calendar; "": by column
    day_first   whether 04/03/2024 is in March; None: by column
    decimal     "." or ",", the decimal mark; "": as the file's numbers show
    encoding    of a text file; "": UTF-8, or UTF-16 and 32 by how it begins

    Raises ValueError for an argument that cannot be used.
    """

    table: str
    columns: Mapping[str, str | float] = field(default_factory=dict)
    sym: str | None = None
    interval: str = ""
    time_zone: str = "UTC"
    stamp: str = "start"
    scale: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    day_first: bool | None = None
    decimal: str = ""
    encoding: str = ""
    schema: Schema = field(default_factory=schema_of, repr=False, compare=False)

    def __post_init__(self) -> None:
        table, stamp = self.table, self.stamp
        if table not in self.schema or table in NEVER:
            known = ", ".join(name for name in self.schema if name not in NEVER)
            raise ValueError(f"table: expected one of {known}, found {table!r}")
        for option, mapping, known_names in (("columns", self.columns, self.declared.names),
                                             ("scale", self.scale, self._of("float"))):  # fmt: skip
            if unknown := sorted(set(mapping) - set(known_names)):
                raise ValueError(
                    f"{option}: {table} has {', '.join(known_names)}, found {', '.join(map(repr, unknown))}"
                )
        for name, given in self.columns.items():
            if not isinstance(given, str) and (name not in self._of("float", "int") or isinstance(given, bool)):
                raise ValueError(f"columns: expected the name of a column for {name}, found {given!r}")
        if stamp not in ("start", "end") or (stamp == "end" and table != "bars"):
            raise ValueError(f'stamp: expected "start", or "end" for bars, found {stamp!r} for {table}')
        for option, value, choices in (("unit", self.unit, UNIT_OPTIONS), ("decimal", self.decimal, ("", ".", ","))):
            if value not in choices:
                raise ValueError(f"{option}: expected one of {', '.join(map(repr, choices))}, found {value!r}")
        try:
            ZoneInfo(self.time_zone)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(
                f"time_zone: expected a name such as America/New_York, found {self.time_zone!r}"
            ) from error
        try:
            interval_ns(self.interval or "1m")
        except QueryError as error:
            raise ValueError(f"interval: {error}") from None

    @property
    def declared(self) -> Table:
        """The declaration of the table."""
        return self.schema[self.table]

    def read(self, paths: Sequence[Path]) -> Recording:
        """Return the rows of all `paths`, merged by time; rows of one time stay in the order of paths, then of file.

        Raises ValueError that names the file, and what it has, when a file or a column is missing or unreadable.
        """
        parts = [self.file(path) for path in paths]
        given = {*self.columns, *(name for part in parts for name in part.where)}
        whole = in_one(parts)
        absent = {*OPTIONAL.get(self.table, ())} - given
        return replace(whole, numbers={n: values for n, values in whole.numbers.items() if n not in absent})

    def file(self, path: Path) -> Recording:
        """Return the rows of one file, in its order. Raises ValueError as `read` does."""
        file = open_file(path, lambda names: not self._lacking(names), self.encoding)
        where = self._located(path, file.names)
        try:
            return self._rows(path, file, where)
        except (ValueError, pa.ArrowException) as error:
            raise ValueError(f"{path}: {error}") from error

    def _rows(self, path: Path, file: ForeignFile, where: dict[str, str]) -> Recording:
        pair = _clock_of(file.names, where["time"])
        rows = file.read(sorted({*where.values(), *pair}))
        count = rows.num_rows
        rejects, tell = Rejects(file), file.assumed.append

        clock = Clock(self.time_zone, self.unit, self.day_first)
        combined = dated(rows[pair[0]], rows[pair[1]], self.unit, rejects, tell, pair) if pair else None
        times = read_times(rows[where["time"]] if combined is None else combined, clock, rejects, tell)
        in_text = {name: rows[where[name]] for name in self._of("float") if name in where}
        mark = self.decimal or decimal_mark(in_text, file.delimiter)
        if in_text:
            tell(f"decimal {'point' if mark == '.' else 'comma'}")
        ours = {"seq", "received"} <= set(file.names)  # an export of a plant
        numbers: dict[str, np.ndarray] = {}
        texts: dict[str, Symbols | Texts] = {}
        for column in self.declared.columns[2:]:
            name, fixed = column.name, self.columns.get(column.name)
            if isinstance(fixed, int | float):
                numbers[name] = np.full(count, fixed, dtype=np.int64 if column.kind == "int" else np.float64)
            elif column.kind == "time" and name not in where:
                tell(f"{name}: not known, as the file has no such column")
                numbers[name] = np.full(count, UNKNOWN_TIME, dtype=np.int64)
            elif column.fixed and name not in where:
                numbers[name] = constant(column, count, DEFAULTS[column.kind])
            elif column.kind == "float":
                unknown, endless = (allows(self.declared, name, value) for value in (np.nan, np.inf))
                read = read_numbers(rows[where[name]], name, rejects, mark, unknown, endless, no_price=not ours)
                numbers[name] = scaled(read, self.scale.get(name, 1.0))
            elif column.kind in ("int", "time"):
                whole = partial(_read_whole, column, clock, rejects, tell)
                # an int that is empty in an export: the row is older than its column
                known = ours or column.kind == "time"
                numbers[name] = (
                    read_known(column, rows[where[name]], whole, tell) if known else whole(rows[where[name]])
                )
            elif name in where:
                found = read_texts(rows[where[name]], name, rejects)
                texts[name] = as_symbols(found) if column.kind == "symbol" else as_texts(found)
            else:
                texts[name] = constant(column, count, "")
        if self.table == "bars":
            texts["interval"] = intervals = self._intervals(path, texts["interval"], tell)
            times = self._starts(times, intervals, rejects)
        if "sym" in where:
            syms = as_symbols(read_texts(rows[where["sym"]], "sym", rejects))
        else:
            syms = constant(self.declared.columns[1], count, self._sym(path, tell).strip())
        if "" in syms.names:
            rejects.add(syms == "", "sym", "a symbol", [""] * count)

        kept = slice(None) if not rejects.rows.any() else ~rejects.rows
        syms = syms[kept].compact()
        reasons = rejects.reasons
        return Recording(
            time=times[kept],
            sym=syms.codes,
            names=syms.names,
            numbers={name: values[kept] for name, values in numbers.items()},
            texts={name: values[kept] for name, values in texts.items()},
            lines=file.lines[kept],
            skipped=rejects.count,
            reason=f"{path.name}, {file.unit} {reasons[0][0]:,}, {reasons[0][1]}" if reasons else "",
            reasons=reasons,
            unit=file.unit,
            where={**where, **({"time": " + ".join(pair)} if combined is not None else {})},
            assumed=tuple(file.assumed),
        )

    def _of(self, *kinds: str) -> tuple[str, ...]:
        """Return the columns of some kinds behind time and sym."""
        return tuple(c.name for c in self.declared.columns[2:] if c.kind in kinds)

    def _found(self, names: Sequence[str]) -> dict[str, str]:
        """Map each of our columns that a file has to its name there."""
        folded = {_fold(name): name for name in reversed(names)}
        where = {}
        for name in self.declared.names:
            given = self.columns.get(name)
            if isinstance(given, str):
                where.update({name: given} if given in names else {})
            elif given is None and not (name == "sym" and self.sym):
                others = [each for each in ALIASES.get(name, ()) if each not in self.declared.names]
                alias = next((folded[each] for each in (name, *others) if each in folded), None)
                where.update({} if alias is None else {name: alias})
        return where

    def _lacking(self, names: Sequence[str]) -> list[str]:
        """Return which of our columns a file must have and has not: named ones, time, numbers, the rest of the key."""
        where = self._found(names)
        optional = {"sym", *(("interval",) if self.table == "bars" else ()), *OPTIONAL.get(self.table, ())}
        needed = [n for n in self.declared.key if n not in optional]
        needed += [n for n in ("time", *self._of("float", "int")) if n not in {*needed, *optional}]
        needed = [n for n in needed if not isinstance(self.columns.get(n), int | float)]
        needed += [n for n, given in self.columns.items() if isinstance(given, str) and n not in needed]
        return [n for n in needed if n not in where]

    def _located(self, path: Path, names: Sequence[str]) -> dict[str, str]:
        """Map each of our columns that is to be read to the file's name of it."""
        has = f"{path} has the columns {', '.join(repr(name) for name in names)}"
        for name in self._lacking(names):
            if name in self.columns:
                raise ValueError(f"columns: expected {name} in the column {self.columns[name]!r}, but {has}")
            number = ", or a number for all rows" if name in self._of("float", "int") else ""
            raise ValueError(f"{self.table}: no column {name}: {has}; name it in `columns`{number}")
        where = self._found(names)
        for name, theirs in where.items():
            if list(names).count(theirs) > 1:
                raise ValueError(
                    f"{self.table}: two columns of {path} are called {theirs!r}, and {name} is one of them"
                )
        return where

    def _intervals(self, path: Path, found: Any, tell: Any) -> Symbols:
        other = self.interval or interval_in(path) or "1m"
        if "" not in found.compact().names:
            return found
        named = "" if self.interval else ", by the file's name" if interval_in(path) else ", as nothing says it"
        tell(f"interval {other}{named}")
        return Symbols.of([text or other for text in found.names])[found.codes]

    def _starts(self, times: np.ndarray, intervals: Symbols, rejects: Rejects) -> np.ndarray:
        """Return the starts of bars, int64 ns; days are those of the zone, 23 or 25 hours where its clock changes."""
        if self.stamp == "start":
            return times
        lengths = np.zeros(len(intervals.names), dtype=np.int64)
        for code, interval in enumerate(intervals.names):
            with contextlib.suppress(QueryError):
                lengths[code] = interval_ns(interval)
        lag = lengths[intervals.codes]
        rejects.add(lag == 0, "interval", 'an interval such as "1m"', intervals.tolist() if (lag == 0).any() else [])
        daily = (lag > 0) & (lag % _DAY_NS == 0)
        starts = np.where(daily, times, times - lag)
        starts[daily] = days_before(times[daily], lag[daily] // _DAY_NS, self.time_zone)
        return starts

    def _sym(self, path: Path, tell: Any) -> str:
        if not self.sym:
            tell(f"sym {symbol_in(path)}, by the file's name")
        return self.sym or symbol_in(path)


def _read_whole(column: Column, clock: Clock, rejects: Rejects, tell: Any, values: Any) -> np.ndarray:
    """Return the values of a column of ints or times, int64[n]."""
    if column.kind == "int":
        return read_whole_numbers(values, column.name, rejects)
    return read_times(values, clock, rejects, tell, column.name)


def _fold(name: str) -> str:
    return re.sub(r"\s+", "_", name.strip(" \t<>").lower())


def _clock_of(names: Sequence[str], time: str) -> tuple[str, ...]:
    """Return the two columns of a time that is divided into date and time of day; empty if it is not."""
    folded = {_fold(name): name for name in reversed(names)}
    pair = tuple(folded[name] for name in ("date", "time") if name in folded)
    return pair if len(pair) == 2 and time in pair else ()
