"""An answer as bytes, and as what a user holds: pandas, Arrow, Polars, or a dict of numpy arrays."""

import functools
from typing import Any

import numpy as np
import pyarrow as pa

from plant.errors import QueryError, WireError
from plant.limits import Budget

FRAMES = ("pandas", "pandas-arrow", "arrow", "polars", "numpy")

SMALL_ROWS = 10_000
"""Up to so many rows a DataFrame is made column by column."""

BATCH_ROWS = 262_144
"""Rows that are written between two looks at the budget."""


def to_ipc(table: pa.Table, budget: Budget | None = None) -> pa.Buffer:
    """Return a table as an Arrow IPC stream. Raises QueryLimit or Cancelled if the budget does."""
    budget = budget or Budget()
    budget.rows(table.num_rows)
    budget.bytes(table.nbytes)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
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

    pandas        numpy columns: times datetime64[ns, UTC], symbols category, null is NaN
    pandas-arrow  every column on the bytes of the answer (pandas.ArrowDtype), null is NA
    arrow         the table
    polars        a DataFrame on the bytes of the answer
    numpy         dict of arrays: times datetime64[ns] in UTC, symbols and texts str objects, null is NaN
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
    return _small_pandas(table) if table.num_rows <= SMALL_ROWS else table.to_pandas()


def check_frames(frames: str) -> None:
    """Raise QueryError for a name that is none of FRAMES."""
    if frames not in FRAMES:
        raise QueryError(f"frames must be one of {', '.join(FRAMES)}; found {frames!r}")


def _small_pandas(table: pa.Table) -> Any:
    """Return what table.to_pandas() does, in a third of the time while the columns are short.

    Most of that goes to checking the categories of symbols, which are the same from one answer to the next.
    """
    import pandas

    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind) and column.num_chunks == 1 and not column.null_count:
            chunk = column.chunk(0)
            categories = _categories(tuple(chunk.dictionary.to_pylist()))
            codes = chunk.indices.to_numpy()
            columns[name] = pandas.Categorical.from_codes(codes, dtype=categories, validate=False)
        elif pa.types.is_floating(kind) or (pa.types.is_integer(kind) and not column.null_count):
            columns[name] = column.to_numpy()
        elif kind == pa.timestamp("ns", "UTC") and not column.null_count:
            columns[name] = pandas.array(column.to_numpy(), dtype=pandas.DatetimeTZDtype("ns", "UTC"))
        else:
            columns[name] = column.to_pandas()
    return pandas.DataFrame(columns, columns=table.column_names)


@functools.lru_cache(64)
def _categories(names: tuple[str, ...]) -> Any:
    import pandas

    return pandas.CategoricalDtype(pandas.Index(names, dtype="str"))


def _numpy(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        return np.array(column.to_pylist(), dtype=object)
    array: np.ndarray = column.to_numpy()
    return array
