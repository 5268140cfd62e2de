"""Which gaps a reader reports: each lost one once, however often it reads the journal.

A journal that lost records skips them at every replay. The reports are rows of the table `gaps`, so they are in the
same journal: a reader that follows that table learns from it what it has reported before.
"""

from plant.rows.batch import Batch
from plant.stream.stream import Gap


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
