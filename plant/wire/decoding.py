"""Records as a stream hands them on, decoded into batches; runs of one-row records become one batch."""

from collections.abc import Callable
from typing import Any

from plant.rows.batch import Batch
from plant.rows.schema import Table
from plant.wire import record
from plant.wire.runs import Run
from plant.wire.singles import Singles

Decode = Callable[[Table, Run], Any]
"""Makes what is handed on from records of a table."""


def decoded(table: Table, run: Run) -> Batch:
    """Hand on a record as a Batch."""
    start, header = run.starts[0], run.first
    return record.decode(table, header, memoryview(run.message)[start : start + header.length])


Raw = Batch | tuple[Table, Run]
"""A batch, or records of one row that may go with others."""

SHORTEST_RUN = 4
"""Fewer one-row records in a row are decoded one by one."""


def raw(table: Table, run: Run) -> Raw:
    """Hand on one-row records undecoded."""
    return (table, run) if run.first.rows == 1 else decoded(table, run)


class Merge:
    """Turns raw records into batches, in order."""

    def __init__(self) -> None:
        self._singles: dict[int, Singles] = {}

    def batches(self, found: list[Raw]) -> list[Batch]:
        """Return the batches of the records."""
        batches: list[Batch] = []
        at = 0
        while at < len(found):
            item = found[at]
            at += 1
            if isinstance(item, Batch):
                batches.append(item)
                continue
            table, run = item
            together = [run]
            while at < len(found) and (following := _going_on(found[at], table, run.message)):
                together.append(following)
                at += 1
            starts = [start for part in together for start in part.starts] if len(together) > 1 else run.starts
            if len(starts) >= SHORTEST_RUN and (batch := self._decoded(table, run.message, starts)) is not None:
                batches.append(batch)
            else:
                batches += [decoded(table, one) for part in together for one in part.each()]
        return batches

    def _decoded(self, table: Table, message: bytes, starts: list[int]) -> Batch | None:
        singles = self._singles.get(table.schema_id)
        if singles is None:
            singles = self._singles[table.schema_id] = Singles(table)
        return singles.decode(message, starts)


def _going_on(item: Raw, table: Table, message: bytes) -> Run | None:
    """Return records of the same table in the same message, None if it is anything else."""
    if isinstance(item, Batch) or item[0] is not table or item[1].message is not message:
        return None
    return item[1]
