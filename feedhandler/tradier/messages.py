"""Tradier's stream and its answers of REST as pure functions: text in, rows and controls out. No socket in sight.

https://documentation.tradier.com/brokerage-api/streaming/wss-market-websocket. A frame holds one or several objects, a
line each; `type` says what each is. Numbers of prints are texts, of quotes JSON's; times are texts of milliseconds.

Traps: one print comes as `trade` (or `tradex`) and as `timesale`; here it is counted as `timesale` alone, the one with
a number and its conditions. A `timesale` may say that the print of its number is cancelled, or corrected. Older frames
lack the number. There is no acknowledgement, and no bar.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from feedhandler.sip_conditions import conditions_of
from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import (
    Alive,
    BarRow,
    Complaint,
    CorrectionRow,
    Ended,
    Event,
    Malformed,
    NotKnown,
    QuoteRow,
    Topic,
    TradeRow,
    Wait,
)
from feedhandler.venue.reading import decoded, moment, number, number_or_nan, quoted, shown, side, text_of, whole

FILTERS = {"trades": "timesale", "quotes": "quote"}
"""Our channels, and what Tradier calls them."""

MS = 10**6
NS = 10**9
SESSIONS_PAUSE_S = 60.0

_WITHOUT_A_TABLE = frozenset(("trade", "tradex", "summary"))
_NOT_VALID = " is not a valid symbol"


def subscription_message(session: str, symbols: Sequence[str], channels: Sequence[str]) -> str:
    """Return the message that makes `symbols` and `channels` all that is sent; there is none that adds or ends some.

    {"symbols":["SPY","AAPL"],"sessionid":"SESSION","filter":["timesale"],"linebreak":true,"validOnly":true,
     "advancedDetails":false}
    """
    wanted = [FILTERS[channel] for channel in channels]
    terms = {"linebreak": True, "validOnly": True, "advancedDetails": False}
    return json.dumps({"symbols": list(symbols), "sessionid": session, "filter": wanted, **terms})


def parse_frame(frame: str | bytes) -> list[Event]:
    """Read one frame, an event for each of its objects, in their order.

    {"type":"timesale","symbol":"SPY","exch":"Q","bid":"282.08","ask":"282.09","last":"282.09","size":"100",
     "date":"1557758874355","seq":352795,"flag":"","cancel":false,"correction":false,"session":"normal"}
    {"type":"quote","symbol":"SPY","bid":281.84,"bidsz":60,"bidexch":"M","biddate":"1557757189000","ask":281.85,
     "asksz":6,"askexch":"Z","askdate":"1557757190000"}
    {"error":"1234 is not a valid symbol"}
    """
    text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
    events: list[Event] = []
    for line in filter(str.strip, text.splitlines()):
        try:
            events += _events(decoded(line))
        except Unreadable as error:
            events.append(Malformed(str(error)))
    return events


def _events(message: Any) -> list[Event]:
    if not isinstance(message, dict):
        raise Unreadable(f"expected an object with a type, found {shown(message)}")
    if "error" in message:
        return _error(str(message["error"]))
    kind = message.get("type")
    if kind == "timesale":
        return [_print(message)]
    if kind == "quote":
        return [_quote(message)]
    if "event" in message or (isinstance(kind, str) and kind in _WITHOUT_A_TABLE):
        return [Alive()]
    raise Unreadable(f"expected a type of timesale, quote, trade, tradex or summary, found {shown(message)}")


def _error(text: str) -> list[Event]:
    if text.endswith(_NOT_VALID):
        sym = text.removesuffix(_NOT_VALID).strip().strip("'\"")
        return [NotKnown(Topic(channel, sym), text) for channel in FILTERS]
    if "too many" in text.lower():
        return [Wait(SESSIONS_PAUSE_S, text)]
    if "session" in text.lower():  # it is over, and what was sent with it was not taken: another is asked for
        return [Ended(text)]
    return [Complaint(text)]


def _print(message: Mapping[str, Any]) -> Event:
    what = "timesale"
    time, sym = moment(message, "date", what, MS), text_of(message, "symbol", what)
    seq = whole(message, "seq", what) if message.get("seq") is not None else 0
    trade_id = str(seq) if seq else ""
    cancelled, corrected = _flag(message, "cancel"), _flag(message, "correction")
    if (cancelled or corrected) and not seq:
        raise Unreadable(f"timesale.seq: expected the number of the print that is taken back, found {shown(message)}")
    if cancelled:
        return CorrectionRow(time, sym, trade_id, "cancel", seq)
    price, size = number(message, "last", what), number(message, "size", what)
    conditions = _conditions(message.get("flag"))
    if corrected:
        return CorrectionRow(time, sym, trade_id, "correct", seq, price, size, conditions)
    return TradeRow(time, sym, price, size, trade_id, conditions, "", str(message.get("exch") or ""), seq)


def _quote(message: Mapping[str, Any]) -> QuoteRow:
    what = "quote"
    times = [
        moment(message, name, what, MS) for name in ("biddate", "askdate") if message.get(name) not in (None, "", "0")
    ]
    if not times:
        raise Unreadable(f"quote.biddate: expected when, found {shown(message)}")
    bid, ask = side(message, "bid", what), side(message, "ask", what)
    sizes = number_or_nan(message, "bidsz", what), number_or_nan(message, "asksz", what)
    return QuoteRow(max(times), text_of(message, "symbol", what), bid, ask, *sizes)


def parse_session(body: bytes) -> str:
    """Read the answer to POST /v1/markets/events/session. Raises Unreadable.

    {"stream":{"url":"https://stream.tradier.com/v1/markets/events","sessionid":"c8638963-a6d4-4fbc-..."}}
    """
    answer = decoded(body)
    stream = answer.get("stream") if isinstance(answer, dict) else None
    if not isinstance(stream, dict):
        raise Unreadable(f'expected {{"stream": {{"sessionid": ...}}}}, found {quoted(body)}')
    return text_of(stream, "sessionid", "stream")


def parse_bars(body: bytes, sym: str, interval: str) -> list[BarRow]:
    """Read the answer to GET /v1/markets/timesales, `timestamp` seconds at the start of a bar. Raises Unreadable.

    {"series":{"data":[{"time":"2025-07-01T09:30:00","timestamp":1751376600,"price":207.26,"open":206.72,"high":208.38,
     "low":206.14,"close":207.53,"volume":9876387,"vwap":207.325}]}}

    Without bars `series` is null; a single one may stand without a list around it.
    """
    answer = decoded(body)
    if not isinstance(answer, dict) or "series" not in answer:
        raise Unreadable(f'expected {{"series": ...}}, found {quoted(body)}')
    series = answer["series"]
    rows = series.get("data") if isinstance(series, dict) else None
    found = [rows] if isinstance(rows, dict) else rows or []
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Unreadable(f"expected a list of bars, found {shown(rows)}")
    bars = []
    for row in found:
        names = ("open", "high", "low", "close", "volume")
        open_, high, low, close, volume = (number(row, key, "timesales") for key in names)
        time, vwap = moment(row, "timestamp", "timesales", NS), number_or_nan(row, "vwap", "timesales")
        bars.append(BarRow(time, sym, interval, open_, high, low, close, volume, vwap))
    return bars


def _flag(message: Mapping[str, Any], key: str) -> bool:
    found = message.get(key)
    if found not in (None, True, False, "true", "false", ""):
        raise Unreadable(f"timesale.{key}: expected true or false, found {shown(found)}")
    return found in (True, "true")


def _conditions(found: object) -> str:
    return conditions_of(found) if isinstance(found, str) else ""  # letters side by side
