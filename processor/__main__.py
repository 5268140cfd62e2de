"""The processor's process: follow bars, compute on a timer, publish what is new, and answer questions about it.

It serves what came back through the tickerplant, so that its answers, the rdb's and the journal's are the same rows.
"""

import time

from plant.rows.batch import Batch
from plant.runtime.lifecycle import Timer, log, run
from plant.runtime.settings import Settings
from plant.serving.follower import Follower
from processor.engine import Engine


class Processor(Follower):
    """Indicators and signals on a timer."""

    name = "processor"
    follows = ("bars", "indicators", "signals", "gaps")
    serves = ("indicators", "signals")
    of_today = False  # a mean of fifty bars does not begin anew with the day

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, settings.processor.port)
        self.engine = Engine(settings.processor.min_bars)
        self.timer = Timer(settings.processor.timer_s, 0)
        self._computing = False

    def step(self) -> None:
        """Take what has come, and compute when the timer says so; bars after a pause need not wait for it."""
        super().step()
        if self.engine.waiting and self.caught_up and self.publisher.connected and self.timer.due():
            self._computing = True
            self._compute()

    def take(self, batch: Batch) -> None:
        """Take bars; our own rows only while the journal is replayed, to know what was published before we started."""
        super().take(batch)
        if batch.table == "bars" or not self._computing:
            self.engine.take(batch)

    def _compute(self) -> None:
        started = time.perf_counter()
        for table, columns in zip(("indicators", "signals"), self.engine.tick(time.time_ns()), strict=True):
            if columns is not None:
                self.publisher.publish(table, columns)
                log.debug(
                    "computed",
                    table=table,
                    rows=len(columns["time"]),
                    ms=round((time.perf_counter() - started) * 1e3, 2),
                )


def main() -> None:
    """Run a processor."""
    run(Processor, name="processor")


if __name__ == "__main__":
    main()
