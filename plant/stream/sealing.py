"""Rows that have gathered, as the records that go out."""

import time
from collections.abc import Iterator

from plant.intake.rejects import rejected_row
from plant.rows.columns import Columns
from plant.rows.schema import Table
from plant.stream.gathering import Gathering
from plant.wire.record import encode

RECORD_ROWS = 2_000
"""A frame of more rows becomes several records."""


def sealed_records(gathering: Gathering, rejects: Table, name: str, source_id: int) -> Iterator[tuple[bytearray, int]]:
    """Yield records, each with its count of rows, of all rows that `gathering` has; it begins anew.

    A row that was taken with a look at its types alone, and turned out bad, becomes one of the table `rejects`; `name`
    and `source_id` are the publisher's.
    """
    columns = gathering.take()
    if columns is not None:
        yield from _records(gathering.table, columns, source_id)
    for row, error in gathering.refused:
        yield from _records(rejects, rejected_row(gathering.table, row, error, name, time.time_ns()), source_id)
    gathering.refused.clear()


def _records(table: Table, columns: Columns, source_id: int) -> Iterator[tuple[bytearray, int]]:
    count = len(columns["time"])
    for start in range(0, count, RECORD_ROWS):
        part = columns if count <= RECORD_ROWS else {n: c[start : start + RECORD_ROWS] for n, c in columns.items()}
        yield encode(table, part, source_id, 0), len(part["time"])
