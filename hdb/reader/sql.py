"""DuckDB's SQL over files of history, read by DuckDB itself: it takes the columns and row groups that it needs.

DuckDB may read files of the history's folder and no others. It opens every file it is given, so those of days that the
conditions on `time` leave out are not given to it: it is asked for its plan first, which says what each scan is
filtered by.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from hdb.reader.footers import MissingFile
from plant.errors import QueryError
from plant.history.catalogue import File
from plant.query.limits import Budget
from plant.query.sql import SqlEngine, quoted, without_zone
from plant.rows.schema import META_COLUMNS, Table

_TYPES = {"time": "TIMESTAMP_NS", "float": "DOUBLE", "int": "BIGINT", "symbol": "VARCHAR", "text": "VARCHAR"}
_BOUND = re.compile(r"time (>=|<=|>|<|=) '([-0-9]+ [0-9:.]+)'::TIMESTAMP_NS")
_NOTHING_ELSE = re.compile(r"(?:[() ]|AND|optional: Dynamic Filter \(time\))*")

Span = tuple[int, int]
"""First and last ns that rows may have."""

ALWAYS: Span = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)


class SqlTable(Protocol):
    """What SQL needs of a table of the history: hdb.reader.history.HistoryView, or one with later rows."""

    declaration: Table

    @property
    def files(self) -> list[File]: ...

    def sources(self, beyond: int, budget: Budget) -> tuple[list[File], pa.Table]: ...


class HistorySql(SqlEngine):
    """Answer SQL over tables of the history in `folder`; any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        super().__init__(readable=self._folder)

    def answer(self, sql: str, views: Mapping[str, Any], beyond: int = 0, budget: Budget | None = None) -> pa.Table:
        """Return the answer, as SqlEngine does; raises HistoryError if a file is missing."""
        try:
            return super().answer(sql, views, beyond, budget)
        except QueryError:
            for view in views.values():
                for file in view.files:
                    if not (self._folder / file.path).exists():
                        raise MissingFile.of(self._folder / file.path) from None
            raise

    def _show(
        self,
        connection: duckdb.DuckDBPyConnection,
        sql: str,
        views: Mapping[str, SqlTable],
        beyond: int,
        budget: Budget,
    ) -> None:
        files: dict[str, list[File]] = {}
        for name, view in views.items():
            files[name], rest = view.sources(beyond, budget)
            connection.register(f"_{name}_rows", without_zone(rest))
            self._define(connection, name, view.declaration, files[name])
        if sum(map(len, files.values())) < 2:
            return
        plan = connection.execute(f"explain (format json) {sql}").fetchall()[0][1]
        first, last = span_of(plan)
        for name, view in views.items():
            kept = [f for f in files[name] if f.last_time >= first and f.first_time <= last]
            if len(kept) < len(files[name]):
                self._define(connection, name, view.declaration, kept)

    def _define(self, connection: duckdb.DuckDBPyConnection, name: str, table: Table, files: list[File]) -> None:
        """Show a table as these files and the rows that are in memory."""
        kinds = {c.name: c.kind for c in table.columns} | {"seq": "int", "seq_row": "int", "received": "time"}
        columns = ", ".join(f'"{column}"' for column in (*table.names, *META_COLUMNS))
        of_rows = f'select {columns} from "_{name}_rows"'
        if not files:
            connection.execute(f'create or replace temp view "{name}" as {of_rows}')
            return
        paths = ", ".join(quoted(str(self._folder / f.path)) for f in files)
        schema = ", ".join(
            f"'{column}': {{name: '{column}', type: '{_TYPES[kind]}', default_value: NULL}}"
            for column, kind in kinds.items()
        )
        of_files = f"select {columns} from read_parquet([{paths}], schema=MAP {{{schema}}})"
        connection.execute(f'create or replace temp view "{name}" as {of_files} union all {of_rows}')


def span_of(plan: str) -> Span:
    """Return the span of times outside of which no scan of files in DuckDB's plan (as JSON) takes rows."""
    spans = [_span_of_scan(scan) for scan in _scans(json.loads(plan))]
    return min((a for a, _ in spans), default=ALWAYS[0]), max((b for _, b in spans), default=ALWAYS[1])


def _scans(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        if node["name"].strip() == "READ_PARQUET":
            yield node["extra_info"]
        yield from _scans(node["children"])


def _span_of_scan(scan: dict[str, Any]) -> Span:
    filters = scan.get("Filters", [])
    first, last = ALWAYS
    for text in [filters] if isinstance(filters, str) else filters:
        if _NOTHING_ELSE.fullmatch(_BOUND.sub("", text)):  # nothing but bounds that all hold
            for operator, moment in _BOUND.findall(text):
                at = pd.Timestamp(moment).as_unit("ns").value
                first = max(first, at) if operator in (">=", ">", "=") else first
                last = min(last, at) if operator in ("<=", "<", "=") else last
    return first, last
