"""The plant itself as a system under test: a tickerplant started as its user starts it, and its own client."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.capture.roles import Stage
from benchmarks.capture.work import Feed, Sink
from plant.client.connect import publisher, subscriber_of
from plant.runtime.settings import load

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))

from running import RunningPlant, free_ports  # noqa: E402

__all__ = ["BenchPlant", "Tickplant", "free_ports", "running_plant"]


class BenchPlant(RunningPlant):
    """A plant that can also start processes defined in benchmarks/, wherever it is started."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the plant's processes."""
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        return {**super().environment, "PYTHONPATH": path}


@contextmanager
def running_plant(folder: Path, *processes: str, **keys: Any) -> Iterator[BenchPlant]:
    """Give a plant in `folder` with these processes; all end with the block."""
    plant = BenchPlant(folder, **keys)
    try:
        plant.start(*processes)
        yield plant
    finally:
        plant.stop()


@dataclass(frozen=True)
class Tickplant:
    """A tickerplant with its journal; `sync` is when that is fsynced."""

    sync: str = "1000 ms"
    speed: float = 1.0
    acknowledges: bool = True

    @property
    def name(self) -> str:
        """What its line is called."""
        return f"tickplant (sync {self.sync})"

    @property
    def durability(self) -> str:
        """When a row is on the disk."""
        return (
            f"journal written before the acknowledgement and before the fan-out, fdatasync every {self.sync}: "
            "a killed process loses nothing, a power cut at most that; checksums, deduplication, validation"
        )

    def missing(self) -> str | None:
        """Nothing is needed."""
        return None

    @contextmanager
    def serve(self, folder: Path) -> Iterator[str]:
        """Run a tickerplant; the address is its plant.toml."""
        with running_plant(folder / "plant", "tickerplant", sync=self.sync) as plant:
            yield str(plant.config)

    def publish(self, address: str, feed: Feed, stage: Stage) -> None:
        """Publish each item, then flush."""
        table = feed.work.table.name
        with publisher("bench", config=address) as source:
            stage.ready()
            for item in feed:
                source.publish(table, item)
            source.flush(60.0)
            stage.stop()

    def receive(self, address: str, sink: Sink, stage: Stage) -> None:
        """Follow the table into the sink."""
        with subscriber_of(load(address), (sink.work.table.name,)) as stream:
            while not (stream.connected and stream.caught_up):
                sink.append(stream.poll(0.2))
            stage.ready()
            while not sink.full:
                sink.append(stream.poll(0.2))
            stage.stop()
