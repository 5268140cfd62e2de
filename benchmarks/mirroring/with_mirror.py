"""The plants that are measured, with a mirror; what travels to processes of their own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.capture.roles import READY_S, RoleFailed
from benchmarks.capture.tickplant import Tickplant, running_plant
from benchmarks.mirroring.servers import NatsCluster
from plant.client.connect import publisher

SYNC = "100 ms"


@dataclass(frozen=True)
class Mirrored(Tickplant):
    """A plant whose journal is mirrored by these servers; `ack` as in [tickerplant]."""

    sync: str = SYNC
    ack: str = "journaled"
    mirror: str = ""

    @property
    def name(self) -> str:
        """What its line is called."""
        return "with the mirror" if self.ack == "journaled" else 'with ack = "mirrored"'

    @contextmanager
    def serve(self, folder: Path) -> Iterator[str]:
        """Run a tickerplant and its mirror; the address is its plant.toml."""
        toml = f'{self.mirror}name = "bench-{folder.name}"\n'
        with running_plant(folder / "plant", "tickerplant", "mirror", sync=self.sync, ack=self.ack, toml=toml) as plant:
            until(lambda: "state=ok" in plant.log("mirror"), lambda: plant.log("mirror")[-1000:])
            yield str(plant.config)


def section(servers: NatsCluster) -> str:
    """Return [mirror] without its name, the last line of it."""
    return "".join(line + "\n" for line in servers.mirror().splitlines() if not line.startswith("name"))


def following(servers: NatsCluster, name: str) -> str:
    """Return [upstream] of a plant that follows a stream."""
    listed = ", ".join(f'"{server}"' for server in servers.servers)
    return f'[upstream]\nstream = [{listed}]\nname = "{name}"\n'


def until(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Wait for a condition. Raises RoleFailed, with `what`, if it takes too long."""
    deadline = time.monotonic() + READY_S
    while not condition():
        if time.monotonic() > deadline:
            raise RoleFailed(what())
        time.sleep(0.01)


def paced(config: str, rows: int) -> None:
    """Publish one-row messages, 1,000 a second."""
    with publisher("bench", config=config) as source:
        begun = time.monotonic()
        for i in range(rows):
            source.publish("trades", {"time": time.time_ns(), "sym": "A", "price": 1.0, "size": 1.0})
            if (left := begun + i / 1000 - time.monotonic()) > 0:
                time.sleep(left)
        source.flush(60.0)
