"""How fast does a file of trades come into history: dry run and import, next to pandas, Polars and DuckDB?"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks.capture.roles import RoleFailed
from benchmarks.capture.tickplant import ROOT, running_plant
from benchmarks.effort import Effort
from benchmarks.history.days import DAY_NS, FIRST_OPEN_NS
from benchmarks.machine import Grid, Spread, ratio
from benchmarks.query.market import SESSION_NS
from plant.client.connect import connect

ROWS, DAYS, SYMBOLS = 2_000_000, 20, 50
BAD_EVERY = 100_003
"""One line in so many has a price that is none, as real files do."""

TWICE = 5
"""So many rows are there twice."""

COMMAND = (sys.executable, "-c", "from plant.command.app import main; main()", "import")

TAKEN_S = 300.0
"""An import whose rows are not in memory after so long is given up."""

HIDDEN = """\
What these numbers hide:
- Files are in the system's cache; Arrow, Polars and DuckDB use threads on all CPUs.
- "reads" is reading alone: a time is still a text. "checks too" are times in ns, a price above 0, a size of at least
  0, which rows are there twice, and the order of time. Counts are compared; none but ours tells lines and reasons.
- dry run: the whole command, the start of Python and its packages included; rdb and hdb are asked what they have.
- import: until every row is acknowledged, that is in the journal; "until asked" is until the rdb answers with the last.
  Each goes to an empty plant, whose rdb, hdb and tickerplant share the CPUs with it."""


def files(effort: Effort) -> bool:
    """Print how long the same trades take as CSV and as Parquet; False if a count differs."""
    count = effort.size(ROWS, 20_000)
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        paths = _write(folder, count)
        for path in paths:
            found: dict[str, list[float]] = {}
            counts: dict[str, tuple[int, ...]] = {}
            for turn in effort.times():
                for name, work in _others(path).items():
                    print(f"files: {path.name}, run {turn + 1}, {name}", file=sys.stderr)
                    begun = time.perf_counter()
                    told = work()
                    found.setdefault(name, []).append(time.perf_counter() - begun)
                    if told is not None:
                        counts[name] = told
                for name, seconds, told in _ours(folder / f"{path.suffix[1:]}{turn}", path):
                    found.setdefault(name, []).append(seconds)
                    counts[name] = told
            grid = Grid(
                f"{path.name}, {path.stat().st_size / 2**20:.0f} MiB: {count:,} trades, {SYMBOLS} symbols, {DAYS} days",
                ("work", "seconds  median (min..max)", "rows/s", "vs dry run"),
            )
            ours = Spread.of(found["tickplant, dry run"]).median
            for name, times in found.items():
                middle = Spread.of(times).median
                grid.add(name, str(Spread.of(times)), count / middle, ratio(middle, ours))
            print(grid)
            if len(set(counts.values())) != 1:
                print(f"the counts differ: {counts}")
                return False
    print(f"\n{HIDDEN}")
    return True


def _write(folder: Path, count: int) -> list[Path]:
    """Write the trades as a program would export them; one price in BAD_EVERY is -1."""
    random = np.random.default_rng(12)
    day = np.arange(count) * DAYS // count
    times = FIRST_OPEN_NS + day * DAY_NS + np.sort(random.integers(0, SESSION_NS, count))
    times = np.sort(times // 1000 * 1000)
    price = np.round(random.uniform(5, 500, count), 2)
    price[::BAD_EVERY] = -1.0
    table = pa.table(
        {
            "time": pa.array(times // 1000).cast(pa.timestamp("us", "UTC")),
            "symbol": pa.array([f"S{code:03d}" for code in random.integers(0, SYMBOLS, count).tolist()]),
            "price": price,
            "size": random.integers(1, 50, count) * 100.0,
            "trade_id": np.char.mod("%010d", np.arange(count)).tolist(),
        }
    )
    table = pa.concat_tables([table, table.slice(count // 2 + 1, TWICE)])
    csv, parquet = folder / "trades.csv", folder / "trades.parquet"
    pyarrow.csv.write_csv(table, csv)
    encoded = table.set_column(1, "symbol", table.column("symbol").dictionary_encode())
    pq.write_table(encoded, parquet)
    return [csv, parquet]


def _ours(folder: Path, path: Path) -> list[tuple[str, float, tuple[int, ...]]]:
    """Return (name, seconds, counts) of a dry run and an import into an empty plant."""
    with running_plant(folder, "tickerplant", "rdb", "hdb") as plant, connect(config=str(plant.config)) as db:
        begun = time.perf_counter()
        dry = _command(plant.config, path, False)
        dry_s = time.perf_counter() - begun
        begun = time.perf_counter()
        written = _command(plant.config, path, True)
        written_s = time.perf_counter() - begun
        while db.count("trades") < written[-1]:
            if time.perf_counter() - begun > TAKEN_S:
                raise RoleFailed(f"{db.count('trades'):,} of {written[-1]:,} rows are in memory after {TAKEN_S:g} s")
            time.sleep(0.02)
        asked_s = time.perf_counter() - begun
    return [
        ("tickplant, dry run", dry_s, dry),
        ("tickplant, import", written_s, written),
        ("tickplant, import, until asked", asked_s, written),
    ]


def _command(config: Path, path: Path, write: bool) -> tuple[int, ...]:
    """Run the command; return (rejected, the same, rows), as its summary tells them."""
    command = [*COMMAND, str(path), "--table", "trades", "--config", str(config), *(["--write"] if write else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TAKEN_S, check=False)
    told = next((line for line in done.stdout.splitlines() if line.startswith(f"{path.name} ")), "")
    if done.returncode or not told:
        raise RoleFailed(f"plant import {path.name}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    _, _, same, rejected, rows = (int(word.replace(",", "")) for word in told.split()[-5:])
    return rejected, same, rows


def _others(path: Path) -> dict[str, Callable[[], tuple[int, ...] | None]]:
    """Return what each system does with a file: reading alone (None), and with the checks (the counts)."""
    csv = path.suffix == ".csv"

    def pandas_reads() -> Any:
        text = {"trade_id": "str", "symbol": "str"}
        return pd.read_csv(path, dtype=text, engine="pyarrow") if csv else pd.read_parquet(path)

    def pandas_checks() -> tuple[int, ...]:
        frame = pandas_reads()
        frame["time"] = pd.to_datetime(frame["time"], utc=True).dt.as_unit("ns")
        good = (frame["price"] > 0) & np.isfinite(frame["price"]) & (frame["size"] >= 0) & (frame["symbol"] != "")
        kept = frame[good]
        again = kept.duplicated()
        kept = kept[~again].sort_values("time", kind="stable")
        return len(frame) - int(good.sum()), int(again.sum()), len(kept)

    def polars_reads() -> pl.DataFrame:
        text = {"trade_id": pl.String, "symbol": pl.String, "time": pl.String}
        return pl.read_csv(path, schema_overrides=text) if csv else pl.read_parquet(path)

    def polars_checks() -> tuple[int, ...]:
        frame = polars_reads()
        if csv:
            frame = frame.with_columns(pl.col("time").str.to_datetime(time_unit="ns", time_zone="UTC"))
        price, size = pl.col("price"), pl.col("size")
        kept = frame.filter((price > 0) & price.is_finite() & (size >= 0) & (pl.col("symbol").cast(pl.String) != ""))
        once = kept.unique(maintain_order=True).sort("time", maintain_order=True)
        return len(frame) - len(kept), len(kept) - len(once), len(once)

    def duck_checks() -> tuple[int, ...]:
        source = f"read_csv('{path}', types = {{'trade_id': 'varchar', 'time': 'timestamptz'}})" if csv else f"'{path}'"
        db = duckdb.connect()
        rows = db.sql(f"select * from {source}").to_arrow_table()
        good = db.sql("select * from rows where price > 0 and isfinite(price) and size >= 0 and symbol != ''")
        kept = good.to_arrow_table()
        once = db.sql("select distinct * from kept order by time").to_arrow_table()
        return rows.num_rows - kept.num_rows, kept.num_rows - once.num_rows, once.num_rows

    return {
        "pandas reads": lambda: None if len(pandas_reads()) else (),
        "pandas, checks too": pandas_checks,
        "Polars reads": lambda: None if len(polars_reads()) else (),
        "Polars, checks too": polars_checks,
        "DuckDB, checks too": duck_checks,
    }
