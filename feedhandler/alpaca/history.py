"""Alpaca's past: bars, trades and quotes of a symbol by time, a page at a time.

https://docs.alpaca.markets/reference/stockbars. Prices are as they were traded (`adjustment=raw`): so are those of the
socket. An account may ask 200 times a minute. The last 15 minutes of all exchanges need a plan.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from feedhandler.alpaca.messages import parse_page
from feedhandler.alpaca.settings import AlpacaFeedSettings
from feedhandler.venue.dialogue import History, Hole, Limit, Page, Request
from feedhandler.venue.settings import VenueSettings

PAGE_SIZE = 10_000

DELAY_S = 15 * 60.0
"""A plan that is so late on the socket has none of the last minutes of the past either: 403, as for a wrong key."""

_UNITS = {"m": "Min", "h": "Hour", "d": "Day", "w": "Week", "M": "Month"}


class AlpacaHistory(History):
    """What Alpaca has of the past."""

    settings: AlpacaFeedSettings
    limit = Limit(20.0, 3.0)

    def __init__(self, settings: VenueSettings, keys: tuple[str, ...] = ()) -> None:
        super().__init__(settings, keys)
        if self.settings.feed == "delayed_sip":
            self.lag_s = DELAY_S + 5.0  # our clock may be ahead of the venue's

    def request(self, hole: Hole, cursor: Any = None) -> Request | None:
        unit = _UNITS.get(hole.interval[-1:])
        known = hole.table in ("trades", "quotes") or (hole.table == "bars" and unit is not None)
        if not known or self.settings.feed == "test":
            return None
        query = {"start": written(hole.start), "end": written(hole.end - 1), "limit": str(PAGE_SIZE), "sort": "asc"}
        # What is 15 minutes late on the socket is no feed of its own in the past.
        query["feed"] = "sip" if self.settings.feed == "delayed_sip" else self.settings.feed
        if hole.table == "bars":
            query |= {"timeframe": f"{int(hole.interval[:-1])}{unit}", "adjustment": "raw"}
        if cursor is not None:
            query["page_token"] = str(cursor)
        headers = {"APCA-API-KEY-ID": self.keys[0], "APCA-API-SECRET-KEY": self.keys[1]}
        return Request(f"/v2/stocks/{quote(hole.sym, safe='')}/{hole.table}", query, headers)

    def page(self, hole: Hole, body: bytes) -> Page:
        rows, token = parse_page(body, hole.table, hole.sym, hole.interval)
        return Page(rows, token or None)


def written(time_ns: int) -> str:
    """Return a time, UTC ns, as RFC 3339.

    >>> written(1_614_021_344_335_689_322)
    '2021-02-22T19:15:44.335689322Z'
    """
    seconds, rest = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
