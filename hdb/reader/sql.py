"""DuckDB's SQL over files of history, read by DuckDB itself: it takes the columns and row groups that it needs.

DuckDB may read files of the history's folder and no others.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from hdb.reader.footers import MissingFile
from plant.errors import QueryError
from plant.history.catalogue import ArchivedFile, File
from plant.query.limits import Budget
from plant.rows.schema import Table
from plant.sql.engine import SqlEngine

_TYPES = {"time": "TIMESTAMPTZ_NS", "float": "DOUBLE", "int": "BIGINT", "symbol": "VARCHAR", "text": "VARCHAR"}

_META_KINDS = {"seq": "int", "seq_row": "int", "received": "time"}


class SqlTable(Protocol):
    """What SQL needs of a table of the history: hdb.reader.history.HistoryView, or one with later rows."""

    declaration: Table

    @property
    def files(self) -> list[File]: ...

    def sources(self, beyond: int, budget: Budget) -> tuple[list[File], pa.Table]: ...


class HistorySql(SqlEngine):
    """Answer SQL over tables of the history in `folder`; any thread."""

    shown_by = "hdb.reader.sql_files"

    def __init__(self, folder: Path) -> None:
        self._files = folder.resolve()
        super().__init__(folder=str(self._files))

    def answer(self, sql: str, views: Mapping[str, Any], beyond: int = 0, budget: Budget | None = None) -> pa.Table:
        """Return the answer, as SqlEngine does; raises HistoryError if a file is missing."""
        try:
            return super().answer(sql, views, beyond, budget)
        except QueryError:
            for view in views.values():
                for file in view.files:
                    if not isinstance(file, ArchivedFile) and not (self._files / file.path).exists():
                        raise MissingFile.of(self._files / file.path) from None
            raise

    def _made(
        self, view: SqlTable, _used: Sequence[str] | None, beyond: int, budget: Budget
    ) -> tuple[pa.Table, dict[str, Any]]:
        files, rest = view.sources(beyond, budget)
        kinds = {c.name: c.kind for c in view.declaration.columns} | _META_KINDS
        paths = [(str(self._files / f.path), f.first_time, f.last_time) for f in files]
        return rest, {"files": paths, "types": {name: _TYPES[kind] for name, kind in kinds.items()}}
