"""What CCXT gives as rows; pure functions. Its numbers are floats that it made of the venue's own texts.

https://docs.ccxt.com. A bar is [start in ms, open, high, low, close, volume]; whether it is closed is not told, so that
each is a revision until a later one comes. What lacks a price, a size or a time is left out and counted.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from feedhandler.instruments import instrument_row
from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import BarRow, Malformed, OtherRow, QuoteRow, Row, TradeRow
from feedhandler.venue.reading import moment, number, number_or_nan, shown, side

MS = 10**6
_PLACES, _STEPS = 2, 4  # CCXT's DECIMAL_PLACES and TICK_SIZE


def bars_of(rows: Iterable[Sequence[Any]], sym: str, interval: str) -> list[Row | Malformed]:
    """Return the bars of a symbol.

    >>> bars_of([[1672515780000, 1, 3, 0.5, 2, 10]], "BTC/USDT", "1m")[0][:8]
    (1672515780000000000, 'BTC/USDT', '1m', 1.0, 3.0, 0.5, 2.0, 10.0)
    """

    def bar(row: Any) -> Row:
        if not isinstance(row, Sequence) or len(row) < 6:
            raise Unreadable(f"expected a bar of six numbers, found {shown(row)}")
        named = dict(zip("tohlcv", row, strict=False))
        open_, high, low, close, volume = (number(named, key, "bar") for key in "ohlcv")
        return BarRow(moment(named, "t", "bar", MS), sym, interval, open_, high, low, close, volume)

    return [_read(bar, row) for row in rows]


def trades_of(trades: Iterable[Mapping[str, Any]], sym: str) -> list[Row | Malformed]:
    """Return the trades of a symbol, oldest first as they come."""

    def trade(row: Mapping[str, Any]) -> Row:
        price, size = number(row, "price", "trade"), number(row, "amount", "trade")
        return TradeRow(moment(row, "timestamp", "trade", MS), sym, price, size, str(row.get("id") or ""))

    return [_read(trade, row) for row in trades]


def quote_of(ticker: Mapping[str, Any], sym: str, received_ns: int) -> list[Row | Malformed]:
    """Return the best bid and ask of a ticker; without a time of its own it has that of its receipt (UTC ns).

    Many tickers have no bid and ask; of those nothing comes.
    """

    def quote(row: Mapping[str, Any]) -> Row:
        time = moment(row, "timestamp", "ticker", MS) if row.get("timestamp") else received_ns
        sizes = number_or_nan(row, "bidVolume", "ticker"), number_or_nan(row, "askVolume", "ticker")
        return QuoteRow(time, sym, side(row, "bid", "ticker"), side(row, "ask", "ticker"), *sizes)

    found = _read(quote, ticker)
    nothing = isinstance(found, QuoteRow) and math.isnan(found.bid) and math.isnan(found.ask)
    return [] if nothing else [found]


def instrument_of(market: Mapping[str, Any], precision_mode: int) -> OtherRow | None:
    """Return a market as a row of `instruments`; None if its steps are not told in a way that is understood.

    precision_mode: of the exchange; 2: steps are told as decimal places, 4: as they are.
    """
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    tick, lot = (_step(precision.get(name), precision_mode) for name in ("price", "amount"))
    if not (tick > 0 and lot > 0):
        return None
    least = (limits.get("cost") or {}).get("min")
    size, least = float(market.get("contractSize") or 1.0), float(least) if least else math.nan
    row = instrument_row(market["symbol"], str(market.get("quote") or ""), "crypto", tick, lot, size, least)
    return OtherRow("instruments", row)


def _step(found: Any, precision_mode: int) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or precision_mode not in (_PLACES, _STEPS):
        return 0.0
    return float(f"1e-{int(found)}") if precision_mode == _PLACES else float(found)


def _read(read: Any, row: Any) -> Row | Malformed:
    try:
        found: Row = read(row)
        return found
    except (Unreadable, AttributeError) as error:
        return Malformed(str(error))
