"""An rdb that also notes when rows became visible in it, and how long its replay took: for benchmarks.

It leaves two files in the plant's data folder: `replay.npy` once it has caught up, int64 [asked, caught up], the
monotonic ns of its first request to the journal and of the end of its replay; and `visible.npy` when it stops,
int64[2, rows] of bars or trades: the row's `time`, and the UTC ns at which a snapshot first had it.
"""

import os
import time
from pathlib import Path

import numpy as np

from plant.rows.batch import Batch
from plant.runtime.lifecycle import run
from plant.runtime.settings import Settings
from rdb.__main__ import Rdb

STAMPING_RDB = "benchmarks.capture.stamping_rdb"
"""The process, as a plant of a benchmark starts it (python -m)."""

REPLAY = "replay.npy"
VISIBLE = "visible.npy"


class StampingRdb(Rdb):
    """The rdb, watched."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._visible: list[tuple[np.ndarray, int]] = []
        self._asked_ns = 0
        self._replayed = False

    def take(self, batch: Batch) -> None:
        """Note the time after the rows were appended."""
        super().take(batch)
        if batch.table in ("bars", "trades"):
            self._visible.append((batch.columns["time"], time.time_ns()))

    def step(self) -> None:
        """Note the time after the step that asked the journal, and after the one that ended the replay.

        A subscriber asks at the end of the poll in which it first hears the tickerplant.
        """
        super().step()
        if not self._asked_ns and self.follower.subscriber is not None and self.follower.subscriber.connected:
            self._asked_ns = time.monotonic_ns()
        if self._asked_ns and not self._replayed and self.follower.caught_up:
            self._replayed = True
            self._save(REPLAY, np.array([self._asked_ns, time.monotonic_ns()]))

    def shutdown(self) -> None:
        """Leave what was noted."""
        super().shutdown()
        if self._visible:
            times = [t for t, _ in self._visible]
            moments = np.repeat(np.array([m for _, m in self._visible]), [len(t) for t in times])
            self._save(VISIBLE, np.array([np.concatenate(times), moments]))

    def _save(self, name: str, array: np.ndarray) -> None:
        """Write whole or not at all: somebody waits for the file."""
        partial = Path(self.settings.plant.data) / f"new-{name}"
        np.save(partial, array)
        os.replace(partial, partial.with_name(name))


def main() -> None:
    """Run it."""
    run(StampingRdb, name="stamping_rdb")


if __name__ == "__main__":
    main()
