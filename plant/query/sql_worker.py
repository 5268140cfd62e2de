"""The process that works on SQL: `python -m plant.query.sql_worker MEMORY_MB CHANNEL LIFELINE [SHARED]`.

A question comes in two messages (plant.query.sql_handing). The first is the text and the tables there are; answered is
which columns it may use. The second brings the tables, and who shows them to DuckDB; answered is an Arrow stream in a
file without a name, or an error.

The process has no time limit of its own: who asks ends it. Its memory has two limits, DuckDB's own and, for what DuckDB
does not count, the system's (RLIMIT_DATA). Files that others hold for it do not count.
"""

import contextlib
import fcntl
import importlib
import json
import mmap
import os
import re
import resource
import select
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa

from plant.errors import PlantError, QueryError, QueryLimit, UnknownTable, to_wire
from plant.query import sql_times
from plant.query.limits import MEBIBYTE, Budget, Limits
from plant.query.sql_handing import receive, send, table_of

BESIDES_MB = 256
"""Memory for what DuckDB does not count: the interpreter, answers on their way, texts within one vector."""

NICE = 5
"""Capture goes first."""

_NO_TABLE = re.compile(r"Table with name (\S+) does not exist")

_CONFIG: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "threads": "1",
    "temp_directory": "",  # what does not fit into memory is refused, not written to disk
}


class Database:
    """DuckDB without files (but those of one folder), network and settings; the tables of one question at a time."""

    def __init__(self, memory_mb: int, folder: str | None) -> None:
        self.connection = duckdb.connect(":memory:", config={**_CONFIG, "memory_limit": f"{memory_mb}MiB"})
        if folder is not None:
            self.connection.execute(f"SET GLOBAL allowed_directories = [{_quoted(folder)}]")
        self.connection.execute("SET GLOBAL enable_external_access = false")
        self.connection.execute("SET GLOBAL TimeZone = 'UTC'")
        self.connection.execute("SET GLOBAL lock_configuration = true")


class Working:
    """Answers questions that come over a channel, one after the other."""

    def __init__(self, memory_mb: int, channel: socket.socket, shared: pa.Buffer | None) -> None:
        self._memory_mb, self._channel, self._shared = memory_mb, channel, shared
        self._databases: dict[str | None, Database] = {None: Database(memory_mb, None)}
        self._spent_at = _data_bytes() + memory_mb * MEBIBYTE // 4

    def serve(self) -> bool:
        """Answer one question; False if there will be no other."""
        first = receive(self._channel)
        if first is None:
            return False
        fields, _ = first
        last = False
        try:
            with self._explained(fields["tables"]), self._cursor(fields.get("folder")) as connection:
                statement = _one_select(connection, fields["sql"])
                send(self._channel, {"columns": _columns_used(connection, statement.query, fields["tables"])})
                second = receive(self._channel)
                if second is None:
                    return False
                try:
                    answer = self._answer(connection, statement, *second)
                except duckdb.BinderException as error:
                    if "Candidate bindings" in str(error):
                        self._with_all_columns(connection, fields["sql"], fields["tables"])
                    raise
            last = _data_bytes() > self._spent_at
            try:
                send(self._channel, {"last": last}, answer)
            finally:
                os.close(answer)
        except PlantError as error:
            last = isinstance(error, QueryLimit)
            send(self._channel, {**to_wire(error), "last": last})
        return not last

    def _answer(
        self, connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement, given: dict[str, Any], file: Any
    ) -> int:
        """Return the descriptor of a file with the answer."""
        budget = Budget(0, Limits(max_rows=given["max_rows"], max_bytes=given["max_bytes"]))
        tables = {name: (table_of(table, file, self._shared), how) for name, (table, how) in given["tables"].items()}
        if given["shown_by"] is None:
            for name, (table, _) in tables.items():
                connection.register(name, table)
        else:
            importlib.import_module(given["shown_by"]).show(connection, statement.query, tables)
        reader = connection.sql(statement).to_arrow_reader(100_000)
        number, rows, size = os.memfd_create("tickplant-answer", os.MFD_CLOEXEC), 0, 0
        try:
            with open(number, "wb", closefd=False) as sink, pa.ipc.new_stream(sink, reader.schema) as writer:
                for batch in reader:
                    rows += batch.num_rows
                    size += batch.nbytes
                    budget.rows(rows)
                    budget.bytes(size)
                    writer.write_batch(batch)
        except BaseException:
            os.close(number)
            raise
        return number

    @contextlib.contextmanager
    def _cursor(self, folder: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
        if folder not in self._databases:
            self._databases[folder] = Database(self._memory_mb, folder)
        connection = self._databases[folder].connection.cursor()
        try:
            yield connection
        finally:
            connection.close()

    @contextlib.contextmanager
    def _explained(self, tables: dict[str, Any]) -> Iterator[None]:
        """Raise DuckDB's errors as ours; once rows have come it is an OSError, told by how its text begins."""
        try:
            yield
        except (duckdb.Error, OSError, pa.ArrowException, MemoryError) as error:
            text = str(error)
            if isinstance(error, duckdb.CatalogException) and (missing := _NO_TABLE.search(text)):
                raise QueryError(f"sql: {UnknownTable.named(missing[1], tables)}") from None
            memory = duckdb.OutOfMemoryException | pa.ArrowMemoryError | MemoryError
            if isinstance(error, memory) or text.startswith("Out of Memory") or "bad_alloc" in text:
                most = self._memory_mb * MEBIBYTE / 1e9
                raise QueryLimit(f"needs more than {most:.3g} GB of memory; ask for less") from None
            hint = sql_times.HINT if "TIMESTAMP_NS" in text and "TIMESTAMP WITH TIME ZONE" in text else ""
            raise QueryError(f"sql: {text}{hint}") from None

    @staticmethod
    def _with_all_columns(connection: duckdb.DuckDBPyConnection, sql: str, tables: dict[str, Any]) -> None:
        """Raise what DuckDB says of a wrong name when it knows every column, not only those that the query uses."""
        for name, columns in tables.items():
            connection.register(name, pa.table({column: pa.nulls(0) for column in columns}))
        connection.sql(sql)


def work() -> None:
    """Answer questions until nobody asks any more."""
    memory_mb, channel, lifeline, *shared = map(int, sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who began this process, and ends it with that
    _tie_to(lifeline)
    os.nice(NICE)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # short of memory, the system ends this process, not one that holds rows
    limit = _data_bytes() + (memory_mb + BESIDES_MB) * MEBIBYTE
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    pages = [mmap.mmap(number, 0, mmap.MAP_SHARED, mmap.PROT_READ) for number in shared]
    with socket.socket(fileno=channel) as opened:
        answering = Working(memory_mb, opened, pa.py_buffer(pages[0]) if pages else None)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while answering.serve():
                pass


def _tie_to(lifeline: int) -> None:
    """Have the kernel end this process once the other end of a pipe is closed, whatever it does then."""
    own = os.open(f"/proc/self/fd/{lifeline}", os.O_RDONLY | os.O_NONBLOCK)  # that given is shared, its owner too
    fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(own, fcntl.F_SETFL, os.O_ASYNC)  # SIGIO, which ends a process that does not ask for it
    if select.select([own], [], [], 0)[0]:
        sys.exit(0)  # closed before


def _data_bytes() -> int:
    """Return what counts for RLIMIT_DATA: private memory that may be written, touched or not."""
    with open("/proc/self/status") as status:
        (found,) = [line.split()[1] for line in status if line.startswith("VmData:")]
    return int(found) * 1024


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(s.type.name for s in statements) or "nothing"
        raise QueryError(f"sql: expected one SELECT, found {kinds}; this connection only reads")
    return statements[0]


def _columns_used(connection: duckdb.DuckDBPyConnection, sql: str, tables: dict[str, Any]) -> list[str] | None:
    """Return names among which are all of the columns that a SELECT may use; None: any column.

    Those are the names in its syntax tree, unless it has something that stands for all columns: a star, a table taken
    as a value, a natural join, a pivot, columns renamed or counted by place, SQL in a string.
    """
    try:
        ((text,),) = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()
        tree = json.loads(text)
    except (duckdb.Error, ValueError, RecursionError):
        return None  # whatever it is, DuckDB will say when it is run
    if tree.get("error"):
        return None
    nodes = list(_nodes(tree))
    sql_times.check(nodes)
    as_value = {*tables, *(str(n["alias"]).lower() for n in nodes if n.get("type") == "BASE_TABLE")}
    used: set[str] = set()
    for node in nodes:
        kinds = {str(node.get(k)) for k in ("class", "type", "ref_type")}
        names = [str(v).lower() for k in ("column_names", "using_columns") for v in node.get(k) or ()]
        if (
            kinds & {"STAR", "POSITIONAL_REFERENCE", "NATURAL", "PIVOT", "SHOW_REF"}
            or (len(names) == 1 and names[0] in as_value)
            or node.get("column_name_alias")
            or str(node.get("function_name", "")).startswith("query")
        ):
            return None
        used.update(names)
    return sorted(used)


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


if __name__ == "__main__":
    work()
