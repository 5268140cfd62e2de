"""The processor's process: follow bars, compute on a timer, publish what is new, and answer questions about it.

It serves what came back through the tickerplant, so that its answers, the rdb's and the journal's are the same rows.
"""

import time
from typing import Any

from plant.errors import SettingsError
from plant.memory.tables import MemoryTables, Tidying
from plant.query.answers import Answerer
from plant.rows.batch import Batch
from plant.runtime.lifecycle import Process, Timer, Vitals, log, run
from plant.serving.follower import Follower
from plant.serving.opening import follow, reports_of, server_of, usage_of
from plant.stream.subscriber import Subscriber
from processor.engine import Engine

FOLLOWED = ("bars", "indicators", "signals", "gaps")
SERVED = ("indicators", "signals")


class Processor(Process):
    """Indicators and signals on a timer."""

    name = "processor"

    def startup(self) -> dict[str, Any]:
        """Open the query socket and say hello to the tickerplant. Raises SettingsError where nobody may publish."""
        settings, own = self.settings, self.settings.processor
        self.engine = Engine(own.min_bars)
        self.timer = Timer(own.timer_s, 0)
        self.tables = MemoryTables(settings.table_schema, SERVED)
        self._computing = False
        vitals, usage = Vitals(self.name), usage_of(settings, own, self.name)
        reports = reports_of(settings, vitals, usage)
        if reports is None:
            raise SettingsError("a processor publishes what it computes; set ingest in [upstream]")
        self.publisher = reports.publisher
        self.follower = self.opened(
            Follower(vitals, self._follow, self.take, self.tables.release, reports, whole=False)
        )
        self.opened(Tidying(self.tables, lambda: self.follower.caught_up))
        server = server_of(settings, own, Answerer(self.tables), lambda: self.follower.status(settings), usage)
        return {"listen": self.opened(server).address}

    def step(self) -> None:
        """Take what has come, and compute when the timer says so; bars after a pause need not wait for it."""
        self.follower.step()
        if self.engine.waiting and self.follower.caught_up and self.publisher.connected and self.timer.due():
            self._computing = True
            self._compute()

    def take(self, batch: Batch) -> None:
        """Take bars; our own rows only while the journal is replayed, to know what was published before we started."""
        self.tables.append(batch)
        if batch.table == "bars" or not self._computing:
            self.engine.take(batch)

    def _follow(self) -> Subscriber:
        """Follow from the journal's beginning on: a mean of fifty bars does not begin anew with the day."""
        return follow(self.settings, self.name, FOLLOWED, 0)

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
