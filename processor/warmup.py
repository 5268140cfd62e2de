"""What the processor takes from history when it starts: the newest bars of each series, and what was given out of them.

The journal may begin behind them (retention removes what the history has), and to read every bar there ever was would
take long. An average that is fed WARM_BARS bars has forgotten what was before: it weighs less than 1e-15, since that
is 40 periods of the longest one. So as many bars are read ahead of the first for which rows are given out.
"""

from typing import Any

import pyarrow as pa

from plant.client.connection import AsOf
from plant.rows.arrow import columns_from_arrow
from plant.rows.batch import Batch
from plant.rows.schema import Schema
from processor.engine import Engine

WARM_BARS = 2_000
"""Bars ahead of the first whose row is given out."""

SERIES = """
select b.sym, b.interval, count(*) as bars,
       count(*) filter (where i.newest is null or b.time > i.newest) as behind
from bars b
left join (select sym, interval, max(time) as newest from indicators group by all) i
  on i.sym = b.sym and i.interval = b.interval
group by all order by all
"""
"""Every series, how many bars it has, and how many of them came after the last row that was given out."""


def warm_up(engine: Engine, history: AsOf, schema: Schema) -> None:
    """Have the engine take, of every series in `history`, the bars it needs, their indicators and signals.

    Raises what the history's answers raise.
    """
    for series in history.sql(SERIES, frames="arrow").to_pylist():
        sym, interval, bars = series["sym"], series["interval"], series["bars"]
        wanted = 2 * WARM_BARS + series["behind"]
        of_series: dict[str, Any] = {"sym": sym, "where": {"interval": interval}, "frames": "arrow"}
        found = history.select("bars", columns=schema["bars"].names, last=wanted, **of_series)
        times = found.column("time").cast(pa.int64())
        begins, whole = times[0].as_py(), bars <= wanted
        if not whole:
            engine.begin(sym, interval, begins, trusted=times[WARM_BARS].as_py())
        engine.take(_batch(found, schema, "bars"))
        for table in ("indicators", "signals"):
            rows = history.select(table, columns=schema[table].names, start=begins, **of_series)
            engine.take(_batch(rows, schema, table))


def _batch(rows: pa.Table, schema: Schema, table: str) -> Batch:
    return Batch(table, columns_from_arrow(rows, schema[table], schema[table].names), 0, 0, 0)
