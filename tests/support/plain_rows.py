"""Rows of the plant's tables for tests: plain dicts, and the batches and tables in memory made of them."""

from collections.abc import Iterable
from typing import Any

from plant.intake.forms import columns_of
from plant.memory.table import CHUNK_ROWS, FAN_IN, MemoryTable
from plant.rows.batch import Batch
from plant.rows.schema import Table
from plant.rows.tables import TABLES, schema_of

NOON = 1_795_176_000_000_000_000
"""2026-11-20 12:00 UTC."""
SECOND = 10**9
MINUTE = 60 * SECOND

SCHEMA = schema_of()

Row = dict[str, Any]


def batch_of(table: str | Table, rows: list[Row], seq: int = 1, received: int = NOON) -> Batch:
    """Return rows, one at least, as a journaled batch."""
    declared = SCHEMA[table] if isinstance(table, str) else table
    return Batch(declared.name, columns_of(declared, rows), seq, seq, received, declared.key, times=declared.times)


def table_of(
    table: str | Table, batches: Iterable[list[Row]] = (), chunk_rows: int = CHUNK_ROWS, tidied: int = 0
) -> MemoryTable:
    """Return a table in memory; batch i has seq 10 + i and was received i seconds after noon.

    `tidied`: after each batch so many steps of sorting and merging are done, two blocks at a time.
    """
    made = MemoryTable(SCHEMA[table] if isinstance(table, str) else table, chunk_rows, 2 if tidied else FAN_IN)
    for i, rows in enumerate(batches):
        made.append(batch_of(table, rows, 10 + i, NOON + i * SECOND))
        for _ in range(tidied):
            made.tidy()
    return made


SHAPES = ((CHUNK_ROWS, 0), (2, 0), (3, 1), (1, 100))
"""Rows of a chunk and steps after each batch: one chunk, many, some sorted, all sorted and merged."""


def tables_of(shape: tuple[int, int] = SHAPES[0], /, **batches: list[list[Row]]) -> dict[str, MemoryTable]:
    """Return every table of the plant, those named filled with batches of rows."""
    return {table.name: table_of(table, batches.get(table.name, ()), *shape) for table in TABLES}


def trade(time: int, sym: str = "AAPL", price: float = 100.0, size: float = 1.0, trade_id: str = "") -> Row:
    """Return a row of trades."""
    told = {"conditions": "@", "tape": "A", "exchange": "Q", "venue_seq": 7}
    return {"time": time, "sym": sym, "price": price, "size": size, "source": "test", "trade_id": trade_id, **told}


def quote(time: int, sym: str = "AAPL", bid: float = 99.0, ask: float = 101.0) -> Row:
    """Return a row of quotes."""
    return {"time": time, "sym": sym, "bid": bid, "ask": ask, "bid_size": 1.0, "ask_size": 2.0, "source": "test"}


def bar(time: int, sym: str = "AAPL", interval: str = "1m", close: float = 100.0, volume: float = 1.0) -> Row:
    """Return a row of bars around a close."""
    prices = {"open": close - 1, "high": close + 2, "low": close - 2, "close": close}
    return {"time": time, "sym": sym, "interval": interval, **prices, "volume": volume, "source": "test"} | {
        "vwap": close,
        "trades": 3.0,
    }
