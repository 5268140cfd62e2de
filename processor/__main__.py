"""The processor's process: follow bars, compute on a timer, publish what is new, and answer questions about it.

It serves what came back through the tickerplant, so that its answers, the rdb's and the journal's are the same rows.
"""

import time
from typing import Any

from plant.client.connection import Connection
from plant.errors import HistoryError, QueryLimit, SettingsError, Unavailable
from plant.memory.tables import MemoryTables, Tidying
from plant.query.answers import Answerer
from plant.rows.batch import Batch
from plant.runtime.lifecycle import Process, Timer, Vitals, log, run
from plant.serving.follower import Follower
from plant.serving.opening import follow, last_close, reports_of, server_of, usage_of
from plant.sql.engine import SqlEngine
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester
from processor.engine import Engine
from processor.warmup import warm_up

FOLLOWED = ("bars", "indicators", "signals", "gaps")
SERVED = ("indicators", "signals")

HISTORY_S = 10.0
"""Longest an answer of the history may take to begin."""


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
        self._waiting = ""  # for the history, and why
        self._journal = self.opened(Requester(settings.journal_address, "tickerplant"))
        self._history = self.opened(
            Connection("hdb", settings.address(settings.hdb.port), timeout_s=HISTORY_S, warn_unknown=False)
        )
        vitals, usage = Vitals(self.name), usage_of(settings, own, self.name)
        reports = reports_of(settings, vitals, usage)
        if reports is None:
            raise SettingsError("a processor publishes what it computes; set ingest in [upstream]")
        self.publisher = reports.publisher
        self.follower = self.opened(
            Follower(
                vitals,
                self._follow,
                self.take,
                self.tables.release,
                reports,
                whole=False,
                trouble=lambda: self._waiting,
            )
        )
        self.opened(Tidying(self.tables, lambda: self.follower.caught_up))
        answerer, status = Answerer(self.tables, SqlEngine()), lambda: self.follower.status(settings)
        server = server_of(settings, own, answerer, status, usage, self.follower.missing)
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

    def _follow(self) -> Subscriber | None:
        """Follow behind the last closed day, once history has given what is needed of the bars up to there."""
        self._waiting = ""
        after = last_close(self._journal)
        if after is None:
            return None
        if after:  # else the journal has everything
            engine = Engine(self.settings.processor.min_bars)
            try:
                warm_up(engine, self._history.as_of(after), self.settings.table_schema)
            except (Unavailable, HistoryError, QueryLimit) as error:
                self._waiting = f"waiting for the history: {error}"
                return None
            self.engine = engine
        self.follower.release(after)
        return follow(self.settings, self.name, FOLLOWED, after)

    def _compute(self) -> None:
        started = time.perf_counter()
        if passed_over := self.engine.passed_over:
            log.warning(
                "bars passed over", bars=passed_over, reason="they are older than what was read of their series"
            )
            self.engine.passed_over = 0
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
