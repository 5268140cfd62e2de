"""How much room does a day take, next to uncompressed columns and ArcticDB (LMDB)?"""

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.effort import Effort
from benchmarks.history.days import History, close, opened, write_parts
from benchmarks.machine import Grid, ratio


def size(effort: Effort) -> bool:
    """Print how much room a day's rows take."""
    history = History(1, effort.size(2_000_000, 20_000), 500)
    trades = history.trades(0)
    grid = Grid(f"Room for {history.rows:,} trades", ("system", "bytes per row", "vs tickplant"))
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        store = opened(folder / "ours")
        write_parts(store, trades, history.date(0))
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

    frame = trades.to_pandas().astype(dict.fromkeys(("sym", "source", "tape", "exchange"), str)).set_index("time")
    library = arcticdb.Arctic(f"lmdb://{folder}").get_library("bench", create_if_missing=True)
    library.write("trades", frame)
    return sum(f.stat().st_blocks * 512 for f in folder.rglob("*") if f.is_file())
