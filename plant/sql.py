"""DuckDB's SQL over tables in memory: SELECT only, no files, no network, no settings, limited in time and memory."""

import re
import threading
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa

from plant.errors import QueryError, QueryLimit

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
    "lock_configuration": "true",
}


class SqlEngine:
    """Answer SQL; any thread."""

    def __init__(self, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._time_limit_s = time_limit_s
        self._database = duckdb.connect(":memory:", config=_CONFIG)

    def answer(self, sql: str, table: Callable[[str], pa.Table], names: list[str]) -> pa.Table:
        """Return the answer to one SELECT over the tables it names, each given by `table(name)`.

        Raises QueryError for anything that is not one SELECT, or that DuckDB refuses; QueryLimit if it takes too long,
        or answers too much.
        """
        connection = self._database.cursor()
        timer = threading.Timer(self._time_limit_s, connection.interrupt)
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                kinds = ", ".join(s.type.name for s in statements) or "nothing"
                raise QueryError(f"sql: expected one SELECT, found {kinds}; this connection only reads")
            for name in names:
                if re.search(rf"\b{name}\b", sql, re.IGNORECASE):
                    connection.register(name, table(name))
            timer.start()
            reader = connection.sql(statements[0]).to_arrow_reader(100_000)
            batches, rows = [], 0
            for found in reader:
                batches.append(found)
                rows += found.num_rows
                if rows > MAX_ROWS:
                    raise QueryLimit(f"sql: more than {MAX_ROWS:,} rows; add a LIMIT or aggregate")
            return pa.Table.from_batches(batches, reader.schema)
        except duckdb.InterruptException:
            raise QueryLimit(f"sql: stopped after {self._time_limit_s:g} s; ask for less") from None
        except (duckdb.OutOfMemoryException, MemoryError):
            raise QueryLimit(f"sql: needs more than {MEMORY_LIMIT} of memory; ask for less") from None
        except duckdb.Error as error:
            raise QueryError(f"sql: {error}") from None
        finally:
            timer.cancel()
            connection.close()
