"""Bars as a chart wants them: those of regular sessions alone, which are closed, and empty intervals filled."""

import numpy as np
import pyarrow as pa

from api.answers.problems import Problem
from plant.calendars.assignment import Calendars
from plant.calendars.sessions import CLOSED, NO_BAR, REGULAR, Sessions
from plant.errors import PlantError
from plant.rows.intervals import interval_ns
from plant.rows.tables_candles import BUILT

MOST_FILLED = 200_000
"""Bars that an answer with empty ones may have."""

STEP_NS = 60 * 10**9
"""So finely sessions are looked for bars that begin in them."""


def sessions_of(calendars: Calendars, sym: str, bars: pa.Table) -> Sessions:
    """Return the sessions of a symbol, of whose bars the last tells which feed's it is."""
    source = ""
    if bars.num_rows and "source" in bars.column_names:
        source = str(bars.column("source")[bars.num_rows - 1].as_py() or "")
    return calendars.sessions(calendars.code(sym, source.removeprefix(BUILT)))


def regular(bars: pa.Table, interval: str, sessions: Sessions) -> pa.Table:
    """Return the bars within regular sessions; days, and what has no calendar, are all."""
    if sessions.continuous or interval[-1] not in "smh":
        return bars
    return bars.filter(pa.array(sessions.kinds(times_of(bars)) == REGULAR))


def closed(bars: pa.Table, interval: str, sessions: Sessions, grace_s: float, now: int) -> np.ndarray:
    """Return which bars are closed at `now`, bool[n]: their end has passed, and `grace_s` more of the last one.

    An interval that has no end we know of (a feed's own name) is closed once a later bar came.
    """
    times = times_of(bars)
    if not len(times):
        return np.zeros(0, bool)
    newest = times == times.max()
    try:
        ends = sessions.ends(times, interval)
    except (PlantError, ValueError, KeyError):
        return ~newest
    return np.asarray(ends + np.where(newest, int(grace_s * 1e9), 0) <= now)


def filled(bars: pa.Table, interval: str, sessions: Sessions, session: str) -> pa.Table:
    """Return bars with one for each interval of their sessions between the first and the last that has none.

    Its prices are the close before it, its volume is 0. Raises Problem query_limit, and invalid for weeks and months.
    """
    if interval[-1] not in "smhd" or interval.endswith("ms"):
        raise Problem("invalid", f"?empty: bars of {interval} are not filled", errors=[{"place": "?empty"}])
    times = times_of(bars)
    if len(times) < 2:
        return bars
    step = min(interval_ns(interval), STEP_NS) if interval[-1] in "smh" else STEP_NS * 60
    if (int(times[-1]) - int(times[0])) // step > 20 * MOST_FILLED:
        raise Problem("query_limit", f"too long to be filled: at most {MOST_FILLED:,} bars; ask for a shorter range")
    grid = np.arange(int(times[0]), int(times[-1]) + 1, step)
    if not sessions.continuous and interval[-1] in "smh":
        kinds = sessions.kinds(grid)
        grid = grid[kinds == REGULAR if session == "regular" else kinds != CLOSED]
    starts = np.unique(sessions.starts(grid, interval))
    starts = np.union1d(starts[(starts != NO_BAR) & (starts >= times[0]) & (starts <= times[-1])], times)
    if len(starts) > MOST_FILLED:
        raise Problem("query_limit", f"{len(starts):,} bars with the empty ones, at most {MOST_FILLED:,} are answered")
    before = np.searchsorted(times, starts, side="right") - 1
    empty = times[before] != starts
    found = bars.take(pa.array(before))
    close = found.column("close").to_numpy()
    columns = {name: found.column(name) for name in found.column_names}
    columns["time"] = pa.array(starts, pa.int64()).cast(pa.timestamp("ns", "UTC"))
    for name in ("open", "high", "low", "close"):
        columns[name] = pa.array(np.where(empty, close, found.column(name).to_numpy()))
    columns["volume"] = pa.array(np.where(empty, 0.0, found.column("volume").to_numpy()))
    for name in ("vwap", "trades"):
        if name in columns:
            columns[name] = pa.array(np.where(empty, np.nan, found.column(name).to_numpy()))
    return pa.table(columns)


def times_of(bars: pa.Table) -> np.ndarray:
    """Return the times of rows, int64[n] ns since 1970 UTC."""
    return np.asarray(bars.column("time").cast(pa.int64()))
