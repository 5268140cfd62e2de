"""The order of rows in the history: by sym, time, seq, seq_row; and which row replaces which.

Rows of one seq come from one record of the journal, and every sort here is stable: they stay in the order of their
seq_row, also those of old files that have none.

Rows are Arrow tables with seq, their sym dictionary-encoded. A row's rank is the place of its sym among the names of
the table, sorted: numbers that are compared in place of names.
"""

import numpy as np
import pyarrow as pa

from plant.rows.schema import Table


def sorted_rows(rows: pa.Table) -> pa.Table:
    """Return rows in the order of arrival sorted by sym, time and seq; those of one seq stay as they are."""
    if not rows.num_rows:
        return rows
    rows = rows.unify_dictionaries().combine_chunks()
    rank, _ = sym_ranks(rows.column("sym"))
    return rows.take(pa.array(order_of(rank, times_of(rows), rows.column("seq").to_numpy())))


def sym_ranks(sym: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Return the place of each row's sym in the sorted list of names, int32[n], and that list."""
    array = sym.combine_chunks()
    names: list[str] = array.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), dtype=np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    return rank[array.indices.to_numpy()], [names[i] for i in order]


def times_of(rows: pa.Table) -> np.ndarray:
    """Return the times of rows, ns since 1970 UTC, int64[n]."""
    times: np.ndarray = rows.column("time").cast("int64").to_numpy()
    return times


def order_of(rank: np.ndarray, times: np.ndarray, seqs: np.ndarray) -> np.ndarray:
    """Return the order by (rank, time, seq); what is nearly in that order already costs little."""
    few = int(rank.max()) < np.iinfo(np.int16).max
    order = np.argsort(rank.astype(np.int16) if few else rank, kind="stable")  # small numbers go by radix
    if _sorted(rank[order], times[order], seqs[order]):
        return order
    earliest = int(times.min())
    bits = (int(times.max()) - earliest).bit_length()
    if bits + int(rank.max()).bit_length() < 63:
        places = (rank[order].astype(np.int64) << bits) | (times[order] - earliest)
        order = order[np.argsort(places, kind="stable")]
        if _sorted(rank[order], times[order], seqs[order]):
            return order
    return np.lexsort((seqs, times, rank))


def newest_of_keys(
    table: Table, rows: pa.Table, rank: np.ndarray, times: np.ndarray, seqs: np.ndarray
) -> np.ndarray | None:
    """Return, for each row, the seq of the newest row with its key, -1 if it is that one; None if each is."""
    same = (rank[1:] == rank[:-1]) & (times[1:] == times[:-1])
    if not same.any():
        return None
    others = [_key_codes(rows.column(name)) for name in table.key if name not in ("time", "sym")]
    order = np.lexsort((*others, times, rank))  # stable: by seq within a key
    equal = np.ones(len(order) - 1, dtype=bool)
    for values in (rank, times, *others):
        equal &= values[order[1:]] == values[order[:-1]]
    if not equal.any():
        return None
    last = np.flatnonzero(np.append(~equal, True))  # where each key ends in `order`
    newest = order[last[np.searchsorted(last, np.arange(len(order)))]]
    found = np.full(len(order), -1, dtype=np.int64)
    found[order] = np.where(newest == order, -1, seqs[newest])
    return found


def _sorted(rank: np.ndarray, times: np.ndarray, seqs: np.ndarray) -> bool:
    same = rank[1:] == rank[:-1]
    wrong = (times[1:] < times[:-1]) | ((times[1:] == times[:-1]) & (seqs[1:] < seqs[:-1]))
    return not bool((wrong & same).any())


def _key_codes(column: pa.ChunkedArray) -> np.ndarray:
    array = column.combine_chunks()
    codes: np.ndarray = (
        (array.indices if pa.types.is_dictionary(array.type) else array.cast("int64")).fill_null(-1).to_numpy()
    )
    return codes
