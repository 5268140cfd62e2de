"""Binance's stream messages and REST answers as pure functions: text in, rows out. No socket in sight.

https://github.com/binance/binance-spot-api-docs: web-socket-streams.md, rest-api.md. A frame comes raw, or wrapped as
{"stream":"btcusdt@trade","data":{...}}; prices and sizes are texts. The sister venues (Binance.US and TR, USD-M and
COIN-M futures) send the same with small differences, each of which is named where it is read.

Traps: a kline comes again and again while it forms (`x` false), and each is a revision. `bookTicker` has no time on
spot, so that a quote's time is when it was received. `m` (the buyer was the maker) has no column: `conditions` of
`trades` are those of US tapes. Symbols are upper case in payloads and lower case in the names of streams, and a stream
that does not exist is acknowledged and stays silent.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from feedhandler.instruments import instrument_row
from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import NAN, Alive, BarRow, Ended, Event, Malformed, QuoteRow, Skipped, TradeRow
from feedhandler.venue.reading import decoded, number, quoted, shown, side, text_of, whole

_Made = TypeVar("_Made")

INTERVALS = (
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
)  # fmt: skip
"""The lengths of klines; the plant's names of intervals are the same."""

_WITHOUT_A_TABLE = frozenset(
    (
        "depthUpdate", "24hrTicker", "24hrMiniTicker", "1hTicker", "4hTicker", "1dTicker", "avgPrice", "referencePrice",
        "blockTrade", "markPriceUpdate", "forceOrder", "indexPriceUpdate", "indexPrice_kline", "markPrice_kline",
        "continuous_kline", "contractInfo", "compositeIndex", "assetIndexUpdate", "tradingSession",
    )
)  # fmt: skip
"""Events that are no trade of the market, no best bid and ask and no kline of a symbol."""

_MICROSECONDS_FROM = 10**14
"""A time from here on counts microseconds (?timeUnit=MICROSECOND): as milliseconds it would be the year 5138."""

_INVERSE = re.compile(r"[A-Z0-9]+USD_(?:PERP|\d{6})")
"""Symbols of COIN-M futures: volume counts contracts, and quote volume coins, so that they give no mean price."""


class Answer(NamedTuple):
    """What the venue says to the message of ours with this number ("" if it names none); `error` "": done."""

    request: str
    error: str = ""


def subscription_message(method: str, streams: Sequence[str], request: int) -> str:
    """Return the message that lets us SUBSCRIBE or UNSUBSCRIBE streams.

    >>> subscription_message("SUBSCRIBE", ["btcusdt@trade", "btcusdt@kline_1m"], 1)
    '{"method": "SUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@kline_1m"], "id": 1}'
    """
    return json.dumps({"method": method, "params": list(streams), "id": request})


def parse_frame(frame: str | bytes, received_ns: int) -> Event | Answer:
    """Read one frame; `received_ns` (UTC) is the time of a quote to which the venue gives none.

    {"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}
    {"e":"aggTrade","E":..,"s":"BNBBTC","a":12345,"p":"0.001","q":"100","f":100,"l":105,"T":..,"m":true,"M":true}
    {"e":"kline","E":..,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","f":100,"L":200,
     "o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0000",...}}
    {"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}
    {"result":null,"id":1}   {"code":3,"msg":"Invalid JSON ..."}   {"e":"serverShutdown","E":1770123456789}
    """
    try:
        return _read(decoded(frame), received_ns, frame)
    except Unreadable as error:
        return Malformed(str(error))


def _read(message: Any, received_ns: int, frame: str | bytes) -> Event | Answer:
    stream = ""
    if isinstance(message, dict) and "stream" in message and "data" in message:
        stream, message = str(message["stream"]), message["data"]
    if isinstance(message, list):  # all tickers at once
        return Alive()
    if not isinstance(message, dict):
        raise Unreadable(f"expected a JSON object, found {quoted(frame)}")
    kind = message.get("e")
    if kind == "trade":
        return _trade(message)
    if kind == "aggTrade":
        return _aggregated(message, text_of(message, "s", "aggTrade"))
    if kind == "kline":
        return _kline(message, stream)
    if kind == "bookTicker" or (kind is None and "u" in message and isinstance(message.get("b"), str)):
        return _quote(message, received_ns)
    if kind == "serverShutdown":
        return Ended("the venue shuts this server down")
    if kind is not None and not (isinstance(kind, str) and kind in _WITHOUT_A_TABLE):
        raise Unreadable(f"expected a trade, aggTrade, kline or bookTicker, found an event {shown(kind)}")
    if kind is None and "lastUpdateId" not in message:
        return _answer(message, frame)
    return Alive()


def _answer(message: Mapping[str, Any], frame: str | bytes) -> Answer:
    request = "" if message.get("id") is None else str(message["id"])
    error = message["error"] if isinstance(message.get("error"), dict) else message
    if "msg" in error or "code" in error:
        return Answer(request, f"{error.get('msg') or 'no message given'} (code {error.get('code')})")
    if "result" not in message:
        raise Unreadable(f"expected an event or an answer, found {quoted(frame)}")
    return Answer(request)


def _trade(message: Mapping[str, Any]) -> Event:
    trade_id, time = whole(message, "t", "trade"), _time(message, "T", "trade")
    sym = text_of(message, "s", "trade")
    # Futures send what the insurance fund took over, or was deleveraged, as trades too: the market made no such price.
    if message.get("X", "MARKET") != "MARKET":
        return Skipped(time, sym, trade_id)
    price, size = number(message, "p", "trade"), number(message, "q", "trade")
    return TradeRow(time, sym, price, size, str(trade_id), venue_seq=trade_id)


def _aggregated(message: Mapping[str, Any], sym: str) -> TradeRow:
    trade_id, time = whole(message, "a", "aggTrade"), _time(message, "T", "aggTrade")
    price, size = number(message, "p", "aggTrade"), number(message, "q", "aggTrade")
    return TradeRow(time, sym, price, size, str(trade_id), venue_seq=trade_id)


def _quote(message: Mapping[str, Any], received_ns: int) -> QuoteRow:
    # Futures say when (T, the time of the matching engine); spot does not.
    time = _time(message, "T", "bookTicker") if "T" in message else received_ns
    bid, bid_size = side(message, "b", "bookTicker"), number(message, "B", "bookTicker")
    ask, ask_size = side(message, "a", "bookTicker"), number(message, "A", "bookTicker")
    order = whole(message, "u", "bookTicker")
    return QuoteRow(time, text_of(message, "s", "bookTicker"), bid, ask, bid_size, ask_size, order)


def _kline(message: Mapping[str, Any], stream: str) -> Event:
    if stream.count("@") > 1:  # btcusdt@kline_1d@+08:00: its days are not those of "1d" here
        return Alive()
    k = message.get("k")
    if not isinstance(k, dict):
        raise Unreadable(f"kline.k: expected an object, found {shown(k)}")
    bar = _bar(k, text_of(message, "s", "kline"), k.get("i"))
    closed = k.get("x") is True  # said once, by the last frame, which none of the same moment may replace
    return bar._replace(order=_time(message, "E", "kline") + closed, closed=closed)


def _bar(k: Mapping[str, Any], sym: str, interval: object) -> BarRow:
    if interval not in INTERVALS:
        raise Unreadable(f"kline.i: expected one of {', '.join(INTERVALS)}, found {shown(interval)}")
    open_, high, low, close, volume, quote_volume = (number(k, key, "kline") for key in "ohlcvq")
    vwap = quote_volume / volume if volume > 0 and not _INVERSE.fullmatch(sym) else NAN
    trades = float(whole(k, "n", "kline"))
    return BarRow(_time(k, "t", "kline"), sym, str(interval), open_, high, low, close, volume, vwap, trades)


def _time(message: Mapping[str, Any], key: str, what: str) -> int:
    found = whole(message, key, what)
    time = found * (1_000 if found >= _MICROSECONDS_FROM else 1_000_000)
    if not 0 < time < 2**63:
        raise Unreadable(f"{what}.{key}: expected milliseconds or microseconds since 1970, found {found}")
    return time


def parse_klines(body: bytes, sym: str, interval: str, end_ns: int) -> tuple[list[BarRow], int]:
    """Read an answer of GET /api/v3/klines: those that were over at `end_ns` (UTC), and the last moment of the last.

    Raises Unreadable.

    [[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1499644799999,
      "2434.19055334",308,"1756.87402397","28.46694368","0"]]
    """

    def named(row: Any) -> dict[str, Any]:
        if not isinstance(row, list) or len(row) < 9:
            raise Unreadable(f"expected a kline of 12 values, found {shown(row)}")
        return dict(zip("tohlcvTqn", row, strict=False))

    klines = _rows(body, named)
    ends = [_time(k, "T", "kline") for k in klines]  # the last moment of each
    bars = [_bar(k, sym, interval) for k, end in zip(klines, ends, strict=True) if end < end_ns]
    return bars, max(ends, default=0)


def parse_trades(body: bytes, sym: str) -> tuple[list[TradeRow], int]:
    """Read an answer of GET /api/v3/historicalTrades, and 0. Raises Unreadable.

    [{"id":28457,"price":"4.00000100","qty":"12.00000000","time":1499865549590,"isBuyerMaker":true,...}]

    Of an answer of aggTrades, which was asked for to learn where trades begin: no trades, and the first one's number.
    """
    rows = _rows(body, _object)
    if rows and "a" in rows[0]:
        return [], whole(rows[0], "f", "aggTrade")

    def trade(row: Mapping[str, Any]) -> TradeRow:
        trade_id, time = whole(row, "id", "trade"), _time(row, "time", "trade")
        price, size = number(row, "price", "trade"), number(row, "qty", "trade")
        return TradeRow(time, sym, price, size, str(trade_id), venue_seq=trade_id)

    return [trade(row) for row in rows], 0


def parse_aggregated(body: bytes, sym: str) -> list[TradeRow]:
    """Read an answer of GET /api/v3/aggTrades, whose rows are those of the stream. Raises Unreadable."""
    return _rows(body, lambda row: _aggregated(_object(row), sym))


def parse_time(body: bytes) -> int:
    """Read an answer of GET /api/v3/time, {"serverTime":1499827319559}; UTC ns. Raises Unreadable."""
    return _time(_object(decoded(body)), "serverTime", "time")


def parse_instruments(body: bytes, symbols: Sequence[str] | None) -> list[dict[str, Any]]:
    """Read an answer of GET /api/v3/exchangeInfo: rows of `instruments` of `symbols`, None: of all. Raises Unreadable.

    {"symbols":[{"symbol":"BTCUSDT","quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.01"},
     {"filterType":"LOT_SIZE","stepSize":"0.00001"},{"filterType":"NOTIONAL","minNotional":"5"}]}]}
    """
    listed = _object(decoded(body)).get("symbols")
    if not isinstance(listed, list):
        raise Unreadable(f'expected {{"symbols": [...]}}, found {quoted(body)}')
    wanted = None if symbols is None else set(symbols)
    some = [one for one in map(_object, listed) if wanted is None or one.get("symbol") in wanted]
    # What a contract of COIN-M futures is worth is not in proportion to its price, and has no multiplier.
    found = [one for one in some if "contractSize" not in one]
    return [_instrument(one) for one in found]


def _instrument(listed: Mapping[str, Any]) -> dict[str, Any]:
    filters = {str(one.get("filterType")): one for one in map(_object, listed.get("filters") or [])}
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    least = next((number(notional, key, "NOTIONAL") for key in ("minNotional", "notional") if key in notional), NAN)
    is_future = "contractType" in listed
    return instrument_row(
        text_of(listed, "symbol", "symbols"),
        text_of(listed, "quoteAsset", "symbols"),
        "future" if is_future else "crypto",
        number(filters.get("PRICE_FILTER", {}), "tickSize", "PRICE_FILTER"),
        number(filters.get("LOT_SIZE", {}), "stepSize", "LOT_SIZE"),
        min_notional=least,
        shortable=is_future,
    )


def _object(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise Unreadable(f"expected a JSON object, found {shown(found)}")
    return found


def _rows(body: bytes, read: Callable[[Any], _Made]) -> list[_Made]:
    rows = decoded(body)
    if not isinstance(rows, list):
        raise Unreadable(f"expected a list of rows, found {quoted(body)}")
    return [read(row) for row in rows]
