"""Rows that the service writes: one at a time, so that each has its own seq, answered once the journal has it."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from api.answers.problems import Problem
from plant.errors import PlantError, Unavailable
from plant.stream.publisher import Publisher

WRITE_S = 5.0
"""Longest a request waits for an acknowledgement."""

_MOST_KEPT = 10_000


class Writer:
    """The publisher `api`, in a thread of its own.

    What was sent is not taken back, so the thread waits for it as long as it takes, and a repeat of the request for the
    same. What was not sent by the time that its request is answered never is: it would come when nobody expects it.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._thread = ThreadPoolExecutor(1, "writer")
        self._unanswered: dict[Any, Future[int]] = {}
        self._closing = threading.Event()

    @property
    def connected(self) -> bool:
        """Whether the tickerplant answers."""
        return self._publisher.connected

    async def write(self, table: str, rows: Any, under: Any = None, *, late: bool = False) -> int:
        """Publish rows and return their seq.

        under   names the write, if the same may be asked for again: what was not acknowledged in time is not written a
                second time then
        late    it is to be written however late that is: it tells what happened

        Raises Problem refused for rows that the plant rejects, unavailable if nothing was sent, and not_acknowledged
        if it was sent, and nobody knows yet whether it is in the journal.
        """
        asked = self._unanswered.get(under) if under is not None else None
        if asked is not None and asked.done() and (asked.cancelled() or asked.exception() is not None):
            asked = None  # it was not taken, or is among the rejects: it may be written once more
        if asked is None:
            if not self.connected:
                raise _unavailable()
            asked = self._thread.submit(self._written, table, rows)
        coming = asyncio.wrap_future(asked)
        try:
            seq = await asyncio.wait_for(asyncio.shield(coming), WRITE_S)
        except TimeoutError:
            coming.add_done_callback(lambda done: done.cancelled() or done.exception())  # somebody has looked at it
            if not late and asked.cancel():  # it still waits behind others
                raise _unavailable() from None
            if under is not None:
                self._keep(under, asked)
            raise Problem(
                "not_acknowledged",
                f"not acknowledged within {WRITE_S:g} s: it may be in the journal or not; repeat the request with the "
                "same Idempotency-Key",
            ) from None
        except Unavailable as error:
            raise Problem("not_acknowledged", f"{error}; repeat it with the same Idempotency-Key") from None
        except PlantError as error:
            raise Problem("refused", str(error)) from None
        if under is not None:
            self._unanswered.pop(under, None)
        return seq

    def close(self) -> None:
        """Hand over what is under way, a moment, and disconnect."""
        self._closing.set()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._publisher.close(2.0)

    def _keep(self, under: Any, asked: Future[int]) -> None:
        """Keep what was sent and not acknowledged in time, for who asks again: it may come to the journal still."""
        while len(self._unanswered) >= _MOST_KEPT:
            self._unanswered.pop(next(iter(self._unanswered)))
        self._unanswered[under] = asked

    def _written(self, table: str, rows: Any) -> int:
        self._publisher.publish(table, rows, WRITE_S, strict=True)
        while True:
            try:
                return self._publisher.flush(1.0)
            except Unavailable:
                if self._closing.is_set():
                    raise


def _unavailable() -> Problem:
    return Problem(
        "unavailable",
        "the tickerplant does not answer, so nothing was written; try again",
        headers={"Retry-After": "1"},
    )
