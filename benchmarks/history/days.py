"""Days of trades for the benchmark of history: in the order they came, closed into files, and as unsorted parts."""

import datetime as dt
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.query.market import SESSION_NS, Market
from hdb.writer.closing import Closing
from hdb.writer.store import Store
from plant.history.catalogue import End
from plant.history.days import Days
from plant.history.layout import partition_schema
from plant.intake.forms import columns_of
from plant.rows.arrow import arrow_column
from plant.rows.columns import Symbols, Texts
from plant.rows.tables import schema_of

DAY_NS = 86_400 * 10**9
FIRST_OPEN_NS = 1_704_205_800_000_000_000
"""2024-01-02 14:30 UTC; each day's session begins 24 hours after the one before."""

PART_ROWS = 500_000
"""Rows after which the hdb writes a part."""

SCHEMA = schema_of()


@dataclass(frozen=True)
class History:
    """`days` of `rows` trades each over `symbols` symbols."""

    days: int
    rows: int
    symbols: int

    @property
    def market(self) -> Market:
        """The symbols, and one of them."""
        return Market(self.rows, self.symbols)

    def opens(self, day: int) -> int:
        """Return when the session of a day begins, ns since 1970 UTC."""
        return FIRST_OPEN_NS + day * DAY_NS

    def date(self, day: int) -> str:
        """Return the date of a day, e.g. 2024-01-02."""
        return str(dt.datetime.fromtimestamp(self.opens(day) / 1e9, dt.UTC).date())

    def trades(self, day: int) -> pa.Table:
        """Return the trades of a day as they came, with seq (batches of 100), seq_row and received.

        Other columns that trades have hold their defaults.
        """
        random = np.random.default_rng(day)
        count = self.rows
        times = np.sort(random.integers(0, SESSION_NS, count)) + self.opens(day)
        seqs = np.arange(count) // 100 + 1 + day * (count // 100 + 2)
        given = {
            "time": times,
            "sym": Symbols(self.market.names, random.integers(0, self.symbols, count).astype(np.int32)),
            "price": np.round(random.uniform(5, 500, count), 2),
            "size": random.integers(1, 50, count) * 100.0,
            "source": Symbols(["bench"], np.zeros(count, dtype=np.int32)),
            "trade_id": Texts.of(np.char.mod("%010d", np.arange(count)).tolist()),
        }
        meta = {"seq": seqs, "seq_row": np.arange(count) % 100, "received": times + 250_000}
        columns = {**columns_of(SCHEMA["trades"], given), **meta}
        table = pa.table({name: arrow_column(c, name in ("time", "received")) for name, c in columns.items()})
        return table.cast(partition_schema(SCHEMA["trades"]))


def parts_of(trades: pa.Table, rows: int = PART_ROWS) -> Iterator[pa.Table]:
    """Yield the trades of a day in parts; none ends within a batch."""
    for start in range(0, trades.num_rows, rows):
        yield trades.slice(start, rows)


def write_parts(store: Store, trades: pa.Table, day: str) -> None:
    """Write a day's parts, as the hdb does while they come, and end the day; they count as verified."""
    parts = list(parts_of(trades))
    for i, part in enumerate(parts):
        last = int(part.column("seq")[-1].as_py())
        end = End(last + 1, day) if i == len(parts) - 1 else None
        store.write_part({"trades": part}, last + bool(end), end, 0, "")
        store.verified(store.catalogue.parts[-1])


def close(store: Store) -> None:
    """Close the day that ended."""
    for end in store.catalogue.ends:
        Closing(store, None, end, threading.Event(), lambda line: None).run()  # type: ignore[arg-type]


def opened(folder: Path) -> Store:
    """Return a store for an empty history in a folder."""
    return Store(folder, SCHEMA, Days())


def write_unsorted(folder: Path, trades: pa.Table, day: int) -> None:
    """Write a day's rows as they came, in as many files as there are parts."""
    for i, part in enumerate(parts_of(trades, max(trades.num_rows // 20, 1))):
        pq.write_table(part, folder / f"{day:04d}-{i:04d}.parquet", compression="zstd", compression_level=1)
