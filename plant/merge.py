"""Records as a stream hands them on, decoded into batches; runs of one-row records become one batch."""

from plant.batch import Batch
from plant.schema import Table
from plant.singles import Singles
from plant.stream import decoded
from plant.wire import Header

Raw = tuple[Table, Header, bytes, int]
"""A record's table and envelope, the message it is in, and where its payload starts."""

SHORTEST_RUN = 4
"""Fewer one-row records in a row are decoded one by one."""


def raw(table: Table, header: Header, message: bytes, start: int) -> Raw:
    """Hand on a record undecoded."""
    return table, header, message, start


class Merge:
    """Turns raw records into batches, in order."""

    def __init__(self) -> None:
        self._singles: dict[int, Singles] = {}

    def batches(self, records: list[Raw]) -> list[Batch]:
        """Return the batches of the records."""
        found: list[Batch] = []
        at = 0
        while at < len(records):
            table, header, message, _ = records[at]
            end = at + 1
            if header.rows == 1:
                while end < len(records) and _goes_on(records[end], table, message):
                    end += 1
            if end - at >= SHORTEST_RUN and (batch := self._run(table, message, records[at:end])) is not None:
                found.append(batch)
            else:
                found += [decoded(*record) for record in records[at:end]]
            at = end
        return found

    def _run(self, table: Table, message: bytes, run: list[Raw]) -> Batch | None:
        singles = self._singles.get(table.schema_id)
        if singles is None:
            singles = self._singles[table.schema_id] = Singles(table)
        return singles.decode(message, [header for _, header, _, _ in run], [start for *_, start in run])


def _goes_on(record: Raw, table: Table, message: bytes) -> bool:
    return record[0] is table and record[2] is message and record[1].rows == 1
