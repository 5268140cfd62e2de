"""What of the batches that come is handed on: some symbols, from some time on, only the newest of each key."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from plant.rows.batch import Batch
from plant.rows.columns import Symbols

Wanted = Callable[[Batch], Batch | None]
"""Turns a batch into what is handed on, None to pass over it."""


def only(syms: Iterable[str] | None, since_ns: int | None) -> Wanted | None:
    """Return a `keep` for a Subscriber: rows of these symbols (None: all), from this time on (None: all)."""
    wanted = None if syms is None else set(syms)
    if wanted is None and since_ns is None:
        return None

    def keep(batch: Batch) -> Batch | None:
        rows = np.ones(len(batch), dtype=bool)
        if wanted is not None:
            sym: Symbols = batch.columns["sym"]
            rows &= np.array([name in wanted for name in sym.names], dtype=bool)[sym.codes]
        if since_ns is not None:
            rows &= batch.columns["time"] >= since_ns
        if rows.all():
            return batch
        return batch.filtered(rows) if rows.any() else None

    return keep


def conflated(batches: list[Batch]) -> list[Batch]:
    """Return the batches with only the newest row of each key; of each symbol in a table without a key."""
    seen: dict[str, set[tuple[Any, ...]]] = {}
    kept: list[Batch] = []
    for batch in reversed(batches):
        columns = [batch.columns[name].tolist() for name in batch.key or ("sym",)]
        known = seen.setdefault(batch.table, set())
        rows = []
        keys = zip(*(reversed(c) for c in columns), strict=True)
        for row, key in zip(range(len(batch) - 1, -1, -1), keys, strict=True):
            if key not in known:
                known.add(key)
                rows.append(row)
        if rows:
            kept.append(batch if len(rows) == len(batch) else batch.filtered(np.array(rows[::-1])))
    return kept[::-1]
