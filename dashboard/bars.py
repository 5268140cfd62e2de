"""Bars as the chart needs them: one symbol and one interval, in order, the indicators of the same bars beside them.

All functions are pure; frames come in with the columns of the tables `bars` and `indicators`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from dashboard.freshness import interval_seconds, utc_nanoseconds
from plant.indicators.declarations import DEFAULTS

LOADED = 1000  # bars sent to the browser
PRICES = ("open", "high", "low", "close", "volume")
INDICATORS = tuple(column for one in DEFAULTS for column in one.columns)  # those that are always there
PLAIN_DIGITS = 16  # a number that needs more decimals is written with an exponent


def intervals(frame: pd.DataFrame | None) -> list[str]:
    """Return the distinct intervals of a frame, shortest first."""
    return [] if frame is None or frame.empty else by_length(frame["interval"].astype(str))


def by_length(names: Iterable[str]) -> list[str]:
    """Return the distinct intervals, shortest first."""
    return sorted(set(names), key=lambda interval: (interval_seconds(interval), interval))


def chart_bars(
    bars: pd.DataFrame | None,
    indicators: pd.DataFrame | None,
    interval: str,
    time_zone: str,
    limit: int = LOADED,
    columns: Sequence[str] = INDICATORS,
) -> pd.DataFrame:
    """Return the newest `limit` bars of one interval, one row for each bar, oldest first.

    Columns: time_ns (int64, UTC nanoseconds of the bar's start), local (datetime64[ns], wall clock in `time_zone`),
    the prices, the `columns` of indicators (float64, NaN where unknown) and source (str). Of rows with the same time
    the last counts; one without a price is left out. A bar that the indicators do not have yet keeps NaN there;
    indicators without a bar are left out.
    Raises ZoneInfoNotFoundError for an unknown `time_zone`.
    """
    rows = _one_interval(bars, interval)
    if rows is None:
        names = [*PRICES, *columns]
        empty = {name: np.array([], dtype=np.float64) for name in names}
        return pd.DataFrame(
            {"time_ns": np.array([], dtype=np.int64), "local": pd.to_datetime([]), **empty, "source": []}
        )
    rows = rows[np.isfinite(rows[["open", "high", "low", "close"]].to_numpy(dtype=np.float64)).all(axis=1)].tail(limit)
    times_ns = rows["time_ns"].to_numpy()
    found: dict[str, object] = {"time_ns": times_ns, "local": local_times(times_ns, time_zone)}
    for name in PRICES:
        found[name] = rows[name].to_numpy(dtype=np.float64)
    computed = _one_interval(indicators, interval)
    beside = (pd.DataFrame() if computed is None else computed.set_index("time_ns")).reindex(times_ns)
    for name in columns:
        found[name] = beside[name].to_numpy(dtype=np.float64) if name in beside else np.full(len(rows), np.nan)
    found["source"] = rows["source"].astype(str).to_numpy() if "source" in rows else np.full(len(rows), "")
    return pd.DataFrame(found)


def local_times(times_ns: np.ndarray, time_zone: str) -> pd.DatetimeIndex:
    """Return naive wall-clock times, datetime64[ns], in `time_zone` for int64 UTC nanoseconds."""
    return pd.DatetimeIndex(times_ns, tz="UTC").tz_convert(time_zone).tz_localize(None)


def moments(times_ns: np.ndarray, now_ns: int, time_zone: str) -> list[str]:
    """Return when something was, for who looks at `now_ns`: "14:31" is today, else "15 Feb", or "15 Feb 2019".

    >>> moments(np.array([1550264340 * 10**9, 1796029464 * 10**9]), 1796029464 * 10**9, "UTC")
    ['15 Feb 2019', '09:04']
    """
    times = local_times(np.append(times_ns, now_ns), time_zone)
    today = times[-1]
    return [
        f"{time:%H:%M}" if time.date() == today.date() else f"{time:%d %b}" + f" {time:%Y}" * (time.year != today.year)
        for time in times[:-1]
    ]


def price_digits(prices: np.ndarray, least: int = 2) -> int:
    """Return how many decimals show these numbers: as many as they have, within what the smallest of them needs.

    That is at least `least`, and up to six significant digits.

    >>> price_digits(np.array([187.5, 188.0])), price_digits(np.array([1.08412])), price_digits(np.array([187.123456]))
    (2, 5, 2)
    >>> price_digits(np.array([1.23456e-8])), price_digits(np.array([1200.0, 0.5]), least=0)
    (13, 1)
    """
    values = prices[np.isfinite(prices)][-200:]
    sizes = np.abs(values[values != 0])
    if not len(sizes):
        return least
    size = float(sizes.min())
    most = max(least, int(5 - np.floor(np.log10(size))))
    for digits in range(least, most + 1):
        if np.allclose(values, np.round(values, digits), rtol=0, atol=min(10.0 ** -(digits + 3), size * 1e-6)):
            return digits
    return least if size >= 10 else most  # computed numbers, such as averages: no decimals of their own


def price_text(value: float, digits: int) -> str:
    """Return a number with so many decimals, or with an exponent if they are too many to read.

    >>> price_text(1234.5, 2), price_text(1.23456e-8, 13), price_text(4.5e-14, 19)
    ('1,234.50', '0.0000000123456', '4.5e-14')
    """
    return f"{value:,.{digits}f}" if digits <= PLAIN_DIGITS else f"{value:.6g}"


def price_format(digits: int) -> str:
    """Return the same as a format of Streamlit's number columns."""
    return f"%.{digits}f" if digits <= PLAIN_DIGITS else "%.6g"


def _one_interval(frame: pd.DataFrame | None, interval: str) -> pd.DataFrame | None:
    if frame is None or frame.empty:
        return None
    rows = frame[frame["interval"].astype(str) == interval]
    if rows.empty:
        return None
    rows = rows.assign(time_ns=utc_nanoseconds(rows["time"]))
    return rows.sort_values("time_ns", kind="stable").drop_duplicates("time_ns", keep="last")
