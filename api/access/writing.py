"""Rows that the service writes: one at a time, so that each has its own seq, answered once the journal has it."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from api.answers.problems import Problem
from plant.errors import PlantError, Unavailable
from plant.stream.publisher import Publisher

WRITE_S = 5.0
"""Longest a request waits for an acknowledgement."""

_GIVE_UP_S = 60.0
"""Longest the thread does: what was sent is not taken back, so a repeat of the request waits for the same."""


_MOST_KEPT = 10_000


class Writer:
    """The publisher `api`, in a thread of its own."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._thread = ThreadPoolExecutor(1, "writer")
        self._unanswered: dict[Any, asyncio.Future[int]] = {}
        self._closing = threading.Event()

    @property
    def connected(self) -> bool:
        """Whether the tickerplant answers."""
        return self._publisher.connected

    async def write(self, table: str, rows: Any, under: Any = None) -> int:
        """Publish rows and return their seq. `under` names the write, if the same may be asked for again: what was
        not acknowledged in time is not written a second time then.

        Raises Problem refused for rows that the plant rejects, unavailable if nothing was sent, and not_acknowledged
        if it was sent, and nobody knows yet whether it is in the journal.
        """
        asked = self._unanswered.get(under) if under is not None else None
        if asked is None:
            if not self.connected:
                raise Problem(
                    "unavailable",
                    "the tickerplant does not answer, so nothing was written; try again",
                    headers={"Retry-After": "1"},
                )
            asked = asyncio.get_running_loop().run_in_executor(self._thread, self._written, table, rows)
        try:
            return await asyncio.wait_for(asyncio.shield(asked), WRITE_S)
        except TimeoutError:
            asked.add_done_callback(lambda done: done.cancelled() or done.exception())  # somebody has looked at it
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

    def close(self) -> None:
        """Hand over what is under way, a moment, and disconnect."""
        self._closing.set()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._publisher.close(2.0)

    def _keep(self, under: Any, asked: "asyncio.Future[int]") -> None:
        """Keep what was sent and not acknowledged in time, for who asks again: it may come to the journal still."""
        while len(self._unanswered) >= _MOST_KEPT:
            self._unanswered.pop(next(iter(self._unanswered)))
        self._unanswered[under] = asked

    def _written(self, table: str, rows: Any) -> int:
        self._publisher.publish(table, rows, WRITE_S, strict=True)
        limit_s = 0.0
        while True:
            try:
                return self._publisher.flush(1.0)
            except Unavailable:
                limit_s += 1.0
                if limit_s >= _GIVE_UP_S or self._closing.is_set():
                    raise
