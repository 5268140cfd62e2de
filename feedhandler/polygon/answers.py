"""What REST of Polygon, now Massive, answers: pages of bars, trades and quotes as rows; pure functions.

https://massive.com/docs/rest. Times of bars are Unix milliseconds, of trades and quotes nanoseconds; numbers JSON's.

    {"results":[...],"status":"OK","request_id":"...","next_url":"https://api.massive.com/..."}
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from feedhandler.polygon.messages import MS, conditions_of, exact_size, id_of, tape_of
from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import BarRow, QuoteRow, TradeRow
from feedhandler.venue.reading import decoded, moment, number, number_or_nan, quoted, shown, side, whole

_Made = TypeVar("_Made")
_Read = Callable[[Mapping[str, Any]], _Made | None]

_NOT_STANDING = frozenset((7, 8, 10, 11, 12))
"""`correction` of trades that were an error or cancelled later, and of records of that; 1 has what was corrected."""


def parse_page(body: bytes, read: _Read[_Made]) -> tuple[list[_Made], str]:
    """Read a page, each row by `read`; and path and query of the next, "" if it is the last. Raises Unreadable.

    Of its address the host is left out: the key goes where plant.toml says, and nowhere else.
    """
    page = decoded(body)
    if not isinstance(page, dict):
        raise Unreadable(f'expected {{"results": [...]}}, found {quoted(body)}')
    rows = page.get("results") or []
    if page.get("status") not in ("OK", "DELAYED") or not isinstance(rows, list):
        raise Unreadable(f"expected results, found {page.get('error') or page.get('message') or quoted(body)}")
    made = [read(_row(row)) for row in rows]
    following = urlsplit(str(page.get("next_url") or ""))
    return [row for row in made if row is not None], f"{following.path}?{following.query}" if following.path else ""


def bar_of(sym: str, interval: str) -> _Read[BarRow]:
    """Return what reads a row of /v2/aggs: {"t":1610144640000,"o":..,"h":..,"l":..,"c":..,"v":..,"vw":..,"n":..}."""

    def read(row: Mapping[str, Any]) -> BarRow:
        open_, high, low, close = (number(row, key, "aggs") for key in "ohlc")
        volume = 0.0 if sym.startswith("I:") and "v" not in row else number(row, "v", "aggs")
        vwap, trades = number_or_nan(row, "vw", "aggs"), number_or_nan(row, "n", "aggs")
        return BarRow(moment(row, "t", "aggs", MS), sym, interval, open_, high, low, close, volume, vwap, trades)

    return read


def trade_of(sym: str, of_stocks: bool) -> _Read[TradeRow]:
    """Return what reads a row of /v3/trades, with the time of the SIP as on the socket; None: it does not stand.

    {"conditions":[12,37],"exchange":11,"id":"183276","participant_timestamp":..,"price":156.43,
     "sequence_number":7179341,"sip_timestamp":1651181822461979400,"size":10,"tape":3}
    """

    def read(row: Mapping[str, Any]) -> TradeRow | None:
        if isinstance(correction := row.get("correction"), int) and correction in _NOT_STANDING:
            return None
        return TradeRow(
            _time(row, "trades"),
            sym,
            number(row, "price", "trades"),
            exact_size(row, "size", "decimal_size", "trades"),
            id_of(row, "id", "trades"),
            conditions_of(row.get("conditions"), "trades.conditions") if of_stocks else "",
            tape_of(row.get("tape")),
            id_of(row, "exchange", "trades"),
            _seq(row, "trades"),
        )

    return read


def quote_of(sym: str) -> _Read[QuoteRow]:
    """Return what reads a row of /v3/quotes likewise: bid_price, bid_size, ask_price, ask_size."""

    def read(row: Mapping[str, Any]) -> QuoteRow:
        bid, ask = side(row, "bid_price", "quotes"), side(row, "ask_price", "quotes")
        bid_size, ask_size = number_or_nan(row, "bid_size", "quotes"), number_or_nan(row, "ask_size", "quotes")
        return QuoteRow(_time(row, "quotes"), sym, bid, ask, bid_size, ask_size)

    return read


def _time(row: Mapping[str, Any], what: str) -> int:
    return moment(row, "sip_timestamp" if "sip_timestamp" in row else "participant_timestamp", what, 1)


def _seq(row: Mapping[str, Any], what: str) -> int:
    return whole(row, "sequence_number", what) if "sequence_number" in row else 0


def _row(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise Unreadable(f"expected a row, found {shown(found)}")
    return found
