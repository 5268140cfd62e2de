"""How far a backtest reaches: its sessions, its warm-up, how often equity is a row, the interval that its bars have."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plant.calendars.exchange import exchange
from plant.calendars.sessions import Sessions
from plant.errors import SettingsError
from plant.rows.intervals import interval_of
from trading.backtests.market import Rows

MOST_POINTS = 5_000
"""Rows of equity that a backtest has at most, unless it has more sessions."""

TIMES_WARM_UP = 10
"""So many times what its slowest indicator needs, a run is warmed up with."""


class SessionsOfAll(dict[str, Sessions]):
    """The sessions of every symbol: those of one calendar."""

    def __init__(self, calendar: str) -> None:
        super().__init__()
        self._of = Sessions(exchange(calendar, "calendar") if calendar else None)

    def get(self, sym: str, default: Any = None) -> Any:
        return self._of


def usual_interval(series: Sequence[Rows]) -> str:
    """Return the most frequent distance of two bars as an interval. Raises SettingsError if there are fewer."""
    steps = np.concatenate([np.diff(rows.time) for rows in series])
    if not len(steps):
        raise SettingsError('interval: one bar has no distance to another; say it, interval="1h"')
    distances, counts = np.unique(steps, return_counts=True)
    seconds = int(distances[counts.argmax()]) / 1e9
    days = seconds / 86_400
    if days.is_integer():
        return "1w" if days == 7 else interval_of(f"{int(days)}d")
    return interval_of(f"{int(seconds)}s" if seconds.is_integer() else f"{round(seconds * 1000)}ms")


def points_of_equity(
    series: Sequence[Rows], begins: int | None, calendar: str, sessions: Mapping[str, Sessions]
) -> int:
    """Return every how many bars equity is a row, so that with session closes it stays under MOST_POINTS rows."""
    bars = sum(len(rows.time) if begins is None else int((rows.time >= begins).sum()) for rows in series)
    held = [rows for rows in series if len(rows.time)]
    if not held:
        return 0
    first = max(min(int(rows.time[0]) for rows in held), begins or 0)
    last = max(int(rows.available[-1]) for rows in held)
    if calendar:
        boundaries = sessions.get("").boundaries()  # type: ignore[union-attr]  # it has one for every symbol
        closes = int(((boundaries[1::2] >= first) & (boundaries[1::2] <= last)).sum())
    else:
        closes = (last - first) // (86_400 * 10**9) + 1
    room = MOST_POINTS - closes - 3
    return -(-bars // room) if room > 0 else 0


def with_warm_up(parts: list[Rows], begins: int, warm_up: int) -> list[Rows]:
    """Leave out what lies further before the start than the run is warmed up with."""
    earliest = begins
    cut: dict[str, Rows] = {}
    for rows in parts:
        if rows.table == "bars":
            at = int(np.searchsorted(rows.time, begins))
            cut[rows.sym] = rows.since(max(at - warm_up, 0), len(rows.time))
            if len(cut[rows.sym].time):
                earliest = min(earliest, int(cut[rows.sym].time[0]))
    found = []
    for rows in parts:
        if rows.table == "bars":
            found.append(cut[rows.sym])
        else:
            found.append(rows.only(rows.time >= earliest))
    return found
