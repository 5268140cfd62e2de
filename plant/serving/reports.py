"""What a process tells of itself: that it lives, what was asked of it, and what its reading of the journal lacked.

A journal that lost records skips them at every replay. The reports are rows of the table `gaps`, so they are in the
same journal: a reader that follows that table learns from it what it has reported before, and reports each lost one
once, however often it reads the journal.
"""

import time
from typing import Any

from plant.rows.batch import Batch
from plant.runtime.lifecycle import Timer, Vitals
from plant.serving.query_log import Usage
from plant.stream.publisher import Publisher
from plant.stream.stream import Gap

USAGE_S = 0.5
"""Pause between batches of the table `queries`."""


class GapReports:
    """The gaps that `reader` (its rows in `gaps` have this `sym`) has reported as lost."""

    def __init__(self, reader: str) -> None:
        self.reader = reader
        self._lost: set[tuple[str, int, int]] = set()

    def learn(self, batch: Batch) -> None:
        """Take a batch of the table `gaps` as it comes out of the plant; batches of other tables are passed over."""
        if batch.table == "gaps":
            for row in batch.rows():
                if row["sym"] == self.reader and row["state"] == "lost":
                    self._lost.add((row["table_name"], row["first"], row["last"]))

    def due(self, gaps: list[Gap], caught_up: bool) -> list[Gap]:
        """Take what is to be reported now out of `gaps`, and what was reported before; return the former, in order.

        What is lost waits until the journal is read to its end: it may tell that it was reported.
        """
        due, waiting = [], []
        for gap in gaps:
            if gap.state != "lost":
                due.append(gap)
            elif not caught_up:
                waiting.append(gap)
            elif not self._reported(gap):
                self._lost.add((gap.table, gap.first, gap.last))
                due.append(gap)
        gaps[:] = waiting
        return due

    def _reported(self, gap: Gap) -> bool:
        return any(table == gap.table and first <= gap.first and gap.last <= last for table, first, last in self._lost)


class Reports:
    """What a process tells of itself: rows of `heartbeats`, `gaps` and `queries`, published under its own name.

    Nothing while the tickerplant is away, so that nothing piles up.
    """

    def __init__(self, publisher: Publisher, vitals: Vitals, heartbeat_s: float, usage: Usage | None = None) -> None:
        self.publisher = publisher
        self._vitals = vitals
        self._usage = usage
        self._gaps = GapReports(publisher.name)
        self._heartbeat = Timer(heartbeat_s)
        self._usage_due = Timer(USAGE_S)

    def learn(self, batch: Batch) -> None:
        """Take a batch of the plant: of `gaps`, it tells what was reported before."""
        self._gaps.learn(batch)

    def send(self, gaps: list[Gap], caught_up: bool) -> None:
        """Publish what is due; take what is reported out of `gaps`."""
        publisher = self.publisher
        if not publisher.connected:
            return
        if self._usage is not None and self._usage_due.due():
            self._usage.publish(publisher)
        if self._heartbeat.due() and not publisher.crowded:
            publisher.publish("heartbeats", self._vitals.row())
        for gap in self._gaps.due(gaps, caught_up):
            publisher.publish("gaps", gap_row(gap, publisher.name))


def gap_row(gap: Gap, reader: str) -> dict[str, Any]:
    """Return the row of the table `gaps` that says so."""
    return {
        "time": time.time_ns(),
        "sym": reader,
        "table_name": gap.table,
        "first": gap.first,
        "last": gap.last,
        "state": gap.state,
        "detail": gap.detail,
    }
