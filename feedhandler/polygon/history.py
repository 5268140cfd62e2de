"""The past of Polygon, now Massive: bars, trades and quotes by time, a page at a time.

https://massive.com/docs/rest. The key is a header of each request. Prices are as they were traded, not adjusted for
splits: so are those of the socket. Of futures nothing is fetched: their past has other addresses, and trades in it have
neither ids nor the socket's unit of prices. A plan without a limit of requests is the rule; a free one has five a
minute, and is told so by 429.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from feedhandler.polygon.answers import bar_of, parse_page, quote_of, trade_of
from feedhandler.polygon.messages import MS
from feedhandler.polygon.settings import CODES, PolygonFeedSettings
from feedhandler.venue.dialogue import History, Hole, Limit, Page, Request
from feedhandler.venue.events import Row

PAGE_SIZE = 50_000

_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "M": "month"}


class PolygonHistory(History):
    """What Massive has of the past, as far as the plan reaches."""

    settings: PolygonFeedSettings
    limit = Limit(5.0, 5.0)

    def request(self, hole: Hole, cursor: Any = None) -> Request | None:
        if cursor is not None:
            parts = urlsplit(str(cursor))
            return self._get(parts.path, dict(parse_qsl(parts.query)))
        if self.settings.cluster == "futures":
            return None
        if hole.table == "bars":
            span = (
                f"{int(hole.interval[:-1])}/{_UNITS[hole.interval[-1]]}/{-(-hole.start // MS)}/{(hole.end - 1) // MS}"
            )
            terms = {"adjusted": "false", "sort": "asc", "limit": str(PAGE_SIZE)}
            return self._get(f"/v2/aggs/ticker/{self._ticker(hole.sym, '')}/range/{span}", terms)
        if hole.table not in CODES.get(self.settings.cluster, CODES[""]):
            return None
        terms = {"timestamp.gte": str(hole.start), "timestamp.lt": str(hole.end), "order": "asc", "sort": "timestamp"}
        return self._get(f"/v3/{hole.table}/{self._ticker(hole.sym, '-')}", terms | {"limit": str(PAGE_SIZE)})

    def page(self, hole: Hole, body: bytes) -> Page:
        rows: list[Row] = []
        if hole.table == "bars":
            bars, following = parse_page(body, bar_of(hole.sym, hole.interval))
            rows += bars
        elif hole.table == "trades":
            of_stocks = self.settings.cluster == "stocks"
            trades, following = parse_page(body, trade_of(hole.sym, of_stocks))
            rows += trades
        else:
            quotes, following = parse_page(body, quote_of(hole.sym))
            rows += quotes
        return Page(rows, following or None)

    def _ticker(self, sym: str, between: str) -> str:
        """Return what REST calls a symbol: of BTC-USD X:BTCUSD, or X:BTC-USD where a dash is kept."""
        prefix = {"crypto": "X:", "forex": "C:"}.get(self.settings.cluster, "")
        if prefix:
            sym = prefix + sym.replace("/", "-").replace("-", between)
        return quote(sym, safe=":-")

    def _get(self, path: str, query: Mapping[str, str]) -> Request:
        return Request(path, dict(query), {"Authorization": f"Bearer {self.keys[0]}"})
