"""What the plant has of a table already, in history and today: asked before files are taken into it.

The hdb has every row up to `through`, the rdb those behind what it let go. Rows of both are put together by that seam,
so that of rows that are alike each counts once.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from plant.errors import Unavailable
from plant.rows.schema import Table

ATTEMPTS = 10
"""Questions until both answers fit together; a day may be closed in between."""


class Held:
    """The rows of a plant, asked of `rdb` and `hdb`, connections that answer in Arrow; without an hdb, only today's."""

    def __init__(self, rdb: Any, hdb: Any = None) -> None:
        self._rdb = rdb
        self._hdb = hdb

    def count(self, table: str, sym: Any, start: int, end: int) -> int:
        """Return how many rows `rows` returns, or more: some may be in both places."""
        return sum(int(db.count(table, sym, start, end)) for db in (self._hdb, self._rdb) if db is not None)

    def rows(self, table: Table, sym: Any, start: int | None = None, end: int | None = None) -> pa.Table:
        """Return rows of a table. Of a key that has been revised today, the row of history is there, too."""
        columns = [*table.names, "seq"]
        if self._hdb is None:
            found = self._rdb.select(table.name, sym, start, end, columns=columns, frames="arrow")
            return found.select(table.names)
        for _ in range(ATTEMPTS):
            past = self._hdb.select(table.name, sym, start, end, columns=columns, frames="arrow")
            today = self._rdb.select(table.name, sym, start, end, columns=columns, frames="arrow")
            through = _fact(past, b"through")
            if _fact(today, b"released") <= through:
                rest = today.filter(pc.greater(today.column("seq"), through))
                parts = [part.select(table.names).replace_schema_metadata() for part in (past, rest)]
                return pa.concat_tables(parts, promote_options="permissive")
        raise Unavailable("days are being closed faster than their rows can be compared; try again")


def _fact(answer: pa.Table, name: bytes) -> int:
    return int((answer.schema.metadata or {}).get(name, 0))
