"""A feed's own bars of a day, compared with the bars that are made of its trades."""

from dataclasses import dataclass

import numpy as np

from plant.calendars.assignment import Calendars
from plant.errors import QueryError
from plant.rows.columns import Columns, taken
from plant.rows.intervals import interval_name
from plant.rows.tables_candles import BUILT
from processor.candles.rows import values_of
from processor.candles.whole import larger_of, minutes_of, of_source
from processor.trades.corrections import corrected
from processor.trades.folding import VALUES
from processor.trades.slots import Slots

TOLERANCE = 1e-9
"""Values that differ by less, relative to themselves, are the same: venues round."""


@dataclass(frozen=True)
class Compared:
    """One source's bars of one interval: how many there are in all, how many differ, and the first of those."""

    source: str
    interval: str
    bars: int
    different: int
    first: str


def compare(
    trades: Columns, corrections: Columns, bars: Columns, calendars: Calendars, start: int, end: int
) -> list[Compared]:
    """Return how the bars of each source that sent both trades and bars agree, by interval, from start to end (ns).

    Columns of one symbol with seq and seq_row: `trades` and `trade_corrections` from `start` on and long enough for the
    last of the bars.
    """
    found = []
    sent = {*trades["source"].tolist()} & {*bars["source"].tolist()}
    for source in sorted(each for each in sent if not each.startswith(BUILT)):
        left = corrected(of_source(trades, source), of_source(corrections, source)).trades
        slots = Slots(calendars)
        minutes, prints = minutes_of(left, slots)
        own = of_source(bars, source)
        sessions = calendars.sessions(calendars.code(own["sym"].tolist()[0], source))
        for name in sorted({*own["interval"].tolist()}):
            mine = taken(own, own["interval"] == name)
            order = np.argsort(mine["time"])
            theirs = (mine["time"][order], values_of(mine)[order])
            try:
                made = larger_of(minutes, interval_name(name), sessions, prints)
            except (QueryError, ValueError) as error:
                found.append(Compared(source, name, len(order), len(order), f"cannot be made of 1m bars: {error}"))
                continue
            within = (made[0] >= start) & (made[0] < end)
            found.append(_compared(source, name, theirs, (made[0][within], made[1][within])))
    return found


def _compared(
    source: str, interval: str, theirs: tuple[np.ndarray, np.ndarray], made: tuple[np.ndarray, np.ndarray]
) -> Compared:
    every = np.union1d(theirs[0], made[0])
    at_theirs, at_made = np.isin(every, theirs[0]), np.isin(every, made[0])
    both = at_theirs & at_made
    one = theirs[1][np.searchsorted(theirs[0], every[both])]
    other = made[1][np.searchsorted(made[0], every[both])]
    with np.errstate(invalid="ignore"):
        wrong = np.abs(one - other) > TOLERANCE * np.maximum(np.abs(one), np.abs(other))
    wrong[:, 5:] &= ~np.isnan(one[:, 5:])  # what the feed does not tell
    different = ~both
    different[both] = wrong.any(axis=1)
    first = ""
    if different.any():
        row = int(np.flatnonzero(different)[0])
        when = np.datetime64(int(every[row]), "ns").astype("M8[s]")
        first = f"{when}Z: {'no bar of the feed' if at_made[row] else 'no bar of trades'}"
        if both[row]:
            k = int(both[:row].sum())
            pairs = [f"{VALUES[i]} {one[k, i]:g}, of trades {other[k, i]:g}" for i in np.flatnonzero(wrong[k]).tolist()]
            first = f"{when}Z: {'; '.join(pairs)}"
    return Compared(source, interval, len(every), int(different.sum()), first)
