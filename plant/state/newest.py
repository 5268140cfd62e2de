"""The newest row of each object, for tables whose rows carry the whole object.

What is newest: the greatest seq; of one seq the greatest `then` (n of orders, version, else seq_row). Rows may come in
any order, in any portions, and more than once: what is there already changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from plant.rows.batch import Batch
from plant.rows.columns import Columns, taken
from plant.rows.ordering import newest

Row = dict[str, Any]
"""A row as plain values, `seq` and `seq_row` among them; times are int ns, None if not known."""


def columns_of_batch(batch: Batch) -> Columns:
    """Return the columns of a batch as an answer has them, with `seq`, `seq_row` and `received`, int64[n] each."""
    rows = len(batch)
    if batch.parts is None:
        seq, received = np.full(rows, batch.seq, np.int64), np.full(rows, batch.received, np.int64)
    else:
        counts = np.diff(batch.parts[0], append=rows)
        seq, received = (np.repeat(np.asarray(part, np.int64), counts) for part in batch.parts[1:])
    return {**batch.columns, "seq": seq, "seq_row": batch.seq_rows(), "received": received}


def rows_of_columns(columns: Columns, times: frozenset[str]) -> list[Row]:
    """Return rows as dicts of plain values; `times` are the names of columns that may be a time that is not known."""
    return Batch("", columns, 0, 0, 0, times=times).rows()


class Fold(Protocol):
    """What takes rows of one table."""

    def take(self, columns: Columns) -> list[Row]:
        """Take rows, with `seq` and `seq_row`; return those that count by now."""
        ...


class Newest(Mapping[Any, Row]):
    """The newest row of each object, by its id: the value of `ids`, a tuple if they are several columns.

    times   names of the columns that are times (Table.times)
    then    column by which rows of one seq are told apart
    """

    def __init__(self, ids: Sequence[str], times: frozenset[str], then: str = "seq_row") -> None:
        self._ids, self._times = tuple(ids), times
        self._order = ("seq", *dict.fromkeys((then, "seq_row")))
        self._rows: dict[Any, Row] = {}

    def take(self, columns: Columns) -> list[Row]:
        """Take rows, with `seq` and `seq_row`; return those that are the newest of their object by now."""
        if not len(columns["seq"]):
            return []
        latest = newest(columns, self._ids, self._order)
        found = []
        for row in rows_of_columns(taken(columns, latest), self._times):
            name = self.id_of(row)
            before = self._rows.get(name)
            if before is None or self.counts(row, before):
                self._rows[name] = row
                found.append(row)
        return found

    def counts(self, row: Row, before: Row) -> bool:
        """Return whether a row takes the place of another one of its object."""
        return [row[c] for c in self._order] > [before[c] for c in self._order]

    def id_of(self, row: Row) -> Any:
        """Return the id of a row's object."""
        found = tuple(row[name] for name in self._ids)
        return found[0] if len(found) == 1 else found

    def __getitem__(self, name: Any) -> Row:
        return self._rows[name]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
