"""What the routes work with: one object, `request.app.state.services`."""

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from fastapi import Request

from api.access.audit import Audit
from api.access.caller import Access, Caller
from api.access.changes import Change
from api.access.keys import KeyRing
from api.access.origins import Origins
from api.access.quota import Quota
from api.access.tickets import Tickets
from api.access.writing import Writer
from api.metrics import Metrics
from api.pulse import Pulse
from plant.client.aio import AsyncConnection
from plant.client.seam import seq_of
from plant.query.questions import Question
from plant.rows.batch import Batch
from plant.rows.schema import Schema
from plant.runtime.settings import Settings
from plant.transport.request import Requester

Cue = Callable[[str, str | None], int]
"""Takes a chart ("2m", "zones") and a symbol, tells all that listen, and returns how many those are."""


class Live:
    """What comes out of the plant, in the order of the journal, to whoever listens; called in the follower's thread.

    seq       everything up to it has been handed on
    """

    def __init__(self) -> None:
        self.seq = 0
        self._listeners: list[Callable[[Batch], None]] = []
        self._marks: list[Callable[[int], None]] = []
        self._lock = threading.Lock()

    def listen(self, take: Callable[[Batch], None], mark: Callable[[int], None] = lambda seq: None) -> None:
        """Have `take` called with each batch from now on, and `mark` with the seq up to which all was handed on."""
        with self._lock:
            self._listeners = [*self._listeners, take]
            self._marks = [*self._marks, mark]

    def take(self, batch: Batch) -> None:
        """Hand on a batch."""
        for listener in self._listeners:
            listener(batch)

    def reached(self, seq: int) -> None:
        """Note up to which seq all was handed on."""
        if seq > self.seq:
            self.seq = seq
        for mark in self._marks:
            mark(seq)


@dataclass
class Services:
    """What the routes work with.

    plant       today and history as one; ask it by `ask`, which looks first whether there is somebody to answer
    processor   asked by `ask_processor`
    trading     the trader's request socket, for what is no question about rows
    writer      the publisher `api`; routes write by api.access.changes.write
    live        batches as they come, for the one hub of all streams
    cues        set by the hub: see Cue; without one nobody listens
    more        what groups of routes keep for the life of the app
    """

    settings: Settings
    schema: Schema
    plant: AsyncConnection
    processor: AsyncConnection
    trading: Requester
    writer: Writer
    access: Access
    ring: KeyRing
    quota: Quota
    tickets: Tickets
    audit: Audit
    origins: Origins
    pulse: Pulse
    metrics: Metrics
    live: Live = field(default_factory=Live)
    cues: Cue | None = None
    more: dict[str, Any] = field(default_factory=dict)
    closings: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have a coroutine function called when the service ends, the last one first."""
        self.closings.append(close)

    async def ask(self, question: Question, timeout_s: float | None = None) -> tuple[pa.Table, int]:
        """Return the answer to a question of plant.query.questions, and up to which seq everything is in it.

        Raises Problem unavailable if the rdb does not answer, and what a question raises.
        """
        self.pulse.need("rdb")
        return self._told(await self.plant.answer_to(question, timeout_s))

    async def ask_processor(self, question: Question, timeout_s: float | None = None) -> tuple[pa.Table, int]:
        """Return the same of a question that the processor answers alone: of indicators, of bars made on request."""
        self.pulse.need("processor")
        return self._told(await self.processor.answer_to(question, timeout_s))

    def _told(self, answer: pa.Table) -> tuple[pa.Table, int]:
        seq = seq_of(answer)
        return answer.replace_schema_metadata(None), self.live.seq if seq is None else seq


def services_of(request: Request) -> Services:
    """Return the services of the app that a request came to."""
    found: Services = request.app.state.services
    return found


def caller_of(request: Request) -> Caller:
    """Return who asks; the gate has looked."""
    found: Caller = request.state.caller
    return found


def change_of(request: Request) -> Change:
    """Return the change that a request is."""
    found: Change = request.state.change
    return found
