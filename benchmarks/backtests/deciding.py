"""How long after a bar's row is the order's row there, in a running plant? One bar at a time, at a steady pace."""

import json
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.capture.tickplant import BenchPlant, running_plant
from benchmarks.effort import Effort
from benchmarks.machine import Grid, number
from plant.rows.batch import Batch

MINUTE = 60 * 10**9
PACES_S = (0.1, 0.02, 0.005)
"""Seconds between two bars: at the last the plant has as much to do as this machine can."""
SECONDS = 25.0
GIVE_UP_S = 60.0

ALTERNATES = '''
from trading import Sma, Strategy


class Alternates(Strategy):
    """An order with every bar."""

    def start(self):
        self.mean = self.use(Sma(50))

    def on_bar(self, bar):
        self.buy(1, limit=bar.close, tif="ioc")
'''

TOML = """
[[accounts]]
name = "paper"
fills_on = "bars"
limits = { stale_s = 0, max_orders_per_minute = 1000000 }

[[instruments]]
sym = "*"
"""

HIDDEN = """\
What the latency hides: it is the difference of two times of the tickerplant's (`received`): when it had journaled the
bar's row, and when it had the row of the order (state created). Between them lie the way to the trader, the indicator,
the strategy, risk, and the way back. Feed, tickerplant, rdb and trader share this machine's CPUs; they rest between
bars, or should: where bars come faster than they are done with, a bar waits for those before it, and that is what the
last line shows. Seven rows come of each bar: four of orders, a fill, a position, equity."""


def deciding(effort: Effort) -> bool:
    """Print the milliseconds from a bar's row to the row of the order that it caused; False if one is missing."""
    grid = Grid(
        "From a bar's row to its order's row, milliseconds",
        ("one bar each, ms", "n", "median", "p99", "most", "trader's CPU a bar"),
    )
    good = True
    for pace_s in PACES_S:
        bars = effort.size(int(SECONDS / pace_s), 50)
        found, cpu_s = _run(bars, pace_s)
        warm = found[len(found) // 10 :]
        told = (*np.percentile(warm, (50, 99)), warm.max(), 1000 * cpu_s / bars)
        grid.add(number(1000 * pace_s), len(warm), *(number(float(value)) for value in told))
        good &= len(found) == bars
    print(grid)
    print(HIDDEN, flush=True)
    return good


def _run(bars: int, pace_s: float) -> tuple[np.ndarray, float]:
    """Return the milliseconds of each bar, float64[n], and the CPU seconds that the trader took for all."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        place = Path(folder) / "plant"
        with running_plant(place, "tickerplant", "rdb", toml=TOML, sync="1000 ms") as plant:
            (place / "strategies").mkdir()
            (place / "strategies" / "alternates.py").write_text(ALTERNATES)
            plant.start("trading")
            trader = psutil.Process(plant.processes["trading"].pid)
            return _measured(plant, bars, pace_s, lambda: sum(trader.cpu_times()[:2]))


def _measured(plant: BenchPlant, bars: int, pace_s: float, cpu: Callable[[], float]) -> tuple[np.ndarray, float]:
    """Return the milliseconds of each bar, float64[n]."""
    seen: dict[str, dict[int, int]] = {"bar_closes": {}, "orders": {}}
    with plant.publisher("bench") as feed, plant.subscriber("bar_closes", "orders", "runs") as stream:
        told: dict[str, Any] = {
            "sym": "bench",
            "version": 1,
            "action": "create",
            "class_name": "Alternates",
            "interval": "1m",
        }
        told |= {"account": "paper", "mode": "paper", "wanted": "running", "symbols": json.dumps(["A"])}
        limits = {"limits": {"stale_s": 0, "max_orders_per_minute": 1_000_000}}
        feed.publish("strategies", {"time": time.time_ns(), **told, "parameters": json.dumps(limits), "who": "bench"})
        feed.flush()
        _until(lambda: any(batch.table == "runs" for batch in stream.poll(0.1)))
        begin = (time.time_ns() - bars * MINUTE) // MINUTE * MINUTE
        due, before = time.monotonic(), cpu()
        for i in range(bars):
            at, price = begin + i * MINUTE, 100 + (i % 7) / 100
            prices = dict.fromkeys(("open", "high", "low", "close"), price)
            row = {"time": at + MINUTE, "sym": "A", "market_time": at, "interval": "1m", **prices, "volume": 1e6}
            feed.publish("bar_closes", row)
            due += pace_s
            while (left := due - time.monotonic()) > 0:
                _take(stream.poll(left), seen)

        def all_there() -> bool:
            _take(stream.poll(0.1), seen)
            return len(seen["orders"]) == bars

        _until(all_there)
        taken = cpu() - before
    closes, orders = seen["bar_closes"], seen["orders"]
    return np.array([orders[at] - closes[at] for at in sorted(orders) if at in closes]) / 1e6, taken


def _take(batches: Iterable[Batch], seen: dict[str, dict[int, int]]) -> None:
    for batch in batches:
        if batch.table in seen:
            for at in batch.columns["market_time"].tolist():
                seen[batch.table].setdefault(at, batch.received)  # the first row of an order is the one that is made


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GIVE_UP_S
    while not holds():
        if time.monotonic() > deadline:
            return
