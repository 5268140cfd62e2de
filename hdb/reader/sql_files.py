"""How files of history are shown to DuckDB, in the process that works on a question (plant.sql.worker).

It opens every file it is given, so those of days that the conditions on `time` leave out are not given to it: it is
asked for its plan first, which says what each scan is filtered by.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

_BOUND = re.compile(r"time (>=|<=|>|<|=) '([-0-9]+ [0-9:.]+)\+00'::TIMESTAMPTZ_NS")
_NOTHING_ELSE = re.compile(r"(?:[() ]|AND|optional: Dynamic Filter \(time\))*")

Span = tuple[int, int]
"""First and last ns that rows may have."""

ALWAYS: Span = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)


def show(connection: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, tuple[pa.Table, Any]]) -> None:
    """Show tables to a connection: each its rows in memory, and {"files": [[path, first time, last time]], "types"}."""
    for name, (rows, told) in tables.items():
        _define(connection, name, rows, told["types"], told["files"])
    if sum(len(told["files"]) for _, told in tables.values()) < 2:
        return
    plan = connection.execute(f"explain (format json) {sql}").fetchall()[0][1]
    first, last = span_of(plan)
    for name, (rows, told) in tables.items():
        kept = [file for file in told["files"] if file[2] >= first and file[1] <= last]
        if len(kept) < len(told["files"]):
            _define(connection, name, rows, told["types"], kept)


def _define(
    connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table, types: dict[str, str], files: list[Any]
) -> None:
    """Show a table as these files and the rows that are in memory; until its view is dropped, for every cursor."""
    columns = ", ".join(f'"{column}"' for column in types)
    found = connection.from_arrow(rows).project(columns)
    if files:
        paths = ", ".join(_quoted(path) for path, _, _ in files)
        schema = ", ".join(
            f"'{column}': {{name: '{column}', type: '{kind}', default_value: NULL}}" for column, kind in types.items()
        )
        of_files = f"select {columns} from read_parquet([{paths}], schema=MAP {{{schema}}})"
        found = connection.sql(of_files).union(found)
    found.create_view(name, replace=True)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


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
                at = int(np.datetime64(moment, "ns").astype(np.int64))
                first = max(first, at) if operator in (">=", ">", "=") else first
                last = min(last, at) if operator in ("<=", "<", "=") else last
    return first, last
