"""Questions to the tickerplant: the journal from any position, the tables, how it is and who reads it."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgpack
import zmq

from plant.errors import QueryError
from plant.journal.journal import Journal
from plant.journal.segment import NotIndexed
from plant.runtime.lifecycle import log
from plant.transport import reply
from plant.wire import messages
from tickerplant.readers import Readers

TURN_ANSWERS = 4
"""At most so many questions are answered between two turns: capture comes first."""


Answer = Callable[[dict[str, Any]], list[Any]]
"""Makes the frames behind `ok` of a question's fields."""


class Ahead(NamedTuple):
    """A question about what the journal does not have yet: from which seq on, and until when it may wait."""

    frames: list[bytes]
    seq: int
    until: float


class Control:
    """The socket for questions (ROUTER); `position` gives what an answer tells of where the plant stands.

    more    answers to further questions, by their `ask`
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        journal: Journal,
        position: Callable[[], messages.Beat],
        more: Mapping[str, Answer] = MappingProxyType({}),
    ) -> None:
        self.socket = socket
        self._journal = journal
        self._position = position
        self._readers = Readers()
        self._must_wait = False
        self._later: dict[bytes, list[bytes]] = {}  # by peer: its question that waits for the index of a segment
        self._comes_from = 0  # the seq that the present question would wait for, 0 if it would for none
        self._ahead: dict[bytes, Ahead] = {}  # by peer: its question that waits for records to come
        self._answers: dict[str, Answer] = {
            "journal": self._read,
            "schema": self._schema,
            "status": self._status,
            "report": self._report,
            "confirmed": self._confirm,
            **more,
        }

    def answer_some(self) -> None:
        """Answer what has been asked, at most TURN_ANSWERS questions."""
        for _ in range(TURN_ANSWERS):
            if not self.socket.poll(0):
                return
            self.answer(self.socket.recv_multipart())

    def answer(self, frames: list[bytes], waited: bool = False) -> None:
        """Answer a question; one about a segment without an index later, in place of an earlier one of the same peer.

        To go through a segment takes seconds, in which nothing would be captured: the upkeep does it. Likewise one that
        waits for records to come, unless it has `waited`.
        """
        self._must_wait, self._comes_from = False, 0
        answer = reply.answer(frames, self._handle)
        if self._must_wait:
            self._later[frames[0]] = frames
        elif self._comes_from and not waited:
            self._ahead[frames[0]] = Ahead(frames, self._comes_from, time.monotonic() + messages.WAIT_S)
        else:
            send(self.socket, answer)

    def answer_later(self) -> None:
        """Answer a question that had to wait for an index, once there is one; and those whose records have come."""
        if self._later and self._journal.segments.unindexed is None:
            self.answer(self._later.pop(next(iter(self._later))))
        if self._ahead:
            seq, now = self._journal.position.seq, time.monotonic()
            due = [peer for peer, each in self._ahead.items() if each.seq <= seq or each.until <= now]
            for peer in due[:TURN_ANSWERS]:
                self.answer(self._ahead.pop(peer).frames, waited=True)

    def _handle(self, fields: dict[str, Any]) -> list[Any]:
        ask = fields["ask"]
        if not isinstance(ask, str) or ask not in self._answers:
            raise QueryError(f"the tickerplant answers {', '.join(self._answers)}; found {ask!r}")
        return self._answers[ask](fields)

    def _status(self, _fields: dict[str, Any]) -> list[Any]:
        lags = self._readers.lags(self._journal.position.table_seqs)
        return [msgpack.packb({**self._position()._asdict(), "readers": lags})]

    def _report(self, fields: dict[str, Any]) -> list[Any]:
        self._readers.note(messages.report_of(fields), self._journal.position.table_seqs)
        return [b""]

    def _schema(self, fields: dict[str, Any]) -> list[Any]:
        every = bool(fields.get("every"))
        return [messages.declarations(self._journal.segments.tables() if every else self._journal.schema.values())]

    def _read(self, fields: dict[str, Any]) -> list[Any]:
        asked = messages.journal_question_of(fields)
        found = b""
        if asked.seq <= self._journal.position.seq:
            try:
                found = self._journal.segments.read(asked.seq, asked.max_bytes, asked.check, walk=False)
            except NotIndexed:
                self._must_wait = True
        elif asked.wait:
            self._comes_from = asked.seq
        log_damage(self._journal)
        return [messages.beat(self._position()), found]

    def _confirm(self, fields: dict[str, Any]) -> list[Any]:
        self._journal.confirm(messages.confirm_of(fields))
        return [msgpack.packb({"confirmed": self._journal.confirmed})]


def log_damage(journal: Journal) -> None:
    """Log what the journal has found damaged since this was called last."""
    while journal.segments.damage:
        log.warning("journal damaged", damage=str(journal.segments.damage.pop(0)))


def send(socket: zmq.Socket[bytes], frames: list[Any]) -> None:
    """Send an answer, or drop it: a peer that is gone or takes nothing will ask again."""
    try:
        socket.send_multipart(frames, zmq.NOBLOCK)
    except zmq.ZMQError as error:
        log.debug("answer dropped", reason=str(error))
