"""The records of a message read and decoded into batches; many neighbours of a table become one batch."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from plant.errors import WireError
from plant.rows.batch import Batch
from plant.rows.schema import Table
from plant.wire import record
from plant.wire.envelope import HEADER_BYTES, Header
from plant.wire.runs import Divide, Run, runs
from plant.wire.several import several
from plant.wire.singles import Singles

Decode = Callable[[Table, Run], Any]
"""Makes what is handed on from records of a table."""


def decoded(table: Table, run: Run) -> Batch:
    """Hand on a record as a Batch."""
    start, header = run.starts[0], run.first
    return record.decode(table, header, memoryview(run.message)[start : start + header.length])


Relayed = tuple[Table, Header, bytes]
"""A record's table, its envelope, and all of its bytes."""


def as_it_is(table: Table, run: Run) -> Relayed:
    """Hand on a record with all of its bytes: for a plant that follows another, and for the mirror."""
    start, header = run.starts[0], run.first
    return table, header, run.message[start - HEADER_BYTES : start + header.length]


Raw = tuple[Table, Run]
"""Records that may be decoded with others of their table."""

Unreadable = Callable[[Table, Header, WireError], None]
"""Is told of a record that came as it was published, and cannot be decoded."""

SHORTEST_RUN = 4
"""Fewer records are decoded one by one."""


def raw(table: Table, run: Run) -> Raw:
    """Hand on records undecoded."""
    return table, run


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
    """Turns raw records into batches: many neighbours of a table, in one message, into one.

    by_table     records of a message are neighbours as soon as no other of their own table is between them: batches
                 are in order within each table then, and not among tables
    unreadable   is told of a record that cannot be decoded, which is passed over; without it, it is raised
    """

    def __init__(self, by_table: bool = False, unreadable: Unreadable | None = None) -> None:
        self._by_table = by_table
        self._unreadable = unreadable
        self._singles: dict[int, Singles] = {}

    def batches(self, found: list[Raw]) -> list[Batch]:
        """Return the batches of the records. Raises WireError."""
        batches: list[Batch] = []
        for table, near in self._neighbours(found):
            starts = [start for run in near for start in run.starts] if len(near) > 1 else near[0].starts
            batch: Batch | None = None
            if len(starts) >= SHORTEST_RUN:
                of_one_row = all(run.first.rows == 1 for run in near)
                decode = self._singles_of(table).decode if of_one_row else partial(several, table)
                batch = decode(near[0].message, starts)
            if batch is not None:
                batches.append(batch)
            else:
                batches += self._one_by_one(table, near)
        return batches

    def _neighbours(self, found: list[Raw]) -> list[tuple[Table, list[Run]]]:
        """Return the records that may be decoded in one step."""
        groups: list[tuple[Table, list[Run]]] = []
        of_table: dict[str, tuple[Table, list[Run]]] = {}  # the last group of each table that goes on
        message: bytes | None = None
        for table, run in found:
            if run.message is not message or not (self._by_table or table is groups[-1][0]):
                of_table.clear()
                message = run.message
            group = of_table.get(table.name)
            if group is None or group[0] is not table:
                group = of_table[table.name] = table, []
                groups.append(group)
            group[1].append(run)
        return groups

    def _singles_of(self, table: Table) -> Singles:
        singles = self._singles.get(table.schema_id)
        if singles is None:
            singles = self._singles[table.schema_id] = Singles(table)
        return singles

    def _one_by_one(self, table: Table, near: list[Run]) -> Iterator[Batch]:
        for run in near:
            for one in run.each():
                try:
                    batch = decoded(table, one)
                except WireError as error:
                    if self._unreadable is None:
                        raise
                    self._unreadable(table, one.first, error)
                else:
                    yield batch
