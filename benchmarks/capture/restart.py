"""How long is an rdb away that is started again in the middle of a day?"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.capture.day_journal import write_journal
from benchmarks.capture.roles import READY_S, RUN_S, RoleFailed
from benchmarks.capture.tickplant import BenchPlant
from benchmarks.capture.work import SYMBOLS, Work
from benchmarks.effort import Effort
from benchmarks.machine import Grid, Spread, number
from plant.client.connection import Connection
from plant.errors import Unavailable

ONE = SYMBOLS[33]

FIRST: dict[str, Callable[[Connection], Any]] = {
    "its last 100 trades": lambda db: db.select("trades", sym=ONE, last=100),
    "its 5-minute bars": lambda db: db.resample("trades", "5m", sym=ONE),
    "its bars of the day": lambda db: db.select("bars", sym=ONE),
    "last trade of each": lambda db: db.last("trades"),
}
"""What is asked as soon as there is an answer at all, while nothing is sorted yet."""

HIDDEN = """\
From the start of the process (python -m rdb) until it has answered how many trades there are, which it does only once
it has read the whole journal; "ready" is what Python, the imports and the sockets take of that. The tickerplant is up,
and reads the journal out of the file cache (a cold disk adds its own). Four fifths of the records are trades, the
others bars that are revised nine times; they come mixed, as a day's records do. "CPU" is the rdb's own, all threads,
until the answer. "First questions" is the slowest of four about one symbol or all, asked at once after that."""


class Restart(NamedTuple):
    """One start: seconds until ready and until the answer, CPU seconds of the process by then, its slowest question."""

    ready_s: float
    answered_s: float
    cpu_s: float
    slowest_ms: float


def restart(effort: Effort) -> bool:
    """Print how long it takes until a fresh rdb answers."""
    grid = Grid(
        "Restart: an rdb with a day of trades and bars, from its start to its first answer",
        ("records", "rows", "runs", "seconds  median (min..max)", "ready", "CPU", "first questions, ms", "goal"),
    )
    for rows in (1000, 100):
        messages = effort.size(10_000_000 / rows, 50)
        works = Work("trades", messages * 4 // 5, rows), Work("bars", messages - messages * 4 // 5, rows)
        found = _restarts(works, effort)
        answered = Spread.of(f.answered_s for f in found)
        others = (number(Spread.of(values).median) for values in zip(*(f[2:] for f in found), strict=True))
        ready = number(Spread.of(f.ready_s for f in found).median)
        grid.add(f"{messages:,} of {rows:,} rows", messages * rows, len(found), str(answered), ready, *others, "3 s")
    print(grid)
    print(f"\n{HIDDEN}")
    return True


def _restarts(works: tuple[Work, Work], effort: Effort) -> list[Restart]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        plant = BenchPlant(Path(folder) / "plant")
        write_journal(plant.settings.plant.data / "journal", plant.settings.table_schema, works)
        try:
            plant.start("tickerplant")
            return [_restart(plant, works) for _ in effort.times()]
        finally:
            plant.stop()


def _restart(plant: BenchPlant, works: tuple[Work, Work]) -> Restart:
    begun = time.monotonic()
    process = plant.processes["rdb"] = plant.spawn("rdb")
    plant.wait_ready("rdb")
    ready_s = time.monotonic() - begun
    db = plant.ask("rdb", timeout_s=RUN_S, frames="arrow")  # pandas would be imported here, within the first question
    trades = _first_answer(db, begun + RUN_S)
    answered_s = time.monotonic() - begun
    times = psutil.Process(process.pid).cpu_times()
    slowest_s = max(_duration_s(ask, db) for ask in FIRST.values())
    bars = db.count("bars")
    process.terminate()
    process.wait(READY_S)
    standing = -(-works[1].total // len(SYMBOLS) // 10) * len(SYMBOLS)
    if (trades, bars) != (works[0].total, standing):
        raise RoleFailed(
            f"the rdb has {trades:,} trades, {bars:,} bars in force; expected {works[0].total:,}, {standing:,}"
        )
    return Restart(ready_s, answered_s, times.user + times.system, slowest_s * 1e3)


def _first_answer(db: Connection, deadline: float) -> int:
    """Return how many trades there are; an rdb that reads longer than it lets questions wait is asked again."""
    while True:
        try:
            return db.count("trades")
        except Unavailable:
            if time.monotonic() > deadline:
                raise


def _duration_s(ask: Callable[[Connection], Any], db: Connection) -> float:
    begun = time.monotonic()
    ask(db)
    return time.monotonic() - begun
