"""Rows of history as they lie in the archive: times in us, and what is left of their ns in a column beside.

Iceberg's tables know microseconds (version 2), and so do most engines that read them. So a column `x` of times becomes
`x` in us, rounded down, and `x_ns`, 0 to 999: the two together are the time, to the ns. Behind them all stands `month`,
the same in every row of a file, by which the archive's tables are partitioned. Rows and row groups stay as they are.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from plant.errors import HistoryError
from plant.history.layout import METADATA

MONTH = "month"

REST = "_ns"
"""End of the name of the column that has what is left of a time."""

PROJECTED = METADATA + b".archive"
"""Key of the Parquet metadata that says, as JSON, which file of the history a file of the archive is made of."""

_US = pa.timestamp("us", "UTC")
_NS = pa.timestamp("ns", "UTC")


def times_in(schema: pa.Schema) -> list[str]:
    """Return the names of the columns of times of a file of the history."""
    return [field.name for field in schema if pa.types.is_timestamp(field.type)]


def projected_schema(schema: pa.Schema) -> pa.Schema:
    """Return the columns that rows of a file have in the archive. Raises HistoryError if a name is taken."""
    times = times_in(schema)
    more = [f"{name}{REST}" for name in times] + [MONTH]
    if taken := [name for name in more if name in schema.names]:
        raise HistoryError(
            f"the table has a column {taken[0]!r}, a name that the archive needs for itself; this table cannot be "
            "archived: publish it under another name of that column"
        )
    fields = [f.with_type(_US) if f.name in times else f for f in schema]
    rest = [pa.field(f"{name}{REST}", pa.int32(), schema.field(name).nullable) for name in times]
    return pa.schema([*fields, *rest, pa.field(MONTH, pa.dictionary(pa.int32(), pa.string()), False)])


def projected(rows: pa.Table, schema: pa.Schema, month: str) -> pa.Table:
    """Return rows of the history with the columns of `projected_schema`."""
    columns = {}
    for name in times_in(rows.schema):
        columns[name], columns[f"{name}{REST}"] = _split(rows.column(name))
    codes = pa.array(np.zeros(rows.num_rows, dtype=np.int32))
    columns[MONTH] = pa.DictionaryArray.from_arrays(codes, pa.array([month]))
    return pa.table([columns[f.name] if f.name in columns else rows.column(f.name) for f in schema], schema=schema)


def restored(rows: pa.Table, columns: Iterable[str]) -> pa.Table:
    """Return these columns of rows of the archive as the history has them, times in ns."""
    found = {}
    for name in columns:
        rest = f"{name}{REST}"
        column = rows.column(name)
        split = pa.types.is_timestamp(column.type) and rest in rows.column_names
        found[name] = _joined(column, rows.column(rest)) if split else column
    return pa.table(found)


def of_history(schema: pa.Schema) -> list[str]:
    """Return the names of those of a file's columns in the archive that the file of the history has."""
    own = {MONTH, *(f"{name}{REST}" for name in times_in(schema))}
    return [name for name in schema.names if name not in own]


def _split(column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    known = column.is_valid().combine_chunks().to_numpy(zero_copy_only=False) if column.null_count else None
    values = column.cast(pa.int64()).fill_null(0).to_numpy()
    whole = values // 1000  # rounds down, also before 1970
    rest = (values - whole * 1000).astype(np.int32)
    mask = None if known is None else ~known
    return pa.array(whole, pa.int64(), mask=mask).cast(_US), pa.array(rest, pa.int32(), mask=mask)


def _joined(whole: pa.ChunkedArray, rest: pa.ChunkedArray) -> pa.Array:
    known = whole.is_valid().combine_chunks().to_numpy(zero_copy_only=False) if whole.null_count else None
    values = whole.cast(pa.int64()).fill_null(0).to_numpy() * 1000 + rest.cast(pa.int64()).fill_null(0).to_numpy()
    return pa.array(values, pa.int64(), mask=None if known is None else ~known).cast(_NS)
