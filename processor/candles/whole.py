"""Bars of many rows at once: what the live builder comes to, computed plainly, and what is made on request only.

`1w` and `1M` and multiples of 1m that are not stored are made here, and bars of empty intervals (`filled`).
"""

from collections.abc import Sequence

import numpy as np

from plant.calendars.sessions import CLOSED, NO_BAR, Sessions
from plant.rows.columns import Columns, taken
from plant.rows.ordering import group_starts
from processor.candles.sums import sums_of, values_from, with_prints
from processor.trades.conditions import ALL
from processor.trades.counting import Counting, Print
from processor.trades.folding import MINUTE_NS, PLACE_BITS, Trades, fold, values
from processor.trades.slots import Slots

Bars = tuple[np.ndarray, np.ndarray]
"""Starts (ns UTC, int64[k], ascending) and values (float64[k, 7], in the order of VALUES)."""


def minutes_of(rows: Columns, slots: Slots) -> tuple[Bars, list[Print]]:
    """Return the 1m bars of trades of one symbol and source, and those after the close that set a day's close.

    `rows` are columns of `trades` with seq and seq_row, in any order, less what was cancelled.
    """
    counting = Counting(slots)
    of = slots.of(rows)
    place = rows["seq"] << PLACE_BITS | rows["seq_row"]
    trades = Trades(of, rows["time"], rows["venue_seq"], place, rows["price"], rows["size"], counting.flags(of, rows))
    prints = counting.prints(trades)
    trades = trades[(trades.flags & ALL) > 0]
    _, starts, folds = fold(trades, trades.time // MINUTE_NS * MINUTE_NS)
    found, there = values(folds)
    return (starts[there], found[there]), prints


def larger_of(bars: Bars, interval: str, sessions: Sessions, prints: Sequence[Print] = (), days: bool = False) -> Bars:
    """Return the bars of an interval of 1m bars; of 1w and 1M the `prints` are those of all their days.

    `days`: they are made of 1d bars instead, which have their prints. Raises ValueError for an interval that is none of
    minutes, hours, 1d, 1w, 1M.
    """
    if interval in ("1w", "1M"):
        labels, found = bars if days else larger_of(bars, "1d", sessions, prints)
        within = sessions.ends(labels, "1d") - 1
        return _grouped(sessions.starts(within, interval), sums_of(found))
    starts, found = _grouped(sessions.starts(bars[0], interval), sums_of(bars[1]))
    if interval == "1d" and prints:
        sums = sums_of(found)
        for at, start in enumerate(starts.tolist()):
            if mine := [each for each in prints if each.label == start]:
                sums[at] = with_prints(sums[at], mine)
        found = values_from(sums)
    return starts, found


def filled(bars: Bars, interval: str, sessions: Sessions) -> Bars:
    """Return bars with those of empty intervals between them, of all sessions: at the close before, volume 0."""
    starts, found = bars
    if not len(starts):
        return bars
    if interval in ("1d", "1w", "1M"):
        step = 3600 * 10**9
        kept = sessions.starts(np.arange(starts[0], sessions.ends(starts[-1:], interval)[0], step), interval)
    else:
        times = np.arange(starts[0], starts[-1] + 1, MINUTE_NS)
        kept = sessions.starts(times[sessions.kinds(times) != CLOSED], interval)
    every = np.union1d(kept[kept != NO_BAR], starts)
    at = np.searchsorted(starts, every, side="right") - 1
    result = found[at]
    empty = starts[at] != every
    result[empty] = np.repeat(found[at[empty], 3:4], found.shape[1], axis=1)
    result[empty, 4:] = (0.0, np.nan, 0.0)
    return every, result


def of_source(rows: Columns, source: str) -> Columns:
    """Return the rows of one source."""
    return taken(rows, rows["source"] == source)


def _grouped(starts: np.ndarray, sums: np.ndarray) -> Bars:
    kept = starts != NO_BAR
    starts, sums = starts[kept], sums[kept]
    if not len(starts):
        return starts, sums
    new = group_starts(starts)
    last = np.append(new[1:], len(starts)) - 1
    of = np.repeat(np.arange(len(new)), np.diff(new, append=len(starts)))
    columns = [
        sums[new, 0], np.maximum.reduceat(sums[:, 1], new), np.minimum.reduceat(sums[:, 2], new), sums[last, 3],
        *(np.bincount(of, weights=sums[:, i]) for i in (4, 5, 6)),
    ]  # fmt: skip
    return starts[new], values_from(np.stack(columns, axis=1))
