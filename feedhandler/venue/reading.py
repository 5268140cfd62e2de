"""Reading what a venue wrote: JSON, numbers, times and texts, each checked, the failure a sentence.

`Unreadable` is raised within a parser of frames and becomes its `Malformed`; it leaves only readers of pages.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from feedhandler.venue.dialogue import Unreadable

MAX_TIME_NS = 2**63 - 1
_SHOWN = 120  # characters of a bad frame quoted in a reason
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)", re.ASCII)
_DECODER = json.JSONDecoder(parse_constant=lambda name: _refuse(name))


def decoded(text: str | bytes) -> Any:
    """Return the JSON of a frame. Raises Unreadable; NaN and Infinity are no JSON.

    >>> decoded(b'{"p": "0.1"}')
    {'p': '0.1'}
    """
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError):  # ValueError: bad JSON, bad UTF-8, integers beyond 4,300 digits
        raise Unreadable(f"expected JSON, found {quoted(text)}") from None


def number(frame: Mapping[str, Any], key: str, what: str) -> float:
    """Return a number that the venue wrote as a text or a JSON number, as float64. Raises Unreadable.

    >>> number({"p": "0.00000637"}, "p", "trade")
    6.37e-06
    """
    found = frame.get(key)
    if found.__class__ is str:
        if _NUMBER.fullmatch(found):
            value = float(found)
            if math.isfinite(value):
                return value
    elif found.__class__ is float or found.__class__ is int:
        try:
            value = float(found)
        except OverflowError:  # JSON integers have no limit, float64 has
            value = math.inf
        if math.isfinite(value):
            return value
    raise Unreadable(f"{what}.{key}: expected a number, found {shown(found)}")


def number_or_nan(frame: Mapping[str, Any], key: str, what: str) -> float:
    """Return a number likewise; NaN if the key is absent or null. Raises Unreadable."""
    return math.nan if frame.get(key) is None else number(frame, key, what)


def side(frame: Mapping[str, Any], key: str, what: str) -> float:
    """Return the price of a bid or an ask; NaN if it is 0, null or absent: nobody bids, or asks. Raises Unreadable."""
    return number_or_nan(frame, key, what) or math.nan


def whole(frame: Mapping[str, Any], key: str, what: str) -> int:
    """Return an integer of 0 to 2**63 - 1, a JSON number or a text of digits. Raises Unreadable."""
    found = frame.get(key)
    if found.__class__ is int:
        value = found
    elif found.__class__ is str and found.isascii() and found.isdigit() and len(found) < 20:
        value = int(found)
    else:
        value = -1
    if not 0 <= value < 2**63:
        raise Unreadable(f"{what}.{key}: expected a whole number, found {shown(found)}")
    return int(value)


def text_of(frame: Mapping[str, Any], key: str, what: str) -> str:
    """Return a text that is not empty. Raises Unreadable."""
    found = frame.get(key)
    if found.__class__ is not str or not found or found.isspace():
        raise Unreadable(f"{what}.{key}: expected a text, found {shown(found)}")
    return str(found)


def moment(frame: Mapping[str, Any], key: str, what: str, unit_ns: int) -> int:
    """Return a time in UTC ns that the venue counts in units of `unit_ns` since 1970. Raises Unreadable."""
    time = whole(frame, key, what) * unit_ns
    if not 0 < time <= MAX_TIME_NS:
        raise Unreadable(f"{what}.{key}: expected a time in units of {unit_ns} ns, found {shown(frame.get(key))}")
    return time


def written_moment(frame: Mapping[str, Any], key: str, what: str) -> int:
    """Return a time in UTC ns that is written as RFC 3339, to the nanosecond. Raises Unreadable.

    >>> written_moment({"t": "2021-02-22T15:51:44.335689322Z"}, "t", "trade") % 10**9
    335689322
    """
    found = frame.get(key)
    match = _TIME.fullmatch(found) if isinstance(found, str) else None
    if match:
        year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
        try:
            seconds = int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
        except ValueError:  # the 30th of February
            seconds = 0
        time = seconds * 10**9 + int((match[7] or "0").ljust(9, "0"))
        if 0 < time <= MAX_TIME_NS:
            return time
    raise Unreadable(f"{what}.{key}: expected a time such as 2026-11-20T14:30:00.123Z, found {shown(found)}")


def with_path(url: str, path: str) -> str:
    """Return an address, with this path if it has none.

    >>> with_path("wss://host:9443", "/stream"), with_path("wss://host/ws?x=1", "/stream")
    ('wss://host:9443/stream', 'wss://host/ws?x=1')
    """
    parts = urlsplit(url)
    return url if parts.path.strip("/") else urlunsplit(parts._replace(path=path))


def quoted(text: str | bytes) -> str:
    """Return the beginning of a frame for a reason."""
    try:
        whole_text = text if isinstance(text, str) else text[: 4 * _SHOWN].decode("utf-8", "replace")
    except AttributeError:
        return shown(text)
    return repr(whole_text if len(whole_text) <= _SHOWN else whole_text[:_SHOWN] + "...")


def shown(value: object) -> str:
    """Return a value for a reason, cut to some 120 characters."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        return "something deeply nested, or very long"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
