"""Bars as a client sees them: rows of `bars`, and whether they are closed, which `bar_closes` tells later."""

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from api.streams.channels import BARS
from api.streams.updates import Update
from plant.rows.batch import Batch
from plant.rows.schema import Table
from plant.state.newest import columns_of_batch

KEPT = 3
"""So many of the newest bars of a series are remembered, for the row that says that one is closed."""


class Bar(NamedTuple):
    """Which bar it is; time in ns."""

    sym: str
    interval: str
    time: int


class Bars:
    """Rows of `bars` and of `bar_closes`, in the order of the journal, as updates of one stream.

    A row of `bar_closes` is told as the row of `bars` that it closes; if that did not come by here, `missing` says so,
    and `know` takes it. `closed` has the newest closed bar of each (sym, interval).
    """

    def __init__(self, table: Table, closed: dict[tuple[str, str], int] | None = None) -> None:
        self._names = table.names
        self.closed: dict[tuple[str, str], int] = {} if closed is None else closed
        self._rows: dict[tuple[str, str], dict[int, pa.Table]] = defaultdict(dict)

    def missing(self, batch: Batch) -> list[Bar]:
        """Return which bars a batch closes whose rows are not known."""
        return [] if batch.table == "bars" else [bar for bar in _closing(batch) if self._row(bar) is None]

    def know(self, rows: pa.Table) -> None:
        """Take rows of `bars` that are known from elsewhere."""
        self._remember(rows)

    def update(self, batch: Batch) -> Update | None:
        """Take a batch; return the bars that it is about, None if there are none."""
        columns = columns_of_batch(batch)
        if batch.table == "bars":
            rows = batch.arrow()
            self._remember(rows)
            return self._told(columns, rows, batch.seq)
        bars = _closing(batch)
        for bar in bars:
            series = bar[:2]
            self.closed[series] = max(self.closed.get(series, bar.time), bar.time)
        known = [(i, row) for i, bar in enumerate(bars) if (row := self._row(bar)) is not None]
        if not known:
            return None
        at = np.array([i for i, _ in known])
        chosen = {name: columns[name][at] for name in ("sym", "interval", "seq")}
        shown = pa.concat_tables([row for _, row in known])
        return self._told({**chosen, "time": columns["market_time"][at]}, shown, batch.seq)

    def marked(self, shown: pa.Table) -> pa.Table:
        """Return rows of `bars` with a column `closed`."""
        closed = self.closed
        every = (shown.column("sym").to_pylist(), shown.column("interval").to_pylist(), _times(shown))
        flags = [time <= closed.get((sym, interval), time - 1) for sym, interval, time in zip(*every, strict=True)]
        return shown.append_column("closed", pa.array(flags, pa.bool_()))

    def _told(self, columns: Any, shown: pa.Table, seq: int) -> Update:
        return Update(BARS, columns, self.marked(shown.select(list(self._names))), seq)

    def _row(self, bar: Bar) -> pa.Table | None:
        return self._rows[bar[:2]].get(bar.time) if bar[:2] in self._rows else None

    def _remember(self, rows: pa.Table) -> None:
        rows = rows.select(list(self._names))
        every = (rows.column("sym").to_pylist(), rows.column("interval").to_pylist(), _times(rows))
        for i, (sym, interval, time) in enumerate(zip(*every, strict=True)):
            series = self._rows[sym, interval]
            series[time] = rows.slice(i, 1)
            if len(series) > KEPT:
                del series[min(series)]


def _times(rows: pa.Table) -> list[int]:
    found: list[int] = rows.column("time").cast(pa.int64()).to_pylist()
    return found


def _closing(batch: Batch) -> list[Bar]:
    columns = batch.columns
    every = (columns["sym"].tolist(), columns["interval"].tolist(), columns["market_time"].tolist())
    return [Bar(*of) for of in zip(*every, strict=True)]
