"""What is kept of each symbol for its larger bars: the last minutes, and of each bar what lies before them."""

import numpy as np

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
