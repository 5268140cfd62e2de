"""How fast does a restarted rdb come back? A journal of one day is read by a fresh rdb process."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.capture.roles import READY_S, RUN_S, RoleFailed
from benchmarks.capture.stamping_rdb import REPLAY, STAMPING_RDB
from benchmarks.capture.tickplant import BenchPlant
from benchmarks.capture.work import Work
from benchmarks.effort import Effort
from benchmarks.machine import Grid, Spread, ratio
from plant.intake.forms import columns_of
from plant.journal.journal import Journal
from plant.journal.position import Position
from plant.rows.columns import Columns
from plant.wire.envelope import stamp
from plant.wire.record import encode, source_id_of

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
        _write_journal(plant, work)
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


def _write_journal(plant: BenchPlant, work: Work) -> None:
    """Write the work's messages as records of a journal, each by itself, as a tickerplant does."""
    source = source_id_of("bench")
    journal = Journal(plant.settings.plant.data / "journal", plant.settings.table_schema)
    table, now = work.table, time.time_ns()
    chunks: list[bytearray] = []
    for seq, columns in enumerate(_messages(work), 1):
        record = encode(table, columns, source, seq * work.rows)
        stamp(record, 0, seq, seq, now)
        chunks.append(record)
        if len(chunks) * work.rows >= 1000 or seq == work.messages:
            journal.append(chunks, seq - len(chunks) + 1)
            chunks = []
            journal.position = Position(seq, {table.name: seq}, {source: seq * work.rows})
            journal.roll_if_full()
    journal.close()


def _messages(work: Work) -> Iterator[Columns]:
    """Yield each message's columns; a symbol column of a part names only the symbols that occur in it."""
    columns = work.columns()
    for at in range(0, work.total, work.rows):
        yield columns_of(work.table, {name: column[at : at + work.rows] for name, column in columns.items()})


def _wait_for(file: Path, plant: BenchPlant) -> None:
    deadline = time.monotonic() + RUN_S
    while not file.exists():
        if plant.processes[STAMPING_RDB].poll() is not None or time.monotonic() > deadline:
            raise RoleFailed(f"the rdb did not catch up: {plant.log(STAMPING_RDB)[-1000:]}")
        time.sleep(0.1)
