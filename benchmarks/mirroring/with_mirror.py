"""The plants that are measured, alone and with somebody beside them; what travels to processes of their own."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

from benchmarks.capture.roles import READY_S, SPAWN, RoleFailed, Run, measure
from benchmarks.capture.tickplant import BenchPlant, Tickplant, running_plant
from benchmarks.capture.work import Work
from benchmarks.mirroring.servers import NatsCluster, cluster
from benchmarks.processes import Usage
from plant.client.connect import publisher
from plant.runtime.settings import load
from plant.stream.subscriber import Subscriber
from plant.wire.decoding import as_it_is

SYNC = "100 ms"

NICE = 19
"""The least that a process can ask for (nice(1))."""


class Counted(NamedTuple):
    """A run, and what each process used for it, by name; the servers together."""

    run: Run
    used: dict[str, Usage]


Running = tuple[BenchPlant, dict[str, list[int]]]
"""A plant, and the processes that are counted, by name."""


@dataclass(frozen=True)
class Beside:
    """A plant that is measured: nobody beside it."""

    servers: NatsCluster | None = None
    called = "alone"

    def measured(self, folder: Path, work: Work) -> Counted:
        """Return one run, until whoever is beside the plant has taken it, too."""
        before: dict[str, Usage] = {}
        with self.running(folder) as (plant, counted):
            done = measure(
                Tickplant(SYNC), str(plant.config), work, 1,
                lambda: before.update((name, Usage.of(pids)) for name, pids in counted.items()),
            )  # fmt: skip
            until(lambda: self.has_all(plant), lambda: plant.log(plant_process(counted))[-1000:], 0.1)
            used = {name: Usage.of(pids) - before[name] for name, pids in counted.items()}
        return Counted(done, {**used, **done.used})

    def running(self, folder: Path) -> AbstractContextManager[Running]:
        """Run it."""
        return self._tickerplant(folder)

    def has_all(self, _plant: BenchPlant) -> bool:
        """Return whether whoever is beside the plant has everything."""
        return True

    @contextmanager
    def _tickerplant(self, folder: Path) -> Iterator[Running]:
        with running_plant(folder / "plant", "tickerplant", sync=SYNC) as plant:
            yield plant, {"tickerplant": [plant.processes["tickerplant"].pid]}


class WithSubscriber(Beside):
    """One that a second subscriber follows: all tables, each record as it is."""

    called = "with a second subscriber"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        """Run it."""
        with self._tickerplant(folder) as (plant, counted), _second(plant) as second:
            assert second.pid is not None
            yield plant, {**counted, "second subscriber": [second.pid]}


class Mirrored(Beside):
    """One whose journal is mirrored."""

    called = "with the mirror"
    ack = "journaled"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        """Run it."""
        assert self.servers is not None
        toml = f'{section(self.servers)}name = "bench-{time.time_ns()}"\n'
        with running_plant(folder / "plant", "tickerplant", "mirror", sync=SYNC, ack=self.ack, toml=toml) as plant:
            until(lambda: "state=ok" in plant.log("mirror"), lambda: plant.log("mirror")[-1000:])
            counted = {name: [process.pid] for name, process in plant.processes.items()}
            yield plant, {**counted, "servers": self.servers.pids}

    def has_all(self, plant: BenchPlant) -> bool:
        """Return whether the stream does, but for the newest heartbeats."""
        position = plant.position()
        return bool(position["mirrored"] >= position["seq"] - 3)


class Niced(Mirrored):
    """One whose mirror, and servers, have the CPUs only when nobody else wants them."""

    called = "with the mirror, niced"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        """Run it, with servers of its own."""
        with cluster(folder / "nats", nice=NICE) as servers, Mirrored(servers).running(folder) as (plant, counted):
            for thread in Path(f"/proc/{counted['mirror'][0]}/task").iterdir():
                os.setpriority(os.PRIO_PROCESS, int(thread.name), NICE)
            yield plant, counted


class AckMirrored(Mirrored):
    """One whose acknowledgements wait for the mirror."""

    called = 'with ack = "mirrored"'
    ack = "mirrored"


def plant_process(counted: dict[str, list[int]]) -> str:
    """Return whose log tells what is wrong."""
    return "mirror" if "mirror" in counted else "tickerplant"


def section(servers: NatsCluster) -> str:
    """Return [mirror] without its name, the last line of it."""
    return "".join(line + "\n" for line in servers.mirror().splitlines() if not line.startswith("name"))


def following(servers: NatsCluster, name: str) -> str:
    """Return [upstream] of a plant that follows a stream."""
    listed = ", ".join(f'"{server}"' for server in servers.servers)
    return f'[upstream]\nstream = [{listed}]\nname = "{name}"\n'


def until(condition: Callable[[], bool], what: Callable[[], str], pause_s: float = 0.01) -> None:
    """Wait for a condition. Raises RoleFailed, with `what`, if it takes too long."""
    deadline = time.monotonic() + READY_S
    while not condition():
        if time.monotonic() > deadline:
            raise RoleFailed(what())
        time.sleep(pause_s)


def paced(config: str, rows: int) -> None:
    """Publish one-row messages, 1,000 a second."""
    with publisher("bench", config=config) as source:
        begun = time.monotonic()
        for i in range(rows):
            source.publish("trades", {"time": time.time_ns(), "sym": "A", "price": 1.0, "size": 1.0})
            if (left := begun + i / 1000 - time.monotonic()) > 0:
                time.sleep(left)
        source.flush(60.0)


@contextmanager
def _second(plant: BenchPlant) -> Iterator[BaseProcess]:
    heard = SPAWN.Event()
    process = SPAWN.Process(target=_follow, args=(str(plant.config), heard), daemon=True)
    process.start()
    try:
        if not heard.wait(READY_S):
            raise RoleFailed("the second subscriber does not follow")
        yield process
    finally:
        process.kill()
        process.join()


def _follow(config: str, heard: Event) -> None:
    settings = load(config)
    tables = settings.table_schema
    addresses = settings.publish_address, settings.journal_address
    with Subscriber(tables, tables, *addresses, decode=as_it_is, as_journaled=True, name="second") as subscriber:
        while True:
            subscriber.poll(0.2)
            if subscriber.caught_up:
                heard.set()
