"""The tables of the plant, declared once, as data.

Wire format, in-memory tables, history, validation and docs/tables.md all derive from `TABLES`.
A column is of one kind:

    kind      numpy     meaning
    time      int64     nanoseconds since 1970-01-01 UTC
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
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from plant.errors import SchemaError, UnknownColumn, UnknownTable

FIXED_DTYPES = {"time": "<i8", "float": "<f8", "int": "<i8"}
"""dtype of each fixed-width kind; the other kinds are `symbol` and `text`."""

EARLIEST = 0
LATEST = 4_102_444_800_000_000_000
"""A row's time lies in [1970-01-01, 2100-01-01): outside it, a unit was mixed up."""

META_COLUMNS = ("seq", "received")
"""Columns every table answers besides its own: journal sequence number, and when the tickerplant took it."""

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
            return cls(str(fields["name"]), columns, tuple(map(str, fields.get("key", ()))), COMMON_CHECKS)
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


def _positive(name: str) -> Check:
    return Check(f"{name} must be a positive finite number", lambda c: (c[name] > 0) & (c[name] < np.inf))


def _unknown_or_not_negative(name: str) -> Check:
    return Check(
        f"{name} must be a finite number, 0 or more, or not known (NaN)",
        lambda c: ((c[name] >= 0) & (c[name] < np.inf)) | (c[name] != c[name]),
    )


def _not_negative(name: str) -> Check:
    return Check(f"{name} must be a finite number, 0 or more", lambda c: (c[name] >= 0) & (c[name] < np.inf))


COMMON_CHECKS = (
    Check(
        "time must lie between 1970 and 2100 (nanoseconds since 1970, UTC)",
        lambda c: (c["time"] >= EARLIEST) & (c["time"] < LATEST),
    ),
    Check("sym must not be empty", lambda c: c["sym"] != ""),
)
"""What holds for the rows of every table. `sym` is compared as text."""


def _table(
    name: str,
    spec: str,
    key: tuple[str, ...] = (),
    checks: tuple[Check, ...] = (),
    all_good: Callable[[Mapping[str, Any]], Any] | None = None,
) -> Table:
    """Return a table from lines of "name kind  meaning", after the common time and sym."""
    rows = [
        Column("time", "time", "when it happened at the venue; a bar: its start"),
        Column("sym", "symbol", "instrument, e.g. AAPL"),
    ]
    for line in spec.strip().splitlines():
        column, kind, meaning = line.split(None, 2)
        rows.append(Column(column, kind, meaning))
    return Table(name, tuple(rows), key, COMMON_CHECKS + checks, all_good)


def _good_bars(c: Mapping[str, Any]) -> Any:
    """Return where all checks of bars hold: what is true of low and high is true of the prices between them."""
    time, low, high, first, last, volume = c["time"], c["low"], c["high"], c["open"], c["close"], c["volume"]
    between = (low <= first) & (low <= last) & (first <= high) & (last <= high)
    return (
        (between & (low > 0) & (high < np.inf) & (volume >= 0) & (volume < np.inf))
        & ((time >= EARLIEST) & (time < LATEST))
        & ((c["sym"] != "") & (c["interval"] != ""))
    )


_OHLCV = """
    open       float   first price, quote currency
    high       float   highest price
    low        float   lowest price
    close      float   last price
    volume     float   units traded in the interval so far"""

TABLES = (
    _table(
        "bars",
        f"""
    interval   symbol  length of the bar, e.g. 1m{_OHLCV}
    source     symbol  feed that sent it
    """,
        ("sym", "interval", "time"),
        (
            *map(_positive, ("open", "high", "low", "close")),
            _not_negative("volume"),
            Check(
                "high must be the highest price (high >= open, low, close)",
                lambda c: (c["high"] >= c["low"]) & (c["high"] >= c["open"]) & (c["high"] >= c["close"]),
            ),
            Check(
                "low must be the lowest price (low <= open, close)",
                lambda c: (c["low"] <= c["open"]) & (c["low"] <= c["close"]),
            ),
            Check("interval must not be empty", lambda c: c["interval"] != ""),
        ),
        _good_bars,
    ),
    _table(
        "trades",
        """
    price      float   quote currency
    size       float   units
    source     symbol  feed that sent it
    trade_id   text    the venue's own id, empty if it has none
    """,
        (),
        (_positive("price"), _unknown_or_not_negative("size")),
    ),
    _table(
        "quotes",
        """
    bid        float   best bid, quote currency
    ask        float   best ask, quote currency
    bid_size   float   units at the bid
    ask_size   float   units at the ask
    source     symbol  feed that sent it
    """,
        (),
        tuple(map(_unknown_or_not_negative, ("bid", "ask", "bid_size", "ask_size"))),
    ),
    _table(
        "indicators",
        f"""
    interval   symbol  length of the bar{_OHLCV}
    sma_20     float   mean of the last 20 closes
    ema_20     float   exponential mean, alpha 2/21
    ema_50     float   exponential mean, alpha 2/51
    rsi_14     float   Wilder's relative strength, 0 to 100
    macd       float   EMA 12 - EMA 26
    macd_signal    float  EMA 9 of macd
    macd_histogram float  macd - macd_signal
    bb_upper   float   bb_middle + 2 standard deviations
    bb_middle  float   mean of the last 20 closes
    bb_lower   float   bb_middle - 2 standard deviations
    """,
        ("sym", "interval", "time"),
    ),
    _table(
        "signals",
        """
    interval   symbol  length of the bar
    signal     symbol  golden_cross, death_cross, rsi_oversold, rsi_overbought, macd_cross_up, macd_cross_down
    side       symbol  buy or sell
    price      float   close of the bar that raised it
    detail     text    why, with the numbers
    """,
        ("sym", "interval", "time", "signal"),
    ),
    _table(
        "heartbeats",
        """
    pid        int     process id
    seq_seen   int     journal sequence number it has reached
    rows       int     rows it has handled since its start
    rate       float   rows per second since its last beat
    memory     int     resident bytes
    state      text    one line from the process itself
    """,
    ),
    _table(
        "rejects",
        """
    source     symbol  publisher that sent it
    table_name symbol  table it was meant for
    reason     text    what is wrong with it
    row        text    the row, as JSON
    """,
    ),
    _table(
        "gaps",
        """
    table_name symbol  table that missed batches
    first      int     first table sequence number missed
    last       int     last table sequence number missed
    state      symbol  opened, healed or lost
    detail     text    how it was noticed, or how long it took
    """,
    ),
    _table(
        "queries",
        """
    client     text    who asked: name/pid@host, as it told
    kind       symbol  tables, select, last, count, resample, asof, window or sql; ?: unknown
    question   text    its terms, or the SQL, at most 1,000 characters
    seconds    float   from its arrival to its answer, waiting included
    rows       int     rows of the answer
    bytes      int     bytes of the answer
    state      symbol  ok, error, limit or cancelled; lost: some were not noted
    detail     text    the error, if there was one
    """,
    ),
    _table(
        "days",
        """
    day        text    the day of the plant, e.g. 2026-11-20
    state      symbol  end: it ends behind this row; closed: its files are in place; failed: they cannot be made now
    last_seq   int     closed, failed: sequence number of the row that ended it
    rows       int     closed: rows that came since the end before
    detail     text    failed: why; end: again, if it counts although that day was ended before
    """,
    ),
    _table(
        "amendments",
        """
    table_name symbol  table of the row that is amended; time is when that was decided, sym is the row's
    row_time   int     time of the row, ns since 1970 UTC
    row_seq    int     its journal sequence number
    row        text    its other columns, as JSON
    action     symbol  replace or remove
    changes    text    what it becomes: the columns that change, as JSON
    reason     text    why
    """,
        (),
        (Check("action must be replace or remove", lambda c: (c["action"] == "replace") | (c["action"] == "remove")),),
    ),
    _table(
        "imports",
        """
    table_name symbol  table the rows went to; sym is the publisher: import-, and a digest of file and options
    file       text    the file's name
    state      symbol  begun or finished
    rows       int     rows to be written, or written
    duplicates int     rows of the file that were there already
    rejected   int     rows of the file that were no good rows
    left_out   text    which rows were not to be written when it began, in order of time: bits, zlib, base64
    """,
    ),
)
"""The plant's own tables. In heartbeats and queries, sym is the process; in rejects the row's sym or ?; in gaps the
subscriber; in days who said it."""


def schema_of(extra: Iterable[Table] = ()) -> Schema:
    """Return the plant's tables and a user's own; raises SchemaError if a name is taken."""
    return Schema((*TABLES, *extra))
