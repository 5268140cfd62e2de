"""The frames of Polygon, now Massive, as pure functions: text in, events out. No socket in sight.

https://massive.com/docs/websocket. Every frame of the server is an array of objects, whatever they are: several acks,
trades and bars of several symbols. Times are Unix milliseconds, numbers JSON's.

Traps: the letters clash, `s` is the size of a trade and the start of a bar, `c` conditions and a close, so that each
`ev` is read by itself. A bar whose start was sent before replaces that one. `a` is the mean price of the day, `vw` that
of the bar. Conditions are those of US equities only of stocks: options have codes of their own, and of crypto 1 and 2
are sides. Sizes of quotes are as the venue counts them (docs/feeds.md). A trade id is unique per exchange only.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import (
    NAN,
    Alive,
    BarRow,
    Complaint,
    Ended,
    Event,
    KeyRefused,
    Malformed,
    QuoteRow,
    Ready,
    TradeRow,
    Wait,
)
from feedhandler.venue.reading import decoded, moment, number, number_or_nan, shown, side, text_of, whole

MS = 10**6
_NUMBERS = 2**20
CONNECTIONS_PAUSE_S = 60.0

TOPICS_PER_MESSAGE = 1_000

_WITHOUT_A_TABLE = frozenset(("LULD", "NOI", "FMV", "LV", "V", "XL2"))
"""Limits, imbalances, fair values, values of indices, order books."""


class Greeted(NamedTuple):
    """The venue waits for the key."""


class Done(NamedTuple):
    """The venue did what it was asked: `action` is subscribe or unsubscribe, topics such as T.AAPL."""

    action: str
    topics: tuple[str, ...]


def authentication(key: str) -> str:
    """Return {"action":"auth","params":"KEY"}."""
    return json.dumps({"action": "auth", "params": key})


def subscription_messages(action: str, topics: Sequence[str]) -> list[str]:
    """Return the messages that "subscribe" or "unsubscribe" topics.

    {"action":"subscribe","params":"T.AAPL,AM.AAPL"}
    """
    return [
        json.dumps({"action": action, "params": ",".join(topics[at : at + TOPICS_PER_MESSAGE])})
        for at in range(0, len(topics), TOPICS_PER_MESSAGE)
    ]


def parse_frame(frame: str | bytes) -> list[Event | Greeted | Done]:
    """Read one frame, an event for each of its objects, in their order.

    [{"ev":"T","sym":"MSFT","x":4,"i":"12345","z":3,"p":114.125,"s":100,"ds":"100.0","c":[0,12],"t":1536036818784,
      "q":3681328}]
    [{"ev":"Q","sym":"MSFT","bx":4,"bp":114.125,"bs":100,"ax":7,"ap":114.128,"as":160,"c":0,"i":[604],
      "t":1536036818784,"q":50385480,"z":3}]
    [{"ev":"AM","sym":"GTE","v":4110,"av":9470157,"op":0.4372,"vw":0.4488,"o":0.4488,"c":0.4486,"h":0.4489,"l":0.4486,
      "a":0.4352,"z":685,"s":1610144640000,"e":1610144700000}]
    [{"ev":"status","status":"auth_success","message":"authenticated"}]
    """
    try:
        messages = decoded(frame)
    except Unreadable as error:
        return [Malformed(str(error))]
    events: list[Event | Greeted | Done] = []
    for message in messages if isinstance(messages, list) else [messages]:
        try:
            events.append(_event(message))
        except Unreadable as error:
            events.append(Malformed(str(error)))
    return events


def _event(message: Any) -> Event | Greeted | Done:
    if not isinstance(message, dict):
        raise Unreadable(f"expected an object with ev, found {shown(message)}")
    kind = message.get("ev")
    read = _READ.get(kind) if isinstance(kind, str) else None
    if read is not None:
        return read(message, str(kind))
    if isinstance(kind, str) and kind in _WITHOUT_A_TABLE:
        return Alive()
    raise Unreadable(f"expected an ev of {', '.join(_READ)}, found {shown(message)}")


def _trade(message: Mapping[str, Any], ev: str) -> Event:
    sym = text_of(message, "sym", ev)
    return TradeRow(
        moment(message, "t", ev, MS),
        sym,
        number(message, "p", ev),
        exact_size(message, "s", "ds", ev),
        id_of(message, "i", ev),
        "" if ":" in sym else conditions_of(message.get("c"), f"{ev}.c"),
        tape_of(message.get("z")),
        id_of(message, "x", ev),
        whole(message, "q", ev) if "q" in message else 0,
    )


def _quote(message: Mapping[str, Any], ev: str) -> Event:
    time = moment(message, "t", ev, MS)
    # Numbers begin anew with each session, so that they order only the quotes of a millisecond.
    order = time // MS * _NUMBERS + whole(message, "q", ev) % _NUMBERS if "q" in message else 0
    return QuoteRow(time, text_of(message, "sym", ev), *_both_sides(message, ev), order)


def _both_sides(message: Mapping[str, Any], ev: str) -> tuple[float, float, float, float]:
    return (
        side(message, "bp", ev),
        side(message, "ap", ev),
        number_or_nan(message, "bs", ev),
        number_or_nan(message, "as", ev),
    )


def _bar(message: Mapping[str, Any], ev: str) -> Event:
    sym = text_of(message, "sym", ev)
    # An index has no volume, and nothing of it is traded.
    volume = 0.0 if sym.startswith("I:") and "v" not in message else exact_size(message, "v", "dv", ev)
    return _bar_of(message, sym, ev, volume)


def _bar_of(message: Mapping[str, Any], sym: str, ev: str, volume: float) -> BarRow:
    return BarRow(
        moment(message, "s", ev, MS),
        sym,
        "1m" if ev in ("AM", "XA", "CA") else "1s",
        number(message, "o", ev),
        number(message, "h", ev),
        number(message, "l", ev),
        number(message, "c", ev),
        volume,
        number_or_nan(message, "vw", ev),
        number_or_nan(message, "n", ev),
    )


def _coin_trade(message: Mapping[str, Any], ev: str) -> Event:
    return TradeRow(
        moment(message, "t", ev, MS),
        text_of(message, "pair", ev),
        number(message, "p", ev),
        number(message, "s", ev),
        id_of(message, "i", ev),
        exchange=id_of(message, "x", ev),
    )


def _coin_quote(message: Mapping[str, Any], ev: str) -> Event:
    return QuoteRow(moment(message, "t", ev, MS), text_of(message, "pair", ev), *_both_sides(message, ev))


def _pair_bar(message: Mapping[str, Any], ev: str) -> Event:
    return _bar_of(message, text_of(message, "pair", ev), ev, number(message, "v", ev))


def _currency_quote(message: Mapping[str, Any], ev: str) -> Event:
    bid, ask = side(message, "b", ev), side(message, "a", ev)
    return QuoteRow(moment(message, "t", ev, MS), text_of(message, "p", ev), bid, ask, NAN, NAN)


def _status(message: Mapping[str, Any], ev: str) -> Event | Greeted | Done:
    status, text = str(message.get("status", "")), str(message.get("message", ""))
    if status == "connected":
        return Greeted()
    if status == "auth_success":
        return Ready()
    if status == "success":
        for begins, action in (("subscribed to:", "subscribe"), ("unsubscribed to:", "unsubscribe")):
            if text.startswith(begins):
                return Done(action, tuple(text.removeprefix(begins).replace(",", " ").split()))
        return Alive()
    if status == "auth_failed":
        return KeyRefused(text or status)
    if status == "auth_timeout":
        return Ended(text or status)
    if status == "max_connections":
        return Wait(CONNECTIONS_PAUSE_S, text or status)
    return Complaint(f"{status}: {text}" if text else status or "a status without a name")


_READ: dict[str, Callable[[Mapping[str, Any], str], Event | Greeted | Done]] = {
    "T": _trade,
    "Q": _quote,
    "A": _bar,
    "AM": _bar,
    "XT": _coin_trade,
    "XQ": _coin_quote,
    "XA": _pair_bar,
    "XAS": _pair_bar,
    "C": _currency_quote,
    "CA": _pair_bar,
    "CAS": _pair_bar,
    "status": _status,
}


def exact_size(message: Mapping[str, Any], key: str, exact_key: str, what: str) -> float:
    """Return a size with its fraction, which is a text beside the whole one where the venue sends it.

    `dv` of futures is a value in dollars instead; so it counts only as a text, and within 1 of the whole number.
    """
    size = number(message, key, what)
    if isinstance(message.get(exact_key), str):
        exact = number(message, exact_key, what)
        return exact if abs(exact - size) < 1.0 else size
    return size


def tape_of(found: object) -> str:
    """Return the letter of a tape: 1 is A (NYSE), 2 B (AMEX), 3 C (Nasdaq); "" for anything else."""
    return {1: "A", 2: "B", 3: "C"}.get(found, "") if isinstance(found, int) else ""


def id_of(message: Mapping[str, Any], key: str, what: str) -> str:
    """Return an id that is a text, or was a number in older frames; "" if there is none. Raises Unreadable."""
    found = message.get(key)
    if found is None:
        return ""
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise Unreadable(f"{what}.{key}: expected a text or a whole number, found {shown(found)}")
    return str(found)


def conditions_of(found: Any, what: str) -> str:
    """Return a list of numbers of conditions as `trades` has them: "12,37". Raises Unreadable."""
    if found is None:
        return ""
    if not isinstance(found, list) or not all(type(code) is int for code in found):
        raise Unreadable(f"{what}: expected a list of numbers, found {shown(found)}")
    return ",".join(str(code) for code in found)
