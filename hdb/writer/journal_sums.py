"""What the journal holds between two seqs, as sums of rows: what parts are compared with."""

from collections.abc import Iterator, Mapping
from typing import Any

from hdb.writer.store import by_day
from plant.errors import HistoryError, WireError
from plant.history.catalogue import Part
from plant.history.days import Days
from plant.history.partition_file import with_every_column
from plant.rows.batch import Batch, arrow_of
from plant.rows.row_hashes import MODULUS, row_sum
from plant.rows.schema import Schema, Table
from plant.transport.request import Requester
from plant.wire import messages
from plant.wire.decoding import Merge, read_until
from plant.wire.envelope import Header, header_at

SUMMED_ROWS = 65_536
"""Rows that are decoded before their sums are taken."""

Sums = dict[tuple[str, str], tuple[int, int]]
"""(table, day) -> rows, row_sum."""


class Journaled:
    """The journal as the tickerplant answers it. Raises Unavailable if it does not.

    `by_id` are the declarations its records may have, by schema id; records of others are not looked at.
    """

    def __init__(self, requester: Requester, by_id: Mapping[int, Table], schema: Schema, days: Days) -> None:
        self._requester = requester
        self._by_id = by_id
        self._schema = schema
        self._days = days

    def end(self) -> int:
        """Return the seq of the last record."""
        return int(self._requester.status()["seq"])

    def record_crc(self, seq: int) -> int | None:
        """Return the header_crc of the record `seq`, None if the journal has no such record."""
        _, chunk = self._requester.ask(**messages.ask_journal(seq, max_bytes=1))
        try:
            header = header_at(chunk, 0) if chunk else None
        except WireError:
            return None
        return header.header_crc if header and header.seq == seq else None

    def batches(self, first: int, last: int, tables: tuple[str, ...] | None = None) -> Iterator[Batch]:
        """Yield the batches with seqs from `first` to `last`, of some tables or all. Raises HistoryError if damaged."""
        merge = Merge(unreadable=_refuse)
        wanted = {i: t for i, t in self._by_id.items() if tables is None or t.name in tables}
        while first <= last:
            head, chunk = self._requester.ask(**messages.ask_journal(first))
            found, read = read_until(chunk, wanted, last)
            if read.wrong:
                raise HistoryError(f"the journal is damaged behind seq {max(read.reached, first):,}: {read.wrong}")
            yield from merge.batches(found)
            if not chunk:
                if messages.beat_of(head).seq < last:
                    raise HistoryError(f"the journal ends before seq {last:,}, which the history has")
                return
            first = read.reached + 1

    def sums(self, first: int, last: int) -> Sums:
        """Return rows and sums for each table and day."""
        sums: Sums = {}
        waiting: dict[str, list[Batch]] = {}
        rows = 0
        for batch in self.batches(first, last):
            waiting.setdefault(batch.table, []).append(batch)
            rows += len(batch)
            if rows >= SUMMED_ROWS:
                self._add(sums, waiting)
                rows = 0
        self._add(sums, waiting)
        return sums

    def differences(self, part: Part) -> list[str]:
        """Return what a part and the journal do not have in common; empty if nothing."""
        journaled = self.sums(part.first, part.last)
        stored = {(f.table, f.first_day): (f.rows, f.row_sum) for f in part.files}
        return [
            f"{table} of {day}, seqs {part.first:,} to {part.last:,}: the journal has "
            f"{_told(journaled.get((table, day)))}, the history {_told(stored.get((table, day)))}"
            for table, day in sorted(journaled.keys() | stored.keys())
            if journaled.get((table, day)) != stored.get((table, day))
        ]

    def _add(self, sums: Sums, waiting: dict[str, list[Batch]]) -> None:
        for name, batches in waiting.items():
            rows = with_every_column(arrow_of(batches), self._schema[name])
            for day, of_day in by_day(self._days, rows):
                count, total = sums.get((name, day), (0, 0))
                sums[name, day] = (count + of_day.num_rows, (total + row_sum(of_day)) % MODULUS)
        waiting.clear()


def _refuse(table: Table, header: Header, why: WireError) -> None:
    raise HistoryError(f"the journal's seq {header.seq:,}, of {table.name}, cannot be read: {why}")


def _told(found: Any) -> str:
    return f"{found[0]:,} rows with the sum {found[1]:#018x}" if found else "none"
