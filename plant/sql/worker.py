"""The processes that work on SQL: `python -m plant.sql.worker CONTROL [SHARED]`, and those that it forks.

The first has one thread, no socket but `CONTROL` and a DuckDB that was asked nothing, so that a fork of it is safe, and
ready in milliseconds. It forks a worker for each message [memory_mb, folder] with the socket that the worker's
questions come on, and ends when nobody holds the other end of `CONTROL`. Its workers end with it.

A question comes in two messages (plant.sql.handing). The first is the text and the tables there are; answered is which
columns it may use. The second brings the tables, and who shows them to DuckDB; answered is an Arrow stream in a file
without a name, or an error. A worker has no time limit of its own: who asks ends it. Its memory has two limits,
DuckDB's own and, for what DuckDB does not count, the system's (RLIMIT_DATA). Files that others hold for it do not
count.
"""

import contextlib
import ctypes
import functools
import importlib
import mmap
import os
import re
import resource
import signal
import socket
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import msgpack
import pyarrow as pa
import pyarrow.compute as pc

from plant.errors import PlantError, QueryError, QueryLimit, UnknownTable, to_wire
from plant.query.limits import MEBIBYTE, Budget, Limits
from plant.sql.functions import PYTHONS, Functions
from plant.sql.handing import receive, send, table_of
from plant.sql.syntax import Syntax, one_select

BESIDES_MB = 256
"""Memory for what DuckDB does not count: the interpreter, answers on their way, texts within one vector."""

NICE = 5
"""Capture goes first."""

THREADS = min(4, os.cpu_count() or 1)
"""Threads for a question about files, unless its answer depends on the order in which rows are read, or it calls a
function in Python, which one thread runs twice as fast as two that wait for one another."""

MOST_MAPPED = 1024
"""Regions of shared memory that stay mapped from one question to the next; they take addresses alone."""

MOST_TEXTS = 256
"""SELECTs whose syntax is kept: many are asked again and again."""

_PR_SET_PDEATHSIG = 1

_NO_TABLE = re.compile(r"Table with name (\S+) does not exist")

_CONFIG: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "threads": "1",
    "async_threads": "0",  # none at all: this process forks
    "temp_directory": "",  # what does not fit into memory is refused, not written to disk
}


class Database:
    """DuckDB without files (but those of one folder), network and settings; the tables of one question at a time."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(":memory:", config=_CONFIG)
        self.connection.execute("SET GLOBAL TimeZone = 'UTC'")
        self._threads = 1
        self.functions = Functions(self.connection)
        self.syntax = functools.lru_cache(MOST_TEXTS)(self._syntax)

    def warm(self) -> None:
        """Load what a first SELECT would wait for."""
        self.connection.sql(self._syntax("select now() + interval '1 day' x").with_times_of_ns()).to_arrow_table()

    def drop_views(self) -> None:
        """Forget the tables of a question, those that its cursor did not take with it."""
        for (name,) in self.connection.execute("select view_name from duckdb_views() where not internal").fetchall():
            self.connection.execute(f'drop view "{name}"')

    def _syntax(self, sql: str) -> Syntax:
        return Syntax(self.connection, sql)

    def use_threads(self, count: int) -> None:
        """Work on questions with so many threads from now on."""
        if count != self._threads:
            self.connection.execute(f"SET GLOBAL threads = {count}")
            self._threads = count

    def close_off(self, memory_mb: int, folder: str | None) -> None:
        """Allow no more than one SELECT needs, for good."""
        self.connection.execute(f"SET GLOBAL memory_limit = '{memory_mb}MiB'")
        if folder is not None:
            self.connection.execute(f"SET GLOBAL allowed_directories = ['{folder.replace(chr(39), 2 * chr(39))}']")
        self.connection.execute("SET GLOBAL enable_external_access = false")
        self.connection.execute("SET GLOBAL allowed_configs = ['threads']")  # which no SELECT can set
        self.connection.execute("SET GLOBAL lock_configuration = true")


class Working:
    """Answers questions that come over a channel, one after the other."""

    def __init__(
        self, database: Database, memory_mb: int, channel: socket.socket, region: Callable[[int, int], pa.Buffer]
    ) -> None:
        self._database, self._memory_mb, self._channel, self._region = database, memory_mb, channel, region
        self._spent_at = _data_bytes() + memory_mb * MEBIBYTE // 4

    def serve(self) -> bool:
        """Answer one question; False if there will be no other."""
        first = receive(self._channel)
        if first is None:
            return False
        fields, _ = first
        last = False
        connection = self._database.connection.cursor()
        try:
            with self._explained(fields["tables"]):
                sql = one_select(connection, fields["sql"])
                syntax = self._database.syntax(sql)
                syntax.check_zones()
                send(self._channel, {"columns": syntax.columns_used(fields["tables"])})
                second = receive(self._channel)
                if second is None:
                    return False
                try:
                    alone = second[0]["shown_by"] is None or syntax.by_order or syntax.uses(PYTHONS)
                    self._database.use_threads(1 if alone else THREADS)
                    answer = self._answer(connection, syntax.with_times_of_ns(), *second)
                except duckdb.BinderException as error:
                    if "Candidate bindings" in str(error):
                        self._with_all_columns(connection, sql, fields["tables"])
                    raise
                finally:
                    if second[0]["shown_by"] is not None:
                        self._database.drop_views()
            last = _data_bytes() > self._spent_at
            try:
                send(self._channel, {"last": last}, answer)
            finally:
                os.close(answer)
        except PlantError as error:
            last = isinstance(error, QueryLimit)
            send(self._channel, {**to_wire(error), "last": last})
        finally:
            connection.close()
        return not last

    def _answer(self, connection: duckdb.DuckDBPyConnection, sql: str, given: dict[str, Any], file: Any) -> int:
        """Return the descriptor of a file with the answer."""
        budget = Budget(0, Limits(max_rows=given["max_rows"], max_bytes=given["max_bytes"]))
        tables = {name: (table_of(table, file, self._region), how) for name, (table, how) in given["tables"].items()}
        if given["shown_by"] is None:
            for name, (table, _) in tables.items():
                connection.register(name, table)
        else:
            importlib.import_module(given["shown_by"]).show(connection, sql, tables)
        found = connection.sql(sql)
        kinds = dict(zip(found.columns, map(str, found.types), strict=True))
        _check_names(found.columns)
        reader = found.to_arrow_reader(100_000)
        number, rows, size = os.memfd_create("tickplant-answer", os.MFD_CLOEXEC), 0, 0
        schema = _schema(reader.schema, kinds)
        try:
            with open(number, "wb", closefd=False) as sink, pa.ipc.new_stream(sink, schema) as writer:
                for batch in reader:
                    rows += batch.num_rows
                    size += batch.nbytes
                    budget.rows(rows)
                    budget.bytes(size)
                    writer.write_batch(_cast(batch, schema))
        except BaseException:
            os.close(number)
            raise
        return number

    @contextlib.contextmanager
    def _explained(self, tables: dict[str, Any]) -> Iterator[None]:
        """Raise DuckDB's errors as ours; once rows have come it is an OSError, told by how its text begins."""
        functions = self._database.functions
        functions.refused = None
        try:
            yield
        except (duckdb.Error, OSError, pa.ArrowException, MemoryError) as error:
            text = str(error)
            if isinstance(error, duckdb.CatalogException) and (missing := _NO_TABLE.search(text)):
                raise QueryError(f"sql: {UnknownTable.named(missing[1], tables)}") from None
            memory = duckdb.OutOfMemoryException | pa.ArrowMemoryError | MemoryError
            if (
                isinstance(error, memory)
                or "Out of Memory" in text[:20]
                or "bad_alloc" in text
                or "MemoryError" in text
            ):
                most = self._memory_mb * MEBIBYTE / 1e9
                raise QueryLimit(f"sql: needs more than {most:.3g} GB of memory; ask for less") from None
            raise QueryError(f"sql: {functions.refused or text + _hint(text)}") from None

    @staticmethod
    def _with_all_columns(connection: duckdb.DuckDBPyConnection, sql: str, tables: dict[str, Any]) -> None:
        """Raise what DuckDB says of a wrong name when it knows every column, not only those that the query uses."""
        for name, columns in tables.items():
            connection.register(name, pa.table({column: pa.nulls(0) for column in columns}))
        connection.sql(sql)


def _check_names(columns: list[str]) -> None:
    """Raise QueryError if two columns of an answer have one name: a frame would show one of them, or neither."""
    name, count = Counter(columns).most_common(1)[0]
    if count > 1:
        raise QueryError(
            f"sql: {count} columns of the answer are called {name!r}; give each a name of its own: "
            f"select a.{name}, b.{name} as b_{name} instead of *"
        )


def _schema(schema: pa.Schema, kinds: dict[str, str]) -> pa.Schema:
    """Return the schema of an answer: instants in ns, sums of ints as ints."""

    def kind_of(field: pa.Field) -> pa.DataType:
        if kinds[field.name] in ("HUGEINT", "UHUGEINT"):
            return pa.int64()
        if pa.types.is_timestamp(field.type):
            return pa.timestamp("ns", "UTC" if field.type.tz else None)
        return field.type

    return pa.schema([pa.field(field.name, kind_of(field)) for field in schema])


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field, column in zip(schema, batch.columns, strict=True):
        try:
            columns.append(column if column.type == field.type else pc.cast(column, field.type))
        except pa.ArrowInvalid:
            least = f"{2**63 - 1:,}" if field.type == pa.int64() else "2262-04-11"
            other = f"sum({field.name}::double)" if field.type == pa.int64() else f"{field.name}::varchar"
            raise QueryError(
                f"sql: {field.name!r} has a value beyond {least}, the greatest that {field.type} holds; write {other}"
            ) from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _hint(text: str) -> str:
    """Return what helps with an error of DuckDB's about times."""
    text = text.splitlines()[0]
    if "TIMESTAMPTZ_NS" in text and "TIMESTAMP WITH TIME ZONE" in text:
        return "; one of them has microseconds only: write ::timestamptz behind it"
    if "cast (TIMESTAMPTZ_NS -> TIME" in text:
        return "; say by which clock: (time at time zone 'UTC')::time"
    if "TIMESTAMPTZ_NS" in text and "No function matches" in text:
        return "; it takes no times of ns: give it epoch_ns(time), or leave times out: * exclude (time, received)"
    return ""


class Mapped:
    """Regions of the shared memory of who asks, mapped for reading when they are first used."""

    def __init__(self, file: int | None) -> None:
        self._file = file
        self._regions: dict[tuple[int, int], pa.Buffer] = {}

    def __call__(self, start: int, size: int) -> pa.Buffer:
        """Return a region, by its place in the file."""
        if self._file is None:
            raise QueryError("sql: rows in shared memory, and this process was given none")
        if (start, size) not in self._regions:
            if len(self._regions) >= MOST_MAPPED:
                self._regions.clear()
            pages = mmap.mmap(self._file, size, mmap.MAP_SHARED, mmap.PROT_READ, offset=start)
            self._regions[start, size] = pa.py_buffer(pages)
        return self._regions[start, size]


def work(database: Database, memory_mb: int, folder: str | None, channel: socket.socket, shared: int | None) -> None:
    """Answer questions until nobody asks any more."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # short of memory, the system ends this process, not one that holds rows
    database.close_off(memory_mb, folder)
    limit = _data_bytes() + (memory_mb + BESIDES_MB) * MEBIBYTE
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    socket.send_fds(channel, [b"ready"], [os.pidfd_open(os.getpid())])
    working = Working(database, memory_mb, channel, Mapped(shared))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while working.serve():
            pass


def fork_workers(control: socket.socket, shared: int | None) -> None:
    """Fork a worker for each message, until nobody sends any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who began this process, and ends it with that
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who asked for a worker waits for its end
    os.nice(NICE)
    database, own = Database(), os.getpid()
    database.warm()
    end_with_parent = ctypes.CDLL(None).prctl
    while True:
        body, channels, _, _ = socket.recv_fds(control, 2**16, 1)
        if not body:
            return
        (number,) = channels
        if os.fork():
            os.close(number)
            continue
        try:
            end_with_parent(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == own:
                control.close()
                with socket.socket(fileno=number) as channel:
                    memory_mb, folder = msgpack.unpackb(body)
                    work(database, memory_mb, folder, channel, shared)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)  # never back into the loop


def _data_bytes() -> int:
    """Return what counts for RLIMIT_DATA: private memory that may be written, touched or not."""
    with open("/proc/self/status") as status:
        (found,) = [line.split()[1] for line in status if line.startswith("VmData:")]
    return int(found) * 1024


if __name__ == "__main__":
    numbers = list(map(int, sys.argv[1:]))
    with socket.socket(fileno=numbers[0]) as opened:
        fork_workers(opened, numbers[1] if len(numbers) > 1 else None)
    os._exit(0)  # without a farewell of DuckDB's
