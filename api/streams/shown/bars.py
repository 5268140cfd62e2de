"""Bars as a client sees them: rows of `bars`, and whether they are closed, which `bar_closes` tells later."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from api.streams.shown.channels import BARS
from api.streams.shown.updates import Update
from plant.calendars.assignment import Calendars
from plant.errors import PlantError
from plant.rows.batch import Batch
from plant.rows.schema import Table
from plant.rows.tables_candles import BUILT
from plant.state.newest import columns_of_batch

KEPT = 3
"""So many of the newest bars of a series are remembered, for the row that says that one is closed."""


class Bar(NamedTuple):
    """Which bar it is; time in ns."""

    sym: str
    interval: str
    time: int


Ended = Callable[[pa.Table], np.ndarray]
"""Takes rows of `bars` and returns which of them are over by the clock, bool[n]."""


def never(bars: pa.Table) -> np.ndarray:
    """Return that no bar is over by the clock."""
    return np.zeros(bars.num_rows, dtype=bool)


class ByClock:
    """Which bars are over: their end, by their exchange's calendar, has passed, and `grace_s` more."""

    def __init__(self, calendars: Calendars, grace_s: float, now: Callable[[], int] = time.time_ns) -> None:
        self._calendars, self._grace_ns, self._now = calendars, int(grace_s * 1e9), now
        self._codes: dict[tuple[str, str], str] = {}

    def __call__(self, bars: pa.Table) -> np.ndarray:
        """Return which rows are over, bool[n]; one of an interval that has no end we know of is not."""
        groups: dict[tuple[str, str], list[int]] = {}
        every = (bars.column(name).to_pylist() for name in ("sym", "source", "interval"))
        for i, (sym, source, interval) in enumerate(zip(*every, strict=True)):
            groups.setdefault((self._code(sym, source or ""), interval), []).append(i)
        times, until = np.array(_times(bars), dtype=np.int64), self._now() - self._grace_ns
        found = never(bars)
        for (code, interval), rows in groups.items():
            with contextlib.suppress(PlantError, ValueError, KeyError):
                found[rows] = self._calendars.sessions(code).ends(times[rows], interval) <= until
        return found

    def _code(self, sym: str, source: str) -> str:
        if (sym, source) not in self._codes:
            self._codes[sym, source] = self._calendars.code(sym, source.removeprefix(BUILT))
        return self._codes[sym, source]


class Bars:
    """Rows of `bars` and of `bar_closes`, in the order of the journal, as updates of one stream.

    A row of `bar_closes` is told as the row of `bars` that it closes; if that did not come by here, `missing` says so,
    and `know` takes it. `closed` has the newest closed bar of each (sym, interval); what is `ended` is closed, too.
    """

    def __init__(self, table: Table, ended: Ended = never, closed: dict[tuple[str, str], int] | None = None) -> None:
        self._names, self._ended = table.names, ended
        self.closed: dict[tuple[str, str], int] = {} if closed is None else closed
        self._rows: dict[tuple[str, str], dict[int, pa.Table]] = defaultdict(dict)
        self._looked_up: dict[Bar, pa.Table] = {}  # for the next rows of `bar_closes`, however old the bars are

    def missing(self, batch: Batch) -> list[Bar]:
        """Return which bars a batch closes whose rows are not known."""
        return [] if batch.table == "bars" else [bar for bar in _closing(batch) if self._row(bar) is None]

    def know(self, rows: pa.Table) -> None:
        """Take rows of `bars` that are known from elsewhere, until the next rows of `bar_closes` were taken."""
        rows = rows.select(list(self._names))
        every = (rows.column("sym").to_pylist(), rows.column("interval").to_pylist(), _times(rows))
        self._looked_up |= {Bar(*of): rows.slice(i, 1) for i, of in enumerate(zip(*every, strict=True))}

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
        self._looked_up = {}
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
        told = [at <= closed.get((sym, interval), at - 1) for sym, interval, at in zip(*every, strict=True)]
        return shown.append_column("closed", pa.array(self._ended(shown) | np.array(told, dtype=bool)))

    def _told(self, columns: Any, shown: pa.Table, seq: int) -> Update:
        return Update(BARS, columns, self.marked(shown.select(list(self._names))), seq)

    def _row(self, bar: Bar) -> pa.Table | None:
        kept = self._rows[bar[:2]].get(bar.time) if bar[:2] in self._rows else None
        return self._looked_up.get(bar) if kept is None else kept

    def _remember(self, rows: pa.Table) -> None:
        """Keep the newest rows of each series; a large batch is not kept for the sake of a few."""
        rows = rows.select(list(self._names))
        newest: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        every = (rows.column("sym").to_pylist(), rows.column("interval").to_pylist(), _times(rows))
        for i, (sym, interval, at) in enumerate(zip(*every, strict=True)):
            _keep(newest[sym, interval], at, i)
        places = sorted(i for found in newest.values() for i in found.values())
        kept = rows if len(places) == rows.num_rows else rows.take(pa.array(places, pa.int64()))
        place_of = {i: n for n, i in enumerate(places)}
        for series, found in newest.items():
            for at, i in found.items():
                _keep(self._rows[series], at, kept.slice(place_of[i], 1))


def _keep(series: dict[int, Any], at: int, what: Any) -> None:
    series[at] = what
    if len(series) > KEPT:
        del series[min(series)]


def _times(rows: pa.Table) -> list[int]:
    found: list[int] = rows.column("time").cast(pa.int64()).to_pylist()
    return found


def _closing(batch: Batch) -> list[Bar]:
    columns = batch.columns
    every = (columns["sym"].tolist(), columns["interval"].tolist(), columns["market_time"].tolist())
    return [Bar(*of) for of in zip(*every, strict=True)]
