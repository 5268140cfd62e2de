"""Arrow tables, as answers and files of history have them, as columns; with nulls, which published rows do not have.

Null is NaN among floats, UNKNOWN_TIME among times, masked among ints, the code NULL among symbols, and `missing` among
texts.
`arrow_column` makes Arrow's nulls of them again.
"""

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from plant.rows.columns import NULL, Columns, Symbols, Texts
from plant.rows.schema import META_COLUMNS, UNKNOWN_TIME, Table

_INT, _FLOAT, _TEXT, _STAMP = pa.int64(), pa.float64(), pa.large_string(), pa.timestamp("ns", "UTC")
_SYMBOL = pa.dictionary(pa.int32(), pa.string())

_OTHERS = {**dict.fromkeys(META_COLUMNS, "int"), "replaced_by": "int"}


def columns_from_arrow(rows: pa.Table, table: Table, columns: Iterable[str]) -> Columns:
    """Return columns of rows of `table`, without a copy where that is possible; one that `rows` lacks is null."""
    return {
        name: _column(rows.column(name), kind_of(table, name))
        if name in rows.column_names
        else nulls(table, name, rows.num_rows)
        for name in columns
    }


def kind_of(table: Table, name: str) -> str:
    """Return the kind of a column, also of those that every table has besides. Raises UnknownColumn."""
    return _OTHERS.get(name) or table.column(name).kind


def nulls(table: Table, name: str, count: int) -> Any:
    """Return a column of which nothing is known."""
    kind = kind_of(table, name)
    if kind == "symbol":
        return Symbols([], np.full(count, NULL, dtype=np.int32))
    if kind == "text":
        return Texts(np.zeros(count + 1, dtype=np.int64), b"", np.ones(count, dtype=bool))
    if kind == "float":
        return np.full(count, np.nan)
    if kind == "time":
        return np.full(count, UNKNOWN_TIME, dtype=np.int64)
    return np.ma.MaskedArray(np.zeros(count, dtype=np.int64), np.ones(count, dtype=bool))


def _column(column: pa.ChunkedArray, kind: str) -> Any:
    if kind == "symbol":
        return _symbols(column)
    if kind == "text":
        return texts_of_arrow(column)
    if kind == "float":
        return column.to_numpy()
    if pa.types.is_timestamp(column.type):
        column = pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks], pa.int64())
    if kind == "time":
        return (column.fill_null(UNKNOWN_TIME) if column.null_count else column).to_numpy()
    if column.null_count:
        return np.ma.MaskedArray(column.fill_null(0).to_numpy(), column.is_null().to_numpy())
    return column.to_numpy()


def _symbols(column: pa.ChunkedArray) -> Symbols:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = _whole(column if column.num_chunks == 1 else column.unify_dictionaries())
    codes = whole.indices if whole.indices.type == pa.int32() else whole.indices.cast(pa.int32())
    codes = codes.fill_null(NULL) if codes.null_count else codes
    return Symbols(whole.dictionary.to_pylist(), codes.to_numpy())


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, which is a copy if there are several chunks."""
    if column.num_chunks == 1:
        return column.chunk(0)
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        return whole.chunk(0) if whole.num_chunks else pa.array([], column.type)
    return whole


def texts_of_arrow(column: pa.Array | pa.ChunkedArray) -> Texts:
    """Return a string column of any layout as texts, without a copy of what is a large_string already."""
    whole = column
    if isinstance(column, pa.ChunkedArray):  # several together may be more than 2 GiB
        whole = _whole(column if column.num_chunks == 1 else column.cast(pa.large_string()))
    width = np.int32 if whole.type == pa.string() else np.int64
    if width is np.int64:
        whole = whole.cast(pa.large_string())
    missing = whole.is_null().to_numpy(zero_copy_only=False) if whole.null_count else None
    _, offsets, data = whole.buffers()
    ends = (
        np.frombuffer(offsets, width)[whole.offset : whole.offset + len(whole) + 1]
        if len(whole)
        else np.zeros(1, "<i8")
    )
    used = memoryview(data)[int(ends[0]) : int(ends[-1])] if data is not None else b""
    return Texts(ends.astype(np.int64) - ends[0], used, missing)


def arrow_column(column: Any, is_time: bool = False, checked: bool = True) -> pa.Array:
    """Return a column as an Arrow array without copying its numbers.

    Null is a float that is NaN, with `is_time` an UNKNOWN_TIME, and what is missing.

    Without `checked` codes are taken as they are: right for what was made here.
    """
    if isinstance(column, Symbols):
        names = _dictionary(tuple(column.names))
        if not checked and column.codes.dtype == np.int32 and column.codes.min(initial=0) != NULL:
            return pa.DictionaryArray.from_buffers(_SYMBOL, len(column), [None, _buffer(column.codes)], names, 0)
        absent = column.codes == NULL
        codes = pa.array(column.codes, pa.int32(), mask=absent if absent.any() else None)
        return pa.DictionaryArray.from_arrays(codes, names, safe=checked)
    if isinstance(column, Texts):
        known = None if column.missing is None else _bits(~column.missing)
        buffers = [known, _buffer(column.offsets), pa.py_buffer(column.data)]
        return pa.Array.from_buffers(_TEXT, len(column), buffers)
    whole = type(column) is np.ndarray  # not masked
    if whole and column.dtype == np.int64:
        if is_time and _least(column) == UNKNOWN_TIME:
            return pa.Array.from_buffers(_STAMP, len(column), [_bits(column != UNKNOWN_TIME), _buffer(column)])
        return pa.Array.from_buffers(_STAMP if is_time else _INT, len(column), [None, _buffer(column)], 0)
    if is_time:
        return pa.array(column, _INT).view(_STAMP)
    if column.dtype.kind == "f" and np.isnan(_least(column)):
        return pa.array(column, from_pandas=True)
    if whole and column.dtype == np.float64:  # a look for NaN takes a tenth of what Arrow does to make a mask of none
        return pa.Array.from_buffers(_FLOAT, len(column), [None, _buffer(column)], 0)
    return pa.array(column)


def _least(column: np.ndarray) -> Any:
    """Return the least value, NaN if any is; 0 of none. It is found in half the time that a look at each takes."""
    return np.minimum.reduce(column) if len(column) else 0


def _bits(known: np.ndarray) -> pa.Buffer:
    """Return which values are known as Arrow has it."""
    return pa.py_buffer(np.packbits(known, bitorder="little"))


def _buffer(array: np.ndarray) -> pa.Buffer:
    """Return the bytes of an array where they lie; pa.array takes three times as long to find out what they are."""
    return pa.py_buffer(np.ascontiguousarray(array))


@functools.lru_cache(16)
def _dictionary(names: tuple[str, ...]) -> pa.Array:
    """Return names as an Arrow array; those of one answer are often those of the next."""
    return pa.array(names, pa.string())
