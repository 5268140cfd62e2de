"""DuckDB's SQL over tables: SELECT only, no files, no network, no settings, limited in time and memory.

DuckDB runs in processes of its own (plant.sql.workers), which see every text first: a SELECT may allocate within one
step what no limit of DuckDB's counts, and heeds no interrupt meanwhile. Such a process is ended. It reads the rows of a
table where they lie (plant.shared_memory).

Times are instants to the nanosecond, TIMESTAMPTZ_NS, and the zone of every SELECT is UTC, whatever the machine's
(plant.sql.functions). In an answer an instant is UTC, and what a local clock shows (AT TIME ZONE) has no zone.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from plant.errors import Cancelled, QueryLimit, from_wire
from plant.query.limits import Budget
from plant.query.view import View
from plant.rows.schema import META_COLUMNS
from plant.shared_memory import shared_memory
from plant.sql.handing import Parcel, Received
from plant.sql.workers import Workers

_CATALOGUE = re.compile(r"\b(show|information_schema|duckdb_\w+|pg_catalog|sqlite_master)\b", re.IGNORECASE)
"""A SELECT with one of these names may be about all tables."""

MEMORY_MB = 1907
"""2 GB for one question."""


class SqlEngine:
    """Answer SQL; any thread."""

    shown_by: str | None = None
    """The module that shows tables to DuckDB, by `show(connection, sql, tables)`; None: as they are."""

    def __init__(self, memory_mb: int = MEMORY_MB, folder: str | None = None) -> None:
        """`folder`: DuckDB may read its files; None: no files at all."""
        self.workers = Workers(memory_mb, folder)

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
        return pa.ipc.open_stream(file).read_all()

    def _asked(self, sql: str, views: Mapping[str, View], beyond: int, budget: Budget) -> Received:
        """Return what a worker says of a question."""
        budget.check()
        with self.workers.taken(budget) as worker:
            known = {name: (*view.declaration.names, *META_COLUMNS) for name, view in views.items()}
            found, file = worker.ask(budget, {"sql": sql, "tables": known})
            if "error" not in found:
                every = _CATALOGUE.search(sql)
                named = {n: views[n] for n in views if every or re.search(rf"\b{n}\b", sql, re.IGNORECASE)}
                used = None if every else found["columns"]
                made = {name: self._made(view, used, beyond, budget) for name, view in named.items()}
                budget.check()
                parcel, limits = Parcel(shared_memory()), budget.limits
                tables = {name: (parcel.described(table), how) for name, (table, how) in made.items()}
                given = {"max_rows": limits.max_rows, "max_bytes": limits.max_bytes, "shown_by": self.shown_by}
                found, file = worker.ask(budget, {**given, "tables": tables}, parcel)
        return found, file

    def _made(self, view: Any, used: Sequence[str] | None, beyond: int, _budget: Budget) -> tuple[pa.Table, Any]:
        """Return the rows of a table, with the columns used (None: all), and what its `show` is told of it."""
        return view.arrow(_columns_of(view, used), beyond), None


def _columns_of(view: View, used: Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns of a table that are among those used, at least one; None: all."""
    names = view.declaration.names
    known = (*names, *META_COLUMNS)
    return known if used is None else tuple(name for name in known if name in used) or names[:1]
