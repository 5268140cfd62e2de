"""The hdb's process: write what comes, close days, answer questions about history."""

import time
from typing import Any

import pyarrow as pa

from hdb.reader.answering import HistoryAnswerer
from hdb.writer.clock import Clock, ends_in
from hdb.writer.closer import Closer
from hdb.writer.housekeeping import Housekeeping
from hdb.writer.journal_sums import Journaled
from hdb.writer.parts import Parts
from hdb.writer.store import Store
from plant.errors import HistoryError, Unavailable
from plant.history.catalogue import End
from plant.query import questions
from plant.query.frames import from_ipc
from plant.query.limits import Budget
from plant.rows.batch import Batch
from plant.rows.schema import Schema, Table
from plant.runtime.lifecycle import log, run
from plant.runtime.settings import Settings
from plant.serving.follower import Follower
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester
from plant.wire import messages

RDB_S = 10.0
"""Longest the rdb may take to begin its part of an answer."""


class Hdb(Follower):
    """History: its writer, and who answers about it."""

    name = "hdb"
    serves = ()

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, settings.hdb.port)
        self._closer: Closer | None = None

    def startup(self) -> dict[str, Any]:
        """Take hold of the history and open the query socket."""
        settings = self.settings
        self.store = Store(settings.plant.data, self.schema, settings.days)
        self.clock = Clock(self.store.days, self.store.catalogue.ended_day)
        self.parts = Parts(self.store, settings.hdb.part_s, settings.hdb.part_rows)
        return {**super().startup(), "through": self.store.catalogue.through}

    def answering(self) -> HistoryAnswerer:
        """Return who answers questions, about what is in the catalogue at the time."""
        rdb = Requester(self.settings.address(self.settings.rdb.port), "rdb", RDB_S, self.name)

        def today(question: questions.Select, budget: Budget) -> pa.Table:
            return from_ipc(rdb.table(question.to_wire(), min(budget.left_s, RDB_S)))

        return HistoryAnswerer(self.store.folder, self.schema, today)

    def step(self) -> None:
        """Take what has come, make parts of it, end days."""
        if self.parts.full:
            time.sleep(0.05)  # the journal keeps what is not taken
            self._note(self.state())
            return
        super().step()
        subscriber = self._subscriber
        if subscriber is None:
            return
        stream = subscriber.stream
        newest = stream.newest
        seen = stream.cursor or 0  # a stream of all tables is complete up to its cursor
        crc = newest.header_crc if newest is not None and newest.seq == seen else 0
        self.parts.cut_if_due(seen, crc, self.clock.ended_day)
        if self.caught_up and self._publisher and self._publisher.connected:
            day = self.clock.due(time.time_ns())
            if day is not None:
                self._tell({"time": time.time_ns(), "day": day, "state": "end"})

    def take(self, batch: Batch) -> None:
        """Add a batch to the next part; an end of day cuts one right behind it."""
        self.clock.see(batch.received)
        self.parts.add(batch)
        if batch.table != "days":
            return
        for day, again in ends_in(batch):
            if self.clock.end(day, batch.received, again):
                self.parts.cut(batch.seq, End(batch.seq, day), 0, self.clock.ended_day)
                break
            if self._closer is not None and any(e.day == day for e in self.store.catalogue.ends):
                self._closer.nudge()
            else:
                log.info("end of day passed over", day=day, seq=batch.seq, ended=self.clock.ended_day)

    def subscribe(self) -> Subscriber | None:
        """Follow the plant from where the history ends, if its journal is still the one the history was made from."""
        try:
            every = self._declarations()
            self.store.schema = Schema({t.name: t for t in every}.values())
            journaled = Journaled(self._journal, {t.schema_id: t for t in every}, self.store.schema, self.store.days)
            self._check_journal(journaled)
        except Unavailable:
            self._note("no tickerplant")
            return None
        subscriber = Subscriber(
            self.schema,
            self.schema,
            self.settings.publish_address,
            self.settings.journal_address,
            cursor=self.store.catalogue.through,
            name=self.name,
            merge=True,
            as_journaled=True,
        )
        subscriber.stream.by_id.update({t.schema_id: t for t in every})
        house = Housekeeping(self.store, self.settings.hdb.compact_mb, self.settings.hdb.keep_days)
        self._closer = Closer(self.store, journaled, house, self._tell, self._confirm)
        return subscriber

    def state(self) -> str:
        """Return what the process does, or what is wrong."""
        if self.parts.error or (self._closer and self._closer.error):
            return self.parts.error or self._closer.error  # type: ignore[union-attr]
        return (self._closer and self._closer.progress) or super().state()

    def status(self) -> dict[str, Any]:
        """Return what the question "status" answers."""
        catalogue = self.store.catalogue
        return {
            **super().status(),
            "through": catalogue.through,
            "closed": catalogue.closed,
            "closed_day": catalogue.closed_day,
            "closed_rows": catalogue.closed_rows,
            "ends": [e.day for e in catalogue.ends],
            "ended_day": catalogue.ended_day,
        }

    def shutdown(self) -> None:
        """Stop writing, and let go of the history."""
        if self._closer is not None:
            self._closer.close()
        if hasattr(self, "parts"):
            self.parts.close()
        super().shutdown()
        if hasattr(self, "store"):
            self.store.close()

    def _declarations(self) -> list[Table]:
        """Return every declaration that records of the journal may have; those in force now come last."""
        (answer,) = self._journal.ask(**messages.ask_schema(every=True))
        return [*messages.declarations_of(answer), *self.schema.values()]

    def _check_journal(self, journaled: Journaled) -> None:
        """Take out of the history what the journal lost after it was published (a power cut before an fsync)."""
        catalogue, end = self.store.catalogue, journaled.end()
        if end < catalogue.closed:
            raise HistoryError(
                f"{self.store.folder}: days are closed up to seq {catalogue.closed:,}, but the journal ends at "
                f"{end:,}; restore the journal, or give this plant another [plant] data folder"
            )
        lost: int | None = None
        for part in reversed(catalogue.parts):
            found = journaled.record_crc(part.last) if part.record_crc and part.last <= end else None
            if part.last > end or (found is not None and found != part.record_crc):
                lost = part.first - 1
            elif found is not None:
                break
        if lost is not None:
            self.store.roll_back(lost)

    def _tell(self, row: dict[str, Any]) -> None:
        if self._publisher is not None:
            self._publisher.publish("days", {"sym": self.settings.source_name(self.name), **row})

    def _confirm(self, seq: int) -> None:
        self._journal.ask(**messages.confirm(seq))


def main() -> None:
    """Run an hdb."""
    run(Hdb, name="hdb")


if __name__ == "__main__":
    main()
