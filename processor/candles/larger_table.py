"""What is kept of each symbol for its larger bars: the last minutes, and of each bar what lies before them."""

import numpy as np

from plant.rows.tables_candles import BUILT

Given = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[str]]
"""Bars that are due: slots, which of the intervals, starts (int64[k] each), values float64[k, 7], and feeds."""

KEPT = 4
"""Minutes kept of each symbol."""

_WIDTH = 7
_BAR = np.dtype(
    [
        ("start", "<i8"),  # -1: none
        ("base_start", "<i8"),
        ("base", "<f8", _WIDTH),  # of the minutes before those kept
        ("had", "<f8", _WIDTH),  # what the plant has, NaN: nothing
        ("given_at", "<i8"),
        ("feed", "<i4"),
        ("changed", "?"),
        ("foreign", "?"),
        ("stale", "?"),  # waits for being made anew
    ]
)
_MINUTE = np.dtype([("minute", "<i8"), ("sums", "<f8", _WIDTH)])


class Feeds(list[str]):
    """Names of feeds, each known by its place."""

    def place(self, source: str) -> int:
        """Return the place of the feed of a source, of built bars too; a new one gets the next."""
        name = source.removeprefix(BUILT)
        if name not in self:
            self.append(name)
        return self.index(name)


def no_bars(count: int, intervals: int) -> np.ndarray:
    """Return the current bars of symbols that have none, (count, intervals) records."""
    bars = np.zeros((count, intervals), dtype=_BAR)
    for name in ("start", "base_start", "given_at", "feed"):
        bars[name] = -1
    bars["had"] = bars["base"] = np.nan
    return bars


def no_minutes(count: int) -> np.ndarray:
    """Return the last minutes of symbols that have none, (count, KEPT) records."""
    minutes = np.zeros((count, KEPT), dtype=_MINUTE)
    minutes["minute"] = -1
    return minutes
