"""An Arrow table as pandas holds it: what table.to_pandas() makes, but for ints that it would make floats of.

Of short columns nearly all of that time goes to what is the same from one answer to the next: names of columns,
categories of symbols, and which columns lie side by side. So a small frame is put together from its blocks.
"""

import functools
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.internals import create_dataframe_from_blocks  # type: ignore[import-not-found]
from pandas.arrays import NumpyExtensionArray
from pyarrow.types import is_float64, is_int64, is_timestamp

from plant.query.numpy_frames import loses_digits, objects

SMALL_ROWS = 10_000
"""Up to so many rows a DataFrame is made block by block."""

_STAMP = pa.timestamp("ns", "UTC")
_NS = np.dtype("i8")
_TEXT = pd.StringDtype(na_value=np.nan)
_ONE_TIME = pd.array(np.zeros(1, dtype="M8[ns]"), dtype=pd.DatetimeTZDtype("ns", "UTC"))


def as_pandas(table: pa.Table) -> pd.DataFrame:
    """Return a table as a DataFrame: times datetime64[ns, UTC], symbols category, null NaN, ints with nulls Int64."""
    return _small(table) if 0 < table.num_rows <= SMALL_ROWS and table.num_columns else _large(table)


def _small(table: pa.Table) -> pd.DataFrame:
    """Return a frame on memory of its own, but for texts, which cannot be written to."""
    beside: dict[pa.DataType, list[int]] = {}
    columns = table.columns
    blocks: list[tuple[Any, np.ndarray]] = []
    for place, column in enumerate(columns):
        kind = column.type
        if is_float64(kind) or (is_int64(kind) and not column.null_count):
            beside.setdefault(kind, []).append(place)
        else:
            blocks.append((_block(_whole(column)), _placement(place)))
    for kind, places in beside.items():
        block = np.empty((len(places), table.num_rows), dtype=kind.to_pandas_dtype())
        for row, place in enumerate(places):
            block[row] = _whole(columns[place]).to_numpy(zero_copy_only=False)
        blocks.append((block, _placement(*places)))
    names = _column_index(tuple(table.column_names)).view()  # a view: its `name` is the user's to set
    return create_dataframe_from_blocks(blocks, pd.RangeIndex(table.num_rows), names)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.unify_dictionaries().chunks)


def _block(column: pa.Array) -> Any:
    """Return a column as a block of a frame: an ExtensionArray, or an array of one row."""
    kind = column.type
    if is_timestamp(kind) and kind == _STAMP:
        times = _ONE_TIME.take(np.zeros(len(column), dtype=np.intp))  # constructing one takes ten times as long
        times.view(_NS)[:] = column.to_numpy(zero_copy_only=False).view(_NS)
        return times
    if pa.types.is_dictionary(kind) and not column.null_count:
        codes = column.indices.to_numpy().copy()
        return pd.Categorical.from_codes(codes, dtype=_categories_of(column.dictionary), validate=False)
    if pa.types.is_large_string(kind):
        return _TEXT.__from_arrow__(column)  # type: ignore[attr-defined]
    values = _exact(column) if loses_digits(column) else column.to_pandas().array
    if isinstance(values, NumpyExtensionArray):
        values = values.to_numpy().copy()
    return values[np.newaxis] if isinstance(values, np.ndarray) else values


def _large(table: pa.Table) -> pd.DataFrame:
    """Return what table.to_pandas() does, but for the ints that it would make floats of."""
    ours = [i for i, column in enumerate(table.columns) if loses_digits(column)]
    if not ours:
        return table.to_pandas()
    frame = table.select([i for i in range(table.num_columns) if i not in ours]).to_pandas()
    for i in ours:
        frame.insert(i, table.column_names[i], _exact(table.column(i)), allow_duplicates=True)
    return frame


def _exact(column: pa.Array | pa.ChunkedArray) -> Any:
    """Return a column that `loses_digits` as pandas holds it without that: nullable ints, or Python's objects."""
    if pa.types.is_nested(column.type):
        return objects(column)
    name = str(column.type).replace("uint", "UInt").replace("int", "Int")
    return pd.api.types.pandas_dtype(name).__from_arrow__(column).copy()  # type: ignore[union-attr]


@functools.lru_cache(64)
def _column_index(names: tuple[str, ...]) -> pd.Index:
    return pd.Index(names)


@functools.lru_cache(256)
def _placement(*places: int) -> np.ndarray:
    return np.array(places, dtype=np.intp)


def _categories_of(dictionary: pa.Array) -> pd.CategoricalDtype:
    buffers = [None if buffer is None else buffer.to_pybytes() for buffer in dictionary.buffers()]
    return _categories(dictionary.type, len(dictionary), dictionary.offset, *buffers)


@functools.lru_cache(64)
def _categories(kind: pa.DataType, length: int, offset: int, *buffers: bytes | None) -> pd.CategoricalDtype:
    """Return the categories of an Arrow array that consists of these bytes: cheaper to compare than its strings."""
    parts = [None if buffer is None else pa.py_buffer(buffer) for buffer in buffers]
    names = pa.Array.from_buffers(kind, length, parts, offset=offset).to_pylist()
    return pd.CategoricalDtype(pd.Index(names, dtype="str"))
