"""Tradier's past: bars of 1, 5 and 15 minutes, of some days. Prints of the past have no numbers, and are not fetched.

https://documentation.tradier.com/brokerage-api/markets/get-timesales. Times go out as New York's clock shows them. A
token may ask 120 times a minute.
"""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from feedhandler.tradier.dialogue import base_of
from feedhandler.tradier.messages import parse_bars
from feedhandler.venue.dialogue import History, Hole, Limit, Page, Request

INTERVALS = {"1m": "1min", "5m": "5min", "15m": "15min"}

_NEW_YORK = ZoneInfo("America/New_York")


class TradierHistory(History):
    """What Tradier has of the past."""

    limit = Limit(10.0, 1.5)

    def request(self, hole: Hole, cursor: Any = None) -> Request | None:
        if hole.table != "bars" or hole.interval not in INTERVALS:
            return None
        query = {"symbol": hole.sym, "interval": INTERVALS[hole.interval], "session_filter": "all"}
        query |= {"start": shown_in_new_york(hole.start), "end": shown_in_new_york(hole.end - 1)}
        headers = {"Authorization": f"Bearer {self.keys[0]}"}
        return Request(f"{base_of(self.settings.rest_url)}/markets/timesales", query, headers)

    def page(self, hole: Hole, body: bytes) -> Page:
        return Page([*parse_bars(body, hole.sym, hole.interval)])


def shown_in_new_york(time_ns: int) -> str:
    """Return a time, UTC ns, as New York's clock shows it, to the minute.

    >>> shown_in_new_york(1_751_376_600_000_000_000)
    '2025-07-01 09:30'
    """
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC).astimezone(_NEW_YORK):%Y-%m-%d %H:%M}"
