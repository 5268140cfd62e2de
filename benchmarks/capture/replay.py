"""How fast does a restarted rdb come back? A journal of one day is read by a fresh rdb process."""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.capture.day_journal import write_journal
from benchmarks.capture.roles import READY_S, RUN_S, RoleFailed
from benchmarks.capture.stamping_rdb import REPLAY, STAMPING_RDB
from benchmarks.capture.tickplant import BenchPlant
from benchmarks.capture.work import Work
from benchmarks.effort import Effort
from benchmarks.machine import Grid, Spread, ratio

HIDDEN = """\
From the rdb's first request to the journal until it has caught up: reading, sending, decoding, appending. The start of
Python and the opening of the sockets are not in it, and the journal is in the file cache (a cold disk adds its own)."""


def replay(effort: Effort) -> bool:
    """Print how many rows a second a replay restores."""
    grid = Grid(
        "Replay: an rdb reads the journal of a day of trades",
        ("records", "rows", "runs", "rows/s  median (min..max)", "seconds", "vs batches"),
    )
    first: float | None = None
    for work in (
        Work("trades", effort.size(5_000, 50), 1000),
        Work("trades", effort.size(1_000_000, 5_000), 1),
    ):
        seconds = _replays(work, effort)
        rates = Spread.of(work.total / s for s in seconds)
        first = first or rates.median
        label = f"{work.messages:,} of {work.rows:,} rows"
        grid.add(label, work.total, len(seconds), str(rates), Spread.of(seconds).median, ratio(rates.median, first))
    print(grid)
    print(f"\n{HIDDEN}")
    return True


def _replays(work: Work, effort: Effort) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        plant = BenchPlant(Path(folder) / "plant")
        write_journal(plant.settings.plant.data / "journal", plant.settings.table_schema, [work])
        found = plant.settings.plant.data / REPLAY
        seconds: list[float] = []
        try:
            plant.start("tickerplant")
            for _ in effort.times():
                plant.start(STAMPING_RDB)
                _wait_for(found, plant)
                asked, caught_up = np.load(found).tolist()
                found.unlink()
                seconds.append((caught_up - asked) / 1e9)
                held = plant.ask("rdb").count("trades")
                if held != work.total:
                    raise RoleFailed(f"the rdb replayed {held:,} of {work.total:,} trades")
                plant.processes[STAMPING_RDB].terminate()
                plant.processes[STAMPING_RDB].wait(READY_S)
        finally:
            plant.stop()
    return seconds


def _wait_for(file: Path, plant: BenchPlant) -> None:
    deadline = time.monotonic() + RUN_S
    while not file.exists():
        if plant.processes[STAMPING_RDB].poll() is not None or time.monotonic() > deadline:
            raise RoleFailed(f"the rdb did not catch up: {plant.log(STAMPING_RDB)[-1000:]}")
        time.sleep(0.1)
