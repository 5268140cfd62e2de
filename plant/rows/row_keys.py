"""Rows of a table with a key that come from several places: which are the newest revisions of their key."""

from collections.abc import Sequence

import numpy as np

from plant.rows.columns import Columns, Symbols
from plant.rows.ordering import joined


def newest(columns: Columns, key: Sequence[str], by: Sequence[str] = ("seq",)) -> np.ndarray:
    """Return the positions of the newest row of each key, the one with the largest `by`, the later of two with one.

    The positions are in ascending order, int64[k].
    """
    keys = [_numbers(columns[name]) for name in key]
    order = np.lexsort((*(columns[name] for name in reversed(by)), *keys))
    last = np.ones(len(order), dtype=bool)
    last[:-1] = _differs([k[order] for k in keys])
    return np.sort(order[last])


def among(columns: Columns, others: Columns, key: Sequence[str]) -> np.ndarray:
    """Return which rows have a key that other rows have too, bool[n]."""
    found = np.isin(columns["time"], others["time"])  # every key has the time; few of the others share any
    rows = np.flatnonzero(found)
    if len(rows):
        near = np.flatnonzero(np.isin(others["time"], columns["time"][rows]))
        keys = [_numbers(joined([columns[name][rows], others[name][near]])) for name in key]
        order = np.lexsort(keys)
        new = np.ones(len(order), dtype=bool)
        new[1:] = _differs([k[order] for k in keys])
        numbers = np.empty(len(order), dtype=np.int64)
        numbers[order] = np.cumsum(new)
        found[rows] = np.isin(numbers[: len(rows)], numbers[len(rows) :])
    return found


def _numbers(column: Symbols | np.ndarray) -> np.ndarray:
    return column.codes if isinstance(column, Symbols) else column


def _differs(keys: list[np.ndarray]) -> np.ndarray:
    """Return for each row of keys in order whether the next one is another key, bool[n - 1]."""
    found = np.zeros(max(len(keys[0]) - 1, 0), dtype=bool)
    for k in keys:
        found |= k[1:] != k[:-1]
    return found
