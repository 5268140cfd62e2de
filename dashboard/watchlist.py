"""The watchlist: last price, change since the day's first bar, and a sparkline for each symbol. Pure, no Streamlit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from dashboard.bars import moments, price_digits, price_text
from dashboard.freshness import utc_nanoseconds

SHOWN = 60  # symbols in the list; the rest are reached through the symbol box
SPARK_BARS = 60
BATCH = 10  # symbols whose first bar of the day is asked for at once
ROW_COLUMNS = ("time", "sym", "interval", "open", "close")


@dataclass(frozen=True)
class Tick:
    """The newest trade or quote of a symbol without bars: `price` is the trade's, the mid, or the one side there is."""

    kind: str
    time_ns: int
    price: float
    told: str


def ticks_of(trades: pd.DataFrame | None, quotes: pd.DataFrame | None, with_bars: Collection[str]) -> dict[str, Tick]:
    """Return symbol -> newest trade, else quote, of the symbols that are not among those `with_bars`."""
    found: dict[str, Tick] = {}
    for kind, frame, names in (("quote", quotes, ("bid", "ask")), ("trade", trades, ("price",))):
        if frame is None:
            continue
        sides = frame[list(names)].to_numpy(dtype=np.float64)
        for sym, time_ns, values in zip(frame["sym"].astype(str), utc_nanoseconds(frame["time"]), sides, strict=True):
            known = values[np.isfinite(values)]
            if sym in with_bars:
                continue
            told = ", ".join(
                f"{name} {price_text(value, price_digits(known)) if np.isfinite(value) else 'not known'}"
                for name, value in zip(names, values.tolist(), strict=True)
            )
            found[sym] = Tick(
                kind, int(time_ns), float(known.mean()) if len(known) else np.nan, f"Newest {kind}: {told}."
            )
    return found


class DayOpens:
    """The open of the first bar of the day for each symbol: it does not change, so it is asked for once a day.

    A day begins at midnight in the exchange's time zone; a symbol's day is that of its newest bar.
    """

    def __init__(self) -> None:
        self._opens: dict[tuple[str, int], float] = {}

    def unknown(self, last_bars: pd.DataFrame, time_zone: str) -> dict[str, int]:
        """Return symbol -> start of its day, UTC nanoseconds, for up to BATCH symbols whose open is not known."""
        starts = day_starts(last_bars, time_zone)
        return dict([(sym, start) for sym, start in starts.items() if (sym, start) not in self._opens][:BATCH])

    def learn(self, bars: pd.DataFrame, starts: dict[str, int]) -> None:
        """Take the opens of the symbols in `starts` from `bars`, which begin no later than their days."""
        times_ns = utc_nanoseconds(bars["time"])
        syms = bars["sym"].astype(str).to_numpy()
        opens = bars["open"].to_numpy(dtype=np.float64)
        today = set(starts.items())
        self._opens = {key: value for key, value in self._opens.items() if key[0] not in starts or key in today}
        for sym, start in starts.items():
            rows = np.flatnonzero((syms == sym) & (times_ns >= start))
            if len(rows):
                self._opens[sym, start] = float(opens[rows[times_ns[rows].argmin()]])

    def of(self, sym: str, start: int) -> float | None:
        return self._opens.get((sym, start))


def day_starts(last_bars: pd.DataFrame, time_zone: str) -> dict[str, int]:
    """Return symbol -> start of the day of its newest bar, UTC nanoseconds."""
    local = pd.DatetimeIndex(utc_nanoseconds(last_bars["time"]), tz="UTC").tz_convert(time_zone)
    starts = local.normalize().as_unit("ns").asi8
    return dict(zip(last_bars["sym"].astype(str), starts.tolist(), strict=True))


def watch_rows(
    last_bars: pd.DataFrame | None,
    history: pd.DataFrame | None,
    opens: DayOpens,
    time_zone: str,
    now_ns: int,
    others: Mapping[str, Tick] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Return a row for each of the first SHOWN symbols, by name, as `dashboard.component.watchlist` takes them.

    `last_bars` has the newest bar of each symbol, `others` the newest tick of those without bars;
    `now_ns` is the time, UTC: a bar of another day shows that;
    `history` recent bars with ROW_COLUMNS, for the sparklines.
    Change is a fraction, 0.0 as long as the first price of the day is unknown (and then its text is a dash).
    """
    rows = [_tick_row(sym, tick, time_zone, now_ns) for sym, tick in others.items()]
    if last_bars is not None and not last_bars.empty:
        rows += _bar_rows(last_bars, history, opens, time_zone, now_ns)
    return sorted(rows, key=lambda row: str(row["sym"]))[:SHOWN]


def _tick_row(sym: str, tick: Tick, time_zone: str, now_ns: int) -> dict[str, Any]:
    (when,) = moments(np.array([tick.time_ns]), now_ns, time_zone)
    known = bool(np.isfinite(tick.price))
    return {
        "sym": sym,
        "detail": f"{tick.kind} · {when}",
        "last": tick.price if known else 0.0,
        "price": price_text(tick.price, price_digits(np.array([tick.price]))) if known else "-",
        "change": 0.0,
        "change_text": "no bars",
        "spark": [tick.price] if known else [],
    }


def _bar_rows(
    last_bars: pd.DataFrame, history: pd.DataFrame | None, opens: DayOpens, time_zone: str, now_ns: int
) -> list[dict[str, Any]]:
    starts = day_starts(last_bars, time_zone)
    closes = _closes(history)
    rows = []
    listed = last_bars.sort_values("sym", key=lambda syms: syms.astype(str)).head(SHOWN)
    times = moments(utc_nanoseconds(listed["time"]), now_ns, time_zone)
    columns = [listed[name].tolist() for name in ("sym", "interval", "close")]
    for sym, interval, last, when in zip(*columns, times, strict=True):
        spark = closes.get((sym, interval), [last])
        first = opens.of(sym, starts[sym])
        change = (last - first) / abs(first) if first else None
        rows.append(
            {
                "sym": sym,
                "detail": f"{interval} · {when}",
                "last": last,
                "price": price_text(last, price_digits(np.array(spark))),
                "change": change or 0.0,
                "change_text": "-" if change is None else f"{change * 100:+.2f} %",
                "spark": spark,
            }
        )
    return rows


def _closes(history: pd.DataFrame | None) -> dict[tuple[str, str], list[float]]:
    if history is None or history.empty:
        return {}
    rows = pd.DataFrame(
        {
            "time_ns": utc_nanoseconds(history["time"]),
            "sym": history["sym"].astype(str).to_numpy(),
            "interval": history["interval"].astype(str).to_numpy(),
            "close": history["close"].to_numpy(dtype=np.float64),
        }
    )
    rows = rows[np.isfinite(rows["close"])].sort_values("time_ns", kind="stable")
    return {
        (str(sym), str(interval)): group["close"].tail(SPARK_BARS).tolist()
        for (sym, interval), group in rows.groupby(["sym", "interval"], sort=False)
    }
