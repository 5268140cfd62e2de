"""A connection for tests that answers `select`, `count` and `status` from plain rows, without sockets."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from plant.history.layout import partition_schema
from plant.rows.batch import Batch
from plant.rows.schema import Schema
from plant.rows.tables import schema_of

Row = dict[str, Any]


class PlainAnswers:
    """Tables as lists of rows with seq and received; times int ns. `largest` is the rows of the largest answer."""

    address = "here"

    def __init__(self, schema: Schema | None = None, **tables: list[Row]) -> None:
        self.schema = schema or schema_of()
        self.held = {name: [{"received": 0, **row} for row in rows] for name, rows in tables.items()}
        self.largest = 0
        self.released = 0

    def select(
        self, table: str, sym: Any = None, start: int | None = None, end: int | None = None,
        columns: Sequence[str] | None = None, last: int | None = None, frames: str = "arrow",
    ) -> pa.Table:  # fmt: skip
        """Return rows in order of time, then seq, then as they came."""
        rows = sorted(self._found(table, sym, start, end), key=lambda row: (row["time"], row["seq"]))
        self.largest = max(self.largest, len(rows))
        declared = self.schema[table]
        found = pa.Table.from_pylist(rows, schema=partition_schema(declared))
        rows_wanted = found.num_rows if last is None else last
        found = found.slice(found.num_rows - rows_wanted).select(list(columns or declared.names))
        return found.replace_schema_metadata({"released": str(self.released)})

    def count(self, table: str, sym: Any = None, start: int | None = None, end: int | None = None) -> int:
        """Return the number of rows that `select` would return."""
        return len(self._found(table, sym, start, end))

    def status(self) -> Row:
        """Return what a process says of itself."""
        return {"seq": 10**9, "caught_up": True, "state": "ok"}

    def tables(self, frames: str = "arrow") -> pa.Table:
        """Return one row per table."""
        return pa.table({"table": list(self.schema)})

    def take(self, batch: Batch) -> None:
        """Add the rows of a batch."""
        meta = {"seq": batch.seq, "received": batch.received}
        rows = [{**row, **meta, "seq_row": place} for place, row in enumerate(batch.rows())]
        self.held.setdefault(batch.table, []).extend(rows)

    def _found(self, table: str, sym: Any, start: int | None, end: int | None) -> list[Row]:
        syms = [sym] if isinstance(sym, str) else sym
        return [
            row
            for row in self.held.get(table, [])
            if (syms is None or row["sym"] in syms)
            and (start is None or row["time"] >= start)
            and (end is None or row["time"] < end)
        ]
