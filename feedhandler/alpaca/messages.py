"""Alpaca's market data as pure functions: frames and answers in, rows and controls out. No socket in sight.

https://docs.alpaca.markets/docs/streaming-market-data. Every frame is an array of objects; `T` says what each is, `S`
of which symbol. Times are RFC 3339 in UTC with up to nine digits of a second; numbers are JSON's.

Traps: the letters clash, `T` is the kind and `t` the time, `S` the symbol and `s` a size, `c` a close or conditions.
`u` is a bar that late trades changed, and replaces the one of its start. Conditions are letters of the SIPs; their
digits would be taken for numbers of Massive's, and become those. An acknowledgement has all that is subscribed then.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from feedhandler.sip_conditions import conditions_of
from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import (
    Alive,
    BarRow,
    Complaint,
    CorrectionRow,
    Ended,
    Event,
    KeyRefused,
    Malformed,
    QuoteRow,
    Ready,
    Row,
    TradeRow,
    Wait,
)
from feedhandler.venue.reading import decoded, number, number_or_nan, quoted, shown, side, text_of, written_moment

CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars")
"""What can be subscribed and has a table here; corrections and cancels come with trades."""

_FORGETS_S = 90.0  # the venue keeps a connection that was cut for so long

_WAITS = {
    404: Wait(1.0, "the venue waited too long for the key"),
    406: Wait(_FORGETS_S, "too many connections of this account"),
    407: Wait(1.0, "we were too slow for the venue"),
    500: Wait(5.0, "an error within the venue"),
}
_TERMINAL = (402, 408, 409)


class Current(NamedTuple):
    """All that is subscribed now: (channel, symbol) each."""

    topics: tuple[tuple[str, str], ...]


class Corrected(NamedTuple):
    """A correction or a cancel, and where the trade was made, whose ids are; `new_id`: of a correction its trade's."""

    row: CorrectionRow
    exchange: str
    new_id: str = ""


Meant = Event | Current | Corrected


def authentication(keys: Sequence[str]) -> str:
    """Return {"action":"auth","key":"KEY_ID","secret":"SECRET"}."""
    return json.dumps({"action": "auth", "key": keys[0], "secret": keys[1]})


def subscription_message(action: str, topics: Mapping[str, Sequence[str]]) -> str:
    """Return the message that lets us "subscribe" or "unsubscribe": symbols by channel.

    {"action":"subscribe","trades":["AAPL"],"bars":["AAPL","VOO"]}
    """
    return json.dumps({"action": action, **{channel: list(symbols) for channel, symbols in topics.items()}})


def parse_frame(frame: str | bytes) -> list[Meant]:
    """Read one frame, an event for each of its objects, in their order.

    [{"T":"t","S":"AAPL","i":96921,"x":"D","p":126.55,"s":1,"t":"2021-02-22T15:51:44.208Z","c":["@","I"],"z":"C"}]
    [{"T":"b","S":"SPY","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"n":461,"vw":389.062639,
      "t":"2021-02-22T19:15:00Z"}]
    [{"T":"q","S":"AMD","bx":"U","bp":87.66,"bs":1,"ax":"Q","ap":87.68,"as":4,"t":"2021-02-22T15:51:45.335689322Z",
      "c":["R"],"z":"C"}]
    [{"T":"success","msg":"authenticated"}]   [{"T":"error","code":406,"msg":"connection limit exceeded"}]
    """
    try:
        messages = decoded(frame)
    except Unreadable as error:
        return [Malformed(str(error))]
    events: list[Meant] = []
    for message in messages if isinstance(messages, list) else [messages]:
        try:
            events.append(_event(message))
        except Unreadable as error:
            events.append(Malformed(str(error)))
    return events


def _event(message: Any) -> Meant:
    kind = message.get("T") if isinstance(message, dict) else None
    read = _READ.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise Unreadable(f"expected a T of {', '.join(_READ)}, found {shown(message)}")
    return read(message)


def _trade(message: Mapping[str, Any]) -> TradeRow:
    return trade_of(message, text_of(message, "S", "t"))


def _quote(message: Mapping[str, Any]) -> QuoteRow:
    return quote_of(message, text_of(message, "S", "q"))


def _bar(message: Mapping[str, Any]) -> BarRow:
    return bar_of(message, text_of(message, "S", "b"), "1d" if message["T"] == "d" else "1m")


def _correction(message: Mapping[str, Any]) -> Corrected:
    """Read {"T":"c","S":..,"x":..,"oi","op","os","oc": what was,"ci","cp","cs","cc": what is,"t","z"}."""
    row = CorrectionRow(
        written_moment(message, "t", "c"),
        text_of(message, "S", "c"),
        _id(message, "oi", "c"),
        "correct",
        price=number(message, "cp", "c"),
        size=number(message, "cs", "c"),
        conditions=_conditions(message.get("cc"), "c.cc"),
    )
    return Corrected(row, str(message.get("x") or ""), _id(message, "ci", "c"))


def _cancel(message: Mapping[str, Any]) -> Corrected:
    """Read {"T":"x","S":..,"i":..,"x":..,"p":..,"s":..,"a":"C","t","z"}."""
    row = CorrectionRow(written_moment(message, "t", "x"), text_of(message, "S", "x"), _id(message, "i", "x"), "cancel")
    return Corrected(row, str(message.get("x") or ""))


def _success(message: Mapping[str, Any]) -> Event:
    return Ready() if message.get("msg") == "authenticated" else Alive()


def _current(message: Mapping[str, Any]) -> Current:
    found: list[tuple[str, str]] = []
    for channel in CHANNELS:
        symbols = message.get(channel) or []
        if not isinstance(symbols, list):
            raise Unreadable(f"subscription.{channel}: expected a list of symbols, found {shown(symbols)}")
        found += [(channel, str(sym)) for sym in symbols]
    return Current(tuple(found))


def _error(message: Mapping[str, Any]) -> Event:
    code, text = message.get("code"), f"{message.get('msg') or 'no message given'} (code {message.get('code')})"
    if code in _TERMINAL:
        return KeyRefused(text)
    if isinstance(code, int) and code in _WAITS:
        wait = _WAITS[code]
        return Wait(wait.seconds, f"{wait.reason}: {text}")
    if code == 401:
        return Ended(text)
    return Complaint(text)


def _nothing(_: Mapping[str, Any]) -> Event:
    return Alive()


_READ: dict[str, Callable[[Mapping[str, Any]], Meant]] = {
    "t": _trade,
    "q": _quote,
    "b": _bar,
    "u": _bar,
    "d": _bar,
    "c": _correction,
    "x": _cancel,
    "s": _nothing,
    "l": _nothing,
    "n": _nothing,
    "i": _nothing,
    "success": _success,
    "subscription": _current,
    "error": _error,
}


def trade_of(row: Mapping[str, Any], sym: str) -> TradeRow:
    """Return a trade of the socket or of REST. Raises Unreadable."""
    return TradeRow(
        written_moment(row, "t", "trade"),
        sym,
        number(row, "p", "trade"),
        number(row, "s", "trade"),
        _id(row, "i", "trade"),
        _conditions(row.get("c"), "trade.c"),
        tape if (tape := row.get("z")) in ("A", "B", "C") else "",
        str(row.get("x") or ""),
    )


def quote_of(row: Mapping[str, Any], sym: str) -> QuoteRow:
    """Return a quote likewise; sizes are as the venue counts them (docs/feeds.md)."""
    bid, ask = side(row, "bp", "quote"), side(row, "ap", "quote")
    sizes = number_or_nan(row, "bs", "quote"), number_or_nan(row, "as", "quote")
    return QuoteRow(written_moment(row, "t", "quote"), sym, bid, ask, *sizes)


def bar_of(row: Mapping[str, Any], sym: str, interval: str) -> BarRow:
    """Return a bar likewise."""
    open_, high, low, close, volume = (number(row, key, "bar") for key in "ohlcv")
    vwap, trades = number_or_nan(row, "vw", "bar"), number_or_nan(row, "n", "bar")
    return BarRow(written_moment(row, "t", "bar"), sym, interval, open_, high, low, close, volume, vwap, trades)


def parse_page(body: bytes, table: str, sym: str, interval: str) -> tuple[list[Row], str]:
    """Read an answer of GET /v2/stocks/{sym}/{trades,quotes,bars}: rows, and the token of the next page, or "".

    Raises Unreadable.

    {"bars":[{"t":"2021-02-22T19:15:00Z","o":..,...}],"symbol":"SPY","next_page_token":"U1BZ..."}

    Of trades those are left out that were cancelled, or replaced by a corrected one, later (`u`).
    """
    page = decoded(body)
    if not isinstance(page, dict) or not isinstance(page.get(table) or [], list):
        raise Unreadable(f'expected {{"{table}": [...]}}, found {quoted(body)}')
    rows: list[Row] = []
    for row in page.get(table) or []:
        if not isinstance(row, dict):
            raise Unreadable(f"expected a row, found {shown(row)}")
        if table == "bars":
            rows.append(bar_of(row, sym, interval))
        elif table == "quotes":
            rows.append(quote_of(row, sym))
        elif row.get("u") not in ("canceled", "incorrect"):
            rows.append(trade_of(row, sym))
    return rows, str(page.get("next_page_token") or "")


def _id(row: Mapping[str, Any], key: str, what: str) -> str:
    found = row.get(key)
    if isinstance(found, bool) or not isinstance(found, int | str) or found == "":
        raise Unreadable(f"{what}.{key}: expected a trade's id, found {shown(found)}")
    return str(found)


def _conditions(found: Any, what: str) -> str:
    if found is None:
        return ""
    if not isinstance(found, list) or not all(isinstance(code, str) for code in found):
        raise Unreadable(f"{what}: expected a list of letters, found {shown(found)}")
    return conditions_of(found)
