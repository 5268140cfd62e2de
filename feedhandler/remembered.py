"""What is remembered of the trades that came: when each was, since a correction may not say so."""

from collections.abc import Hashable
from typing import Generic, TypeVar

MOST = 100_000
"""Trades of all symbols: some minutes of a busy day."""

_Value = TypeVar("_Value")

_HOUR_NS = 3_600 * 10**9
_BEHIND_UTC_H = 5


def market_day(time_ns: int) -> int:
    """Return a number of New York's day of a time, UTC ns, an hour more or less: ids of trades begin anew each day.

    >>> evening, night = 1_796_083_200_000_000_000, 1_796_108_400_000_000_000  # 00:00 and 07:00 UTC
    >>> market_day(evening) + 1 == market_day(night)
    True
    """
    return (time_ns // _HOUR_NS - _BEHIND_UTC_H) // 24


class Remembered(Generic[_Value]):
    """The newest `MOST` values by key; the first value of a key stays.

    >>> seen = Remembered[int]()
    >>> seen.add("a", 1), seen.add("a", 2), seen.get("a"), seen.get("b")
    (None, None, 1, None)
    """

    def __init__(self) -> None:
        self._values: dict[Hashable, _Value] = {}

    def add(self, key: Hashable, value: _Value) -> None:
        """Remember a value."""
        values = self._values
        values.setdefault(key, value)
        if len(values) > MOST:
            del values[next(iter(values))]

    def get(self, key: Hashable) -> _Value | None:
        """Return the value of a key, None if it is not, or no longer, known."""
        return self._values.get(key)
