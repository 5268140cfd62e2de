"""How old is a row when a question can see it, while clients ask without pause? A whole plant, trades at a pace."""

import multiprocessing
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

import plant
from benchmarks.capture.roles import READY_S, RoleFailed
from benchmarks.capture.stamping_rdb import STAMPING_RDB, VISIBLE
from benchmarks.capture.tickplant import running_plant
from benchmarks.capture.work import Work
from benchmarks.effort import Effort
from benchmarks.machine import Grid, number
from plant.client.connection import Connection
from plant.runtime.settings import load

RATE = 200_000
ROWS = 100
CLIENTS = 4
GOAL_MS = 50.0

SPAWN = multiprocessing.get_context("spawn")

HIDDEN = """\
Publisher, tickerplant, rdb and the clients, which ask in turn for the last row of each symbol, one symbol's last 100
rows, its 5-minute bars and all of its rows, share the CPUs named above. The first tenth of the run is left out."""


def ingest(effort: Effort) -> bool:
    """Print the age of rows when they become visible, and what the clients saw; False if a row is missing."""
    seconds = effort.size(30, 2)
    total = RATE * seconds
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        with running_plant(Path(folder) / "plant", "tickerplant", STAMPING_RDB) as running:
            stop, answers = SPAWN.Event(), SPAWN.Queue()
            clients = [SPAWN.Process(target=_ask, args=(str(running.config), stop, answers)) for _ in range(CLIENTS)]
            for client in clients:
                client.start()
            for _ in clients:
                answers.get(timeout=READY_S)
            behind_s = _publish(str(running.config), total)
            stop.set()
            asked = [answers.get(timeout=READY_S) for _ in clients]
            for client in clients:
                client.join(READY_S)
            rdb = running.ask("rdb")
            deadline = time.monotonic() + READY_S
            while rdb.count("trades") < total:
                if time.monotonic() > deadline:
                    raise RoleFailed(f"the rdb has {rdb.count('trades'):,} of {total:,} rows")
                time.sleep(0.05)
            gaps = rdb.count("gaps")
        published, visible = np.load(running.settings.plant.data / VISIBLE)
    ages = (visible - published)[total // 10 :] / 1e6
    questions = np.concatenate([np.array(found) for found in asked]) * 1e3
    grid = Grid(
        f"Ingest: {RATE:,} rows/s in batches of {ROWS} for {seconds} s, {CLIENTS} clients asking without pause",
        ("", "n", "median", "p99", "most"),
    )
    for label, values in (("publish to visible, ms", ages), ("a question, ms", questions)):
        median, tail = np.percentile(values, [50, 99]).tolist()
        grid.add(label, len(values), number(median), number(tail), number(float(values.max())))
    print(grid)
    print(f"gaps {gaps}; the publisher was {behind_s:.1f} s late at the end; goal: p99 under {GOAL_MS:g} ms, no gap")
    print(f"\n{HIDDEN}", flush=True)
    return gaps == 0 and len(visible) == total


def _publish(config: str, total: int) -> float:
    """Publish trades at the pace; return how many seconds the last batch was late."""
    items: list[dict[str, Any]] = Work("trades", 200, ROWS).items()
    with plant.publisher("bench", config=config) as feed:
        begun = time.monotonic()
        late = 0.0
        for index in range(total // ROWS):
            late = time.monotonic() - begun - index * ROWS / RATE
            if late < 0:
                time.sleep(-late)
            item = items[index % len(items)]
            item["time"] = np.full(ROWS, time.time_ns())
            feed.publish("trades", item)
        feed.flush(60.0)
    return max(late, 0.0)


def _ask(config: str, stop: Event, answers: Any) -> None:
    """Ask without pause; hand over the seconds that each question took."""
    settings = load(config)
    found: list[float] = []
    with Connection("rdb", settings.address(settings.rdb.port), timeout_s=60.0) as db:
        asks = (
            lambda: db.last("trades"),
            lambda: db.select("trades", "S007", last=100),
            lambda: db.resample("trades", "5m", "S007"),
            lambda: db.select("trades", "S007"),
        )
        for ask in asks:
            ask()
        answers.put(None)
        while not stop.is_set():
            for ask in asks:
                begun = time.perf_counter()
                ask()
                found.append(time.perf_counter() - begun)
    answers.put(found)
