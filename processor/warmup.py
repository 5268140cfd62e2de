"""What the processor takes from history when it starts: the newest closed bars of each series.

The journal may begin behind them (retention removes what the history has), and to read every bar there ever was would
take long. So of each series as many bars are read as its longest indicator needs to have forgotten what was before.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from plant.client.connection import AsOf
from plant.rows.arrow import columns_from_arrow
from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, taken
from plant.rows.schema import Schema, Table
from processor.candles.closer import Closer
from processor.counting import Counting
from processor.engine import Engine
from processor.recorded import bars_ahead, times_and_values

Wanted = Callable[[str], int]

SERIES = """
select b.sym, b.interval, max(b.time) as newest, max(c.closed) as closed
from bars b
left join (select sym, interval, max(market_time) as closed from bar_closes group by all) c
  on c.sym = b.sym and c.interval = b.interval
group by all order by all
"""
"""Every series, its newest bar, and the last one that is closed."""


def newest_time(history: AsOf, tables: Sequence[str]) -> int:
    """Return the time of the newest row of some tables, ns; 0 if they have none."""
    found = history.tables("arrow")
    times = dict(zip(found.column("table").to_pylist(), found.column("last").cast(pa.int64()).to_pylist(), strict=True))
    return max((times.get(table) or 0 for table in tables), default=0)


def warm_up(engine: Engine, closer: Closer, counting: Counting, history: AsOf, schema: Schema, wanted: Wanted) -> None:
    """Have the engine and the closer begin with every series in `history`: with its newest closed bars.

    `wanted(interval)` says how many, of those that count. Of a series of which no bar is said to be closed (history of
    before there were such rows) all but the newest bar count as closed. Raises what the history's answers raise.
    """
    told_closed, still_open = [], []
    for series in history.sql(SERIES, frames="arrow").to_pylist():
        sym, interval = series["sym"], series["interval"]
        bars = bars_ahead(partial(_bars, history, schema["bars"], sym, interval), counting, wanted(interval) + 1)
        if not len(bars["time"]):
            continue
        times, values = times_and_values(bars)
        told = series["closed"]  # a time, null if there is none
        closed = int(times[:-1].max(initial=-1) if told is None else told.value)
        old = times <= closed
        engine.begin(sym, interval, times[old], values[old])
        told_closed.append((sym, interval, bars["source"].tolist()[-1], closed))
        if not old.all():
            still_open.append(taken(bars, ~old))
            names = schema["indicators"].names
            since: dict[str, Any] = {"where": {"interval": interval}, "start": int(times[~old][0]), "frames": "arrow"}
            given = history.select("indicators", sym, columns=names, **since)
            engine.had(columns_from_arrow(given, schema["indicators"], names))
    if told_closed:
        closer.take(_closes(told_closed))
    for open_ in still_open:
        closer.take(Batch("bars", open_, 0, 0, 0))
        engine.take_bars(open_)


def _bars(history: AsOf, table: Table, sym: str, interval: str, end: int | None, last: int) -> Columns:
    """Return the newest so many bars of a series before a time."""
    where = {"interval": interval}
    rows = history.select(table.name, sym, end=end, columns=table.names, where=where, last=last, frames="arrow")
    return columns_from_arrow(rows, table, table.names)


def _closes(told: list[tuple[str, str, str, int]]) -> Batch:
    """Return what the closer needs to know of the last closed bar of each series."""
    syms, intervals, sources, times = zip(*told, strict=True)
    closed = np.array(times)
    names = {"sym": Symbols.of(syms), "interval": Symbols.of(intervals), "source": Symbols.of(sources)}
    return Batch("bar_closes", {"time": closed, "market_time": closed, **names}, 0, 0, 0)
