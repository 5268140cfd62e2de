"""What does capture cost in memory: the rdb for a day of trades, the tickerplant while a subscriber does not read?"""

import os
import signal
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psutil

from benchmarks.capture.roles import READY_S, RUN_S, Role, RoleFailed, Stage
from benchmarks.capture.tickplant import BenchPlant, running_plant
from benchmarks.capture.work import Item, Work
from benchmarks.effort import Effort
from benchmarks.machine import Grid, ratio
from plant.client.connect import subscriber_of
from plant.intake.forms import columns_of
from plant.rows.columns import Symbols, Texts
from plant.runtime.settings import load

MB = 1e6
BLOCK = Work("trades", 100, 1000)
"""Trades that are published again and again: memory does not depend on their values."""

HIDDEN = """\
Raw bytes are the columns as arrays: 8 bytes a number, 4 a symbol, and a text's own bytes and its end. Arrays that grow
are copied into longer ones, so that the peak is higher for a moment, and untouched room at their end is not resident.
The stopped subscriber lets pass what no longer fits its queue (publish_queue in plant.toml, and the kernel's
buffers), and reads it from the journal when it goes on."""


def memory(effort: Effort) -> bool:
    """Print resident memory before and after."""
    grid = Grid(
        "Memory: resident MB (10^6 bytes)",
        ("process", "rows", "before", "after", "peak", "growth", "raw bytes", "growth/raw", "the subscriber then"),
    )
    _rdb(grid, effort.size(10_000, 50))
    for stopped, messages in ((False, 1_000), (True, 1_000), (True, 5_000)):
        _tickerplant(grid, effort.size(messages, 50), stopped)
    print(grid)
    print(f"\n{HIDDEN}")
    return True


def _rdb(grid: Grid, messages: int) -> None:
    items = BLOCK.items()
    raw = sum(_raw_bytes(item) for item in islice(cycle(items), messages))
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_plant(Path(folder) / "plant", "tickerplant", "rdb") as plant,
    ):
        before = _resident(plant, "rdb")
        seq = _publish(plant, items, messages)
        rdb = plant.ask("rdb")
        deadline = time.monotonic() + RUN_S
        while rdb.status()["seq"] < seq:
            if time.monotonic() > deadline:
                raise RoleFailed(f"the rdb stands at {rdb.status()}, the journal at {seq}")
            time.sleep(0.05)
        after = _resident(plant, "rdb")
        grid.add("rdb", messages * BLOCK.rows, *_figures(before, after, _peak(plant, "rdb")), raw / MB,
                 ratio(after - before, raw), "")  # fmt: skip


def _tickerplant(grid: Grid, messages: int, stopped: bool) -> None:
    """Measure a tickerplant with one subscriber, reading or stopped by SIGSTOP, and let that one catch up."""
    items, rows = BLOCK.items(), messages * BLOCK.rows
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_plant(Path(folder) / "plant", "tickerplant") as plant,
        Role(_follow, str(plant.config), rows) as follower,
    ):
        follower.hear("ready", READY_S)
        follower.go()
        if stopped:
            os.kill(follower.process.pid or 0, signal.SIGSTOP)
        try:
            before = _resident(plant, "tickerplant")
            _publish(plant, items, messages)
            after = _resident(plant, "tickerplant")
        finally:
            os.kill(follower.process.pid or 0, signal.SIGCONT)
        taken, gaps = follower.hear("done", RUN_S)
        told = f"has {taken:,} rows, {gaps} gaps healed"
        peak = _peak(plant, "tickerplant")
    label = f"tickerplant, subscriber {'stopped' if stopped else 'reading'}"
    grid.add(label, rows, *_figures(before, after, peak), "", "", told)


def _follow(config: str, rows: int, stage: Stage) -> tuple[int, int]:
    """Take `rows` trades; return how many came, and how many gaps were healed on the way."""
    with subscriber_of(load(config), ("trades",)) as stream:
        taken = 0
        while not (stream.connected and stream.caught_up):
            taken += sum(map(len, stream.poll(0.2)))
        stage.ready()
        while taken < rows or not stream.caught_up:
            taken += sum(map(len, stream.poll(0.2)))
        return taken, sum(gap.state == "healed" for gap in stream.stream.gaps)


def _publish(plant: BenchPlant, items: list[Item], messages: int) -> int:
    publisher = plant.publisher("bench")
    for item in islice(cycle(items), messages):
        publisher.publish("trades", item)
    return publisher.flush(60.0)


def _raw_bytes(item: Item) -> int:
    return sum(_column_bytes(column) for column in columns_of(BLOCK.table, item).values())


def _column_bytes(column: Any) -> int:
    if isinstance(column, Symbols):
        return int(column.codes.nbytes)
    if isinstance(column, Texts):
        return len(column.data) + 8 * len(column)
    return int(column.nbytes)


def _figures(before: int, after: int, peak: int) -> tuple[float, ...]:
    return before / MB, after / MB, peak / MB, (after - before) / MB


def _resident(plant: BenchPlant, name: str) -> int:
    return int(psutil.Process(plant.processes[name].pid).memory_info().rss)


def _peak(plant: BenchPlant, name: str) -> int:
    """Return the most that was ever resident, bytes (proc_pid_status(5), VmHWM)."""
    lines = Path(f"/proc/{plant.processes[name].pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
