"""Journals of a day that benchmarks have a process read: each message a record, as a tickerplant writes them."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.capture.work import Work
from plant.intake.forms import columns_of
from plant.journal.journal import Journal
from plant.journal.position import Position
from plant.rows.columns import Columns
from plant.rows.schema import Schema
from plant.wire.envelope import stamp
from plant.wire.record import encode, source_id_of

AT_ONCE = 1000
"""Rows that are appended to the journal at once."""


def write_journal(folder: Path, schema: Schema, works: Sequence[Work]) -> None:
    """Write the works' messages as the records of a journal, those of several works shuffled among each other."""
    source, now = source_id_of("bench"), time.time_ns()
    journal = Journal(folder, schema)
    given = [_messages(work) for work in works]
    turns = np.repeat(np.arange(len(works)), [work.messages for work in works])
    np.random.default_rng(17).shuffle(turns)
    position = Position()
    chunks: list[bytearray] = []
    held = 0
    for turn in turns.tolist():
        work = works[turn]
        name = work.table.name
        position.seq += 1
        position.table_seqs[name] = position.table_seqs.get(name, 0) + 1
        position.sources[source] = position.sources.get(source, 0) + work.rows
        record = encode(schema[name], next(given[turn]), source, position.sources[source])
        stamp(record, 0, position.seq, position.table_seqs[name], now)
        chunks.append(record)
        held += work.rows
        if held >= AT_ONCE or position.seq == len(turns):
            journal.append(chunks, position.seq - len(chunks) + 1)
            journal.position = position.copy()
            journal.roll_if_full()
            chunks, held = [], 0
    journal.close()


def _messages(work: Work) -> Iterator[Columns]:
    """Yield each message's columns; a symbol column of a part names only the symbols that occur in it."""
    columns = work.columns()
    for at in range(0, work.total, work.rows):
        yield columns_of(work.table, {name: column[at : at + work.rows] for name, column in columns.items()})
