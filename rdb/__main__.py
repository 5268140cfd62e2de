"""The rdb's process: follow every table of the plant since the last end of day, keep it in memory, answer questions.

With a limit on what is kept, the oldest rows go once the hdb has them on disk; `plant.connect()` finds them there.
"""

import time
from typing import Any

from plant.errors import Unavailable
from plant.memory.tables import MemoryTables, Tidying
from plant.query.answers import Answerer
from plant.rows.batch import Batch
from plant.runtime.lifecycle import Process, Timer, Vitals, log, run
from plant.serving.follower import Follower
from plant.serving.opening import follow, last_close, reports_of, server_of, usage_of
from plant.sql.engine import SqlEngine
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester
from rdb.retention import Keeping

LOOK_S = 1.0
"""Pause between looks at what is kept."""

ASK_S = 0.2
"""Longest the hdb may take to answer what it has."""


class Rdb(Process):
    """Today's tables in memory."""

    name = "rdb"

    def startup(self) -> dict[str, Any]:
        """Make the tables, open the query socket and say hello to the tickerplant."""
        settings, own = self.settings, self.settings.rdb
        self.tables = MemoryTables(settings.table_schema, settings.table_schema)
        self._keeping = Keeping(own.keep_gb, own.keep_hours)
        self._look = Timer(LOOK_S)
        self._hdb = self.opened(Requester(settings.address(settings.hdb.port), "hdb", ASK_S))
        self._journal = self.opened(Requester(settings.journal_address, "tickerplant"))
        vitals, usage = Vitals(self.name), usage_of(settings, own, self.name)
        reports = reports_of(settings, vitals, usage)
        following = Follower(
            vitals, self._follow, self.take, self._release, reports, whole=True, reached=self.tables.reach
        )
        self.follower = self.opened(following)
        self.opened(Tidying(self.tables, lambda: self.follower.caught_up))
        answerer, status = Answerer(self.tables, SqlEngine()), lambda: self.follower.status(settings)
        server = server_of(settings, own, answerer, status, usage, self.follower.missing)
        return {"listen": self.opened(server).address}

    def step(self) -> None:
        """Take what has come; let go of what is too much or too old."""
        self.follower.step()
        if self._keeping.limited and self._look.due():
            self._let_go()

    def take(self, batch: Batch) -> None:
        """Take a batch."""
        self.tables.append(batch)
        if self._keeping.limited:
            self._keeping.note(batch.received, batch.seq, len(batch))

    def _follow(self) -> Subscriber | None:
        """Follow every table from the last closed day's end on."""
        after = last_close(self._journal)
        if after is None:
            return None
        self.follower.release(after)
        return follow(self.settings, self.name, self.settings.table_schema, after, by_table=True)

    def _release(self, seq: int) -> None:
        self.tables.release(seq)
        self._keeping.released(seq)

    def _let_go(self) -> None:
        """Release what is beyond the limits, as far as the hdb has it."""
        wanted = self._keeping.wanted(time.time_ns(), self.tables.nbytes)
        if not wanted:
            return
        try:
            through = int(self._hdb.status()["through"])
        except Unavailable:
            log.debug("nothing is let go", reason="the hdb does not answer")
            return
        self.follower.release(min(wanted, through))


def main() -> None:
    """Run an rdb."""
    run(Rdb, name="rdb")


if __name__ == "__main__":
    main()
