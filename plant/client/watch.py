"""A table watched: its present rows, then what comes, with no row missing between them and none twice."""

import threading
import time
from typing import TYPE_CHECKING, Any

import msgpack
import pyarrow as pa
import pyarrow.compute as pc

from plant.errors import QueryError, Unavailable, UnknownColumn
from plant.query import questions
from plant.query.frames import as_frame, check_frames
from plant.rows.batch import Batch
from plant.rows.schema import META_COLUMNS, Schema, Table
from plant.stream.subscriber import Subscriber, conflated, only
from plant.transport.request import Requester

if TYPE_CHECKING:
    from plant.client.connection import Connection

ABSENT_S = 10.0
"""Without a beat of the tickerplant for this long at the start, it counts as absent."""

LOOK_S = 0.1
"""Pause between looks whether the watch was closed."""

_COMPARE = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


class Watch:
    """Frames of a table; `Connection.watch` makes it and says what the terms mean. Use from one thread.

    The process that was asked says which ports its tickerplant has, on the same host, and up to which sequence number
    of the journal its tables hold everything. The subscription begins behind that number, and what the first frame held
    already is passed over.

    >>> watch = db.watch("trades", "MSFT", columns=["price", "seq"], last=1)
    >>> next(watch)["price"].tolist()
    [410.25]
    >>> watch.close()
    """

    def __init__(
        self,
        connection: "Connection",
        table: str,
        sym: tuple[str, ...] | None,
        start: int | None,
        last: int | None,
        where: questions.Where,
        columns: tuple[str, ...] | None,
        interval_s: float,
        conflate: bool,
        frames: str,
    ) -> None:
        check_frames(frames)
        self._frames, self._where, self._interval_s, self._conflate = frames, where, interval_s, conflate
        self._closed = False
        self._lock = threading.Lock()
        status = connection.status()
        if not {"publish_port", "journal_port"} <= status.keys():
            raise QueryError(f"watch: {connection.address} does not say where its tickerplant is; watch the rdb")
        host = connection.address.rpartition(":")[0]
        publish, journal = f"{host}:{status['publish_port']}", f"{host}:{status['journal_port']}"
        schema = _schema(journal)
        self._table: Table = schema[table]
        self._columns = self._table.names if columns is None else columns
        for name in self._columns:
            if name not in (*self._table.names, *META_COLUMNS):
                raise UnknownColumn.named(name, table, (*self._table.names, *META_COLUMNS))
        asked = [*dict.fromkeys((*self._columns, "seq"))]
        present = connection.select(table, sym, start, None, asked, where=list(where), last=last, frames="arrow")
        self._seen: int = pc.max(present.column("seq")).as_py() or 0
        self._present: pa.Table | None = present.select(list(self._columns))
        self._subscriber = Subscriber(
            schema,
            [table],
            publish,
            journal,
            cursor=status["seq"],
            keep=only(sym, start),
            name=f"watch {table}",
        )
        self._absent_at: float | None = time.monotonic() + ABSENT_S

    def __iter__(self) -> "Watch":
        return self

    def __next__(self) -> Any:
        """Return the next frame, however long it takes; StopIteration after close()."""
        with self._lock:
            try:
                return as_frame(self._next(), self._frames)
            finally:
                if self._closed:
                    self._subscriber.close()

    def close(self) -> None:
        """Disconnect; the iteration ends, also one that waits in another thread."""
        self._closed = True
        if self._lock.acquire(blocking=False):  # else who holds it sees that we are closed
            self._subscriber.close()
            self._lock.release()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Watch {self._table.name}{' closed' if self._closed else ''}>"

    def _next(self) -> pa.Table:
        if self._closed:
            raise StopIteration
        if self._present is not None:
            found, self._present = self._present, None
            return found
        batches: list[Batch] = []
        until: float | None = None
        while not self._closed:
            batches += [b for b in self._subscriber.poll(LOOK_S) if b.seq > self._seen]
            now = time.monotonic()
            if batches and until is None:
                until = now + self._interval_s
            if until is not None and now >= until:
                found = self._frame_of(conflated(batches) if self._conflate else batches)
                if found.num_rows:
                    return found
                batches, until = [], None
            if self._subscriber.connected:
                self._absent_at = None
            if self._absent_at is not None and now > self._absent_at:
                raise Unavailable(f"no tickerplant at {self._subscriber.publish_address} within {ABSENT_S:g} s")
        raise StopIteration

    def _frame_of(self, batches: list[Batch]) -> pa.Table:
        """Return the rows that meet the conditions, with the columns asked for."""
        return pa.concat_tables([self._kept(b) for b in batches]).unify_dictionaries()

    def _kept(self, batch: Batch) -> pa.Table:
        rows = batch.arrow()
        for name, value in (("seq", batch.seq), ("received", batch.received)):
            kind = pa.int64() if name == "seq" else pa.timestamp("ns", "UTC")
            rows = rows.append_column(name, pa.repeat(pa.scalar(value, kind), len(batch)))
        for name, operator, value in self._where:
            column = rows.column(name)
            if pa.types.is_timestamp(column.type):
                value = pa.scalar(value, pa.int64()).cast(column.type)
            meets = _COMPARE[operator](column, value)
            rows = rows.filter(pc.fill_null(meets, operator == "!="))
        return rows.select(list(self._columns))


def _schema(journal: str) -> Schema:
    """Return the tables of the plant whose journal is at this address, also a user's own."""
    requester = Requester(journal, "tickerplant")
    try:
        declarations = msgpack.unpackb(requester.ask(ask="schema")[0])
    finally:
        requester.close()
    return Schema(Table.declared(d) for d in declarations)
