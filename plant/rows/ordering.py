"""Columns put together, cut, and put in order, and the newest revisions of their keys: whatever the rows mean."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from plant.rows.columns import NULL, Columns, Symbols, Texts

_START = np.zeros(1, dtype=np.int64)
_RADIX = 2**15  # numpy sorts int16 by radix, several times as fast as wider ones


def joined(parts: Sequence[Any]) -> Any:
    """Return columns of one kind one after the other; there must be at least one."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], Symbols):
        return _joined_symbols(parts)
    if isinstance(parts[0], Texts):
        whole = joined_texts([(p.offsets, p.data) for p in parts])
        if all(part.missing is None for part in parts):
            return whole
        missing = [np.zeros(len(part), dtype=bool) if part.missing is None else part.missing for part in parts]
        return Texts(whole.offsets, whole.data, np.concatenate(missing))
    masked = any(isinstance(part, np.ma.MaskedArray) for part in parts)
    return np.ma.concatenate(parts) if masked else np.concatenate(parts)


def _joined_symbols(parts: Sequence[Symbols]) -> Symbols:
    names = parts[0].names
    if all(p.names is names for p in parts) or all(p.names == names for p in parts):
        return Symbols(names, np.concatenate([p.codes for p in parts]))
    known: dict[str, int] = {}
    codes = []
    for part in parts:
        translate = np.array([*(known.setdefault(n, len(known)) for n in part.names), NULL], dtype=np.int32)
        codes.append(translate[part.codes])
    return Symbols(list(known), np.concatenate(codes))


def joined_texts(parts: Sequence[tuple[np.ndarray, Any]]) -> Texts:
    """Return texts one after the other; each part is its offsets, that may begin anywhere, and what they point into."""
    shifts = []
    data = []
    size = 0
    for ends, buffer in parts:
        first, last = ends.item(0), ends.item(-1)
        shifts.append(size - first)
        data.append(memoryview(buffer)[first:last])
        size += last - first
    offsets = np.concatenate([_START, *[ends[1:] for ends, _ in parts]])
    offsets[1:] += np.repeat(shifts, [len(ends) - 1 for ends, _ in parts])
    return Texts(offsets, b"".join(data))


def order_by_code(codes: np.ndarray) -> np.ndarray:
    """Return the stable order of codes (0 or more), int64[n]."""
    if not len(codes) or int(codes.max()) < _RADIX:
        return np.argsort(codes.astype(np.int16), kind="stable")
    order = np.argsort((codes & (_RADIX - 1)).astype(np.int16), kind="stable")
    high = codes >> 15
    if int(high.max()) >= _RADIX:
        return order[np.argsort(high[order], kind="stable")]
    return order[np.argsort(high[order].astype(np.int16), kind="stable")]


def grouped(codes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the order of rows by code, then time, then place, int64[n]; cheap if times are in order but for a few."""
    order = order_by_code(codes)
    sorted_codes, sorted_times = codes[order], times[order]
    late = (sorted_times[1:] < sorted_times[:-1]) & (sorted_codes[1:] == sorted_codes[:-1])
    if late.any():  # the symbols concerned are ordered again, by time and then by code, both stable
        wrong = np.zeros(int(sorted_codes[-1]) + 1, dtype=bool)
        wrong[sorted_codes[1:][late]] = True
        places = np.flatnonzero(wrong[sorted_codes])
        rows = order[places]
        rows = rows[np.argsort(times[rows], kind="stable")]
        order[places] = rows[order_by_code(codes[rows])]
    return order


def ranks(column: Symbols) -> np.ndarray:
    """Return for each row the place of its name among the sorted names that there are, int64[n]."""
    used = np.flatnonzero(np.bincount(column.codes)).tolist()
    ranks = np.zeros(used[-1] + 1 if used else 0, dtype=np.int64)
    ranks[sorted(used, key=column.names.__getitem__)] = np.arange(len(used))
    return ranks[column.codes]


def time_order(times: np.ndarray) -> np.ndarray | None:
    """Return the stable order of times, None if they are in order."""
    if len(times) < 2 or bool((times[1:] >= times[:-1]).all()):
        return None
    return np.argsort(times, kind="stable")


def group_starts(values: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Return where a new value begins in rows grouped by it (and by others), int64[k]."""
    if not len(values):
        return np.empty(0, dtype=np.int64)
    new = np.empty(len(values), dtype=bool)
    new[0] = True
    np.not_equal(values[1:], values[:-1], out=new[1:])
    for other in others:
        new[1:] |= other[1:] != other[:-1]
    return np.flatnonzero(new)


def ranges(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the positions of [first, last) of every pair, one pair after the other, int64[k]."""
    counts = last - first
    ends = np.cumsum(counts)
    if not len(ends) or not ends[-1]:
        return np.empty(0, dtype=np.int64)
    return np.repeat(first - (ends - counts), counts) + np.arange(ends[-1])


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
