"""Rows on their way into the next part: the batches of each table as they came, made into one Arrow table."""

from typing import Any

import numpy as np
import pyarrow as pa

from plant.batch import Batch, Symbols, arrow_column


class Waiting:
    """Batches that are in no part yet, of any tables."""

    def __init__(self) -> None:
        self.rows = 0
        self._batches: dict[str, list[Batch]] = {}

    def add(self, batch: Batch) -> None:
        """Add a batch, which is not copied."""
        self._batches.setdefault(batch.table, []).append(batch)
        self.rows += len(batch)

    def tables(self) -> dict[str, pa.Table]:
        """Return the rows of each table in the order they came, with seq and received."""
        return {name: arrow_of(batches) for name, batches in self._batches.items()}


def arrow_of(batches: list[Batch]) -> pa.Table:
    """Return batches of one table as one Arrow table, with seq and received; a column that some lack is null there."""
    runs: list[pa.Table] = []
    start = 0
    for i in range(1, len(batches) + 1):
        if i == len(batches) or batches[i].columns.keys() != batches[start].columns.keys():
            runs.append(_joined(batches[start:i]))
            start = i
    return runs[0] if len(runs) == 1 else pa.concat_tables(runs, promote_options="default")


def _joined(batches: list[Batch]) -> pa.Table:
    columns: dict[str, Any] = {}
    for name, first in batches[0].columns.items():
        parts = [b.columns[name] for b in batches]
        if isinstance(first, Symbols):
            columns[name] = arrow_column(_symbols(parts))
        elif isinstance(first, np.ndarray):
            columns[name] = arrow_column(np.concatenate(parts), is_time=name == "time")
        else:
            columns[name] = pa.chunked_array([arrow_column(p) for p in parts]).combine_chunks()
    columns["seq"] = pa.array(np.concatenate([_per_row(b, b.seq, 1) for b in batches]))
    columns["received"] = pa.array(np.concatenate([_per_row(b, b.received, 2) for b in batches])).view(
        pa.timestamp("ns", "UTC")
    )
    return pa.table(columns)


def _symbols(parts: list[Symbols]) -> Symbols:
    """Return symbol columns joined, with one list of names."""
    known: dict[str, int] = {}
    codes, same, places = [], None, np.empty(0, dtype=np.int32)
    for part in parts:
        if same is None or part.names != same:  # batch after batch, a feed sends the same symbols
            same = part.names
            places = np.array([known.setdefault(name, len(known)) for name in same], dtype=np.int32)
        codes.append(places[part.codes])
    return Symbols(list(known), np.concatenate(codes))


def _per_row(batch: Batch, value: int, which: int) -> np.ndarray:
    """Return seq (1) or received (2) for each row of a batch, int64[n]."""
    if batch.parts is None:
        return np.full(len(batch), value, dtype=np.int64)
    counts = np.diff(batch.parts[0], append=len(batch))
    return np.repeat(np.asarray(batch.parts[which], dtype=np.int64), counts)
