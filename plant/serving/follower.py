"""A process that follows the plant, keeps tables in memory and answers questions about them: the rdb, the processor."""

import os
import threading
import time
from collections.abc import Mapping
from typing import Any

from plant.errors import SchemaError, Unavailable
from plant.memory.table import MemoryTable
from plant.query.answers import Answerer
from plant.query.limits import MEBIBYTE
from plant.rows.batch import Batch
from plant.runtime.lifecycle import STEP_S, Process, Timer, Vitals, log
from plant.runtime.settings import Settings
from plant.serving.query_log import Usage
from plant.serving.reports import GapReports
from plant.serving.server import Answering, QueryServer
from plant.stream.publisher import Publisher
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester

USAGE_S = 0.5
"""Pause between batches of the table `queries`."""

ASK_S = 2.0
"""Longest the tickerplant may take to answer where the last closed day ends."""

READING_S = 30.0
"""A process that reads the journal sorts nothing for so long, so that it has caught up sooner."""

IDLE_S = 0.05
"""Pause between two looks for something to tidy."""


class Follower(Process):
    """Follows the tables `follows` (None: all) and serves those of `serves` on `port`.

    One that follows `gaps` among them reports what the journal has lost once, not at each start. One that follows all
    tables ends, to be started again, if the plant begins to declare them otherwise: else it would miss rows.

    The journal is read only once the tickerplant knows this process as a publisher: what an earlier process of its name
    had under way is then in the journal, or never will be.

    Rows of days that are closed are in the history; once the tickerplant says so, the tables let go of them. One that
    is `of_today` does not read the journal before the last closed day at all.
    """

    follows: tuple[str, ...] | None = None
    serves: tuple[str, ...] | None = None
    of_today = True

    def __init__(self, settings: Settings, port: int) -> None:
        super().__init__(settings)
        self.schema = settings.table_schema
        self.vitals = Vitals(self.name)
        self.tables: Mapping[str, MemoryTable] = {
            name: MemoryTable(self.schema[name]) for name in (self.schema if self.serves is None else self.serves)
        }
        self._port = port
        self._subscriber: Subscriber | None = None
        self._server: QueryServer | None = None
        self._publisher: Publisher | None = None
        self._usage: Usage | None = None
        self._heartbeat = Timer(settings.plant.heartbeat_s)
        self._gap_reports = GapReports(settings.source_name(self.name))
        self._usage_due = Timer(USAGE_S)
        self._journal = Requester(settings.journal_address, "tickerplant", ASK_S)
        self._released = 0
        self._stopping = threading.Event()
        self._tidying = threading.Thread(target=self._tidy, name="tidying", daemon=True)

    def startup(self) -> dict[str, Any]:
        """Open the query socket and say hello to the tickerplant."""
        settings = self.settings
        answering = getattr(settings, self.name)
        self._usage = Usage(self.name) if answering.log_queries and settings.ingest_address else None
        self._server = QueryServer(
            settings.address(self._port),
            self.answering(),
            self.status,
            limits=answering.limits,
            held_bytes=answering.unread_mb * MEBIBYTE,
            usage=self._usage,
        )
        if settings.ingest_address:
            self._publisher = Publisher(settings.source_name(self.name), settings.ingest_address, self.schema)
        self._tidying.start()
        self._note("no tickerplant")
        return {"listen": self._server.address}

    def answering(self) -> Answering:
        """Return who answers questions."""
        return Answerer(self.tables)

    def step(self) -> None:
        """Take what has come, and report."""
        if self._subscriber is None:
            if self._publisher and not self._publisher.connected:
                time.sleep(0.05)
                return
            self._subscriber = self.subscribe()
            if self._subscriber is None:
                return
        batches = self._subscriber.poll(STEP_S)
        if self.follows is None and (changed := self._subscriber.redeclared):
            raise SchemaError(
                f"the plant was restarted with other declarations than this process knows: {changed}; "
                f"start the {self.name} again (supervisord does), so that it takes their rows"
            )
        for batch in batches:
            self._gap_reports.learn(batch)
            self.take(batch)
            self.vitals.rows += len(batch)
        self.vitals.seq_seen = self._subscriber.stream.cursor or 0
        self.release(min(self._subscriber.confirmed, self._subscriber.stream.complete))
        self._note(self.state())
        self._report(self._subscriber)

    def subscribe(self) -> Subscriber | None:
        """Return the subscriber to follow the plant with, None if that is not possible yet."""
        after = 0
        if self.of_today:
            try:
                after = int(self._journal.status()["confirmed"])
            except Unavailable:
                return None
        self.release(after)
        settings = self.settings
        followed = self.schema if self.follows is None else self.follows
        publish, journal = settings.publish_address, settings.journal_address
        return Subscriber(self.schema, followed, publish, journal, cursor=after, name=self.name, merge=True)

    def release(self, seq: int) -> None:
        """Let go of the rows with seq <= `seq`, which the history has."""
        if seq > self._released:
            self._released = seq
            for table in self.tables.values():
                table.release(seq)

    def state(self) -> str:
        """Return one line on how this process is; "ok" if all is well."""
        if self._subscriber is None or not self._subscriber.connected:
            return "no tickerplant"
        return "ok" if self._subscriber.caught_up else "replaying the journal"

    def take(self, batch: Batch) -> None:
        """Take a batch of a followed table; the tables served keep it."""
        if (table := self.tables.get(batch.table)) is not None:
            table.append(batch)

    def shutdown(self) -> None:
        """Flush what was published and close the sockets."""
        self._stopping.set()
        if self._tidying.is_alive():
            self._tidying.join()
        if self._server:
            self._server.close()
        if self._publisher:
            self._publisher.close(2.0)
        if self._subscriber:
            self._subscriber.close()
        self._journal.close()

    @property
    def publisher(self) -> Publisher:
        """The process's own publisher."""
        assert self._publisher is not None, "startup has not run"
        return self._publisher

    @property
    def caught_up(self) -> bool:
        """Whether all that the journal holds has been taken."""
        return self._subscriber is not None and self._subscriber.caught_up

    def status(self) -> dict[str, Any]:
        """Return what the question "status" answers."""
        return {
            "name": self.name,
            "pid": os.getpid(),
            "seq": self.vitals.seq_seen,
            "rows": self.vitals.rows,
            "state": self.vitals.state,
            "caught_up": self.caught_up,
            "lag": self._subscriber.lag if self._subscriber else 0,
            "publish_port": self.settings.tickerplant.publish_port,
            "journal_port": self.settings.tickerplant.journal_port,
            "released": self._released,
        }

    def _tidy(self) -> None:
        """Sort and merge what the tables have taken, a step of each table in turn; while the journal is read, later."""
        behind_since: float | None = None
        while not self._stopping.is_set():
            behind_since = None if self.caught_up else behind_since or time.monotonic()
            reading = behind_since is not None and time.monotonic() - behind_since < READING_S
            if reading or not sum([table.tidy() for table in self.tables.values()]):
                self._stopping.wait(IDLE_S)

    def _note(self, state: str) -> None:
        if state != self.vitals.state:
            self.vitals.state = state
            log.info(self.name, state=state, rows=self.vitals.rows, seq=self.vitals.seq_seen)

    def _report(self, subscriber: Subscriber) -> None:
        """Publish heartbeats and gaps; nothing while the tickerplant is away, so that nothing piles up."""
        if not self._publisher or not self._publisher.connected:
            return
        if self._usage is not None and self._usage_due.due():
            self._usage.publish(self.publisher)
        if self._heartbeat.due() and self.publisher.waiting < 10:
            self.publisher.publish("heartbeats", self.vitals.row())
        for gap in self._gap_reports.due(subscriber.stream.gaps, subscriber.caught_up):
            self.publisher.publish(
                "gaps",
                {
                    "time": time.time_ns(),
                    "sym": self._gap_reports.reader,
                    "table_name": gap.table,
                    "first": gap.first,
                    "last": gap.last,
                    "state": gap.state,
                    "detail": gap.detail,
                },
            )
