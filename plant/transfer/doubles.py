"""Which rows are there already: in the same file, in one before it, in the plant."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plant.rows.row_hashes import row_hashes
from plant.rows.schema import Table

_RANK = np.uint64(0x9E3779B97F4A7C15)
_SOME = 32_768


def identities(table: Table, rows: pa.Table, drop_alike: bool = False) -> np.ndarray:
    """Return uint64[n], equal for rows that are the same: of one key, or alike in every column (see the module)."""
    if table.key:
        return _hashes(rows.select(sorted(table.key)))
    hashes = _hashes(rows.select(table.names))
    if drop_alike:
        return hashes
    ranked = np.arange(len(hashes))
    if "trade_id" in table.names:
        without = pc.equal(pc.binary_length(rows.column("trade_id")), 0).fill_null(False)
        ranked = np.flatnonzero(without.to_numpy())
    with np.errstate(over="ignore"):
        hashes[ranked] += _ranks(hashes[ranked]) * _RANK
    return hashes


def contents_of(table: Table, rows: pa.Table, identity: np.ndarray) -> np.ndarray:
    """Return uint64[n], equal for rows with the same values but for `source`; of a table without a key the `identity`.

    Rows without a key are the same or others; what they contain makes no difference.
    """
    return _hashes(rows.select([name for name in table.names if name != "source"])) if table.key else identity


def doubled_within(table: Table, identity: np.ndarray, contents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows of a file a later one replaces, and which are there already in the same file, bool[n] each."""
    if not _doubled(identity):
        return np.zeros(len(identity), dtype=bool), np.zeros(len(identity), dtype=bool)
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
    if not len(held):
        return np.zeros(len(identity), dtype=bool), np.zeros(len(identity), dtype=bool)
    order = np.argsort(held, kind="stable")
    place = np.searchsorted(held[order], identity, side="right") - 1
    last = order[np.maximum(place, 0)]
    has = (place >= 0) & (held[last] == identity)
    return has, has & (held_contents[last] == contents)


def _hashes(rows: pa.Table) -> np.ndarray:
    """Return the hash of each row (plant.rows.row_hashes), of some at a time: what is in the making stays in cache."""
    parts = [row_hashes(rows.slice(start, _SOME)) for start in range(0, rows.num_rows, _SOME)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def _doubled(values: np.ndarray) -> bool:
    """Return whether any value is there twice."""
    in_order = np.sort(values)
    return bool((in_order[1:] == in_order[:-1]).any())


def _ranks(hashes: np.ndarray) -> np.ndarray:
    """Return how many of those before each have the same hash, uint64[n]."""
    rank = np.zeros(len(hashes), dtype=np.uint64)
    if _doubled(hashes):
        order = np.argsort(hashes, kind="stable")
        first = np.ones(len(order), dtype=bool)
        first[1:] = hashes[order][1:] != hashes[order][:-1]
        starts = np.flatnonzero(first)
        rank[order] = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    return rank
