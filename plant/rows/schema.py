"""The tables of the plant, declared once, as data.

Wire format, in-memory tables, history, validation and docs/tables.md all derive from `TABLES`.
A column is of one kind:

    kind      numpy     meaning
    time      int64     nanoseconds since 1970-01-01 UTC; UNKNOWN_TIME (null in answers), but never in `time` itself
    float     float64   NaN means "not known" (null in answers)
    int       int64
    symbol    int32     a string that repeats: stored as codes into a list of distinct strings
    text      -         a string that does not repeat

A table begins with `time, sym`, as every table of kdb+tick does. A table with a `key` is *revised*: a
later row with the same key replaces the earlier one in every answer.

A check is a condition that a good row meets, written so that the same expression works on numpy columns
and on the plain numbers of a single row; a comparison with NaN is false, so NaN fails every check.
"""

import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from plant.errors import SchemaError, UnknownColumn, UnknownTable

FIXED_DTYPES = {"time": "<i8", "float": "<f8", "int": "<i8"}
"""dtype of each fixed-width kind; the other kinds are `symbol` and `text`."""

EARLIEST = 0

LATEST = 4_102_444_800_000_000_000
"""A time lies in [1970-01-01, 2100-01-01): outside it, a unit was mixed up."""

UNKNOWN_TIME = -(2**63)
"""A time that is not known, as numpy and pandas have it too (NaT); `time`, the first column, always is."""

META_COLUMNS = ("seq", "seq_row", "received")
"""Columns every table answers besides its own: journal sequence number, the row's place within it (0, 1, 2, ... of the
rows that were kept), and when the tickerplant took it. Rows are in the order time, seq, seq_row in every answer."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Column:
    """One column: its name, kind (see the module), and what it means, with the unit."""

    name: str
    kind: str
    meaning: str = ""

    @cached_property
    def fixed(self) -> bool:
        """Whether every value has the same width, so that the column is one buffer of numbers."""
        return self.kind in FIXED_DTYPES


@dataclass(frozen=True)
class Check:
    """A condition every good row meets: `reason` when it does not, `good(columns)` true where it does."""

    reason: str
    good: Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Table:
    """A table: name, columns in order, key (empty: every row counts), and checks on its rows.

    `all_good`, if there is one, is true exactly where every check holds, in fewer steps.

    Raises SchemaError if it does not begin with time and sym, or a name, kind or key is not usable.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    checks: tuple[Check, ...] = field(default=(), compare=False, repr=False)
    all_good: Callable[[Mapping[str, Any]], Any] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        if [(c.name, c.kind) for c in self.columns[:2]] != [("time", "time"), ("sym", "symbol")]:
            raise SchemaError(
                f"table {self.name!r}: the first columns must be time (time) and sym (symbol), "
                f"found {', '.join(names[:2])}"
            )
        for name in (self.name, *names):
            if not _NAME.fullmatch(name):
                raise SchemaError(f"table {self.name!r}: {name!r} is not a name; use a-z, 0-9 and _, a letter first")
        if taken := [n for n in names if names.count(n) > 1 or n in META_COLUMNS]:
            raise SchemaError(f"table {self.name!r}: column name {taken[0]!r} is used twice or reserved")
        for column in self.columns:
            if column.kind not in (*FIXED_DTYPES, "symbol", "text"):
                raise SchemaError(
                    f"{self.name}.{column.name}: unknown kind {column.kind!r}; "
                    f"kinds are {', '.join(FIXED_DTYPES)}, symbol, text"
                )
        for name in self.key:
            if self.column(name).kind not in ("time", "symbol", "int"):
                raise SchemaError(f"table {self.name!r}: key column {name!r} must be a time, symbol or int")
        if self.key and not {"time", "sym"} <= set(self.key):
            raise SchemaError(f"table {self.name!r}: a key holds time and sym, found {', '.join(self.key)}")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(c.name for c in self.columns)

    @cached_property
    def times(self) -> frozenset[str]:
        """Names of the columns that are times in every answer: those of the kind time, and `received`."""
        return frozenset(("received", *(c.name for c in self.columns if c.kind == "time")))

    @cached_property
    def wire_order(self) -> tuple[Column, ...]:
        """The columns as a payload holds them: fixed-width ones first, so that they stand at fixed offsets."""
        return tuple(sorted(self.columns, key=lambda c: (not c.fixed, c.kind == "text")))

    @cached_property
    def fixed_columns(self) -> tuple[Column, ...]:
        """The fixed-width columns, as a payload begins with them."""
        return tuple(c for c in self.wire_order if c.fixed)

    @cached_property
    def other_columns(self) -> tuple[Column, ...]:
        """The symbols and texts, as a payload ends with them."""
        return tuple(c for c in self.wire_order if not c.fixed)

    @cached_property
    def rest_opening(self) -> bytes:
        """How a msgpack array of `other_columns` begins."""
        count = len(self.other_columns)
        return bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2, "big")

    @cached_property
    def schema_id(self) -> int:
        """CRC-32 of the declaration "name(column:kind,...)": two ends that differ notice it at once."""
        columns = ",".join(f"{c.name}:{c.kind}" for c in self.columns)
        return zlib.crc32(f"{self.name}({columns})".encode())

    def column(self, name: str) -> Column:
        """Return the column of this name; raises UnknownColumn."""
        for column in self.columns:
            if column.name == name:
                return column
        raise UnknownColumn.named(name, self.name, self.names)

    def declaration(self) -> dict[str, Any]:
        """Return the table as plain data, the form it has in plant.toml and in a journal's header."""
        return {
            "name": self.name,
            "key": list(self.key),
            "columns": [[c.name, c.kind, c.meaning] for c in self.columns],
        }

    @classmethod
    def declared(cls, fields: Mapping[str, Any]) -> "Table":
        """Return the table that `declaration` (or [[tables]] in plant.toml) describes, with the standard checks.

        A column is [name, kind] or [name, kind, meaning]. Raises SchemaError.
        """
        try:
            if unknown := sorted(fields.keys() - {"name", "columns", "key"}):
                raise ValueError(f"unknown {', '.join(map(repr, unknown))}")
            columns = tuple(Column(*map(str, c)) for c in fields["columns"])
            checks = standard_checks(columns)
            return cls(str(fields["name"]), columns, tuple(map(str, fields.get("key", ()))), checks)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SchemaError(
                f"a table needs name, columns = [[name, kind], ...] and may have a key; found {fields!r} ({error})"
            ) from None


class Schema(Mapping[str, Table]):
    """The tables of one plant, by name, and by schema id (`by_id`). Raises UnknownTable for others."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables: dict[str, Table] = {}
        for table in tables:
            if table.name in self._tables:
                raise SchemaError(f"table {table.name!r} is declared twice; choose another name")
            self._tables[table.name] = table
        self.by_id = {t.schema_id: t for t in self._tables.values()}

    def __getitem__(self, name: str) -> Table:
        try:
            return self._tables[name]
        except (KeyError, TypeError):
            raise UnknownTable.named(name, self._tables) from None

    def check_kinds(self, earlier: Iterable[Table]) -> None:
        """Raise SchemaError if a column of an earlier declaration is of another kind here: a history has one kind."""
        for before in earlier:
            kinds = {c.name: c.kind for c in before.columns}
            for column in self._tables[before.name].columns if before.name in self else ():
                if (kind := kinds.get(column.name, column.kind)) != column.kind:
                    raise SchemaError(
                        f"{before.name}.{column.name}: declared as {column.kind}, but the journal has rows in which it "
                        f"is {kind}; give the new column another name"
                    )

    def __contains__(self, name: object) -> bool:
        return name in self._tables

    def __iter__(self) -> Any:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


COMMON_CHECKS = (
    Check(
        "time must lie between 1970 and 2100 (nanoseconds since 1970, UTC)",
        lambda c: (c["time"] >= EARLIEST) & (c["time"] < LATEST),
    ),
    Check("sym must not be empty", lambda c: c["sym"] != ""),
)
"""What holds for the rows of every table. `sym` is compared as text."""


def standard_checks(columns: Iterable[Column]) -> tuple[Check, ...]:
    """Return COMMON_CHECKS, and that each other time of a table with these columns is not known, or of a right unit."""
    others = [c.name for c in columns if c.kind == "time" and c.name != "time"]
    return COMMON_CHECKS + tuple(map(_unknown_or_time, others))


def _unknown_or_time(name: str) -> Check:
    return Check(
        f"{name} must lie between 1970 and 2100 (nanoseconds since 1970, UTC), or be not known",
        lambda c: ((c[name] >= EARLIEST) & (c[name] < LATEST)) | (c[name] == UNKNOWN_TIME),
    )


def positive(name: str) -> Check:
    """Return the check that a column holds positive finite numbers."""
    return Check(f"{name} must be a positive finite number", lambda c: (c[name] > 0) & (c[name] < np.inf))


def unknown_or_not_negative(name: str) -> Check:
    """Return the check that a column holds finite numbers, 0 or more, or NaN."""
    return Check(
        f"{name} must be a finite number, 0 or more, or not known (NaN)",
        lambda c: ((c[name] >= 0) & (c[name] < np.inf)) | (c[name] != c[name]),
    )


def not_negative(name: str) -> Check:
    """Return the check that a column holds finite numbers, 0 or more."""
    return Check(f"{name} must be a finite number, 0 or more", lambda c: (c[name] >= 0) & (c[name] < np.inf))


def table_from(
    name: str,
    spec: str,
    key: tuple[str, ...] = (),
    checks: tuple[Check, ...] = (),
    all_good: Callable[[Mapping[str, Any]], Any] | None = None,
) -> Table:
    """Return a table from lines of "name kind  meaning", after the common time and sym. Raises SchemaError."""
    rows = [
        Column("time", "time", "when it happened at the venue; a bar: its start"),
        Column("sym", "symbol", "instrument, e.g. AAPL"),
    ]
    for line in spec.strip().splitlines():
        column, kind, meaning = line.split(None, 2)
        rows.append(Column(column, kind, meaning))
    return Table(name, tuple(rows), key, standard_checks(rows) + checks, all_good)


def finite_or_unknown(name: str) -> Check:
    """Return the check that a column holds finite numbers or NaN."""
    return Check(
        f"{name} must be a finite number, or not known (NaN)", lambda c: (abs(c[name]) < np.inf) | (c[name] != c[name])
    )


def at_least_one(name: str) -> Check:
    """Return the check that a column holds numbers of 1 or more."""
    return Check(f"{name} must be 1 or more", lambda c: c[name] >= 1)


def one_of(name: str, words: tuple[str, ...]) -> Check:
    """Return the check that a column holds one of two or more words."""

    def good(c: Mapping[str, Any]) -> Any:
        found = c[name] == words[0]
        for word in words[1:]:
            found = found | (c[name] == word)
        return found

    return Check(f"{name} must be {', '.join(words[:-1])} or {words[-1]}", good)


def not_empty(name: str) -> Check:
    """Return the check that a column holds texts that are not empty."""
    return Check(f"{name} must not be empty", lambda c: c[name] != "")


def event_table(
    name: str,
    spec: str,
    key: tuple[str, ...] = (),
    checks: tuple[Check, ...] = (),
    sym: str = "instrument, e.g. AAPL",
    time: str = "when the plant learned it; backtest and replay: the run's own time and a count of ns",
) -> Table:
    """Return a table whose floats are finite or not known, from lines as `table_from` takes them; raises SchemaError.

    `sym` and `time` say what its first two columns have.
    """
    table = table_from(name, spec, key, checks)
    first = (Column("time", "time", time), Column("sym", "symbol", sym))
    told = {check.reason.split()[0] for check in checks}
    numbers = (c.name for c in table.columns if c.kind == "float" and c.name not in told)
    return replace(
        table, columns=(*first, *table.columns[2:]), checks=(*table.checks, *map(finite_or_unknown, numbers))
    )
