"""What an exchange's REST has from a row on that is known, page by page, and whether all of it came: pure.

Not every exchange heeds the time that is asked for: some give their newest trades whatever it is, and CCXT's client
leaves out those that are older than what was asked for, so that the answer looks as if it began there. So each page is
asked for from a little before a row that the exchange is known to have: a page that begins behind that row is not what
followed on it.
"""

from collections import Counter
from collections.abc import Sequence

from feedhandler.ccxt.rows import MS
from feedhandler.venue.events import BarRow, Malformed, Row, TradeRow

BACK_MS = 1_000
"""So much before the known row: some exchanges write times of REST to the second, some give only what is younger."""

MOST_PAGES = 200

SHORT = 20
"""A page of fewer rows has all there is; a longer one may be cut, and have nothing behind the known row for that."""


class Following:
    """Ask for a page from `since_ms` on, until `take` says that it is over; `rows` came, `missing` says what did not.

    known_ms   time of a row that the exchange has; known_id: its id, "": it has none, or is not known
    until_ms   time of the row that came after what is asked for, None: all there is by now
    until_id   its id; an exchange that has other ids in its past is matched by time, to the second if it writes that
    back_ms    more if it is not known that there is a row at `known_ms`
    """

    def __init__(
        self, known_ms: int, known_id: str = "", until_ms: int | None = None, until_id: str = "", back_ms: int = BACK_MS
    ) -> None:
        self.since_ms = known_ms - back_ms
        self.rows: list[Row | Malformed] = []
        self.missing = ""
        self.lags = False  # what is missing may be there in a moment
        self._known_ms, self._known_id = known_ms, known_id
        self._until_ms, self._until_id = until_ms, until_id
        self._pages = self._longest = 0
        self._before: Counter[object] = Counter()

    def take(self, page: Sequence[Row | Malformed]) -> bool:
        """Take an answer; return whether nothing more is to be asked for."""
        self._pages += 1
        times = [row.time // MS for row in page if isinstance(row, TradeRow | BarRow)]
        full, self._longest = len(page) >= max(self._longest, SHORT), max(self._longest, len(page))
        self._add(page)
        if not times and self._until_ms is None:
            return True  # what is known is not there either: the next answer will tell
        if not times or min(times) > self._known_ms:
            self.missing = "the exchange does not give what followed on the newest row, whatever time is asked for"
            return True
        newest_ms = max(times)
        if self._until_ms is not None and newest_ms >= self._until_ms:
            return True
        since_ms = next((newest_ms - back for back in (BACK_MS, 1, 0) if newest_ms - back > self.since_ms), None)
        if (newest_ms <= self._known_ms and not full) or since_ms is None:
            if self._until_ms is not None and not self._reached(newest_ms):
                self.missing, self.lags = f"the exchange's past ends {self._until_ms - newest_ms:,} ms before", True
            return True
        if self._pages >= MOST_PAGES:
            self.missing = f"there are more than {MOST_PAGES} pages of it"
            return True
        self._known_ms, self.since_ms = newest_ms, since_ms
        return False

    def _reached(self, newest_ms: int) -> bool:
        """Return whether the past goes as far as the row that came after; of bars only the whole ones may be there."""
        assert self._until_ms is not None
        trades = [row for row in self.rows if isinstance(row, TradeRow)]
        ids = {row.trade_id for row in trades}
        if not ids:
            return True
        if self._until_id and self._known_id in ids:
            return self._until_id in ids
        to_the_second = all(row.time // MS % 1_000 == 0 for row in trades)
        return newest_ms >= self._until_ms - (BACK_MS if to_the_second else 0)

    def _add(self, page: Sequence[Row | Malformed]) -> None:
        """Add what the page before had not: both have what is near their seam, each row as often as there are such."""
        there, self._before = self._before, Counter(map(_key, page))
        for row in page:
            if there[_key(row)] > 0:
                there[_key(row)] -= 1
            else:
                self.rows.append(row)


def _key(row: Row | Malformed) -> object:
    return row[:8] if isinstance(row, BarRow) else row[:5] if isinstance(row, TradeRow) else row
