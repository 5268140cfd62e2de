"""Records handed on as they are: for a plant that follows another, and for the mirror."""

from plant.rows.schema import Table
from plant.wire.envelope import HEADER_BYTES, Header
from plant.wire.runs import Run

Relayed = tuple[Table, Header, bytes]
"""A record's table, its envelope, and all of its bytes."""


def as_it_is(table: Table, run: Run) -> Relayed:
    """Hand on a record with all of its bytes (a `decode` of plant.stream.stream.Stream; `divide` is singly)."""
    start, header = run.starts[0], run.first
    return table, header, run.message[start - HEADER_BYTES : start + header.length]
