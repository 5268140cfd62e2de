"""The rows that every system has to carry, the same in each run, and the two ends at which they are measured.

bars        minute bars of 100 symbols, every bar sent ten times while it forms
trades      trades of 100 symbols, one a millisecond
recorded    trades of four symbols on two days as they were recorded (the folder `recorded_folder`, if it is there)
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from plant.intake.forms import columns_of
from plant.memory.table import MemoryTable
from plant.rows.batch import Batch
from plant.rows.columns import DEFAULTS, Columns, Symbols
from plant.rows.schema import FIXED_DTYPES, Table
from plant.rows.tables import schema_of
from plant.wire.envelope import Header
from plant.wire.payload import encode_payload
from plant.wire.record import decode

SYMBOLS = [f"S{i:03d}" for i in range(100)]
REVISIONS = 10
"""Times that a bar is sent while it forms."""

START_NS = 1_767_623_400_000_000_000
"""2026-01-05 14:30 UTC, time of the first row."""

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "lean_us_equity" / "tick"
"""Folder of recorded trades as Parquet; the section is skipped without it."""

Item = dict[str, Any]
"""What a feed hands over: a dict of plain values (one row), or of numpy arrays, symbols coded or as str (many)."""


@dataclass(frozen=True)
class Work:
    """`messages` messages of `rows` rows of `kind`; `rate` messages a second, 0 for as fast as it goes.

    coded   batches hold symbols as codes, as a DataFrame's categories are; else as a list of str to be coded on the way
    """

    kind: str
    messages: int
    rows: int
    rate: float = 0.0
    coded: bool = True

    @property
    def total(self) -> int:
        """Rows altogether."""
        return self.messages * self.rows

    @cached_property
    def table(self) -> Table:
        """The declaration of the rows' table; without its key, so that the sink only appends."""
        table = schema_of()["bars" if self.kind == "bars" else "trades"]
        return Table(table.name, table.columns, (), table.checks, table.all_good)

    def columns(self) -> dict[str, Any]:
        """Return all rows: float64 and int64 arrays, and lists of str, in the order of the declaration.

        Columns that the rows of `kind` do not have hold the defaults, for every system.
        """
        given = _SOURCES[self.kind](self.total)
        found: dict[str, Any] = {}
        for column in self.table.columns:
            value = [DEFAULTS[column.kind]] * self.total if column.name not in given else given[column.name]
            found[column.name] = np.array(value, FIXED_DTYPES[column.kind]) if column.fixed else value
        return found

    def items(self) -> list[Item]:
        """Return the messages as a feed has them."""
        columns = self.columns()
        if self.rows == 1:
            plain = [c if isinstance(c, list) else c.tolist() for c in columns.values()]
            return [dict(zip(columns, values, strict=True)) for values in zip(*plain, strict=True)]
        if self.coded:
            symbols = {c.name for c in self.table.columns if c.kind == "symbol"}
            columns = {name: Symbols.of(c) if name in symbols else c for name, c in columns.items()}
        starts = range(0, self.total, self.rows)
        return [{name: column[i : i + self.rows] for name, column in columns.items()} for i in starts]

    def encoder(self) -> Callable[[Item], bytes]:
        """Return what turns an item into bytes for systems that carry bytes: a msgpack array, or our payload."""
        table = self.table
        if self.rows > 1:
            return lambda item: encode_payload(table, columns_of(table, item))
        pack = msgpack.Packer().pack
        return lambda item: pack(tuple(item.values()))


class Feed:
    """The publisher's end: the items of a work, prepared; iterating paces them and stamps their `time`."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.items = work.items()
        self.encode = work.encoder()
        self._begun = 0.0

    def __iter__(self) -> Iterator[Item]:
        return self._paced() if self.work.rate else iter(self.items)

    def pause_s(self, index: int) -> float:
        """Return the seconds until item `index` is due; the first call starts the clock."""
        now = time.monotonic()
        self._begun = self._begun or now
        return max(self._begun + index / self.work.rate - now, 0.0)

    def _paced(self) -> Iterator[Item]:
        for index, item in enumerate(self.items):
            time.sleep(self.pause_s(index))
            item["time"] = time.time_ns()
            yield item


class Sink:
    """The subscriber's end: rows in a MemoryTable, with the moment at which each batch became visible."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.table = MemoryTable(work.table)
        self._visible: list[tuple[int, int]] = []

    @property
    def full(self) -> bool:
        """Whether all rows are here."""
        return len(self.table) >= self.work.total

    def take(self, messages: list[bytes]) -> None:
        """Append encoded items in order: one-row messages become columns together, as many as came at once."""
        table, rows = self.work.table, self.work.rows
        if rows > 1:
            header = Header(b"", 0, 0, 0, 0, rows, 0, 0, 0, 0, 0, 0, 0, 0, 0)
            self.append(decode(table, header, message) for message in messages)
        elif messages:
            values = zip(*map(msgpack.unpackb, messages), strict=True)
            columns = columns_of(table, dict(zip(table.names, map(list, values), strict=True)))
            self.append([Batch(table.name, columns, 0, 0, 0, table.key)])

    def append(self, batches: Iterable[Batch]) -> None:
        """Append decoded batches."""
        for batch in batches:
            self.table.append(batch)
            self._visible.append((len(batch), time.time_ns()))

    def latencies_ns(self) -> np.ndarray:
        """Return int64[rows], from the publisher's stamp in `time` to visible in a snapshot; empty if unpaced."""
        if not self.work.rate:
            return np.empty(0, dtype=np.int64)
        counts, moments = np.array(self._visible, dtype=np.int64).T
        return np.asarray(np.repeat(moments, counts) - self.table.snapshot().column("time"))

    def check(self) -> None:
        """Raise ValueError unless exactly the work's rows are here, in order."""
        held, expected = self.table.snapshot(), self.work.columns()
        if held.rows != self.work.total:
            raise ValueError(f"expected {self.work.total:,} rows, found {held.rows:,}")
        for name, column in expected.items():
            found = held.column(name)
            same = found.tolist() == column if isinstance(column, list) else np.array_equal(found, column, True)
            if not same and not (name == "time" and self.work.rate):
                raise ValueError(f"{self.work.table.name}.{name}: other values arrived than were published")


def recorded_rows() -> int:
    """Return how many recorded trades there are, 0 without the folder."""
    import pyarrow.parquet

    return sum(pyarrow.parquet.read_metadata(path).num_rows for path in RECORDED.glob("*_trades.parquet"))


def bars(count: int) -> dict[str, Any]:
    """Return `count` revisions of forming minute bars, symbols in turn, prices as seeded random walks in cents."""
    random = np.random.default_rng(7)
    rounds = -(-count // len(SYMBOLS))
    steps = random.normal(0, 2e-4, (rounds, len(SYMBOLS)))
    close = np.round(random.uniform(5, 500, len(SYMBOLS)) * np.exp(np.cumsum(steps, axis=0)), 2)
    opened = close[np.arange(rounds) // REVISIONS * REVISIONS]
    spread = np.abs(random.normal(0, 3e-4, (rounds, len(SYMBOLS))))
    minute = np.repeat(np.arange(rounds) // REVISIONS, len(SYMBOLS))[:count]
    return {
        "time": START_NS + minute * 60_000_000_000,
        "sym": (SYMBOLS * rounds)[:count],
        "interval": ["1m"] * count,
        "open": opened.ravel()[:count],
        "high": np.round(np.maximum(opened, close) * (1 + spread), 2).ravel()[:count],
        "low": np.round(np.minimum(opened, close) * (1 - spread), 2).ravel()[:count],
        "close": close.ravel()[:count],
        "volume": random.integers(1, 5000, count).astype(np.float64),
        "source": ["bench"] * count,
    }


def trades(count: int) -> dict[str, Any]:
    """Return `count` trades, symbols at random, round lots, with ids of eight digits."""
    random = np.random.default_rng(11)
    which = random.integers(0, len(SYMBOLS), count)
    return {
        "time": START_NS + np.arange(count) * 1_000_000,
        "sym": [SYMBOLS[i] for i in which.tolist()],
        "price": np.round((which + 5) * random.lognormal(0, 1e-3, count), 2),
        "size": random.integers(1, 50, count) * 100.0,
        "source": ["bench"] * count,
        "trade_id": [str(i) for i in range(10_000_000, 10_000_000 + count)],
    }


def recorded(count: int) -> dict[str, Any]:
    """Return the first `count` recorded trades, merged by time."""
    from plant.transfer.reader import Reader

    reader = Reader("trades", {"price": "price_e4"}, None, "1m", "UTC", "start", {"price": 1e-4})
    found = reader.read(sorted(RECORDED.glob("*_trades.parquet")))
    return {
        "time": found.time[:count],
        "sym": [found.names[code] for code in found.sym[:count].tolist()],
        "price": found.numbers["price"][:count],
        "size": found.numbers["size"][:count],
        "source": ["recorded"] * count,
        "trade_id": found.texts["trade_id"][:count].tolist(),
    }


_SOURCES: dict[str, Callable[[int], Columns]] = {"bars": bars, "trades": trades, "recorded": recorded}
