"""TradingView's own lists of trades, recorded beside the repository, and what holds round trips to them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recordings import RECORDINGS

FOLDER = RECORDINGS / "tradingview"
TICK = 1e-5


def bars() -> Path:
    """Return the recorded bars of EURUSD, 60 minutes; skips the test without them."""
    path = FOLDER / "ohlcv.csv.gz"
    if not path.is_file():
        pytest.skip(f"no recorded data at {path}")
    return path


def trades(name: str) -> pd.DataFrame:
    """Return a list, one row a trade, with the names of our columns."""
    listed = pd.read_csv(FOLDER / name)
    entry = listed[listed["Type"].str.startswith("Entry")].set_index("Trade #")
    leave = listed[listed["Type"].str.startswith("Exit")].set_index("Trade #")
    return pd.DataFrame(
        {
            "side": entry["Type"].str.removeprefix("Entry "),
            "entry_at": pd.to_datetime(entry["Date/Time"], utc=True),
            "entry_price": entry["Price USD"],
            "entry_tag": entry["Signal"],
            "exit_at": pd.to_datetime(leave["Date/Time"], utc=True),
            "exit_price": leave["Price USD"],
            "exit_tag": leave["Signal"],
            "qty": entry["Position size (qty)"].astype(float),
            "profit_pct": entry["Net P&L %"],
            "run_up": entry["Run-up %"],
            "drawdown": entry["Drawdown %"],
        }
    ).reset_index(drop=True)


def hold(trips: pd.DataFrame, listed: pd.DataFrame, total_ticks: int) -> None:
    """Assert that round trips are the listed trades: prices and times exactly, % to half of the last digit."""
    assert len(trips) == len(listed)
    for name in ("side", "entry_at", "entry_price", "entry_tag", "exit_at", "exit_price", "exit_tag", "qty"):
        differ = np.flatnonzero((trips[name] != listed[name]).to_numpy())
        assert not len(differ), f"{name} differs first in trade {differ[0] + 1}"
    for name in ("profit_pct", "run_up", "drawdown"):
        apart = (trips[name] - listed[name]).abs()
        assert apart.max() <= 0.005 + 1e-9, f"{name} differs by {apart.max()} in trade {apart.argmax() + 1}"
    assert round(trips["profit"].sum() / TICK) == total_ticks
