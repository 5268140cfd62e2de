"""Tables for people: signals, bars with their indicators, processes. Frames in, frames out; pure, no Streamlit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dashboard.bars import PRICES, local_times, price_digits, price_text
from dashboard.charts import signal_label
from dashboard.freshness import age_text, utc_nanoseconds
from plant.rows.schema import META_COLUMNS

SIGNAL_COLUMNS = ("time", "sym", "interval", "signal", "side", "price", "detail", "state")
HEARTBEAT_COLUMNS = ("time", "sym", "pid", "seq_seen", "rows", "rate", "memory", "state")


def chart_signals(signals: pd.DataFrame | None, sym: str, interval: str) -> pd.DataFrame | None:
    """Return the signals of one symbol and interval with `time_ns`, int64 UTC nanoseconds, for `charts.figure`."""
    if signals is None or signals.empty:
        return None
    mine = signals[(signals["sym"].astype(str) == sym) & (signals["interval"].astype(str) == interval)]
    return mine.assign(time_ns=utc_nanoseconds(mine["time"])).drop_duplicates(["time_ns", "signal"], keep="last")


def signals_table(signals: pd.DataFrame | None, time_zone: str) -> pd.DataFrame:
    """Return signals newest first, times as wall clock in `time_zone`.

    Columns: time (datetime64[ns]), symbol, interval, side ("buy" or "sell"), signal and price (text, for people),
    reason, state ("" or "withdrawn").
    """
    if signals is None or signals.empty:
        names = ["symbol", "interval", "side", "signal", "price", "reason", "state"]
        return pd.DataFrame({"time": pd.to_datetime([]), **{name: pd.Series([], dtype=str) for name in names}})
    rows = signals.assign(time_ns=utc_nanoseconds(signals["time"])).sort_values("time_ns", kind="stable").iloc[::-1]
    return pd.DataFrame(
        {
            "time": local_times(rows["time_ns"].to_numpy(), time_zone),
            "symbol": rows["sym"].astype(str).to_numpy(),
            "interval": rows["interval"].astype(str).to_numpy(),
            "side": rows["side"].astype(str).to_numpy(),
            "signal": [signal_label(str(signal)) for signal in rows["signal"]],
            "price": [price_text(price, price_digits(np.array([price]))) for price in rows["price"].tolist()],
            "reason": rows["detail"].astype(str).to_numpy(),
            "state": rows["state"].astype(str).to_numpy(),
        }
    )


def bars_table(bars: pd.DataFrame) -> pd.DataFrame:
    """Return `dashboard.bars.chart_bars` newest first, with `time` (wall clock) for its two time columns."""
    table = bars.rename(columns={"local": "time"})[["time", *PRICES, *_computed(bars), "source"]]
    return table.iloc[::-1].reset_index(drop=True)


def bars_csv(bars: pd.DataFrame, sym: str, interval: str) -> bytes:
    """Return the bars as CSV, oldest first: time (ISO 8601, UTC), time_ns, sym, interval, prices, indicators, source.

    Unknown numbers are empty fields.
    """
    table = bars[["time_ns", *PRICES, *_computed(bars), "source"]].copy()
    stamps = pd.DatetimeIndex(bars["time_ns"].to_numpy(), tz="UTC")
    table.insert(0, "time", [stamp.isoformat() for stamp in stamps])
    table.insert(2, "sym", sym)
    table.insert(3, "interval", interval)
    return table.to_csv(index=False).encode()


def _computed(bars: pd.DataFrame) -> list[str]:
    return [name for name in bars.columns if name not in ("time_ns", "local", "source", *PRICES)]


def processes_table(heartbeats: pd.DataFrame | None, now_ns: int) -> pd.DataFrame:
    """Return a row for each process that beats, by name.

    Columns: process, last beat ("3 s ago"), state, rows, rows/s, behind (journal sequence numbers that it has still to
    reach, against the furthest process; NaN for one that reads nothing), memory (MiB), pid.
    """
    names = ["process", "last beat", "state", "rows", "rows/s", "behind", "memory", "pid"]
    if heartbeats is None or heartbeats.empty:
        return pd.DataFrame(columns=names)
    beats = heartbeats.assign(process=heartbeats["sym"].astype(str)).sort_values("process")
    seen = utc_nanoseconds(beats["time"])
    table = pd.DataFrame(
        {
            "process": beats["process"].to_numpy(),
            "last beat": [age_text((now_ns - int(at)) / 1e9) + " ago" for at in seen],
            "state": beats["state"].astype(str).to_numpy(),
            "rows": beats["rows"].to_numpy(),
            "rows/s": beats["rate"].to_numpy(),
            "behind": (beats["seq_seen"].max() - beats["seq_seen"]).where(beats["seq_seen"] > 0).to_numpy(),
            "memory": (beats["memory"] / 2**20).to_numpy(),
            "pid": beats["pid"].to_numpy(),
        }
    )
    return table[names]


def events_table(rows: pd.DataFrame | None, time_zone: str) -> pd.DataFrame:
    """Return rows of `gaps` or `rejects` newest first, `time` as wall clock in `time_zone`."""
    if rows is None or rows.empty:
        return pd.DataFrame()
    times_ns = utc_nanoseconds(rows["time"])
    table = rows.drop(columns=[name for name in META_COLUMNS if name in rows.columns])
    table = table.assign(time=local_times(times_ns, time_zone), order=times_ns)
    return table.sort_values("order", ascending=False, kind="stable").drop(columns="order").reset_index(drop=True)
