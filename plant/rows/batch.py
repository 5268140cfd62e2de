"""Rows of one table as they were journaled together; several batches as one Arrow table.

Arrow is loaded when it is first needed: who only publishes does without it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

from plant.rows.columns import Columns, Symbols
from plant.rows.schema import UNKNOWN_TIME


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table as they were journaled together.

    `seq` counts the batches of the journal, `table_seq` those of this table; `received` is when the tickerplant took
    it, ns since 1970 UTC. Several batches decoded as one have the numbers of the last, and `parts`: the first row,
    the seq and the received of each, int64[k]. Of a batch of which rows were left out, `places` are the seq_row of the
    others, int64[n]. `times` are the names of its columns of the kind time, as Table.times.
    """

    table: str
    columns: Columns
    seq: int
    table_seq: int
    received: int
    key: tuple[str, ...] = ()
    parts: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    places: np.ndarray | None = None
    times: frozenset[str] = frozenset(("time",))

    def __len__(self) -> int:
        return len(self.columns["time"])

    def filtered(self, rows: np.ndarray) -> "Batch":
        """Return the batch with only `rows` (bool[n] or positions)."""
        kept = {name: column[rows] for name, column in self.columns.items()}
        places = self.seq_rows()[rows]
        return Batch(self.table, kept, self.seq, self.table_seq, self.received, self.key, None, places, self.times)

    def seq_rows(self) -> np.ndarray:
        """Return the place of each row within its seq, 0, 1, 2, ..., int64[n]."""
        if self.places is not None:
            return self.places
        rows = np.arange(len(self))
        return rows if self.parts is None else rows - _per_part(self, self.parts[0])

    def arrow(self) -> "pa.Table":
        """Return the rows as an Arrow table: times as timestamp[ns, UTC], symbols dictionary-encoded."""
        import pyarrow as pa

        from plant.rows.arrow import arrow_column

        return pa.table({name: arrow_column(column, name in self.times) for name, column in self.columns.items()})

    def pandas(self) -> "pd.DataFrame":
        """Return the rows as a pandas DataFrame."""
        return self.arrow().to_pandas()

    def numpy(self) -> dict[str, Any]:
        """Return the rows as a dict of numpy arrays; symbols and texts as arrays of str objects.

        Times are int64 nanoseconds, one that is not known UNKNOWN_TIME: `.view("M8[ns]")` of them has NaT there.
        """
        return {
            name: column if isinstance(column, np.ndarray) else np.array(column.tolist(), dtype=object)
            for name, column in self.columns.items()
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dicts of plain Python values; times as int nanoseconds, None if not known."""
        lists = [_plain(column, name in self.times and name != "time") for name, column in self.columns.items()]
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*lists, strict=True)]

    def __repr__(self) -> str:
        return f"<Batch {self.table} seq={self.seq} rows={len(self)}>"


def _plain(column: Any, is_time: bool) -> list[Any]:
    values: list[Any] = column.tolist()
    return [None if value == UNKNOWN_TIME else value for value in values] if is_time else values


def arrow_of(batches: list[Batch]) -> "pa.Table":
    """Return batches of one table as one Arrow table, with META_COLUMNS; a column that some lack is null there."""
    import pyarrow as pa

    runs: list[pa.Table] = []
    start = 0
    for i in range(1, len(batches) + 1):
        if i == len(batches) or batches[i].columns.keys() != batches[start].columns.keys():
            runs.append(_joined(batches[start:i]))
            start = i
    return runs[0] if len(runs) == 1 else pa.concat_tables(runs, promote_options="default")


def _joined(batches: list[Batch]) -> "pa.Table":
    import pyarrow as pa

    from plant.rows.arrow import arrow_column

    columns: dict[str, Any] = {}
    for name, first in batches[0].columns.items():
        parts = [b.columns[name] for b in batches]
        if isinstance(first, Symbols):
            columns[name] = arrow_column(_symbols(parts))
        elif isinstance(first, np.ndarray):
            columns[name] = arrow_column(np.concatenate(parts), name in batches[0].times)
        else:
            columns[name] = pa.chunked_array([arrow_column(p) for p in parts]).combine_chunks()
    columns["seq"] = pa.array(np.concatenate([_per_row(b, b.seq, 1) for b in batches]))
    columns["seq_row"] = pa.array(np.concatenate([b.seq_rows() for b in batches]))
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
    return _per_part(batch, batch.parts[which])


def _per_part(batch: Batch, values: np.ndarray) -> np.ndarray:
    """Return for each row of a batch of several the value of its own, int64[n]."""
    assert batch.parts is not None
    return np.repeat(np.asarray(values, dtype=np.int64), np.diff(batch.parts[0], append=len(batch)))
