"""How fast is one symbol of one day read, next to DuckDB and Polars on the same files, and DuckDB on unsorted parts?"""

import datetime as dt
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from benchmarks.effort import Effort
from benchmarks.history.days import DAY_NS, SCHEMA, History, close, opened, write_parts, write_unsorted
from benchmarks.machine import Grid, Spread, number, ratio
from hdb.reader.answering import HistoryAnswerer
from plant.query.questions import Select, Sql

HIDDEN = """\
What these numbers hide:
- Files are in the system's cache. DuckDB and Polars are asked with one thread and with all; ours uses one.
- DuckDB and Polars open every file's footer, for nothing tells them which file a day is in; "told the day's file" shows
  them with that knowledge."""


def questions(effort: Effort) -> bool:
    """Print how long one symbol of one day takes."""
    history = History(effort.size(250, 6), effort.size(400_000, 20_000), 500)
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        store = opened(folder)
        unsorted = folder / "unsorted"
        unsorted.mkdir()
        for day in range(history.days):
            print(f"questions: day {day + 1} of {history.days}", file=sys.stderr, end="\r")
            trades = history.trades(day)
            write_parts(store, trades, history.date(day))
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


def _question(history: History) -> Select:
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
    files, the_file = f"{folder}/trades/*/*.parquet", f"{folder}/trades/*/{history.date(day)}.*.parquet"

    def duck(connection: duckdb.DuckDBPyConnection, path: str) -> Callable[[], pa.Table]:
        return lambda: connection.sql(f"select * from read_parquet('{path}') where {where}").to_arrow_table()

    def polars(path: str) -> Callable[[], pa.Table]:
        inside = (pl.col("sym").cast(pl.String) == sym) & pl.col("time").is_between(start, end, closed="left")
        return lambda: pl.scan_parquet(path).filter(inside).collect().to_arrow()

    return {
        "tickplant": lambda: answerer.answer(question),
        "tickplant, SQL": lambda: answerer.answer(Sql(f"select * from trades where {plain}")),
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
