"""A bar as indicators take it, and the series that can be made of one bar: its prices, their means, its volume."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

LARGEST = 1e150
"""What is larger, NaN or infinite is no input: the square of a distance from a mean could overflow."""

DAY_NS = 86_400 * 10**9


class Bar(NamedTuple):
    """One bar: `time` is its start, ns since 1970 UTC; prices in the quote currency, volume in units.

    `session` tells bars of one session from those of the next, e.g. by when it began; None: sessions are the days of
    UTC. Only a VWAP asks for it.
    """

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    session: int | None = None


OF_A_BAR: Mapping[str, Callable[[Bar], float]] = {
    "open": lambda bar: bar.open,
    "high": lambda bar: bar.high,
    "low": lambda bar: bar.low,
    "close": lambda bar: bar.close,
    "volume": lambda bar: bar.volume,
    "hl2": lambda bar: (bar.high + bar.low) / 2,
    "hlc3": lambda bar: (bar.high + bar.low + bar.close) / 3,
    "ohlc4": lambda bar: (bar.open + bar.high + bar.low + bar.close) / 4,
    "session": lambda bar: bar.time // DAY_NS if bar.session is None else bar.session,
}
"""What an indicator may take in of a bar; an input that is not one of these is another indicator's column."""

CHOSEN = tuple(name for name in OF_A_BAR if name != "session")
"""Those that a declaration may name as its input."""
