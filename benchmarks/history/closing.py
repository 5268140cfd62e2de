"""How long does a day take to close, and how much memory, next to Polars sorting and writing the same rows?"""

import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from benchmarks.effort import Effort
from benchmarks.history.days import History, close, opened, write_parts
from benchmarks.machine import Grid, Spread, ratio

HIDDEN = """\
What these numbers hide:
- Closing is the merge of parts that were sorted when they were written, while their rows came; that time stands in its
  own line. The parts were compared with the journal before, as the hdb does while it is idle.
- Both write zstd level 1 and sync the file; ours is read back and summed before it counts, Polars' is not."""


def closing(effort: Effort) -> bool:
    """Print how long a day takes to close, and how much memory."""
    history = History(1, effort.size(10_000_000, 20_000), 500)
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        pq.write_table(history.trades(0), folder / "trades.parquet", compression="none")
        for turn in effort.times():
            data = folder / f"data{turn}"
            systems: dict[str, tuple[Any, ...]] = {
                "parts, while rows come": (_parts_written, data, folder / "trades.parquet"),
                "tickplant, closing": (_ours_closes, data),
                "Polars, sort and write": (_polars_sorts, folder / "trades.parquet", folder / "polars.parquet"),
            }
            for name, work in systems.items():
                print(f"close: run {turn + 1}, {name}", file=sys.stderr)
                found.setdefault(name, []).append(_apart(*work))
            _same_rows(next(data.rglob("*.parquet")), folder / "polars.parquet")
            shutil.rmtree(data)
    theirs = Spread.of(r["seconds"] for r in found["Polars, sort and write"]).median
    grid = Grid(f"Closing a day of {history.rows:,} trades", ("work", "seconds", "vs Polars", "peak memory, MiB"))
    for name, runs in found.items():
        seconds = Spread.of(r["seconds"] for r in runs)
        grid.add(name, str(seconds), ratio(seconds.median, theirs), max(r["peak"] for r in runs) / 2**20)
    print(grid)
    print(f"\n{HIDDEN}")
    return True


def _apart(work: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
    """Run work in a process of its own, so that its peak of memory is its own; return what it measured."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (work, *arguments))


def _measured(work: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
    found = work(*arguments)
    return {**found, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def _ours_closes(folder: Path) -> dict[str, float]:
    store = opened(folder)
    begun = time.perf_counter()
    close(store)
    return {"seconds": time.perf_counter() - begun}


def _parts_written(folder: Path, trades: Path) -> dict[str, float]:
    rows = pq.read_table(trades)
    store = opened(folder)
    begun = time.perf_counter()
    write_parts(store, rows, "2024-01-02")
    return {"seconds": time.perf_counter() - begun}


def _polars_sorts(trades: Path, made: Path) -> dict[str, float]:
    frame = pl.from_arrow(pq.read_table(trades))
    begun = time.perf_counter()
    frame.sort("sym", "time", "seq").write_parquet(made, compression="zstd", compression_level=1)  # type: ignore[union-attr]
    with made.open("rb") as file:
        os.fsync(file.fileno())
    return {"seconds": time.perf_counter() - begun}


def _same_rows(ours: Path, theirs: Path) -> None:
    for name in ("time", "seq", "price"):
        one, other = (pq.read_table(p, columns=[name]).column(name).combine_chunks() for p in (ours, theirs))
        if not one.equals(other.cast(one.type)):
            raise SystemExit(f"close: {name} differs between {ours} and {theirs}")
