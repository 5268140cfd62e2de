"""The records of a message read and decoded into batches; runs of one-row records become one batch."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from plant.errors import WireError
from plant.rows.batch import Batch
from plant.rows.schema import Table
from plant.wire import record
from plant.wire.envelope import Header
from plant.wire.runs import Divide, Run, runs
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


class Read(NamedTuple):
    """How far a message was read: its last record, None if there was none, and what is wrong behind it, if it is."""

    last: Header | None
    wrong: WireError | None

    @property
    def reached(self) -> int:
        """The seq of the last record, 0 if there was none."""
        return 0 if self.last is None else self.last.seq


def read_runs(
    message: bytes, tables: Mapping[int, Table], take: Callable[[Table | None, Run], bool], divide: Divide = runs
) -> Read:
    """Have `take` take the runs of a message in their order, each with its table, None for one of none of `tables`.

    `tables` are declarations by schema id. It ends ahead of a record that is damaged or cannot be decoded, or with the
    run at which `take` returns False.
    """
    last: Header | None = None
    try:
        for run in divide(message):
            more = take(tables.get(run.first.schema_id), run)
            last = run.last
            if not more:
                break
    except WireError as error:
        return Read(last, error)
    return Read(last, None)


def read_until(message: bytes, tables: Mapping[int, Table], seq: int) -> tuple[list[Raw], Read]:
    """Return the records of these tables in a message up to `seq`, and how far it was read, perhaps beyond that."""
    found: list[Raw] = []

    def take(table: Table | None, run: Run) -> bool:
        if table is not None and run.first.seq <= seq:
            found.append(raw(table, run.until(seq)))
        return run.last.seq < seq

    return found, read_runs(message, tables, take)


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
