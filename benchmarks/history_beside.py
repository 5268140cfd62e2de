"""Does capture go on while a day is closed? A whole plant: a day of trades, then its end while more come at a pace."""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from capture_roles import READY_S, RoleFailed
from capture_tickplant import running_plant
from capture_work import Work
from effort import Effort
from machine import Grid, number

import plant

RATE = 100_000
ROWS = 100
DAY_ROWS = 10_000_000
CLOSED_S = 300.0
"""A day that takes longer is given up."""

HIDDEN = """\
Publisher, tickerplant, rdb and hdb share the CPUs named above. The day's rows were published as fast as they go just
before; the close waits until the hdb has written them, and compares them with the journal. An acknowledgement is a
flush() after a batch, one of a hundred."""


def beside(effort: Effort) -> bool:
    """Print how long the close took and how late rows were acknowledged; False if a row is missing or doubled."""
    total = effort.size(DAY_ROWS, 20_000)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_plant(Path(folder) / "plant", "tickerplant", "rdb", "hdb") as running,
    ):
        config = str(running.config)
        with plant.publisher("day", config=config) as feed:
            for item in Work("trades", total // 1000, 1000).items():
                feed.publish("trades", item)
            feed.flush(READY_S)
        pace = _Pace(config)
        pace.start()
        hdb, rdb = running.ask("hdb"), running.ask("rdb")
        before = rdb.count("gaps")  # the day was published faster than a reader may take it
        begun = time.monotonic()
        with plant.publisher("bench-clock", config=config) as clock:
            day = running.settings.days.last_ended(time.time_ns())
            end = {"time": time.time_ns(), "sym": "bench", "day": str(day), "state": "end", "detail": "again"}
            clock.publish("days", end)
            cut = clock.flush(READY_S)
        while hdb.status()["closed"] < cut:
            if time.monotonic() - begun > CLOSED_S:
                raise RoleFailed(f"the day was not closed within {CLOSED_S:g} s: {hdb.status()}")
            time.sleep(0.05)
        closed_s = time.monotonic() - begun
        pace.stop()
        deadline = time.monotonic() + READY_S
        while (held := plant.connect(config=config).count("trades")) < total + pace.rows:
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        gaps = rdb.count("gaps") - before
    grid = Grid(
        f"Closing a day of {total:,} trades while {RATE:,} rows/s come, in batches of {ROWS}",
        (
            "seconds to closed",
            "rows meanwhile",
            "most late, s",
            "ack median, ms",
            "ack most, ms",
            "gaps",
            "rows missing",
        ),
    )
    acks = sorted(pace.acks_ms)
    missing = total + pace.rows - held
    grid.add(
        number(closed_s), pace.rows, number(pace.late_s), number(acks[len(acks) // 2]), number(acks[-1]), gaps, missing
    )
    print(grid)
    print(f"\n{HIDDEN}", flush=True)
    return gaps == 0 and missing == 0


class _Pace(threading.Thread):
    """Publishes trades at RATE until it is stopped; every hundredth batch waits for its acknowledgement."""

    def __init__(self, config: str) -> None:
        super().__init__(daemon=True)
        self._config = config
        self._ending = threading.Event()
        self.rows = 0
        self.late_s = 0.0
        self.acks_ms: list[float] = []

    def run(self) -> None:
        items: list[dict[str, Any]] = Work("trades", 200, ROWS).items()
        with plant.publisher("pace", config=self._config) as feed:
            begun = time.monotonic()
            while not self._ending.is_set():
                index = self.rows // ROWS
                ahead = begun + index * ROWS / RATE - time.monotonic()
                if ahead > 0:
                    time.sleep(ahead)
                self.late_s = max(self.late_s, -ahead)
                feed.publish("trades", items[index % len(items)])
                self.rows += ROWS
                if index % 100 == 0:
                    asked = time.monotonic()
                    feed.flush(READY_S)
                    self.acks_ms.append((time.monotonic() - asked) * 1e3)
            feed.flush(READY_S)

    def stop(self) -> None:
        """Publish no more, and wait until all is acknowledged."""
        self._ending.set()
        self.join()
