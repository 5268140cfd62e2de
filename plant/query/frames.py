"""An answer as bytes, and as what a user holds: pandas, Arrow, Polars, or a dict of numpy arrays."""

import functools
from typing import Any

import numpy as np
import pyarrow as pa

from plant.errors import QueryError, WireError
from plant.query.limits import Budget

FRAMES = ("pandas", "pandas-arrow", "arrow", "polars", "numpy")

SMALL_ROWS = 10_000
"""Up to so many rows a DataFrame is made column by column."""

BATCH_ROWS = 262_144
"""Rows that are written between two looks at the budget."""

_STAMP = pa.timestamp("ns", "UTC")
_WRITING = pa.ipc.IpcWriteOptions()


def to_ipc(table: pa.Table, budget: Budget | None = None) -> pa.Buffer:
    """Return a table as an Arrow IPC stream. Raises QueryLimit or Cancelled if the budget does."""
    budget = budget or Budget()
    budget.rows(table.num_rows)
    budget.bytes(sum(map(pa.ipc.get_record_batch_size, table.to_batches())))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_WRITING) as writer:
        for batch in table.to_batches(max_chunksize=BATCH_ROWS):
            budget.check()
            writer.write_batch(batch)
    return sink.getvalue()


def from_ipc(frame: Any) -> pa.Table:
    """Return the table of an Arrow IPC stream, on the bytes it came in. Raises WireError for other bytes."""
    try:
        return pa.ipc.open_stream(frame).read_all()
    except (pa.ArrowException, OSError) as error:
        raise WireError(f"expected an Arrow IPC stream, found other bytes ({error})") from None


def as_frame(table: pa.Table, frames: str) -> Any:
    """Return an Arrow table as one of FRAMES.

    pandas        numpy columns: times datetime64[ns, UTC], symbols category, null is NaN; ints with nulls Int64
    pandas-arrow  every column on the bytes of the answer (pandas.ArrowDtype), null is NA
    arrow         the table
    polars        a DataFrame on the bytes of the answer
    numpy         dict of arrays: times datetime64[ns] in UTC, symbols and texts str objects, null is NaN; ints with
                  nulls are masked arrays

    An int is the one that it was, all 64 bits of it; those in lists, structs and maps of SQL are ints of Python.
    """
    check_frames(frames)
    if frames == "arrow":
        return table
    if frames == "polars":
        import polars

        return polars.from_arrow(table)
    if frames == "numpy":
        return {name: _numpy(table.column(name)) for name in table.column_names}
    if frames == "pandas-arrow":
        import pandas

        return table.to_pandas(types_mapper=pandas.ArrowDtype)
    return _small_pandas(table) if 0 < table.num_rows <= SMALL_ROWS else _large_pandas(table)


def check_frames(frames: str) -> None:
    """Raise QueryError for a name that is none of FRAMES."""
    if frames not in FRAMES:
        raise QueryError(f"frames must be one of {', '.join(FRAMES)}; found {frames!r}")


def _small_pandas(table: pa.Table) -> Any:
    """Return what table.to_pandas() does, in a third of the time while the columns are short.

    Most of that goes to checking the categories of symbols and the names of columns, which are the same from one answer
    to the next, and to laying numbers of one type side by side.
    """
    import pandas

    columns = dict(enumerate(map(_small_column, table.columns)))
    frame = pandas.DataFrame(columns, index=pandas.RangeIndex(table.num_rows), copy=False)
    frame.columns = _column_index(tuple(table.column_names)).view()  # a view: its `name` is the user's to set
    return frame


def _large_pandas(table: pa.Table) -> Any:
    """Return what table.to_pandas() does, but for the ints that it would make floats of."""
    ours = [i for i, column in enumerate(table.columns) if _loses_digits(column)]
    if not ours:
        return table.to_pandas()
    frame = table.select([i for i in range(table.num_columns) if i not in ours]).to_pandas()
    for i in ours:
        frame.insert(i, table.column_names[i], _exact(table.column(i)), allow_duplicates=True)
    return frame


def _loses_digits(column: pa.ChunkedArray) -> bool:
    """Return whether Arrow makes floats of a column's ints, as it does where one is null, and with those of a value."""
    if pa.types.is_nested(column.type):
        return _holds_ints(column.type)
    return pa.types.is_integer(column.type) and bool(column.null_count)


def _holds_ints(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or any(_holds_ints(kind.field(i).type) for i in range(kind.num_fields))


def _exact(column: pa.ChunkedArray) -> Any:
    """Return a column that `_loses_digits` as pandas holds it without that: nullable ints, or Python's objects."""
    import pandas

    if pa.types.is_nested(column.type):
        return _objects(column)
    name = str(column.type).replace("uint", "UInt").replace("int", "Int")
    return pandas.api.types.pandas_dtype(name).__from_arrow__(column).copy()  # type: ignore[union-attr]


def _objects(column: pa.ChunkedArray) -> np.ndarray:
    return np.fromiter(column.to_pylist(), dtype=object, count=len(column))


def _small_column(column: pa.ChunkedArray) -> Any:
    """Return a column as a DataFrame takes it over, on memory of its own."""
    import pandas

    if _loses_digits(column):
        return _exact(column)
    if column.num_chunks != 1:
        return column.to_pandas().array
    chunk = column.chunk(0)
    kind, complete = chunk.type, not chunk.null_count
    if pa.types.is_dictionary(kind) and complete:
        codes = chunk.indices.to_numpy().copy()
        return pandas.Categorical.from_codes(codes, dtype=_categories_of(chunk.dictionary), validate=False)
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and complete):
        return chunk.to_numpy(zero_copy_only=False).copy()
    if kind == _STAMP:
        return pandas.DatetimeTZDtype("ns", "UTC").__from_arrow__(chunk).copy()
    if pa.types.is_large_string(kind):
        return pandas.StringDtype(na_value=np.nan).__from_arrow__(chunk)  # type: ignore[attr-defined]
    return chunk.to_pandas().array


@functools.lru_cache(64)
def _column_index(names: tuple[str, ...]) -> Any:
    import pandas

    return pandas.Index(names)


def _categories_of(dictionary: pa.Array) -> Any:
    buffers = [None if buffer is None else buffer.to_pybytes() for buffer in dictionary.buffers()]
    return _categories(dictionary.type, len(dictionary), dictionary.offset, *buffers)


@functools.lru_cache(64)
def _categories(kind: pa.DataType, length: int, offset: int, *buffers: bytes | None) -> Any:
    """Return the categories of an Arrow array that consists of these bytes: cheaper to compare than its strings."""
    import pandas

    parts = [None if buffer is None else pa.py_buffer(buffer) for buffer in buffers]
    names = pa.Array.from_buffers(kind, length, parts, offset=offset).to_pylist()
    return pandas.CategoricalDtype(pandas.Index(names, dtype="str"))


def _numpy(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        return np.array(column.to_pylist(), dtype=object)
    if pa.types.is_nested(column.type) and _holds_ints(column.type):
        return _objects(column)
    if _loses_digits(column):
        return np.ma.MaskedArray(column.fill_null(0).to_numpy(), column.is_null().to_numpy())
    array: np.ndarray = column.to_numpy()
    return array
