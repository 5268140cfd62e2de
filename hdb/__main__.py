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
from plant.query.limits import Budget
from plant.query.streams import from_ipc
from plant.rows.batch import Batch
from plant.rows.schema import Schema, Table
from plant.runtime.lifecycle import Process, Vitals, log, run
from plant.serving.follower import Follower
from plant.serving.opening import ASK_S, follow, reports_of, server_of, usage_of
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester
from plant.wire import messages

RDB_S = 10.0
"""Longest the rdb may take to begin its part of an answer."""


class Hdb(Process):
    """History: its writer, and who answers about it."""

    name = "hdb"

    def startup(self) -> dict[str, Any]:
        """Take hold of the history and open the query socket."""
        settings, own = self.settings, self.settings.hdb
        self.schema = settings.table_schema
        self._closer: Closer | None = None
        self.store = self.opened(Store(settings.plant.data, self.schema, settings.days))
        self.clock = Clock(self.store.days, self.store.catalogue.ended_day)
        self.parts = self.opened(Parts(self.store, own.part_s, own.part_rows))
        self._journal = self.opened(Requester(settings.journal_address, "tickerplant", ASK_S))
        vitals, usage = Vitals(self.name), usage_of(settings, own, self.name)
        reports = reports_of(settings, vitals, usage)
        self.follower = self.opened(
            Follower(vitals, self._follow, self.take, lambda seq: None, reports, whole=True, trouble=self._doing)
        )
        server = self.opened(server_of(settings, own, self._answerer(), self.status, usage))
        return {"listen": server.address, "through": self.store.catalogue.through}

    def step(self) -> None:
        """Take what has come, make parts of it, end days."""
        if self.parts.full:
            time.sleep(0.05)  # the journal keeps what is not taken
            self.follower.note(self.follower.state())
            return
        self.follower.step()
        if self.follower.subscriber is None:
            return
        stream = self.follower.subscriber.stream
        newest = stream.newest
        seen = stream.cursor or 0  # a stream of all tables is complete up to its cursor
        crc = newest.header_crc if newest is not None and newest.seq == seen else 0
        self.parts.cut_if_due(seen, crc, self.clock.ended_day)
        if self.follower.caught_up and self.follower.connected:
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

    def status(self) -> dict[str, Any]:
        """Return what the question "status" answers."""
        catalogue = self.store.catalogue
        return {
            **self.follower.status(self.settings),
            "through": catalogue.through,
            "closed": catalogue.closed,
            "closed_day": catalogue.closed_day,
            "closed_rows": catalogue.closed_rows,
            "ends": [e.day for e in catalogue.ends],
            "ended_day": catalogue.ended_day,
        }

    def _answerer(self) -> HistoryAnswerer:
        """Return who answers questions, about what is in the catalogue at the time."""
        rdb = Requester(self.settings.address(self.settings.rdb.port), "rdb", RDB_S, self.name)

        def today(question: questions.Select, budget: Budget) -> pa.Table:
            return from_ipc(rdb.table(question.to_wire(), min(budget.left_s, RDB_S)))

        archive = self.settings.archive
        return HistoryAnswerer(self.store.folder, self.schema, today, archive.place if archive.read else None)

    def _follow(self) -> Subscriber | None:
        """Follow the plant from where the history ends, if its journal is still the one the history was made from."""
        try:
            every = self._declarations()
            self.store.schema = Schema({t.name: t for t in every}.values())
            journaled = Journaled(self._journal, {t.schema_id: t for t in every}, self.store.schema, self.store.days)
            self._check_journal(journaled)
        except Unavailable:
            return None
        subscriber = follow(self.settings, self.name, self.schema, self.store.catalogue.through, as_journaled=True)
        subscriber.stream.by_id.update({t.schema_id: t for t in every})
        own, archive = self.settings.hdb, self.settings.archive
        house = Housekeeping(
            self.store,
            own.compact_mb,
            own.keep_days,
            archive.keep_days if archive.warehouse else None,
            archive.warehouse,
        )
        self._closer = self.opened(Closer(self.store, journaled, house, self._tell, self._confirm))
        return subscriber

    def _doing(self) -> str:
        """Return what is wrong, or which day is closed; "" for nothing."""
        closer = self._closer
        return self.parts.error or (closer.error or closer.progress if closer else "")

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
        if self.follower.publisher is not None:
            self.follower.publisher.publish("days", {"sym": self.settings.source_name(self.name), **row})

    def _confirm(self, seq: int) -> None:
        self._journal.ask(**messages.confirm(seq))


def main() -> None:
    """Run an hdb."""
    run(Hdb, name="hdb")


if __name__ == "__main__":
    main()
