"""Bars for backtests: a walk by a seed, or a few that a test writes down."""

import numpy as np
import pandas as pd


def walk(
    count: int = 500, seed: int = 7, tick: float = 0.01, freq: str = "min", start: str = "2024-03-01"
) -> pd.DataFrame:
    """Return a random walk of prices around 100, whole ticks of 0.01, each bar holding its open and close."""
    chance = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(chance.normal(0, 1e-3, count + 1)))
    open, close = closes[:-1].round(2), closes[1:].round(2)
    reach = np.abs(chance.normal(0, 0.05, (2, count)))
    return pd.DataFrame(
        {
            "time": pd.date_range(start, periods=count, freq=freq, tz="UTC"),
            "open": open,
            "high": (np.maximum(open, close) + reach[0]).round(2),
            "low": (np.minimum(open, close) - reach[1]).round(2),
            "close": close,
            "volume": chance.integers(500, 5000, count).astype(float),
        }
    )


def written(*bars: tuple[float, float, float, float], volume: float = 1000.0, freq: str = "min") -> pd.DataFrame:
    """Return the bars (open, high, low, close), one a minute from 2024-03-01 on."""
    table = np.array(bars, dtype=float)
    return pd.DataFrame(
        {
            "time": pd.date_range("2024-03-01", periods=len(bars), freq=freq, tz="UTC"),
            **{name: table[:, i] for i, name in enumerate(("open", "high", "low", "close"))},
            "volume": volume,
        }
    )
