"""DuckDB's SQL over tables: SELECT only, no files, no network, no settings, limited in time and memory.

DuckDB runs in processes of its own (plant.query.sql_workers), which see every text first: a SELECT may allocate within
one step what no limit of DuckDB's counts, and heeds no interrupt meanwhile. Such a process is ended. It reads the rows
of a table where they lie (plant.rows.shared_memory).

Times are UTC, whatever the machine's zone. A query sees them as TIMESTAMP_NS, without a zone, because date_trunc,
time_bucket, extract and intervals take no TIMESTAMPTZ_NS (DuckDB 2.0); every timestamp of an answer has the zone again.
So `time > now()::timestamp - interval '5 minutes'` compares like with like.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from plant.errors import Cancelled, QueryLimit, from_wire
from plant.query.limits import Budget
from plant.query.sql_handing import Parcel, Received
from plant.query.sql_workers import Workers, workers
from plant.query.view import View
from plant.rows.schema import META_COLUMNS
from plant.rows.shared_memory import shared_memory

_CATALOGUE = re.compile(r"\b(show|information_schema|duckdb_\w+|pg_catalog|sqlite_master)\b", re.IGNORECASE)
"""A SELECT with one of these names may be about all tables."""

MEMORY_MB = 1907
"""2 GB for one question."""


class SqlEngine:
    """Answer SQL; any thread."""

    folder: str | None = None
    """DuckDB may read files of this folder; None: no files at all."""

    shown_by: str | None = None
    """The module that shows tables to DuckDB, by `show(connection, sql, tables)`; None: as they are."""

    def __init__(self, memory_mb: int = MEMORY_MB) -> None:
        self._memory_mb = memory_mb

    @property
    def workers(self) -> Workers:
        """The processes that work for it."""
        return workers(self._memory_mb)

    def answer(self, sql: str, views: Mapping[str, View], beyond: int = 0, budget: Budget | None = None) -> pa.Table:
        """Return the answer to one SELECT over the tables it names; of each only rows whose seq is beyond a number.

        Raises QueryError for anything that is not one SELECT, or that DuckDB refuses; QueryLimit if it takes too long,
        too much memory, or answers too much; Cancelled.
        """
        budget = budget or Budget()
        try:
            found, file = self._asked(sql, views, beyond, budget)
        except (QueryLimit, Cancelled) as error:
            raise type(error)(f"sql: {error}") from None
        if "error" in found:
            raise from_wire(found)
        return _zone(pa.ipc.open_stream(file).read_all(), "UTC")

    def _asked(self, sql: str, views: Mapping[str, View], beyond: int, budget: Budget) -> Received:
        """Return what a worker says of a question."""
        budget.check()
        with self.workers.taken() as worker:
            known = {name: (*view.declaration.names, *META_COLUMNS) for name, view in views.items()}
            question = {"sql": sql, "tables": known, "folder": self.folder}
            found, file = worker.ask(budget, question)
            if "error" not in found:
                every = _CATALOGUE.search(sql)
                named = {n: views[n] for n in views if every or re.search(rf"\b{n}\b", sql, re.IGNORECASE)}
                used = None if every else found["columns"]
                made = {name: self._made(view, used, beyond, budget) for name, view in named.items()}
                budget.check()
                parcel, limits = Parcel(), budget.limits
                tables = {n: (parcel.described(table, shared_memory()), how) for n, (table, how) in made.items()}
                given = {"max_rows": limits.max_rows, "max_bytes": limits.max_bytes, "shown_by": self.shown_by}
                found, file = worker.ask(budget, {**given, "tables": tables}, parcel)
        return found, file

    def _made(self, view: Any, used: Sequence[str] | None, beyond: int, budget: Budget) -> tuple[pa.Table, Any]:
        """Return the rows of a table, with the columns used (None: all), and what its `show` is told of it."""
        return without_zone(view.arrow(_columns_of(view, used), beyond)), None


def _columns_of(view: View, used: Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns of a table that are among those used, at least one; None: all."""
    names = view.declaration.names
    known = (*names, *META_COLUMNS)
    return known if used is None else tuple(name for name in known if name in used) or names[:1]


def without_zone(table: pa.Table) -> pa.Table:
    """Return the table as a query sees it: no timestamp has a zone."""
    return _zone(table, None)


def _zone(table: pa.Table, zone: str | None) -> pa.Table:
    """Return the table with every timestamp in `zone`, its instant in UTC unchanged; None: without a zone."""
    types = [pa.timestamp(f.type.unit, zone) if pa.types.is_timestamp(f.type) else f.type for f in table.schema]
    return table.cast(pa.schema([pa.field(f.name, t) for f, t in zip(table.schema, types, strict=True)]))
