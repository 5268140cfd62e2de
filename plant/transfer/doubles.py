"""Which rows are there already: in the same file, in one before it, in the plant."""

import numpy as np
import pyarrow as pa

from plant.rows.row_hashes import row_hashes
from plant.rows.schema import Table

_RANK = np.uint64(0x9E3779B97F4A7C15)


def identities(table: Table, rows: pa.Table, drop_alike: bool = False) -> np.ndarray:
    """Return uint64[n], equal for rows that are the same: of one key, or alike in every column (see the module)."""
    if table.key:
        return row_hashes(rows.select(sorted(table.key)))
    hashes = row_hashes(rows.select(table.names))
    if drop_alike:
        return hashes
    order = np.argsort(hashes, kind="stable")
    first = np.ones(len(order), dtype=bool)
    first[1:] = hashes[order][1:] != hashes[order][:-1]
    starts = np.flatnonzero(first)
    rank = np.empty(len(order), dtype=np.uint64)
    rank[order] = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    if "trade_id" in table.names:
        rank[np.array(rows.column("trade_id").to_pylist(), dtype=object) != ""] = 0
    with np.errstate(over="ignore"):
        ranked: np.ndarray = hashes + rank * _RANK
    return ranked


def contents_of(rows: pa.Table) -> np.ndarray:
    """Return uint64[n], equal for rows with the same values but for `source`."""
    return row_hashes(rows.select([name for name in rows.column_names if name != "source"]))


def doubled_within(table: Table, identity: np.ndarray, contents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows of a file a later one replaces, and which are there already in the same file, bool[n] each."""
    again = np.ones(len(identity), dtype=bool)
    if not table.key:
        again[np.unique(identity, return_index=True)[1]] = False
        return np.zeros_like(again), again
    _, from_end, which = np.unique(identity[::-1], return_index=True, return_inverse=True)
    last = len(identity) - 1 - from_end
    again[last] = False
    equal = contents == contents[last[which[::-1]]]
    return again & ~equal, again & equal


def held_by(
    identity: np.ndarray, contents: np.ndarray, held: np.ndarray, held_contents: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows others have too, and with the same contents in the last of these, bool[n] each."""
    order = np.argsort(held, kind="stable")
    place = np.searchsorted(held[order], identity, side="right") - 1
    if not len(order):
        return np.zeros(len(identity), dtype=bool), np.zeros(len(identity), dtype=bool)
    last = order[np.maximum(place, 0)]
    has = (place >= 0) & (held[last] == identity)
    return has, has & (held_contents[last] == contents)
