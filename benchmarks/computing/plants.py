"""What a running plant does under load, and how long a processor that is started again is away: real processes."""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from benchmarks.capture.tickplant import BenchPlant, running_plant
from benchmarks.computing.walk import BEGAN, MINUTE, Market
from benchmarks.effort import Effort
from benchmarks.machine import Grid, number
from plant.client.connection import Connection
from plant.errors import Unavailable
from plant.rows.columns import Columns, Symbols, Texts

SYMBOLS, TRADES_A_SECOND, SECONDS = 2_000, 100_000, 60
INTERVALS = '["1m", "5m", "15m", "1h", "1d"]'
EVERY_S = 0.02
"""Pause between two messages of trades."""

RESTARTED, BARS = 10_000, 390
RESTARTING = {"timer_s": 0.0, "processor": "intervals = []\ncheckpoint_s = 5.0"}
LEAST = 5
"""Bars that a series has before its first row of `indicators` is given out."""

HIDDEN = """\
What these numbers hide:
- Live: a feed, a tickerplant, an rdb and the processor share this machine's CPUs. "Lag" is how long after the last
  trade was acknowledged the rdb has the bars of all its trades (their `trades` column adds up), so half a second
  of `update_s` is in it. CPU is the processor's own over the whole run, all threads.
- Restart: killed, then one more bar of each symbol is sent, then it is started; until the first row of `indicators` of
  that bar is in the rdb. The tickerplant, the rdb and the journal (in the file cache) are there. The checkpoint is of
  some seconds before the kill, as each is of at most `checkpoint_s`; without one the whole day is computed anew."""


def live(effort: Effort) -> bool:
    """Print whether the processor keeps up with trades of 2,000 symbols in five intervals."""
    symbols, rate = effort.size(SYMBOLS, 20), effort.size(TRADES_A_SECOND, 2_000)
    seconds = 3 if effort.quick else SECONDS
    grid = Grid(
        f"Candles live: {rate:,} trades/s of {symbols:,} symbols for {seconds} s, intervals {INTERVALS}",
        ("", "found", "goal"),
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        keys = {"processor": f"intervals = {INTERVALS}", "timer_s": 1.0}
        with running_plant(Path(folder) / "plant", "tickerplant", "rdb", "processor", **keys) as plant:
            process = psutil.Process(plant.processes["processor"].pid)
            before, began = _cpu_s(process), time.monotonic()
            sent, behind = _send(plant, symbols, rate, seconds)
            took = time.monotonic() - began
            db = plant.ask("rdb", timeout_s=60.0)
            _until(lambda: _built(db) == sent, 300.0)
            lag = time.monotonic() - began - took
            cpu = (_cpu_s(process) - before) / (took + lag)
            grid.add("trades sent", sent)
            grid.add("the feed was late at most, s", number(behind))
            grid.add("lag at the end, s", number(lag), "none")
            grid.add("CPU of the processor, cores", number(cpu), "1")
            grid.add("its memory, MB", process.memory_info().rss / 1e6)
    print(grid, flush=True)
    return True


def restart(effort: Effort) -> bool:
    """Print how long a processor needs from its start to its first row."""
    symbols, bars = effort.size(RESTARTED, 50), 20 if effort.quick else BARS
    found: dict[str, list[float]] = {"from a checkpoint": [], "without one": []}
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_plant(Path(folder) / "plant", "tickerplant", "rdb", "processor", **RESTARTING) as plant,
        plant.publisher("bench") as feed,
    ):
        db, market = plant.ask("rdb", timeout_s=60.0), Market(symbols)
        for i in range(bars):
            feed.publish("bars", market.minute(i))
            if i >= LEAST:
                _until(lambda: _count(db, i) == symbols, 300.0)  # noqa: B023
        memory = psutil.Process(plant.processes["processor"].pid).memory_info().rss
        kept = plant.settings.plant.data / "processor"
        for name, i in zip([*found] * len(effort.times()), range(bars + 1, 10**9, 2), strict=False):
            since = time.time()
            feed.publish("bars", market.minute(i - 1))
            _until(lambda: any(file.stat().st_mtime > since for file in kept.glob("*.npz")), 60.0)  # noqa: B023
            plant.kill("processor")
            if name == "without one":
                shutil.rmtree(kept)
            feed.publish("bars", market.minute(i))
            feed.flush(60.0)
            began = time.monotonic()
            plant.start("processor")
            _until(lambda: _count(db, i) > 0, 600.0)  # noqa: B023
            found[name].append(time.monotonic() - began)
            _until(lambda: _count(db, i) == symbols, 600.0)  # noqa: B023
    grid = Grid(
        f"Restart of the processor: {symbols:,} symbols of {bars} bars; seconds until its first row",
        ("", "n", "median", "most", "goal"),
    )
    for name, times in found.items():
        grid.add(name, len(times), number(float(np.median(times))), number(max(times)), "5 s")
    print(grid)
    print(f"The process before: {number(memory / 1e6)} MB, with the rows that it serves\n\n{HIDDEN}", flush=True)
    return True


def _send(plant: BenchPlant, symbols: int, rate: int, seconds: int) -> tuple[int, float]:
    """Send trades at a rate; return how many, and how late the feed was at most, in seconds."""
    names, chance = [f"S{i:05}" for i in range(symbols)], np.random.default_rng(1)
    rows, late, sent = max(int(rate * EVERY_S), 1), 0.0, 0
    with plant.publisher("bench") as feed:
        began = time.monotonic()
        while sent < rate * seconds:
            feed.publish("trades", _trades(names, rows, chance))
            sent += rows
            ahead = began + sent / rate - time.monotonic()
            late = max(late, -ahead)
            time.sleep(max(ahead, 0.0))
        feed.flush(120.0)
    return sent, late


def _trades(names: list[str], rows: int, chance: np.random.Generator) -> Columns:
    return {
        "time": np.full(rows, time.time_ns()),
        "sym": Symbols(names, chance.integers(0, len(names), rows).astype(np.int32)),
        "price": 100 + chance.integers(0, 100, rows) / 100,
        "size": np.full(rows, 10.0),
        "source": Symbols(["bench"], np.zeros(rows, np.int32)),
        "trade_id": Texts.of([""] * rows),
    }


def _built(db: Connection) -> int:
    """Return how many trades the 1m bars are made of."""
    found = db.sql("select coalesce(sum(trades), 0)::bigint n from bars where interval = '1m'", frames="numpy")
    return int(found["n"][0])


def _count(db: Connection, minute: int) -> int:
    start = BEGAN + minute * MINUTE
    return db.count("indicators", start=start, end=start + MINUTE)


def _until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except Unavailable as error:
            print(error, file=sys.stderr)
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {seconds:g} s")
        time.sleep(0.02)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
