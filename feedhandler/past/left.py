"""Holes that earlier runs of a feed told and left: a fold of its rows of `gaps`. Pure.

A hole is over when it was healed, or lost with the word that `plant backfill` has it: it is not asked for any more. Of
those that were only opened the next start fetches what came since the newest row (catching_up.py); but a hole of an
earlier start is behind rows that came since, and is left as well.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from feedhandler.past.catching_up import Series
from feedhandler.past.later import BY_BACKFILL, SINCE_NEWEST
from feedhandler.venue.dialogue import Hole

TIMES_FROM = 10**17
"""`first` of a hole is a time, UTC ns, from here on (1973), and below it the venue's number of a trade."""

COLUMNS = ("seq", "seq_row", "table_name", "first", "last", "state", "detail")


class Left(NamedTuple):
    """A hole, and what the plant has that may be in it: `known` and `numbers` as in `Held`."""

    hole: Hole
    known: tuple[object, ...] = ()
    numbers: tuple[int, ...] = ()


def left_of(gaps: Iterable[Mapping[str, Any]], wanted: Iterable[Series]) -> list[Hole]:
    """Return what is left of the rows of `gaps` of one feed, oldest first; `wanted`: series by the venue's symbols."""
    series = {" ".join((sym, interval)).strip(): (sym, interval) for _, sym, interval in wanted}
    tables = {(table, sym, interval) for table, sym, interval in wanted}
    left: dict[Hole, None] = {}
    for row in sorted(gaps, key=lambda row: (row["seq"], row["seq_row"])):
        table, first, last = row["table_name"], row["first"], row["last"]
        name, _, detail = row["detail"].partition(": ")
        sym, interval = series.get(name, ("", ""))
        if (table, sym, interval) not in tables or first > last:
            continue
        span = (first, last) if first >= TIMES_FROM else (0, 0, first, last)
        hole = Hole(table, sym, interval, *span)
        left.pop(hole, None)
        if (row["state"] == "opened" and detail == SINCE_NEWEST) or (
            row["state"] == "lost" and BY_BACKFILL not in detail
        ):
            left[hole] = None
    return [*left]
