"""Publisher and subscribers as processes of their own, started and ready before the clock starts.

All clocks are CLOCK_MONOTONIC, which the processes of one Linux machine share.
"""

import gc
import multiprocessing
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.capture.work import Feed, Sink, Work
from benchmarks.processes import Usage

SPAWN = multiprocessing.get_context("spawn")

READY_S = 120.0
"""Most a role takes to prepare its rows and connect."""

RUN_S = 300.0
"""Most that a run takes; a system that lost a message never ends by itself."""


class RoleFailed(RuntimeError):
    """A publisher or a subscriber broke off, or took too long; the text has its own traceback."""


class Stage:
    """A role's view of the benchmark: say `ready`, wait for the start, say `stop` when the last row is done."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.begun_ns = 0
        self.stopped_ns = 0
        self.used = Usage.own()

    def ready(self) -> None:
        """Wait for the start, everything being connected."""
        self._connection.send(("ready", None))
        self._connection.recv()
        self.used = Usage.own()
        self.begun_ns = time.monotonic_ns()

    def stop(self) -> None:
        """Note the time, and what was used since the start."""
        self.stopped_ns = time.monotonic_ns()
        self.used = Usage.own() - self.used


class System(Protocol):
    """Something that carries rows from a publisher to subscribers; it travels to the processes of both."""

    @property
    def name(self) -> str:
        """What its line in a table is called."""

    @property
    def durability(self) -> str:
        """When an accepted row is on the disk."""

    @property
    def speed(self) -> float:
        """One-row messages that it takes in the time the plant takes one, roughly: it sizes a run."""

    @property
    def acknowledges(self) -> bool:
        """Whether publish returns only once everything is accepted."""

    def missing(self) -> str | None:
        """Return what keeps it from running here, None if nothing does."""

    def serve(self, folder: Path) -> AbstractContextManager[str]:
        """Run its servers, with their files in `folder`; give the address for both ends."""

    def publish(self, address: str, feed: Feed, stage: Stage) -> None:
        """Connect, be ready, publish all items of the feed, wait for what acknowledgements there are, stop."""

    def receive(self, address: str, sink: Sink, stage: Stage) -> None:
        """Subscribe, be ready, fill the sink, stop."""


@dataclass(frozen=True)
class Run:
    """One measurement: seconds from the first publish to all acknowledgements, and to all rows at all subscribers.

    used    by the publisher, and by the subscriber (the first of several), from the start until they were done
    """

    work: Work
    acked_s: float
    received_s: float
    latencies_ns: np.ndarray
    used: dict[str, Usage]


class Role:
    """A process that runs `function(*arguments, stage)`. Ends with the block that it is used in."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._connection, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=_play, args=(theirs, function, arguments), daemon=True)
        self.process.start()
        theirs.close()

    def hear(self, word: str, timeout_s: float) -> Any:
        """Return what came with `word` ("ready" or "done"); raises RoleFailed."""
        try:
            if not self._connection.poll(timeout_s):
                raise RoleFailed(f"not {word} within {timeout_s:g} s")
            said, value = self._connection.recv()
        except EOFError:
            self.process.join(5)
            raise RoleFailed(f"ended with {self.process.exitcode}, expected to hear {word!r}") from None
        if said != word:
            raise RoleFailed(f"expected {word!r}, heard {said!r}: {value}")
        return value

    def go(self) -> None:
        """Start it."""
        self._connection.send("go")

    def __enter__(self) -> "Role":
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is None:
            self.process.join(10)
        self.process.kill()
        self.process.join()
        self._connection.close()


def run(system: System, work: Work, subscribers: int = 1) -> Run:
    """Measure one run of a system started for it, its files in a new temporary folder. Raises RoleFailed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, system.serve(Path(folder)) as address:
        try:
            return measure(system, address, work, subscribers)
        except RoleFailed as error:
            raise RoleFailed(f"{system.name}, {work}: {error}") from None


def measure(
    system: System, address: str, work: Work, subscribers: int, at_start: Callable[[], None] = lambda: None
) -> Run:
    """Measure one run against servers that are up; with no subscribers, `received_s` is 0.

    at_start    called when everybody is ready
    """
    with _roles(system, address, work, subscribers) as (publisher, receivers):
        at_start()
        for role in (*receivers, publisher):
            role.go()
        begun, acked, _, publishing = publisher.hear("done", RUN_S)
        results = [role.hear("done", RUN_S) for role in receivers]
    received = max((stopped for _, stopped, _, _ in results), default=begun)
    latencies = results[0][2] if results else np.empty(0, dtype=np.int64)
    used = {"publisher": publishing, **({"subscriber": results[0][3]} if results else {})}
    return Run(work, (acked - begun) / 1e9, (received - begun) / 1e9, latencies, used)


@contextmanager
def _roles(system: System, address: str, work: Work, subscribers: int) -> Iterator[tuple[Role, list[Role]]]:
    with Role(_publisher, system, address, work) as publisher:
        publisher.hear("ready", READY_S)
        receivers = [Role(_subscriber, system, address, work) for _ in range(subscribers)]
        try:
            for role in receivers:
                role.hear("ready", READY_S)
            yield publisher, receivers
        except BaseException as error:
            for role in receivers:
                role.__exit__(type(error))
            raise
        for role in receivers:
            role.__exit__(None)


def _publisher(system: System, address: str, work: Work, stage: Stage) -> tuple[int, int, None, Usage]:
    feed = Feed(work)
    gc.collect()
    gc.freeze()  # a feed does not hold its whole day; looking through these again would be charged to the system
    try:
        system.publish(address, feed, stage)
    finally:
        gc.unfreeze()
    return stage.begun_ns, stage.stopped_ns, None, stage.used


def _subscriber(system: System, address: str, work: Work, stage: Stage) -> tuple[int, int, np.ndarray, Usage]:
    sink = Sink(work)
    system.receive(address, sink, stage)
    sink.check()
    return stage.begun_ns, stage.stopped_ns, sink.latencies_ns(), stage.used


def _play(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        connection.send(("done", function(*arguments, Stage(connection))))
    except Exception:
        connection.send(("failed", traceback.format_exc()))
