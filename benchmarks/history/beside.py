"""Does capture go on while a day is closed? A whole plant: a day of trades, then its end while more come at a pace."""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import plant
from benchmarks.capture.roles import READY_S, RoleFailed
from benchmarks.capture.tickplant import running_plant
from benchmarks.capture.work import Work
from benchmarks.effort import Effort
from benchmarks.machine import Grid, number
from plant.client.connection import Connection

RATE = 100_000
ROWS = 100
DAY_ROWS = 10_000_000
READ_S = 300.0
"""Readers that take longer for the day's rows are given up."""

CLOSED_S = 300.0
"""A day that takes longer is given up."""

HIDDEN = """\
What these numbers hide:
- Publisher, tickerplant, rdb and hdb share the CPUs named above.
- The day's rows were published as fast as they go. The pace, and the end of the day, began once rdb and hdb had read
  them all; how long that took, and the gaps opened (and healed) until then, stand in columns of their own.
- The hdb writes the last of those rows, and compares with the journal what it had not compared by then, within the
  close. A day whose rows come over hours has that behind it.
- An acknowledgement is a flush() after a batch, one of a hundred."""


def beside(effort: Effort) -> bool:
    """Print how long the close took and how late rows were acknowledged; False if a row is missing or a gap opened."""
    total = effort.size(DAY_ROWS, 20_000)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_plant(Path(folder) / "plant", "tickerplant", "rdb", "hdb") as running,
    ):
        config = str(running.config)
        rdb, hdb = running.ask("rdb"), running.ask("hdb")
        with plant.publisher("day", config=config) as feed:
            for item in Work("trades", total // 1000, 1000).items():
                feed.publish("trades", item)
            published = time.monotonic()
            last = feed.flush(READY_S)
        _until_read((rdb, hdb), last)
        read_s = time.monotonic() - published
        began_ns, begun = time.time_ns(), time.monotonic()
        pace = _Pace(config)
        pace.start()
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
        _until_read((rdb, hdb), pace.stop())
        db = plant.connect(config=config)  # the rdb has let go of what came before the end
        held = db.count("trades")
        before, gaps = (
            db.select("gaps", start=start, end=end, where=[("state", "!=", "healed")])
            for start, end in ((None, began_ns), (began_ns, None))
        )
    grid = Grid(
        f"Closing a day of {total:,} trades while {RATE:,} rows/s come, in batches of {ROWS}",
        (
            "seconds until read",
            "gaps until then",
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
        number(read_s),
        len(before),
        number(closed_s),
        pace.rows,
        number(pace.late_s),
        number(acks[len(acks) // 2]),
        number(acks[-1]),
        len(gaps),
        missing,
    )
    print(grid)
    if len(gaps):
        print(f"\n{gaps.to_string()}")
    print(f"\n{HIDDEN}", flush=True)
    return len(gaps) == 0 and missing == 0


def _until_read(readers: tuple[Connection, ...], seq: int) -> None:
    """Wait until all of them are live, and have taken what the plant had up to a seq."""
    deadline = time.monotonic() + READ_S
    while behind := [s for s in (r.status() for r in readers) if not (s["caught_up"] and s["seq"] >= seq)]:
        if time.monotonic() > deadline:
            raise RoleFailed(f"seq {seq:,} was not read within {READ_S:g} s: {behind[0]}")
        time.sleep(0.05)


class _Pace(threading.Thread):
    """Publishes trades at RATE until it is stopped; every hundredth batch waits for its acknowledgement."""

    def __init__(self, config: str) -> None:
        super().__init__(daemon=True)
        self._config = config
        self._ending = threading.Event()
        self.rows = 0
        self.late_s = 0.0
        self.acks_ms: list[float] = []
        self._last = 0

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
            self._last = feed.flush(READY_S)

    def stop(self) -> int:
        """Publish no more, wait until all is acknowledged, and return the last seq."""
        self._ending.set()
        self.join()
        return self._last
