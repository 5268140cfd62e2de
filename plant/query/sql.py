"""DuckDB's SQL over tables in memory: SELECT only, no files, no network, no settings, limited in time and memory.

Times are UTC, whatever the machine's zone. A query sees them as TIMESTAMP_NS, without a zone, because date_trunc,
time_bucket, extract and intervals take no TIMESTAMPTZ_NS (DuckDB 2.0); every timestamp of an answer has the zone again.
So `time > now()::timestamp - interval '5 minutes'` compares like with like.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from plant.errors import QueryError, QueryLimit, UnknownTable
from plant.query.limits import Budget
from plant.query.view import View
from plant.rows.schema import META_COLUMNS

MEMORY_LIMIT = "2GB"

_NO_TABLE = re.compile(r"Table with name (\S+) does not exist")

_CONFIG: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": MEMORY_LIMIT,
    "threads": "1",
    "temp_directory": "",  # what does not fit into memory is refused, not written to disk
}


class SqlEngine:
    """Answer SQL; any thread. `readable` is a folder whose files DuckDB may read; None: no files at all."""

    def __init__(self, readable: Path | None = None) -> None:
        self._database = duckdb.connect(":memory:", config=_CONFIG)
        if readable is not None:
            self._database.execute(f"SET GLOBAL allowed_directories = [{quoted(str(readable))}]")
        self._database.execute("SET GLOBAL enable_external_access = false")
        self._database.execute("SET GLOBAL TimeZone = 'UTC'")
        self._database.execute("SET GLOBAL lock_configuration = true")

    def answer(self, sql: str, views: Mapping[str, View], beyond: int = 0, budget: Budget | None = None) -> pa.Table:
        """Return the answer to one SELECT over the tables it names; of each only rows whose seq is beyond a number.

        Raises QueryError for anything that is not one SELECT, or that DuckDB refuses; QueryLimit if it takes too long,
        or answers too much; Cancelled.
        """
        budget = budget or Budget()
        connection = self._database.cursor()
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                kinds = ", ".join(s.type.name for s in statements) or "nothing"
                raise QueryError(f"sql: expected one SELECT, found {kinds}; this connection only reads")
            named = [name for name in views if re.search(rf"\b{name}\b", sql, re.IGNORECASE)]
            self._show(connection, statements[0].query, {name: views[name] for name in named}, beyond, budget)
            budget.check()
            with budget.interrupting(connection.interrupt):
                reader = connection.sql(statements[0]).to_arrow_reader(100_000)
                batches, rows, size = [], 0, 0
                for found in reader:
                    budget.check()
                    batches.append(found)
                    rows += found.num_rows
                    size += found.nbytes
                    budget.rows(rows)
                    budget.bytes(size)
            return _zone(pa.Table.from_batches(batches, reader.schema), "UTC")
        except (duckdb.Error, OSError, pa.ArrowException, MemoryError) as error:
            raise _explained(error, budget, views) from None
        finally:
            connection.close()

    def _show(
        self, connection: duckdb.DuckDBPyConnection, sql: str, views: Mapping[str, Any], beyond: int, budget: Budget
    ) -> None:
        """Make the tables that a SELECT names known to DuckDB."""
        meta = META_COLUMNS if views and _may_need_meta(connection, sql, list(views)) else ()
        for name, view in views.items():
            connection.register(name, without_zone(view.arrow((*view.declaration.names, *meta), beyond)))


def quoted(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def without_zone(table: pa.Table) -> pa.Table:
    """Return the table as a query sees it: no timestamp has a zone."""
    return _zone(table, None)


def _explained(error: Exception, budget: Budget, tables: Iterable[str]) -> QueryError:
    """Return DuckDB's error as ours; once rows have come it is an OSError, told by how its text begins."""
    text = str(error)
    if isinstance(error, duckdb.CatalogException) and (missing := _NO_TABLE.search(text)):
        return QueryError(f"sql: {UnknownTable.named(missing[1], tables)}")  # DuckDB suggests tables of its own
    if isinstance(error, duckdb.InterruptException) or text.startswith("INTERRUPT"):
        try:
            budget.check()
        except QueryError as reason:
            return type(reason)(f"sql: {reason}")
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError) or text.startswith("Out of Memory"):
        return QueryLimit(f"sql: needs more than {MEMORY_LIMIT} of memory; ask for less")
    return QueryError(f"sql: {text}")


def _may_need_meta(connection: duckdb.DuckDBPyConnection, sql: str, tables: list[str]) -> bool:
    """Return whether a SELECT may use seq or received, which are made for it alone, at some cost for many rows.

    It does not if its syntax tree has neither their names, nor anything that stands for all columns: a star, a table
    taken as a value, a natural join, a pivot, columns renamed or counted by place, SQL in a string.
    """
    try:
        ((text,),) = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()
        tree = json.loads(text)
    except (duckdb.Error, ValueError, RecursionError):
        return True  # whatever it is, DuckDB will say when it is run
    if tree.get("error"):
        return True
    nodes = list(_nodes(tree))
    as_value = {*tables, *(str(n["alias"]).lower() for n in nodes if n.get("type") == "BASE_TABLE")}
    for node in nodes:
        kinds = {str(node.get(k)) for k in ("class", "type", "ref_type")}
        names = [str(v).lower() for k in ("column_names", "using_columns") for v in node.get(k) or ()]
        if (
            kinds & {"STAR", "POSITIONAL_REFERENCE", "NATURAL", "PIVOT", "SHOW_REF"}
            or set(names) & set(META_COLUMNS)
            or (len(names) == 1 and names[0] in as_value)
            or node.get("column_name_alias")
            or str(node.get("function_name", "")).startswith("query")
        ):
            return True
    return False


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a JSON value."""
    left = [tree]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield value
            left += value.values()
        elif isinstance(value, list):
            left += value


def _zone(table: pa.Table, zone: str | None) -> pa.Table:
    """Return the table with every timestamp in `zone`, its instant in UTC unchanged; None: without a zone."""
    types = [pa.timestamp(f.type.unit, zone) if pa.types.is_timestamp(f.type) else f.type for f in table.schema]
    return table.cast(pa.schema([pa.field(f.name, t) for f, t in zip(table.schema, types, strict=True)]))
