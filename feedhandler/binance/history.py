"""Binance's past by REST: klines by time, trades by number, instruments, its clock; no key.

https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md. A `rest_url` without a path means /api/v3; of
the futures it is written out, https://fapi.binance.com/fapi/v1. Weights are Binance's own: 6,000 a minute an address at
spot, 2,400 at the futures, 1,200 at Binance.US.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from feedhandler.binance.messages import (
    parse_aggregated,
    parse_instruments,
    parse_klines,
    parse_time,
    parse_trades,
)
from feedhandler.binance.settings import BinanceFeedSettings
from feedhandler.venue.dialogue import History, Hole, Limit, Page, Request
from feedhandler.venue.events import OtherRow, Row
from feedhandler.venue.settings import VenueSettings

PAGE_SIZE = 1_000
HOSTS_OF_SPOT = frozenset(("api.binance.com", "data-api.binance.vision", *(f"api{n}.binance.com" for n in range(1, 5))))
"""Those with the large limit; a sister venue, or a proxy of one, has a smaller one."""

MS = 10**6


class BinanceHistory(History):
    """What Binance has of the past: bars, and trades of any number."""

    settings: BinanceFeedSettings
    limit = Limit(300.0, 50.0)
    """Half of what the venue allows: others may use the address, the orders of an account for instance."""

    def __init__(self, settings: VenueSettings, keys: tuple[str, ...] = ()) -> None:
        super().__init__(settings, keys)
        if not self._base or urlsplit(settings.rest_url).hostname not in HOSTS_OF_SPOT:
            self.limit = Limit(60.0, 10.0)

    def request(self, hole: Hole, cursor: Any = None) -> Request | None:
        if hole.table == "bars":
            start_ms = -(-hole.start // MS) if cursor is None else int(cursor)
            terms = {"interval": hole.interval, "startTime": start_ms, "endTime": (hole.end - 1) // MS}
            return self._get("klines", 2.0, hole.sym, PAGE_SIZE, **terms)
        if hole.table != "trades":
            return None
        first = hole.first if cursor is None else int(cursor)
        if first:
            name, weight = ("aggTrades", 4.0) if self._aggregated else ("historicalTrades", 25.0)
            return self._get(name, weight, hole.sym, PAGE_SIZE, fromId=first)
        # Only aggregated trades can be asked for by time; the first of them names the first trade.
        limit = PAGE_SIZE if self._aggregated else 1
        return self._get("aggTrades", 4.0, hole.sym, limit, startTime=-(-hole.start // MS))

    def page(self, hole: Hole, body: bytes) -> Page:
        # A page that is not full is not the last by that: a sister venue may give fewer rows than are asked for.
        if hole.table == "bars":
            bars, last_ns = parse_klines(body, hole.sym, hole.interval, hole.end)
            return Page([*bars], last_ns // MS + 1 if bars and last_ns + MS < hole.end else None)
        if self._aggregated:
            trades = parse_aggregated(body, hole.sym)
        else:
            trades, first = parse_trades(body, hole.sym)
            if first:
                return Page([], first)
        if not trades:
            return Page([])
        last = trades[-1]
        done = last.venue_seq >= hole.last if hole.first else last.time >= hole.end
        return Page([*trades], None if done else last.venue_seq + 1)

    def recorded(self, url: str, body: bytes, received_ns: int) -> Iterable[Row]:
        parts = urlsplit(url)
        query, name = dict(parse_qsl(parts.query)), parts.path.rpartition("/")[2]
        sym = query.get("symbol", "")
        if name == "klines":
            return parse_klines(body, sym, query.get("interval", ""), received_ns)[0]
        if name == "aggTrades":
            return parse_aggregated(body, sym) if self._aggregated else []
        if name in ("trades", "historicalTrades"):
            return [] if self._aggregated else parse_trades(body, sym)[0]
        if name == "exchangeInfo":
            return [OtherRow("instruments", {"time": received_ns, **row}) for row in parse_instruments(body, None)]
        return []  # order books, tickers, the time: there is no table for them

    def instruments(self, symbols: Sequence[str]) -> Request | None:
        # A symbol that is not known refuses the whole list; so all are asked for, which weighs no more.
        # Of spot the lists of permissions would be most of the answer.
        query = {"showPermissionSets": "false"} if self._base else {}
        return Request(f"{self._base}/exchangeInfo", query, weight=20.0)

    def instrument_rows(self, symbols: Sequence[str], body: bytes) -> list[dict[str, Any]]:
        return parse_instruments(body, symbols)

    def clock(self) -> Request | None:
        return Request(f"{self._base}/time")

    def clock_ns(self, body: bytes) -> int:
        return parse_time(body)

    @property
    def _aggregated(self) -> bool:
        return "aggTrades" in self.settings.channels

    @property
    def _base(self) -> str:
        return "" if urlsplit(self.settings.rest_url).path.strip("/") else "/api/v3"

    def _get(self, name: str, weight: float, sym: str, limit: int, **terms: object) -> Request:
        query = {"symbol": sym, **{key: str(value) for key, value in terms.items()}, "limit": str(limit)}
        return Request(f"{self._base}/{name}", query, weight=weight)
