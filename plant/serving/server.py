"""Serve questions on a ROUTER socket, each in one of a few threads, while the process goes on appending.

One thread owns the socket. It takes every request at once, so that a cancel is seen; questions wait their turn
(plant.serving.waiting), workers answer them, and answers leave at the pace of their readers (plant.serving.delivery).
So a slow question holds up one worker, and a client that does not read holds up itself.
"""

import contextlib
import itertools
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, Protocol

import msgpack
import pyarrow as pa
import structlog
import zmq

from plant.errors import Cancelled, PlantError, QueryError, QueryLimit, Unavailable
from plant.query import questions
from plant.query.answers import Answerer, Source
from plant.query.limits import MEBIBYTE, Budget, Limits
from plant.query.streams import from_ipc, to_ipc
from plant.serving.delivery import Delivery, Message
from plant.serving.query_log import Usage
from plant.serving.waiting import WAITING, Asked, Waiting
from plant.sql.engine import SqlEngine
from plant.transport import reply, sockets

__all__ = ["PART_BYTES", "WORKERS", "QueryServer", "from_ipc", "to_ipc"]

WORKERS = 4
"""Questions under way at once."""

PART_BYTES = MEBIBYTE
"""A client that takes answers in parts gets none larger."""

UNREAD_BYTES = 64 * MEBIBYTE
"""A client that left so much unread is not answered further until it reads on."""

MAX_REQUEST_BYTES = 16 * MEBIBYTE
"""A client that sends a larger frame is disconnected."""

TURN = 100
"""Requests taken before answers are sent on."""

IDLE_MS = 200
"""Longest that it waits before it looks around."""

QUICK_SYMBOLS = 16
QUICK_ROWS = 1000
"""A question for at most so much is answered by the thread of the socket itself: two threads need not wake up."""

_AT_ONCE, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
"""As ints: pyzmq's own are enums, which take as long to combine as a frame takes to send."""

log = structlog.get_logger()

_numbers = itertools.count()


class Answering(Protocol):
    """Who answers questions; any thread."""

    def answer(self, question: questions.Question, budget: Budget | None = None) -> pa.Table:
        """Return the answer, or raise a PlantError."""
        ...


class QueryServer:
    """Answers questions at `address`, about `tables` or as another answers them.

    `status` adds what the process says of itself to the answer to "status".

    tells        what else the process is asked of itself: a question, and what returns its answer (msgpack)
    limits       what one question may cost
    held_bytes   of answers that their clients have not read, all together
    usage        is told of every question
    missing      says why rows are still missing; until it says "", questions about rows wait, and those whose time is
                 over then are answered with Unavailable
    """

    def __init__(
        self,
        address: str,
        tables: Mapping[str, Source] | Answering,
        status: Callable[[], dict[str, Any]],
        *,
        limits: Limits | None = None,
        held_bytes: int = 2048 * MEBIBYTE,
        usage: Usage | None = None,
        missing: Callable[[], str] = lambda: "",
        tells: Mapping[str, Callable[[], Any]] = MappingProxyType({}),
    ) -> None:
        self._missing = missing
        self._tells = {**tells, "status": status}
        self._answerer: Answering = Answerer(tables, SqlEngine()) if isinstance(tables, Mapping) else tables
        self._at_once = isinstance(self._answerer, Answerer)  # of tables in memory, by symbol
        self._lacking = ""  # what `missing` said last
        self._limits = limits or Limits()
        self._usage = usage
        context = sockets.context()
        options = {"SNDHWM": 100, "ROUTER_MANDATORY": 1, "MAXMSGSIZE": MAX_REQUEST_BYTES, "RCVTIMEO": IDLE_MS}
        self._socket, self.address = sockets.bind(context, zmq.ROUTER, address, **options)
        woken = f"inproc://answers-{next(_numbers)}"
        self._woken, _ = sockets.bind(context, zmq.PULL, woken)
        self._wake = sockets.connect(context, zmq.PUSH, woken)
        self._wake_lock = threading.Lock()
        self._answered: deque[tuple[Asked, list[Message]]] = deque()
        self._waiting = Waiting(WORKERS)
        self._delivery = Delivery(self._hand_over, held_bytes)
        self._workers = ThreadPoolExecutor(WORKERS, "query")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="queries", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the questions under way, and close the sockets."""
        self._stopping.set()
        self._thread.join()
        for asked in self._waiting.under_way:
            asked.budget.cancel()
        self._workers.shutdown()
        for socket in (self._socket, self._woken, self._wake):
            socket.close(0)

    def _serve(self) -> None:
        poller = zmq.Poller()
        for socket in (self._socket, self._woken):
            poller.register(socket, zmq.POLLIN)
        more = False
        while not self._stopping.is_set():
            pause_s = 0 if more else self._delivery.flush()
            if pause_s is None and not self._waiting and not self._waiting.under_way:
                self._receive(0)  # no worker will wake it: waiting within the socket costs less than a poll
            else:
                ready = dict(poller.poll(IDLE_MS if pause_s is None else int(pause_s * 1000)))
                if self._woken in ready:
                    self._woken.recv()
                self._hand_out()
                if self._socket in ready:
                    self._receive(_AT_ONCE)
            while self._delivery.gone:
                for asked in self._waiting.cancel(self._delivery.gone.pop()):
                    self._note(asked, error=Cancelled("its client is gone"))
            more = bool(self._waiting) and self._begin()

    def _begin(self) -> bool:
        """Have questions that wait answered; return whether that made room for others that do."""
        self._lacking = self._missing()
        if self._lacking:
            self._give_up(self._lacking)
        while asked := self._waiting.begin(self._may_ask, rows=not self._lacking):
            if self._quick(asked):
                self._answered.append(self._worked(asked))
            else:
                self._workers.submit(self._work, asked)
        return self._hand_out()

    def _give_up(self, missing: str) -> None:
        for asked in self._waiting.overdue():
            error = Unavailable(
                f"not answered within {asked.budget.seconds:g} s, since rows would be missing: {missing}"
            )
            self._note(asked, error=error)
            self._deliver([reply.refusal(asked.envelope, error)])

    def _hand_out(self) -> bool:
        """Deliver what was answered; return whether there was anything."""
        count = 0
        while self._answered:
            asked, messages = self._answered.popleft()
            self._waiting.ended(asked)
            if not asked.budget.cancelled or len(messages) == 1:
                self._deliver(messages)
            count += 1
        return count > 0

    def _receive(self, flags: int) -> None:
        """Take what there is, without `flags` having waited IDLE_MS for the first of it."""
        for turn in range(TURN):
            try:
                frames = self._socket.recv_multipart(flags if turn == 0 else _AT_ONCE)
            except zmq.Again:
                return
            if turn == 0:
                self._lacking = self._missing()
            try:
                self._take(*reply.read(frames))
            except reply.BadRequest as error:
                self._deliver([reply.refusal(error.envelope, QueryError(str(error)))])
            if self._answered or not int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                return  # what a worker has answered does not wait for a flood of quick questions

    def _take(self, envelope: list[bytes], fields: dict[str, Any]) -> None:
        if fields["ask"] == "cancel":
            self._deliver([reply.answered(envelope, fields, lambda fields: self._cancel(envelope[0], fields))])
            return
        try:
            asked = self._asked(envelope, fields)
            if self._quick(asked) and not self._lacking and self._may_ask(asked.peer):
                self._deliver(self._worked(asked)[1])  # it would be over before a worker woke up
            elif not self._waiting.add(asked):
                raise QueryLimit(f"{WAITING} questions of this client wait already; read their answers first")
        except PlantError as error:
            if self._may_ask(envelope[0]):
                self._deliver([reply.refusal(envelope, error)])
            else:
                log.warning("question dropped", reason="its client reads no answers")

    def _asked(self, envelope: list[bytes], fields: dict[str, Any]) -> Asked:
        """Return a question with what goes with it: client, timeout_s, parts."""
        client, timeout_s, parts = fields.pop("client", ""), fields.pop("timeout_s", None), fields.pop("parts", False)
        if type(client) is not str or type(parts) is not bool:
            raise QueryError("client must be a string and parts true or false; see docs/wire.md")
        if timeout_s is not None and not (type(timeout_s) in (int, float) and 0 < timeout_s < math.inf):
            raise QueryError(f"timeout_s must be a positive number of seconds, found {timeout_s!r}")
        return Asked(envelope, fields, self._limits.budget(timeout_s), client, parts)

    def _cancel(self, peer: bytes, fields: dict[str, Any]) -> list[Any]:
        number = fields.get("id")
        if type(number) is not bytes:
            raise QueryError(f"cancel: id must be the request id of a question, in bytes; found {number!r}")
        for asked in self._waiting.cancel(peer, number):
            error = Cancelled("cancelled by its asker before it was begun")
            self._note(asked, error=error)
            self._deliver([reply.refusal(asked.envelope, error)])
        self._delivery.drop(peer, number)
        return [msgpack.packb({})]

    def _may_ask(self, peer: bytes) -> bool:
        return self._delivery.unread(peer) < UNREAD_BYTES

    def _quick(self, asked: Asked) -> bool:
        return self._at_once and is_quick(asked.fields)

    def _worked(self, asked: Asked) -> tuple[Asked, list[Message]]:
        answer = reply.answered(asked.envelope, asked.fields, lambda fields: self._answer(asked))
        return asked, _in_parts(answer) if asked.parts else [answer]

    def _work(self, asked: Asked) -> None:
        self._answered.append(self._worked(asked))
        with self._wake_lock, contextlib.suppress(zmq.Again):
            self._wake.send(b"", zmq.NOBLOCK)  # a full queue wakes as well

    def _answer(self, asked: Asked) -> list[Any]:
        if tell := self._tells.get(asked.fields["ask"]):
            return [msgpack.packb(tell())]
        rows, size = 0, 0
        failed: Exception | None = None
        try:
            asked.budget.check()
            question = questions.question_of(asked.fields)
            if isinstance(self._answerer, Answerer):
                answer, rows = self._answerer.stream(question, asked.budget)
            else:
                table = self._answerer.answer(question, asked.budget)
                answer, rows = to_ipc(table, asked.budget), table.num_rows
            size = len(answer)
            return [answer]
        except Exception as error:
            failed = error
            raise
        finally:
            self._note(asked, rows, size, failed)

    def _note(self, asked: Asked, rows: int = 0, size: int = 0, error: Exception | None = None) -> None:
        if self._usage is not None:
            self._usage.note(asked, rows, size, error)

    def _deliver(self, messages: list[Message]) -> None:
        lost = self._delivery.put(messages)
        for envelope in {tuple(m[:-2]): None for m in lost}:
            log.warning("answer dropped", reason="its client does not read, and too much waits")
            error = QueryLimit("the answer was not read, and dropped to make room; ask for less at once")
            self._delivery.put([reply.refusal(list(envelope), error)])

    def _hand_over(self, message: Message) -> Any:
        *head, body = message
        for frame in head:
            self._socket.send(frame, _MORE)
        if len(body) < zmq.COPY_THRESHOLD:
            return self._socket.send(body, _AT_ONCE)
        return self._socket.send(body, _AT_ONCE, copy=False, track=True)


def is_quick(fields: dict[str, Any]) -> bool:
    """Return whether a question reads so few rows, found by symbol, that handing it to a worker would take longer.

    Those are the newest row of each symbol, and the first or last thousand of a few symbols, without conditions.
    """
    if fields.get("where") or fields.get("at") is not None:
        return False
    if fields["ask"] == "last":
        return True
    few = fields.get("sym")
    most = fields.get("first") if fields.get("last") is None else fields["last"]
    return (
        fields["ask"] == "select"
        and isinstance(few, list)
        and len(few) <= QUICK_SYMBOLS
        and type(most) is int
        and most <= QUICK_ROWS
    )


def _in_parts(answer: Message) -> list[Message]:
    """Return an answer as messages with at most PART_BYTES each, all but the last one with "more" in place of "ok"."""
    *envelope, status, body = answer
    if status != reply.OK or len(body) <= PART_BYTES:
        return [answer]
    whole = memoryview(body)
    parts = [whole[start : start + PART_BYTES] for start in range(0, len(whole), PART_BYTES)]
    return [*([*envelope, reply.MORE, part] for part in parts[:-1]), [*envelope, reply.OK, parts[-1]]]
