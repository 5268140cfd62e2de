"""DuckDB's SQL over tables in memory: SELECT only, no files, no network, no settings, limited in time and memory.

Times are UTC, whatever the machine's zone. A query sees them as TIMESTAMP_NS, without a zone, because date_trunc,
time_bucket, extract and intervals take no TIMESTAMPTZ_NS (DuckDB 2.0); every timestamp of an answer has the zone again.
So `time > now()::timestamp - interval '5 minutes'` compares like with like.
"""

import re
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa

from plant.errors import Cancelled, QueryError, QueryLimit
from plant.limits import Budget

TIME_LIMIT_S = 30.0
MEMORY_LIMIT = "2GB"
MAX_ROWS = 5_000_000

_CONFIG: dict[str, Any] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": MEMORY_LIMIT,
    "threads": "1",
    "temp_directory": "",  # what does not fit into memory is refused, not written to disk
}


class SqlEngine:
    """Answer SQL; any thread."""

    def __init__(self, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._time_limit_s = time_limit_s
        self._database = duckdb.connect(":memory:", config=_CONFIG)
        self._database.execute("SET GLOBAL TimeZone = 'UTC'")
        self._database.execute("SET GLOBAL lock_configuration = true")

    def answer(
        self, sql: str, table: Callable[[str], pa.Table], names: list[str], budget: Budget | None = None
    ) -> pa.Table:
        """Return the answer to one SELECT over the tables it names, each given by `table(name)`.

        Raises QueryError for anything that is not one SELECT, or that DuckDB refuses; QueryLimit if it takes too long,
        or answers too much.
        """
        connection = self._database.cursor()
        budget = budget or Budget(self._time_limit_s)
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                kinds = ", ".join(s.type.name for s in statements) or "nothing"
                raise QueryError(f"sql: expected one SELECT, found {kinds}; this connection only reads")
            for name in names:
                if re.search(rf"\b{name}\b", sql, re.IGNORECASE):
                    connection.register(name, _zone(table(name), None))
            batches, rows = [], 0
            with budget.interrupting(connection.interrupt):
                reader = connection.sql(statements[0]).to_arrow_reader(100_000)
                for found in reader:
                    budget.check()
                    batches.append(found)
                    rows += found.num_rows
                    if rows > MAX_ROWS:
                        raise QueryLimit(f"sql: more than {MAX_ROWS:,} rows; add a LIMIT or aggregate")
            return _zone(pa.Table.from_batches(batches, reader.schema), "UTC")
        except (duckdb.Error, OSError, pa.ArrowException, MemoryError) as error:
            raise self._explained(error, budget) from None
        finally:
            connection.close()

    def _explained(self, error: Exception, budget: Budget) -> QueryError:
        """Return DuckDB's error as ours; once rows have come it is an OSError, told by how its text begins."""
        text = str(error)
        if isinstance(error, duckdb.InterruptException) or text.startswith("INTERRUPT"):
            if budget.cancelled:
                return Cancelled("sql: cancelled by its asker")
            return QueryLimit(f"sql: stopped after {budget.seconds:g} s; ask for less")
        if isinstance(error, duckdb.OutOfMemoryException | MemoryError) or text.startswith("Out of Memory"):
            return QueryLimit(f"sql: needs more than {MEMORY_LIMIT} of memory; ask for less")
        return QueryError(f"sql: {text}")


def _zone(table: pa.Table, zone: str | None) -> pa.Table:
    """Return the table with every timestamp in `zone`, its instant in UTC unchanged; None: without a zone."""
    types = [pa.timestamp(f.type.unit, zone) if pa.types.is_timestamp(f.type) else f.type for f in table.schema]
    return table.cast(pa.schema([pa.field(f.name, t) for f, t in zip(table.schema, types, strict=True)]))
