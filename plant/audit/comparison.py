"""Rows of two places compared by their hashes: which are only in one of them, whatever their order.

Rows that are alike count: three here and two there leave one. Equal rows have one seq, and the journal's rows come in
pieces of whole records, so that a piece can be matched by itself. A record may have several revisions of one key: the
last of them is the one that is kept, so that rows are told apart by their place in the record, too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from plant.rows.row_hashes import row_hashes
from plant.rows.schema import Table

_UNTOLD = 2**62
"""The place of a row in a file that was written before there was a seq_row: it counts as the last."""


@dataclass
class Hashes:
    """Rows by their hash: uint64 `row`, int64 `seq` and `place` (its seq_row, _UNTOLD if a file has none).

    Of a table with a key also uint64 `key`; `kind` says from where.
    """

    row: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    seq: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    place: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    key: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    kind: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int8))

    @classmethod
    def of(cls, table: Table, rows: pa.Table, kind: int = 0) -> "Hashes":
        """Return the hashes of an Arrow table with seq, seq_row and received."""
        key = row_hashes(rows.select(sorted(table.key))) if table.key else np.zeros(rows.num_rows, dtype=np.uint64)
        seq = rows.column("seq").to_numpy()
        places = np.full(len(seq), _UNTOLD)
        if "seq_row" in rows.column_names:
            places = rows.column("seq_row").cast(pa.int64()).fill_null(_UNTOLD).to_numpy()
        return cls(row_hashes(rows), seq, places, key, np.full(len(seq), kind, dtype=np.int8))

    @classmethod
    def joined(cls, parts: Iterable["Hashes"]) -> "Hashes":
        """Return all of some hashes."""
        whole = [cls(), *parts]
        return cls(*(np.concatenate([getattr(p, n) for p in whole]) for n in ("row", "seq", "place", "key", "kind")))

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, rows: Any) -> "Hashes":
        return Hashes(self.row[rows], self.seq[rows], self.place[rows], self.key[rows], self.kind[rows])


class Matching:
    """Takes the rows of one place, then those of the other piece by piece."""

    def __init__(self, held: Hashes) -> None:
        self._held = held[np.argsort(held.row, kind="stable")]
        self._taken = np.zeros(len(held), dtype=bool)

    def missing(self, piece: Hashes) -> Hashes:
        """Return the rows of a piece that the first place has not, or has fewer of: of equal ones the first."""
        order = np.lexsort((-piece.place, piece.row))
        rows = piece.row[order]
        first = np.searchsorted(rows, rows, side="left")
        place = np.searchsorted(self._held.row, rows, side="left") + np.arange(len(rows)) - first
        found = place < np.searchsorted(self._held.row, rows, side="right")
        self._taken[place[found]] = True
        return piece[order[~found]]

    def extra(self) -> Hashes:
        """Return the rows of the first place that no piece had."""
        return self._held[~self._taken]


def superseded(missing: Hashes, others: Hashes) -> np.ndarray:
    """Return which rows were rightly left out, bool[n]: `others` have a later one with the same key.

    Later is one of a later record, or of a later place in the same one.
    """
    if not len(others):
        return np.zeros(len(missing), dtype=bool)
    order = np.lexsort((others.place, others.seq, others.key))
    keys, seqs, places = others.key[order], others.seq[order], others.place[order]
    last = np.searchsorted(keys, missing.key, side="right") - 1
    later = (seqs[last] > missing.seq) | ((seqs[last] == missing.seq) & (places[last] > missing.place))
    found: np.ndarray = (last >= 0) & (keys[last] == missing.key) & later
    return found


def doubled(rows: Hashes) -> Hashes:
    """Return the rows whose key another one has: each should be there once."""
    order = np.argsort(rows.key, kind="stable")
    keys = rows.key[order]
    again = np.zeros(len(keys), dtype=bool)
    again[1:] = keys[1:] == keys[:-1]
    return rows[order[again]]
