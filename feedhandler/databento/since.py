"""Which rows of the first replay of a run the plant has already: pure.

The gateway replays a schema from one time on, for all symbols: the oldest of their newest rows. A symbol that the plant
has nothing of begins with this run.
"""

from collections import Counter
from collections.abc import Mapping

from feedhandler.past.catching_up import Held, Series
from feedhandler.venue.events import BarRow, Row, TradeRow
from feedhandler.venue.seam import key_of


class Since:
    """`held` by the venue's symbols; `begun_ns`: when this run began, UTC ns."""

    def __init__(self, held: Mapping[Series, Held], begun_ns: int) -> None:
        self._held, self._begun_ns = held, begun_ns
        self._known = {series: Counter(one.known) for series, one in held.items()}

    def newest(self, table: str) -> int:
        """Return from when on a table is to be replayed, UTC ns, 0 if the plant has nothing of it."""
        return min((one.time for series, one in self._held.items() if series[0] == table), default=0)

    def is_new(self, row: Row) -> bool:
        """Return whether the plant lacks a row, once for each that it has."""
        if isinstance(row, TradeRow):
            series, key = ("trades", row.sym, ""), key_of(row, False)
        elif isinstance(row, BarRow):
            series, key = ("bars", row.sym, row.interval), row[:1] + row[3:8]
        else:
            return True
        held = self._held.get(series)
        if held is None or row.time < held.since:
            return held is None and row.time >= self._begun_ns
        known = self._known[series]
        known[key] -= 1
        return known[key] < 0
