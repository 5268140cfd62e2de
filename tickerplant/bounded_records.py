"""Rows in pieces that make records of bounded size.

ZeroMQ counts messages, not bytes, and a record is never divided on its way; so what one record may hold bounds what
waits for a slow subscriber, and what a reader of the journal is sent at once.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from plant.rows.columns import Columns, Symbols, Texts

RECORD_BYTES = 8 * 2**20
"""Most payload of a record in the journal. A larger batch is divided between its rows; a larger row is refused."""

_FIXED = 8
_CODE_AND_PREFIX = 9  # a symbol's int32 code, and what msgpack puts before its name
_LENGTH = 4
_COLUMN = 16  # what msgpack puts before the buffers of a column


def row_bytes(columns: Columns) -> np.ndarray:
    """Return what each row takes in a payload, int64[n]; a symbol counts in each of its rows, so it may be less."""
    size = np.zeros(len(columns["time"]), dtype=np.int64)
    for column in columns.values():
        if isinstance(column, Symbols):
            size += np.array([_CODE_AND_PREFIX + len(n.encode()) for n in column.names], dtype=np.int64)[column.codes]
        elif isinstance(column, Texts):
            size += _LENGTH + np.diff(column.offsets)
        else:
            size += _FIXED
    return size


def too_long(columns: Columns) -> np.ndarray:
    """Return the positions of the rows that fit in no record, int64[k], ascending."""
    return np.flatnonzero(row_bytes(columns) > _room(columns))


def pieces(columns: Columns) -> Iterator[Columns]:
    """Yield the rows in order, in pieces of at most RECORD_BYTES; a row that is `too_long` is a piece of its own."""
    ends = np.cumsum(row_bytes(columns))
    start, count, room = 0, len(ends), _room(columns)
    while start < count:
        before = int(ends[start - 1]) if start else 0
        end = max(int(np.searchsorted(ends, before + room, side="right")), start + 1)
        yield {name: _rows(column, start, end) for name, column in columns.items()}
        start = end


def _room(columns: Columns) -> int:
    return RECORD_BYTES - _COLUMN * (len(columns) + 1)


def _rows(column: Any, start: int, end: int) -> Any:
    """Return rows [start, end) of a column, without the names and texts of the others."""
    if isinstance(column, Symbols):
        used, codes = np.unique(column.codes[start:end], return_inverse=True)
        return Symbols([column.names[i] for i in used.tolist()], codes.astype(np.int32))
    if isinstance(column, Texts):
        offsets = column.offsets[start : end + 1]
        return Texts(offsets - offsets[0], bytes(column.data[int(offsets[0]) : int(offsets[-1])]))
    return column[start:end]
