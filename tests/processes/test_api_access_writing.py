"""What the service writes: acknowledged, or kept for who asks again; nothing is sent that nobody waits for any more."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.access import writing
from api.access.writing import Writer
from api.answers.problems import Problem
from plant.errors import BadRows, Unavailable


class KeptPublisher:
    """A publisher whose plant acknowledges nothing until `answers` is set; `said` is what it was given."""

    connected = True

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.answers = threading.Event()
        self.error: Exception | None = None

    def publish(self, table: str, rows: Any, timeout_s: float, strict: bool) -> None:
        self.said.append(rows)

    def flush(self, timeout_s: float) -> int:
        if not self.answers.wait(0.001):
            raise Unavailable("has not acknowledged 1 batches")
        if self.error is not None:
            raise self.error
        return 10 * len(self.said)

    def close(self, timeout_s: float) -> None:
        pass


@pytest.fixture
def publisher() -> KeptPublisher:
    return KeptPublisher()


@pytest.fixture
def writer(publisher: KeptPublisher, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    monkeypatch.setattr(writing, "WRITE_S", 0.3)
    writer = Writer(publisher)  # type: ignore[arg-type]
    yield writer
    writer.close()


async def code_of(writer: Writer, row: Any, under: Any = None, late: bool = False) -> str | int:
    """Return the seq of a write, or the code of its problem."""
    try:
        return await writer.write("t", row, under, late=late)
    except Problem as problem:
        return problem.code


def test_what_was_sent_is_acknowledged_to_who_repeats_it_however_late(writer: Writer, publisher: KeptPublisher) -> None:
    async def run() -> None:
        assert await code_of(writer, "a", "once") == "not_acknowledged"
        assert await code_of(writer, "a", "once") == "not_acknowledged"
        publisher.answers.set()
        assert await code_of(writer, "a", "once") == 10
        assert publisher.said == ["a"]
        assert await code_of(writer, "another", "once") == 20, "what was told is not told of another request"

    asyncio.run(run())


def test_what_waits_behind_others_is_not_sent_once_its_request_is_answered(
    writer: Writer, publisher: KeptPublisher
) -> None:
    async def run() -> None:
        stuck = asyncio.create_task(code_of(writer, "a"))
        deadline = time.monotonic() + 10
        while not publisher.said:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.001)
        waits = code_of(writer, "start the strategy", "later"), code_of(writer, "what happened", late=True)
        assert await asyncio.gather(*waits) == ["unavailable", "not_acknowledged"]
        assert await stuck == "not_acknowledged"
        publisher.answers.set()
        assert await code_of(writer, "b") == 30
        assert publisher.said == ["a", "what happened", "b"]

    asyncio.run(run())


def test_what_the_plant_refused_after_its_time_may_be_written_once_more(
    writer: Writer, publisher: KeptPublisher
) -> None:
    async def run() -> None:
        assert await code_of(writer, "a", "once") == "not_acknowledged"
        publisher.error = BadRows("no such column")
        publisher.answers.set()
        assert await code_of(writer, "a", "once") == "refused"
        publisher.error = None
        assert await code_of(writer, "a", "once") == 20

    asyncio.run(run())
