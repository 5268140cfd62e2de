"""Recorded trades of US equities, the vendor's minute bars of them, and larger bars by a slow plain computation."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from candle_plant import MINUTE, columns_of_rows
from recordings import RECORDINGS

FOLDER = RECORDINGS / "lean_us_equity"
SYMBOLS = ("SPY", "IBM", "BAC", "AIG")
recorded = pytest.mark.skipif(not (FOLDER / "tick").is_dir(), reason=f"no recorded trades in {FOLDER}")

LEAST_EQUAL = {"SPY": 0.9, "BAC": 0.9, "IBM": 0.8, "AIG": 0.8}
"""How many of a day's minutes have the vendor's price: it drops prints by their conditions."""

MOST_OTHER_VOLUMES = 5
"""How many of a day's minutes have another volume: they hold auction prints that the vendor reported late."""


def trades_of(sym: str, day: str) -> dict[str, Any]:
    """Return the recorded trades of a day as columns of `trades`."""
    rows = pq.read_table(FOLDER / f"tick/{sym}_{day}_trades.parquet")
    count = rows.num_rows
    found = columns_of_rows("trades", [{"time": 0, "sym": sym, "source": "vendor"}])
    found = {name: column[np.zeros(count, dtype=np.int64)] for name, column in found.items()}
    times = pd.DatetimeIndex(rows.column("ts_utc").to_pandas()).as_unit("ns").asi8
    found |= {"time": np.array(times), "price": rows.column("price_e4").to_numpy() / 1e4}
    return found | {"size": rows.column("size").to_numpy().astype(float)}


def plainly(bars: dict[int, tuple[float, ...]], interval: str) -> dict[int, tuple[float, ...]]:
    """Return the bars of an interval of 1m bars of New York, by its clock, one after another."""
    length = {"5m": 5, "15m": 15, "1h": 60}.get(interval, 0)
    found: dict[int, list[float]] = {}
    for start in sorted(bars):
        local = pd.Timestamp(start, unit="ns", tz="UTC").tz_convert("America/New_York")
        minute = local.hour * 60 + local.minute
        close = 780 if str(local.date()) in ("2026-11-27",) else 960
        opened = 240 if minute < 570 else 570 if minute < close else close
        if length:
            key = start - (minute - opened) % length * MINUTE
        elif not 570 <= minute < close:
            continue
        else:
            key = local.normalize().value
        o, h, low, c, volume, vwap, count = bars[start]
        value = vwap * volume if volume else 0.0
        if key not in found:
            found[key] = [o, h, low, c, volume, value, count]
        else:
            p = found[key]
            found[key] = [p[0], max(p[1], h), min(p[2], low), c, p[4] + volume, p[5] + value, p[6] + count]
    return {k: (*v[:5], v[5] / v[4] if v[4] else math.nan, v[6]) for k, v in found.items()}


def vendor_minutes(sym: str, day: str) -> pd.DataFrame:
    """Return the vendor's minute bars of a day: time (int ns), open, high, low, close, volume."""
    (path,) = FOLDER.glob(f"minute/{sym}_20131007_*_minute_tradebars.csv")
    rows = pd.read_csv(path)
    rows = rows[rows["date"].astype(str).str.replace("-", "") == day]
    times = pd.DatetimeIndex(pd.to_datetime(rows["ts_utc"], utc=True)).as_unit("ns").asi8
    prices = {name: rows[f"{name}_e4"].to_numpy() / 1e4 for name in ("open", "high", "low", "close")}
    return pd.DataFrame({"time": times, **prices, "volume": rows["volume"].to_numpy().astype(float)})


def check_like_the_vendor_s(sym: str, day: str, ours: dict[int, tuple[float, ...]]) -> None:
    """Hold minutes (start -> open, high, low, close, volume, ...) to be the vendor's, as far as its data can be."""
    vendor = vendor_minutes(sym, day)
    times = vendor["time"].tolist()
    assert set(times) <= set(ours)
    mine = np.array([ours[time][:5] for time in times])
    assert int((mine[:, 4] != vendor["volume"].to_numpy()).sum()) <= MOST_OTHER_VOLUMES
    for i, name in enumerate(("open", "high", "low", "close")):
        assert (np.abs(mine[:, i] - vendor[name].to_numpy()) < 1e-9).mean() >= LEAST_EQUAL[sym], name
