"""How fast is a backtest, next to backtesting.py, a sweep, next to vectorbt, and an order, from its bar on?

    python -m benchmarks.backtests [backtest] [sweep] [deciding] [--quick] [--repeats 5] [--scale 1]

SMA 50/200 over 1,000,000 one-minute bars, one core, all rows made: orders, fills, round trips, equity, metrics.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.backtests.deciding import deciding
from benchmarks.effort import CommandLine, Effort
from benchmarks.machine import Grid, ratio
from trading import backtest, sweep
from trading.backtests.result import Result
from trading.strategies.moving_average_cross import MovingAverageCross

BARS = 1_000_000
POINTS = 100
VECTORBT = Path(".venv-vectorbt/bin/python")
GOAL = "Goal: at most 5 s of one core, and at least 2 times faster than backtesting.py."

HIDDEN = """\
What these numbers hide:
- Ours makes a row of every state of every order, every fill, round trips, up to 5,000 rows of equity, and metrics.
  backtesting.py makes a table of trades and one of equity, no orders, no fills, and its statistics.
- Seconds are of this process's CPU time, frames included. The bars are in memory, made up, and checked by ours.
- Both reverse with the crossing at the next open; backtesting.py sizes one unit, as ours does, and has no ticks.
- The sweep: ours runs each point with every order, fill and mark, and gives 16 metrics. vectorbt computes all points as
  one array, compiled by numba (its first run compiles), has no orders, no ticks and no risk, and gives six metrics."""


def walk(count: int) -> pd.DataFrame:
    """Return one-minute bars of a random walk around 100, in whole cents."""
    chance = np.random.default_rng(20261120)
    closes = 100 * np.exp(np.cumsum(chance.normal(0, 2e-4, count + 1)))
    open, close = closes[:-1].round(2), closes[1:].round(2)
    reach = np.abs(chance.normal(0, 0.02, (2, count)))
    return pd.DataFrame(
        {
            "time": pd.date_range("2020-01-01", periods=count, freq="min", tz="UTC"),
            "open": open,
            "high": (np.maximum(open, close) + reach[0]).round(2),
            "low": (np.minimum(open, close) - reach[1]).round(2),
            "close": close,
            "volume": chance.integers(1_000, 9_000, count).astype(float),
        }
    )


def ours(bars: pd.DataFrame) -> Result:
    """Run it and make every frame."""
    result = backtest(MovingAverageCross, bars, sym="DEMO", interval="1m", fills="tradingview")
    for name in ("orders", "fills", "round_trips", "equity", "metrics"):
        getattr(result, name)
    return result


def theirs(bars: pd.DataFrame) -> pd.Series:
    """Run the same rules in backtesting.py."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from backtesting import Backtest, Strategy

        class Cross(Strategy):
            def init(self) -> None:
                close = pd.Series(self.data.Close)
                self.fast = self.I(lambda: close.rolling(50).mean())
                self.slow = self.I(lambda: close.rolling(200).mean())

            def next(self) -> None:
                above, before = self.fast[-1] > self.slow[-1], self.fast[-2] > self.slow[-2]
                if above != before:
                    self.position.close()
                    (self.buy if above else self.sell)(size=1)

        named = bars.rename(columns=str.capitalize).set_index("Time").tz_localize(None)
        return Backtest(named, Cross, cash=1e6).run()


def _cpu_s(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def compare(effort: Effort) -> bool:
    """Print the seconds of both; False if they do not have about the same trades."""
    bars = walk(effort.size(BARS, 3_000))
    trips = len(ours(bars).round_trips)
    listed = int(theirs(bars)["# Trades"])
    mine = statistics.median(_cpu_s(lambda: ours(bars)) for _ in effort.times())
    other = statistics.median(_cpu_s(lambda: theirs(bars)) for _ in effort.times(3))
    grid = Grid("SMA 50/200, one core", ("system", "bars", "CPU s", "trades", "vs ours"))
    grid.add("ours", len(bars), mine, trips, ratio(mine, mine))
    grid.add("backtesting.py", len(bars), other, listed, ratio(other, mine))
    print(grid)
    print(GOAL)
    return abs(trips - listed) <= max(2, trips // 50)


def points(effort: Effort) -> bool:
    """Print how long a sweep takes, ours on all CPUs and vectorbt's; False if their trades are not about the same."""
    bars = walk(effort.size(BARS // 10, 2_000))
    count = effort.size(POINTS, 4)
    fast = [5 + 5 * i for i in range(max(count // 10, 1))]
    slow = [100 + 10 * i for i in range(max(count // len(fast), 1))]
    grid = {"fast": fast, "slow": slow}
    terms = {"sym": "DEMO", "interval": "1m", "fills": "tradingview", "progress": False}
    begin = time.perf_counter()
    found = sweep(MovingAverageCross, grid, bars, **terms)
    taken = time.perf_counter() - begin
    table = Grid("a sweep of SMA crosses", ("system", "points", "bars each", "s", "s a point", "trades", "vs ours"))
    trades = int(found["trades"].sum())
    table.add("ours, all CPUs", len(found), len(bars), taken, taken / len(found), trades, ratio(taken, taken))
    theirs = _vectorbt(bars, grid)
    if isinstance(theirs, str):
        table.add("vectorbt", theirs)
    else:
        listed, name = int(sum(theirs["trades"])), f"vectorbt {theirs['version']}"
        for of, seconds in ((f"{name}, first run", theirs["first_s"]), (f"{name}, again", theirs["second_s"])):
            table.add(of, len(found), len(bars), seconds, seconds / len(found), listed, ratio(seconds, taken))
    print(table, flush=True)
    good = isinstance(theirs, str) or abs(trades - listed) <= max(2, trades // 50)
    return good and len(found) == len(fast) * len(slow)


def _vectorbt(bars: pd.DataFrame, grid: dict[str, list[int]]) -> Any:
    """Return what vectorbt needs and finds, or why it is not there."""
    if not VECTORBT.is_file():
        return "not installed: make bench-vectorbt"
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "bars.npz"
        times = pd.DatetimeIndex(bars["time"]).as_unit("ns").asi8
        np.savez(file, time=times, **{name: bars[name].to_numpy() for name in ("open", "close")})
        script = Path(__file__).with_name("beside_vectorbt.py")
        command = [str(VECTORBT), str(script), str(file), json.dumps(grid)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return "failed"
    return json.loads(done.stdout.splitlines()[-1])


SECTIONS: dict[str, Callable[[Effort], bool]] = {"backtest": compare, "sweep": points, "deciding": deciding}


def main() -> int:
    """Run the sections named on the command line."""
    arguments = CommandLine("benchmarks.backtests", __doc__ or "", SECTIONS).begin()
    effort = Effort(arguments.quick, arguments.repeats, arguments.scale)
    good = [SECTIONS[name](effort) for name in arguments.sections]
    print(HIDDEN)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
