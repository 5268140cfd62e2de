"""The rows that questions are asked about, the same for every system: a day of trades and of quotes.

Symbols at random, times at random within a session, in order of time; prices to the cent, sizes in round lots, trade
ids of eight digits. Twice as many quotes as trades.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from plant.memory.table import MemoryTable
from plant.rows.arrow import arrow_column
from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, Texts
from plant.rows.schema import Table
from plant.rows.tables import schema_of

OPEN_NS = 1_767_623_400_000_000_000
"""2026-01-05 14:30 UTC, when the session begins; it lasts six and a half hours."""
HOUR_NS = 3_600 * 10**9
SESSION_NS = HOUR_NS * 13 // 2

BATCH = 1000
"""Rows of a batch that memory takes."""


@dataclass(frozen=True)
class Market:
    """`rows` trades and twice as many quotes over `symbols` symbols."""

    rows: int
    symbols: int

    @property
    def one(self) -> str:
        """The symbol that questions about one symbol ask for."""
        return self.names[self.symbols // 3]

    @cached_property
    def names(self) -> list[str]:
        """The symbols."""
        return [f"S{i:05d}" for i in range(self.symbols)]

    @cached_property
    def trades(self) -> Columns:
        """Columns of the table trades."""
        random = np.random.default_rng(11)
        count = self.rows
        ids = np.char.mod("%08d", np.arange(count)).astype("S8").tobytes()
        return {
            **self._common(random, count),
            "price": np.round(random.uniform(5, 500, count), 2),
            "size": random.integers(1, 50, count) * 100.0,
            "source": Symbols(["bench"], np.zeros(count, dtype=np.int32)),
            "trade_id": Texts(np.arange(count + 1) * 8, ids),
        }

    @cached_property
    def quotes(self) -> Columns:
        """Columns of the table quotes."""
        random = np.random.default_rng(13)
        count = 2 * self.rows
        bid = np.round(random.uniform(5, 500, count), 2)
        return {
            **self._common(random, count),
            "bid": bid,
            "ask": bid + 0.01,
            "bid_size": random.integers(1, 50, count) * 100.0,
            "ask_size": random.integers(1, 50, count) * 100.0,
            "source": Symbols(["bench"], np.zeros(count, dtype=np.int32)),
        }

    def _common(self, random: np.random.Generator, count: int) -> Columns:
        return {
            "time": OPEN_NS + np.sort(random.integers(0, SESSION_NS, count)),
            "sym": Symbols(self.names, random.integers(0, self.symbols, count).astype(np.int32)),
        }

    def arrow(self, table: str) -> pa.Table:
        """Return a table as Arrow."""
        columns: Columns = getattr(self, table)
        return pa.table({name: arrow_column(column, name == "time") for name, column in columns.items()})

    def in_memory(self, table: str) -> MemoryTable:
        """Return a table as the rdb has it once it has had time to sort all that came, of the columns given here."""
        columns: Columns = getattr(self, table)
        declared = schema_of()[table]
        kept = tuple(column for column in declared.columns if column.name in columns)
        made = MemoryTable(Table(table, kept, declared.key))
        for seq, start in enumerate(range(0, len(columns["time"]), BATCH), 1):
            rows = {name: column[start : start + BATCH] for name, column in columns.items()}
            made.append(Batch(table, rows, seq, seq, OPEN_NS))
            if not seq % 64:
                while made.tidy():
                    pass
        return made

    def raw_bytes(self, table: str) -> int:
        """Return the bytes of the columns as arrays: 8 a number, 4 a symbol, a text's own bytes and its end."""
        total = 0
        for column in getattr(self, table).values():
            if isinstance(column, Symbols):
                total += column.codes.nbytes
            elif isinstance(column, Texts):
                total += len(column.data) + 8 * len(column)
            else:
                total += column.nbytes
        return total
