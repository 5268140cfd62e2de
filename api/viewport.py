"""All that a chart shows, as of one seq: bars, annotations in force, signals and fills."""

import asyncio
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from api.answers.problems import Problem
from api.answers.rows import beside, plain_rows
from api.answers.terms import LARGEST_PAGE, Page
from api.reading import Bars, bars_of
from api.services import Services
from plant.query.questions import Select
from plant.rows.arrow import arrow_column, columns_from_arrow
from plant.rows.columns import taken
from plant.rows.schema import META_COLUMNS
from plant.state.annotations import selected, state_of
from plant.state.runs import BY_EVENTS

WITHDRAWN = "withdrawn"
"""State of a signal that a correction took back."""


@dataclass(frozen=True)
class Seen:
    """What is looked at: bars of a symbol and interval of [start, end), else the newest `last`; prices [low, high]."""

    sym: str
    interval: str
    start: int | None = None
    end: int | None = None
    low: float | None = None
    high: float | None = None
    last: int = 500
    session: str = "regular"


async def viewport_of(services: Services, seen: Seen, times: str = "rfc3339") -> dict[str, Any]:
    """Return {"sym", "interval", "seq", "bars", "annotations", "signals", "fills"}, times told as `times` says.

    Rows that came after the least seq of the four answers are left out; a bar that was revised since is there as it is
    now. Annotations that lie wholly outside the times and prices are left out, signals that a correction took back, and
    fills of backtests.
    """
    last = seen.last if seen.start is None else None
    asked = Bars(seen.sym, seen.interval, seen.start, seen.end, last, seen.session, page=Page(LARGEST_PAGE, None))
    bars, seq, more = await bars_of(services, asked)
    if more is not None:
        raise Problem("query_limit", f"more than {LARGEST_PAGE:,} bars of {seen.interval}; ask for a shorter range")
    start = seen.start
    if start is None and bars.num_rows:
        start = int(bars.column("time").cast(pa.int64())[0].as_py())
    of_interval = (("interval", "==", seen.interval),)
    standing = (*of_interval, ("state", "!=", WITHDRAWN))
    (events, at), (signals, of_signals), (fills, of_fills) = await asyncio.gather(
        services.ask(Select("annotations", (seen.sym,), columns=_drawn(services))),
        services.ask(_events(services, "signals", seen, start, standing)),
        services.ask(_events(services, "fills", seen, start, ())),
    )
    cut = min(seq, at, of_signals, of_fills)
    fills = await _of_no_backtest(services, fills)

    def told() -> dict[str, Any]:
        return {
            "sym": seen.sym,
            "interval": seen.interval,
            "seq": cut,
            "bars": plain_rows(bars, times),
            "annotations": plain_rows(_in_force(services, events, cut, seen, start), times),
            "signals": plain_rows(_known(signals, cut), times),
            "fills": plain_rows(_known(fills, cut), times),
        }

    return await beside(told)


def with_ns(rows: pa.Table, *times: str) -> list[dict[str, Any]]:
    """Return rows as dicts, these columns of times as ints of ns, other times left out."""
    for name in times:
        rows = rows.set_column(rows.column_names.index(name), name, rows.column(name).cast(pa.int64()))
    stamps = {field.name for field in rows.schema if pa.types.is_timestamp(field.type)}
    return list(rows.select([name for name in rows.column_names if name not in stamps]).to_pylist())


def _drawn(services: Services) -> tuple[str, ...]:
    return (*services.schema["annotations"].names, *META_COLUMNS)


def _in_force(services: Services, events: pa.Table, seq: int, seen: Seen, start: int | None) -> pa.Table:
    """Return the annotations of a symbol as they were at a seq, those that reach into a range of times and prices."""
    table = services.schema["annotations"]
    columns = columns_from_arrow(events, table, _drawn(services))
    columns = taken(columns, np.lexsort((columns["seq_row"], columns["seq"])))
    there = state_of(columns, seq=seq, whole=not services.settings.hdb.keep_days)
    there = selected(there, low=seen.low, high=seen.high, start=start, end=seen.end)
    return pa.table({name: arrow_column(there[name], name in table.times) for name in table.names})


def _events(services: Services, table: str, seen: Seen, start: int | None, where: Any) -> Select:
    return Select(table, (seen.sym,), start, seen.end, (*services.schema[table].names, "seq"), where)


async def _of_no_backtest(services: Services, fills: pa.Table) -> pa.Table:
    """Return the fills of runs that follow the plant, and of those whose own row is still to come."""
    if not fills.num_rows:
        return fills
    strategies = tuple(sorted({str(name) for name in fills.column("strategy").to_pylist()}))
    runs, _ = await services.ask(Select("runs", strategies, columns=("run", "mode")))
    modes = zip(runs.column("run").to_pylist(), runs.column("mode").to_pylist(), strict=True)
    tried = {run for run, mode in modes if mode not in BY_EVENTS}
    return fills.filter(pa.array([run not in tried for run in fills.column("run").to_pylist()], pa.bool_()))


def _known(rows: pa.Table, seq: int) -> pa.Table:
    """Return the rows that came up to a seq."""
    return rows.filter(pc.less_equal(rows.column("seq"), seq)).drop_columns(["seq"])
