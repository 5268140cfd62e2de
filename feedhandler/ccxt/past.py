"""The past of an exchange by CCXT's client, for `plant backfill`: pages from a time on, as far back as it goes.

What an exchange gives for a time it does not go back to is its own: nothing, or its newest rows, of which CCXT's client
leaves out those that are older than what was asked for. So a first page that begins behind that time is looked at: the
oldest trade alone has to be the same one; and either the page ends before the exchange's newest rows begin, or the
exchange has older ones. Where neither is so, that is told with the rows.
"""

import time
from collections.abc import Callable
from typing import Any

from feedhandler.ccxt.rows import MS, bars_of, trades_of
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.events import BarRow, Malformed, Row, TradeRow
from feedhandler.venue.settings import VenueSettings
from plant.progress import Progress, quietly
from plant.rows.intervals import interval_ns

PAGE = 1_000
MOST_TRIES = 4
RETRY_S = 2.0
"""Pause before the second try; each further one is twice as long."""

BACK_MS = (3_600_000, 86_400_000, 30 * 86_400_000)
"""So much before the time that is asked for an exchange is looked at for older rows."""

_HAS = {"trades": "fetchTrades", "bars": "fetchOHLCV"}


class CcxtPast:
    """A `Fetching` (feedhandler/backfilling.py) of one exchange.

    make      makes CCXT's exchange, the client that waits for its answers
    passing   CCXT's errors that pass by themselves
    """

    def __init__(self, settings: VenueSettings, make: Callable[[], Any], passing: tuple[type[Exception], ...]) -> None:
        self.settings = settings
        self._make, self._passing = make, passing
        self._exchange: Any = None

    def has(self, hole: Hole) -> bool:
        """Return whether the exchange has a past of such rows."""
        return bool(self._client().has.get(_HAS.get(hole.table, "")))

    def fetch(
        self, hole: Hole, progress: Progress = quietly, sleep: Callable[[float], None] = time.sleep
    ) -> tuple[list[Row], str]:
        """Return the rows of a hole, and why some are missing, "" if none are."""
        rows: dict[object, Row] = {}
        since_ms = -(-hole.start // MS)
        bad, asked = "", False
        while True:
            page, trouble = self._page(hole, since_ms, PAGE, sleep)
            if trouble:
                return [*rows.values()], trouble
            bad = bad or next((row.reason for row in page if isinstance(row, Malformed)), "")
            read = [row for row in page if isinstance(row, TradeRow | BarRow)]
            if not asked and read:
                asked = True
                trouble, doubt = self._not_so_far(hole, since_ms, read, sleep)
                if trouble:
                    return [], trouble
                bad = bad or doubt
            before = len(rows)
            rows |= {_key(row): row for row in read if _within(hole, row)}
            progress(len(rows), None)
            newest_ms = max((row.time // MS for row in read), default=since_ms)
            if newest_ms * MS >= hole.end or (len(rows) == before and newest_ms <= since_ms):
                return sorted(rows.values(), key=_time), bad
            since_ms = newest_ms if newest_ms > since_ms else since_ms + 1

    def close(self) -> None:
        """Nothing is left open: each request has a connection of its own, or one that nobody holds."""
        self._exchange = None

    def _client(self) -> Any:
        if self._exchange is None:
            self._exchange = self._make()
        return self._exchange

    def _page(
        self, hole: Hole, since_ms: int | None, limit: int, sleep: Callable[[float], None]
    ) -> tuple[list[Row | Malformed], str]:
        for tries in range(MOST_TRIES):
            try:
                client = self._client()
                if hole.table == "trades":
                    return trades_of(client.fetch_trades(hole.sym, since_ms, limit), hole.sym), ""
                bars = client.fetch_ohlcv(hole.sym, hole.interval, since_ms, limit)
                return bars_of(bars, hole.sym, hole.interval), ""
            except self._passing as error:
                trouble = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
                if tries + 1 < MOST_TRIES:
                    sleep(RETRY_S * 2**tries)
            except Exception as error:  # an unknown symbol, or a mistake of the library's: no try helps
                return [], f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return [], trouble

    def _not_so_far(
        self, hole: Hole, since_ms: int, read: list[TradeRow | BarRow], sleep: Callable[[float], None]
    ) -> tuple[str, str]:
        """Return why the first page is not what was asked for, and why it may not be, "" if it is."""
        oldest, newest = min(row.time for row in read), max(row.time for row in read)
        if oldest // MS <= since_ms:
            return "", ""
        if hole.table == "trades":
            alone, trouble = self._times(hole, since_ms, 1, sleep)
            if trouble or (alone and min(alone) != oldest):
                return trouble or "the exchange gives its newest trades alone, whatever time is asked for", ""
        present, trouble = self._times(hole, None, PAGE, sleep)
        if trouble or (present and newest < min(present)):
            return trouble, ""
        for back_ms in BACK_MS:
            older, trouble = self._times(hole, max(since_ms - back_ms, 1), PAGE, sleep)
            if trouble or (older and min(older) < oldest):
                return trouble, ""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(oldest // 10**9))
        return "", f"the exchange has nothing older than {since} UTC, which may be the oldest there is, or all it gives"

    def _times(
        self, hole: Hole, since_ms: int | None, limit: int, sleep: Callable[[float], None]
    ) -> tuple[list[int], str]:
        page, trouble = self._page(hole, since_ms, limit, sleep)
        return [row.time for row in page if isinstance(row, TradeRow | BarRow)], trouble


def _key(row: TradeRow | BarRow) -> object:
    if isinstance(row, BarRow):
        return row.time
    return row.trade_id or (row.time, row.price, row.size)


def _time(row: Row) -> int:
    return row.time if isinstance(row, TradeRow | BarRow) else 0


def _within(hole: Hole, row: TradeRow | BarRow) -> bool:
    if isinstance(row, BarRow):
        return hole.start <= row.time and row.time + interval_ns(row.interval) <= hole.end
    return hole.start <= row.time < hole.end
