"""Finazon's messages as pure functions: text in, one typed event out, and requests as text. No socket in sight.

Protocol: https://finazon.io/docs/ws/latest (WebSocket), https://finazon.io/docs/api/latest (REST). Text from outside
never raises here; what cannot be read is a `Malformed`.

    Event = Bar | ZeroPrice | Subscribed | Acknowledged | Alive | Refused | Malformed
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

MAX_TICKERS_PER_EVENT = 1_000
"""The venue takes 100 events a minute and 100 kB per event: few large events, so that a reconnect stays below both."""

MAX_TIME_S = 9_223_372_036  # the last second that fits int64 nanoseconds

NO_PAGE = 'expected {"data": [...]}'
"""How the reason of a body begins that is no page of history."""

_SHOWN = 120  # characters of a bad frame quoted in a reason
_UNSUPPORTED = re.compile(r"\btickers?\s+[\"'\[(]*([^\s\"',\])]+)(\W+you have specified)?", re.IGNORECASE)
_KEY_TEXTS = ("api key", "apikey", "api_key", "unauthorized", "unauthorised", "forbidden")


class Bar(NamedTuple):
    """A bar as it stands: `time_s` is its start in Unix seconds, `volume` the total of the bar so far, not a step."""

    time_s: int
    sym: str
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float


class ZeroPrice(NamedTuple):
    """A bar whose close is 0, which the venue sends now and then and which is no price."""

    sym: str


class Subscribed(NamedTuple):
    """The answer to a subscription; `tickers` is empty when the answer does not list them."""

    tickers: tuple[str, ...]


class Acknowledged(NamedTuple):
    """Any other success, such as of an unsubscription."""

    event: str


class Alive(NamedTuple):
    """The answer to a heartbeat."""


class Refused(NamedTuple):
    """An error frame. `ticker` is set for an unsupported ticker, and then only that one is affected.

    kind: "already_subscribed" (harmless), "unsupported_ticker", "key" (no retry will help), "other".
    """

    kind: Literal["already_subscribed", "unsupported_ticker", "key", "other"]
    message: str
    ticker: str = ""


class Malformed(NamedTuple):
    """A frame that is none of the above, and what was expected instead."""

    reason: str


Event = Bar | ZeroPrice | Subscribed | Acknowledged | Alive | Refused | Malformed


def subscribe_messages(dataset: str, tickers: Sequence[str], frequency: str) -> list[str]:
    """Return the frames that subscribe `tickers` to one-minute bars pushed every `frequency` ("1s", "10s", "1m").

    {"event":"subscribe","dataset":"us_stocks_essential","tickers":["AAPL","TSLA"],"channel":"bars","frequency":"10s",
     "aggregation":"1m","request_id":1}
    """
    return [
        json.dumps(
            {
                "event": "subscribe",
                "dataset": dataset,
                "tickers": list(tickers[first : first + MAX_TICKERS_PER_EVENT]),
                "channel": "bars",
                "frequency": frequency,
                "aggregation": "1m",
                "request_id": number,
            }
        )
        for number, first in enumerate(range(0, len(tickers), MAX_TICKERS_PER_EVENT), start=1)
    ]


def heartbeat_message() -> str:
    """Return {"event":"heartbeat"}, which clients send every 30 s or so."""
    return json.dumps({"event": "heartbeat"})


def parse_frame(text: str | bytes) -> Event:
    """Read one frame of the server.

    A bar; `aggr` has come with a leading blank, and the same `t` comes many times while the bar forms:
    {"d":"us_stocks_essential","p":"finazon","ch":"bars","f":"1s","aggr":"1m","s":"AAPL","t":1699540020,
     "o":220.06,"h":220.13,"l":219.92,"c":219.96,"v":4572}

    An answer, whose `data` is an object, or a list of them:
    {"status":"success","code":"SUCCESS_SUBSCRIPTION","data":{"event":"subscribe","channel":"bars","frequency":"1s",
     "aggregation":"1m","tickers":["AAPL","TSLA"]}}

    A heartbeat: {"event":"heartbeat","status":"success"}
    An error: {"status":"error","message":"ticker XYZ you have specified is not supported"}
    """
    frame = _decode(text)
    if not isinstance(frame, dict):
        return Malformed(f"expected a JSON object, found {_quote(text)}")
    if frame.get("ch") == "bars" or ("s" in frame and "t" in frame):
        return _parse_bar(frame, frame.get("s"), frame.get("aggr"))
    status = frame.get("status")
    if status == "error":
        return _parse_refusal(frame)
    if frame.get("event") == "heartbeat":
        return Alive()
    if status == "success":
        return _parse_success(frame)
    return Malformed(f"expected a bar, an answer, a heartbeat or an error, found {_quote(text)}")


def classify_refusal(message: str, code: str = "") -> Refused:
    """Sort an error text, from a frame or from the reason of a close frame, by what is to be done about it."""
    lowered = f"{message} {code}".lower()
    ticker = _UNSUPPORTED.search(message)
    if "already subscribed" in lowered:
        return Refused("already_subscribed", message)
    # "ticker X you have specified ..." is about X, whatever else the sentence says; a looser match comes after the key.
    if any(text in lowered for text in _KEY_TEXTS) and not (ticker and ticker.group(2)):
        return Refused("key", message)
    if ticker:
        return Refused("unsupported_ticker", message, ticker.group(1).rstrip(".:;"))
    return Refused("other", message)


def time_series_query(dataset: str, ticker: str, start_s: int, end_s: int, page: int, page_size: int) -> str:
    """Return the query of GET {rest_url}/time_series for the bars of `ticker` that start in [start_s, end_s].

    dataset=us_stocks_essential&ticker=AAPL&interval=1m&start_at=1699540020&end_at=1699543620&page=0&page_size=1000&
    order=asc&prepost=true
    """
    return urlencode(
        {
            "dataset": dataset,
            "ticker": ticker,
            "interval": "1m",
            "start_at": start_s,
            "end_at": end_s,
            "page": page,
            "page_size": page_size,
            "order": "asc",
            "prepost": "true",
        }
    )


def parse_time_series(body: str | bytes, sym: str) -> list[Event]:
    """Read a page of history: one `Bar`, `ZeroPrice` or `Malformed` per row of the page, in its order.

    {"data":[{"t":1699540020,"o":220.06,"h":220.13,"l":219.92,"c":219.96,"v":4572}]}

    A body that is no such page gives one `Refused` (the venue's own error object) or one `Malformed`.
    """
    page = _decode(body)
    if isinstance(page, dict) and isinstance(page.get("data"), list):
        return [
            _parse_bar(row, sym, "1m") if isinstance(row, dict) else Malformed(f"expected a bar, found {_show(row)}")
            for row in page["data"]
        ]
    if isinstance(page, dict) and ("message" in page or page.get("status") == "error"):
        return [_parse_refusal(page)]
    return [Malformed(f"{NO_PAGE}, found {_quote(body)}")]


def _parse_bar(frame: dict[str, Any], sym: object, interval: object) -> Event:
    if not isinstance(sym, str) or not sym.strip():
        return Malformed(f"bar.s: expected a ticker, found {_show(sym)}")
    if not isinstance(interval, str) or not interval.strip():
        return Malformed(f"bar.aggr: expected an interval such as '1m', found {_show(interval)} ({sym})")
    time_s = frame.get("t")
    if isinstance(time_s, bool) or not isinstance(time_s, int) or not 0 < time_s <= MAX_TIME_S:
        return Malformed(f"bar.t: expected Unix seconds, found {_show(time_s)} ({sym})")
    numbers = []
    for key in ("o", "h", "l", "c", "v"):
        number = _number(frame.get(key))
        if number is None:
            return Malformed(f"bar.{key}: expected a number, found {_show(frame.get(key))} ({sym} at {time_s})")
        numbers.append(number)
    if numbers[3] == 0:
        return ZeroPrice(sym.strip())
    return Bar(time_s, sym.strip(), interval.strip(), *numbers)


def _parse_success(frame: dict[str, Any]) -> Event:
    data = frame.get("data")
    parts = [part for part in (data if isinstance(data, list) else [data]) if isinstance(part, dict)]
    events = {part.get("event") for part in parts} | {frame.get("event")}
    if "subscribe" not in events and frame.get("code") != "SUCCESS_SUBSCRIPTION":
        return Acknowledged(str(frame.get("code") or ""))
    listed = [part["tickers"] for part in parts if isinstance(part.get("tickers"), list)]
    return Subscribed(tuple(ticker for tickers in listed for ticker in tickers if isinstance(ticker, str)))


def _parse_refusal(frame: dict[str, Any]) -> Refused:
    message, code = frame.get("message"), frame.get("code")
    return classify_refusal(str(message or code or "no message given"), str(code or ""))


def _number(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        number = float(found)
    except OverflowError:  # JSON integers have no limit, float64 has
        return None
    return number if math.isfinite(number) else None


def _decode(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # ValueError covers bad JSON, bad UTF-8 and integers beyond 4,300 digits
        return None


def _quote(text: str | bytes) -> str:
    shown = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return repr(shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "...")


def _show(value: object) -> str:
    try:
        shown = repr(value)
    except RecursionError:
        return "something deeply nested"
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
