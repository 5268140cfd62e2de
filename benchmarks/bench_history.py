"""How fast is a day closed, how fast is history read, and how much room does it take, next to plain alternatives?

    bench_history.py [close] [beside] [questions] [size] [--quick] [--repeats 5] [--scale 1]

close      10 million trades over 500 symbols, in parts, merged into the file of their day, next to Polars sorting and
           writing the same rows
beside     a plant that closes such a day while rows come at 100,000 a second
questions  one symbol for one day out of 250, next to DuckDB and Polars on the same files, and DuckDB on unsorted parts
size       bytes per row, next to uncompressed columns and ArcticDB (LMDB)

The systems take turns, and what they answer is compared before it is timed.
"""

import datetime as dt
import importlib.util
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from effort import CommandLine, Effort
from history_beside import beside
from history_days import DAY_NS, SCHEMA, History, close, opened, write_parts, write_unsorted
from machine import Grid, Spread, number, ratio

from hdb.reader.answering import HistoryAnswerer
from plant.query.questions import Select

HIDDEN = """\
What these numbers hide:
- Closing is the merge of parts that were sorted when they were written, while their rows came; that time stands in its
  own line. The parts were compared with the journal before, as the hdb does while it is idle.
- Both write zstd level 1 and sync the file; ours is read back and summed before it counts, Polars' is not.
- Files are in the system's cache. DuckDB and Polars are asked with one thread and with all; ours uses one.
- DuckDB and Polars open every file's footer, for nothing tells them which file a day is in; "told the day's file" shows
  them with that knowledge."""


@contextmanager
def _folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="bench-history-"))
    try:
        yield made
    finally:
        shutil.rmtree(made)


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


def closing(effort: Effort) -> bool:
    """Print how long a day takes to close, and how much memory."""
    history = History(1, effort.size(10_000_000, 20_000), 500)
    found: dict[str, list[dict[str, float]]] = {}
    with _folder() as folder:
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
    return True


def _same_rows(ours: Path, theirs: Path) -> None:
    for name in ("time", "seq", "price"):
        one, other = (pq.read_table(p, columns=[name]).column(name).combine_chunks() for p in (ours, theirs))
        if not one.equals(other.cast(one.type)):
            raise SystemExit(f"close: {name} differs between {ours} and {theirs}")


def questions(effort: Effort) -> bool:
    """Print how long one symbol of one day takes."""
    history = History(effort.size(250, 6), effort.size(400_000, 20_000), 500)
    with _folder() as folder:
        store = opened(folder)
        unsorted = folder / "unsorted"
        unsorted.mkdir()
        for day in range(history.days):
            print(f"questions: day {day + 1} of {history.days}", file=sys.stderr, end="\r")
            trades = history.trades(day)
            write_parts(store, trades, _day(history, day))
            close(store)
            write_unsorted(unsorted, trades, day)
        answerer = HistoryAnswerer(store.folder, SCHEMA)
        asked = _systems(history, answerer, store.folder, unsorted)
        expected = asked["tickplant"]()
        grid = Grid(
            f"One symbol for one day of {history.days}, {history.rows:,} trades a day: {expected.num_rows} rows",
            ("system", "ms  median (min..max)", "vs tickplant"),
        )
        found: dict[str, list[float]] = {name: [] for name in asked}
        for name, ask in asked.items():
            rows = ask()
            if rows.num_rows != expected.num_rows or sorted(_prices(rows)) != sorted(_prices(expected)):
                raise SystemExit(f"{name} answers other rows")
        for _ in range(2 if effort.quick else 4 * effort.repeats):
            for name, ask in asked.items():
                begun = time.perf_counter()
                ask()
                found[name].append((time.perf_counter() - begun) * 1e3)
        ours = Spread.of(found["tickplant"]).median
        for name, times in found.items():
            grid.add(name, str(Spread.of(times)), ratio(Spread.of(times).median, ours))
        begun = time.perf_counter()
        HistoryAnswerer(store.folder, SCHEMA).answer(_question(history))
        grid.add("tickplant, first question after its start", number((time.perf_counter() - begun) * 1e3))
        print(grid)
    print(f"\n{HIDDEN}")
    return True


def _day(history: History, day: int) -> str:
    return str(dt.datetime.fromtimestamp(history.opens(day) / 1e9, dt.UTC).date())


def _question(history: History) -> questions.Select:
    opens = history.opens(history.days // 2)
    return Select("trades", (history.market.one,), opens, opens + DAY_NS // 2)


def _systems(history: History, answerer: HistoryAnswerer, folder: Path, unsorted: Path) -> dict[str, Callable[[], Any]]:
    question = _question(history)
    day, sym = history.days // 2, history.market.one
    start, end = (dt.datetime.fromtimestamp(ns / 1e9, dt.UTC) for ns in (question.start or 0, question.end or 0))
    where = f"sym = '{sym}' and time >= '{start}'::timestamptz_ns and time < '{end}'::timestamptz_ns"
    plain = f"sym = '{sym}' and time >= '{start:%Y-%m-%d %H:%M:%S}' and time < '{end:%Y-%m-%d %H:%M:%S}'"
    one, every = duckdb.connect(config={"threads": 1}), duckdb.connect()
    for connection in (one, every):
        connection.execute("set parquet_metadata_cache = true")
    files, the_file = f"{folder}/trades/*/*.parquet", f"{folder}/trades/*/{_day(history, day)}.*.parquet"

    def duck(connection: duckdb.DuckDBPyConnection, path: str) -> Callable[[], pa.Table]:
        return lambda: connection.sql(f"select * from read_parquet('{path}') where {where}").to_arrow_table()

    def polars(path: str) -> Callable[[], pa.Table]:
        inside = (pl.col("sym").cast(pl.String) == sym) & pl.col("time").is_between(start, end, closed="left")
        return lambda: pl.scan_parquet(path).filter(inside).collect().to_arrow()

    return {
        "tickplant": lambda: answerer.answer(question),
        "tickplant, SQL": lambda: answerer.answer(questions.Sql(f"select * from trades where {plain}")),
        "DuckDB, same files": duck(every, files),
        "DuckDB, same files, one thread": duck(one, files),
        "DuckDB, told the day's file": duck(every, the_file),
        "Polars, same files": polars(files),
        "Polars, told the day's file": polars(the_file),
        "DuckDB, unsorted parts": duck(every, f"{unsorted}/*.parquet"),
    }


def _prices(rows: pa.Table) -> list[float]:
    found: list[float] = rows.column("price").to_pylist()
    return found


def size(effort: Effort) -> bool:
    """Print how much room a day's rows take."""
    history = History(1, effort.size(2_000_000, 20_000), 500)
    trades = history.trades(0)
    grid = Grid(f"Room for {history.rows:,} trades", ("system", "bytes per row", "vs tickplant"))
    with _folder() as folder:
        store = opened(folder / "ours")
        write_parts(store, trades, _day(history, 0))
        close(store)
        ours = store.catalogue.files[0].bytes / history.rows
        grid.add("tickplant: Parquet, zstd level 1", ours, ratio(ours, ours))
        plain = sum(c.nbytes for c in _kdb_columns(trades)) / history.rows
        grid.add("uncompressed columns, as kdb+ has them", plain, ratio(plain, ours))
        if importlib.util.find_spec("arcticdb"):
            room = _arctic(trades.drop_columns(["seq", "received"]), folder / "arctic") / history.rows
            grid.add("ArcticDB (LMDB), without seq and received", room, ratio(room, ours))
        else:
            grid.add("ArcticDB (LMDB)", "not installed")
    print(grid)
    return True


def _kdb_columns(trades: pa.Table) -> list[Any]:
    """Return the columns: 8 bytes for a time or number, 4 for an enumerated symbol, texts with their lengths."""
    found: list[Any] = []
    for name in trades.column_names:
        column = trades.column(name).combine_chunks()
        found.append(column.indices if pa.types.is_dictionary(column.type) else column)
    return found


def _arctic(trades: pa.Table, folder: Path) -> int:
    """Return the bytes of the pages that ArcticDB uses for a day; the file itself is larger."""
    import arcticdb

    frame = trades.to_pandas().astype({"sym": str, "source": str}).set_index("time")
    library = arcticdb.Arctic(f"lmdb://{folder}").get_library("bench", create_if_missing=True)
    library.write("trades", frame)
    return sum(f.stat().st_blocks * 512 for f in folder.rglob("*") if f.is_file())


SECTIONS: dict[str, Callable[[Effort], bool]] = {
    "close": closing,
    "beside": beside,
    "questions": questions,
    "size": size,
}


def main() -> None:
    """Run the sections named on the command line, all without one."""
    arguments = CommandLine(str(__doc__), SECTIONS).begin()
    effort = Effort(arguments.quick, arguments.repeats, arguments.scale)
    results = [SECTIONS[name](effort) for name in arguments.sections]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
