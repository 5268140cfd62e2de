"""Serve questions on a ROUTER socket from a thread of its own, while the process goes on appending."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgpack
import pyarrow as pa
import structlog
import zmq

from plant import query, request, sockets
from plant.answers import Answerer
from plant.memory import MemoryTable

log = structlog.get_logger()


class QueryServer:
    """Answers about `tables`, at `address`; `status` adds what the process says of itself to the answer to "status"."""

    def __init__(self, address: str, tables: Mapping[str, MemoryTable], status: Callable[[], dict[str, Any]]) -> None:
        self._answerer = Answerer(tables)
        self._status = status
        self._socket, self.address = sockets.bind(sockets.context(), zmq.ROUTER, address, SNDHWM=100)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="queries", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish the question under way and close the socket."""
        self._stopping.set()
        self._thread.join()
        self._socket.close(0)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            if self._socket.poll(200):
                frames = request.answer(self._socket.recv_multipart(), self._handle)
                try:
                    self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
                except zmq.ZMQError as error:  # it asked and does not read
                    log.warning("answer dropped", reason=str(error))

    def _handle(self, fields: dict[str, Any]) -> list[Any]:
        if fields["ask"] == "status":
            return [msgpack.packb(self._status())]
        return [to_ipc(self._answerer.answer(query.question_of(fields)))]


def to_ipc(table: pa.Table) -> pa.Buffer:
    """Return a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def from_ipc(frame: Any) -> pa.Table:
    """Return the table of an Arrow IPC stream, on the bytes it came in."""
    return pa.ipc.open_stream(frame).read_all()
