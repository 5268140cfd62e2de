"""The sweep in vectorbt: run in an environment of its own (make bench-vectorbt), it prints figures as JSON.

    python benchmarks/backtests/beside_vectorbt.py BARS.npz '{"fast": [...], "slow": [...]}'

All points at once, as vectorbt is meant to be used: one array of every window, one simulation of as many columns. The
reversal is filled at the next bar's open, one unit, as ours does. What is printed are the seconds of the first run,
which compiles, those of the second, and the trades of each point.
"""

import itertools
import json
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt  # type: ignore[import-not-found]


def run(bars: pd.DataFrame, grid: dict[str, list[int]]) -> dict[str, Any]:
    """Return the metrics of every point that ours gives and vectorbt has, float64[points] each."""
    points = list(itertools.product(grid["fast"], grid["slow"]))
    fast = vbt.MA.run(bars["close"], [f for f, _ in points], short_name="fast")
    slow = vbt.MA.run(bars["close"], [s for _, s in points], short_name="slow")
    above, below = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
    portfolio = vbt.Portfolio.from_signals(
        bars["close"],
        entries=above.vbt.fshift(1),
        short_entries=below.vbt.fshift(1),
        price=bars["open"],
        size=1.0,
        init_cash=1e6,
        freq="1min",
        upon_opposite_entry="reverse",
    )
    trades = portfolio.trades
    return {
        "trades": trades.closed.count(),
        "total_return": portfolio.total_return(),
        "max_drawdown": portfolio.max_drawdown(),
        "win_rate": trades.closed.win_rate(),
        "profit_factor": trades.closed.profit_factor(),
        "sharpe": portfolio.sharpe_ratio(),
    }


def main() -> None:
    """Print {"version", "first_s", "second_s", "trades", "total_return"}."""
    arrays, grid = np.load(sys.argv[1]), json.loads(sys.argv[2])
    index = pd.DatetimeIndex(arrays["time"].view("M8[ns]"), tz="UTC")
    bars = pd.DataFrame({name: arrays[name] for name in ("open", "close")}, index=index)
    taken, found = [], {}
    for _ in range(2):
        begin = time.perf_counter()
        found = run(bars, grid)
        taken.append(time.perf_counter() - begin)
    told = {name: np.asarray(found[name]).tolist() for name in ("trades", "total_return")}
    print(json.dumps({"version": vbt.__version__, "first_s": taken[0], "second_s": taken[1], **told}))


if __name__ == "__main__":
    main()
