"""Serve questions on a ROUTER socket, each in one of a few threads, while the process goes on appending.

One thread owns the socket. It takes a question when a worker is free, so that what nobody works on waits at its
client's; the workers hand their answers back over an inproc socket. A slow question holds up one worker only.
"""

import itertools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgpack
import pyarrow as pa
import structlog
import zmq

from plant import query, request, sockets
from plant.answers import Answerer
from plant.memory import MemoryTable

WORKERS = 4
"""Questions under way at once."""

log = structlog.get_logger()

_numbers = itertools.count()


class QueryServer:
    """Answers about `tables`, at `address`; `status` adds what the process says of itself to the answer to "status"."""

    def __init__(self, address: str, tables: Mapping[str, MemoryTable], status: Callable[[], dict[str, Any]]) -> None:
        self._answerer = Answerer(tables)
        self._status = status
        context = sockets.context()
        self._socket, self.address = sockets.bind(context, zmq.ROUTER, address, SNDHWM=100, ROUTER_MANDATORY=1)
        done = f"inproc://answers-{next(_numbers)}"
        self._answers, _ = sockets.bind(context, zmq.PULL, done)
        self._done = sockets.connect(context, zmq.PUSH, done)
        self._done_lock = threading.Lock()
        self._workers = ThreadPoolExecutor(WORKERS, "query")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="queries", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish the questions under way, unheard, and close the sockets."""
        self._stopping.set()
        self._thread.join()
        self._workers.shutdown()
        for socket in (self._socket, self._answers, self._done):
            socket.close(0)

    def _serve(self) -> None:
        asked, answered, busy = zmq.Poller(), zmq.Poller(), 0
        asked.register(self._socket, zmq.POLLIN)
        for poller in (asked, answered):
            poller.register(self._answers, zmq.POLLIN)
        while not self._stopping.is_set():
            ready = dict((asked if busy < WORKERS else answered).poll(200))
            if self._answers in ready:
                busy -= 1
                self._send(self._answers.recv_multipart(copy=False))
            if self._socket in ready:
                busy += 1
                self._workers.submit(self._work, self._socket.recv_multipart())

    def _work(self, frames: list[bytes]) -> None:
        answer = request.answer(frames, self._handle)
        with self._done_lock:
            self._done.send_multipart(answer, copy=False)

    def _send(self, frames: list[zmq.Frame]) -> None:
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:  # it asked and does not read, or is gone
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
