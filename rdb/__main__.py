"""The rdb's process: follow the plant from the last end of day, keep every row in memory, answer questions."""

import os
from typing import Any

from plant.client import subscriber_of
from plant.lifecycle import STEP_S, Process, Timer, Vitals, log, run
from plant.memory import MemoryTable
from plant.publisher import Publisher
from plant.reports import Reports
from plant.server import QueryServer


class Rdb(Process):
    """Today's tables in memory."""

    name = "rdb"

    def startup(self) -> dict[str, Any]:
        """Open the query socket and start reading the journal."""
        settings = self.settings
        self.schema = settings.schema
        self.tables = {name: MemoryTable(table) for name, table in self.schema.items()}
        self.vitals = Vitals(self.name)
        self.vitals.state = "replaying the journal"
        self.server = QueryServer(settings.address(settings.rdb.port), self.tables, self.status)
        self.subscriber = subscriber_of(settings, None)
        self.publisher = Publisher(self.name, settings.address(settings.tickerplant.ingest_port), self.schema)
        self.reports = Reports(self.publisher, self.vitals, Timer(settings.plant.heartbeat_s))
        return {"listen": self.server.address}

    def step(self) -> None:
        """Append what has come."""
        for batch in self.subscriber.poll(STEP_S):
            self.tables[batch.table].append(batch)
            self.vitals.rows += len(batch)
        self.vitals.seq_seen = self.subscriber.stream.cursor or 0
        self._note_state()
        self.reports.send(self.subscriber.stream)

    def shutdown(self) -> None:
        """Close the sockets."""
        if hasattr(self, "server"):
            self.server.close()
        if hasattr(self, "publisher"):
            self.publisher.close(1.0)
            self.subscriber.close()

    def status(self) -> dict[str, Any]:
        """Return what `status` answers."""
        return {"name": self.name, "pid": os.getpid(), "seq": self.vitals.seq_seen, "rows": self.vitals.rows,
                "state": self.vitals.state, "caught_up": self.subscriber.caught_up, "lag": self.subscriber.lag}

    def _note_state(self) -> None:
        state = ("no tickerplant" if not self.subscriber.connected else
                 "ok" if self.subscriber.caught_up else "replaying the journal")
        if state != self.vitals.state:
            self.vitals.state = state
            log.info("rdb", state=state, rows=self.vitals.rows, seq=self.vitals.seq_seen)


def main() -> None:
    """Run an rdb."""
    run(Rdb, name="rdb")


if __name__ == "__main__":
    main()
