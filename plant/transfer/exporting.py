"""Rows of a table into a file: CSV, Parquet, Excel or Arrow, slice by slice in bounded memory (`plant export`)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from plant.errors import BadRows
from plant.files.sheet import SHEET_ROWS, SheetWriter
from plant.progress import Progress, quietly
from plant.rows.schema import META_COLUMNS
from plant.rows.times import SLICE_ROWS, time_slices

FORMS = (".csv", ".parquet", ".xlsx", ".arrow")


def export(
    db: Any,
    table: str,
    path: Path,
    sym: Any = None,
    start: int | None = None,
    end: int | None = None,
    progress: Progress = quietly,
    most: int = SLICE_ROWS,
) -> int:
    """Write rows of a table in order of time, META_COLUMNS last; return how many.

    db            a connection
    path          its ending decides the form: .csv, .parquet, .xlsx or .arrow (an Arrow IPC file); times are in UTC
    start, end    times [start, end), ns since 1970 UTC; None: from the first row, to the last

    The file has its name once it is whole; one that was there is replaced then. Raises BadRows for another ending, or
    for rows or texts that a sheet cannot hold.
    """
    if path.suffix not in FORMS:
        raise BadRows(f"expected a file ending with {', '.join(FORMS)}, found {path.name}")
    total = db.count(table, sym, start, end)
    if path.suffix == ".xlsx" and total > SHEET_ROWS:
        raise BadRows(
            f"{table}: {total:,} rows, and a sheet holds {SHEET_ROWS:,}; export as .csv or .parquet, or fewer"
        )
    columns = [*db.select(table, last=0, frames="arrow").column_names, *META_COLUMNS]
    partial = path.with_name(f"{path.name}.new")
    sink = _SINKS[path.suffix](partial, _read(db, table, sym, 0, 0, columns).schema)
    done = 0
    try:
        for first, last in time_slices(lambda a, b: db.count(table, sym, a, b), *_span(db, table, start, end), most):
            rows = _read(db, table, sym, first, last, columns)
            sink.write(rows)
            done += rows.num_rows
            progress(done, max(total, done))
        sink.close()
        partial.rename(path)
    finally:
        sink.abandon()
        partial.unlink(missing_ok=True)
    return done


def _span(db: Any, table: str, start: int | None, end: int | None) -> tuple[int, int]:
    """Return the times to be read: those asked for, within those there are."""
    (row,) = [r for r in db.tables(frames="arrow").to_pylist() if r["table"] == table]
    if not row["rows"]:
        return 0, 0
    first, last = (int(row[name].value) for name in ("first", "last"))
    return max(first, start if start is not None else first), min(last + 1, end if end is not None else last + 1)


def _read(db: Any, table: str, sym: Any, start: int, end: int, columns: list[str]) -> pa.Table:
    """Return rows with symbols as plain texts: every slice has another dictionary."""
    rows = db.select(table, sym, start, end, columns=columns, frames="arrow")
    fields = [pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in rows.schema]
    return rows.cast(pa.schema(fields))


class _Arrow:
    """CSV, Parquet or Arrow IPC, by the writers of pyarrow."""

    def __init__(self, path: Path, schema: pa.Schema, make: Callable[..., Any]) -> None:
        self._file = path.open("wb")
        self._writer = make(self._file, schema)

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows)

    def close(self) -> None:
        self._writer.close()
        self._file.close()

    def abandon(self) -> None:
        if not self._file.closed:
            self.close()


_SINKS: dict[str, Callable[[Path, pa.Schema], Any]] = {
    ".csv": lambda path, schema: _Arrow(path, schema, pyarrow.csv.CSVWriter),
    ".parquet": lambda path, schema: _Arrow(path, schema, lambda f, s: pq.ParquetWriter(f, s, compression="zstd")),
    ".arrow": lambda path, schema: _Arrow(path, schema, pa.ipc.new_file),
    ".xlsx": SheetWriter,
}
