"""A journal for tests: written as the tickerplant does, and read as a subscriber does."""

from pathlib import Path

import msgpack
from random_rows import columns_from, trades

from plant.journal.journal import Journal
from plant.journal.position import Position
from plant.rows.schema import Schema
from plant.rows.tables import schema_of
from plant.wire.envelope import HEADER_BYTES, header_at, stamp
from plant.wire.record import encode, records

SCHEMA = schema_of()
TRADES = SCHEMA["trades"]


class Writer:
    """Appends records to a journal as the tickerplant does, and keeps them as a plain list.

    A segment ends after about `segment_bytes` of records, however long the declarations in its header are. `session` is
    who numbers the rows.
    """

    def __init__(self, folder: Path, schema: Schema = SCHEMA, segment_bytes: int = 2**20) -> None:
        self.folder, self.schema, self.segment_bytes = folder, schema, segment_bytes
        self.received, self.session = 5, 0
        self.records: list[tuple[int, bytes]] = []  # seq, bytes
        self.open()

    def open(self) -> Journal:
        declarations = len(msgpack.packb([table.declaration() for table in self.schema.values()]))
        self.journal = Journal(self.folder, self.schema, declarations + self.segment_bytes)
        return self.journal

    def reopen(self) -> Journal:
        self.journal.close()
        return self.open()

    def record(self, rows: int, source: int = 1, flags: int = 0) -> bytearray:
        position = self.journal.position
        position.seq += 1
        position.table_seqs["trades"] = position.table_seqs.get("trades", 0) + 1
        columns = columns_from(TRADES, trades(position.seq, rows))
        record = encode(TRADES, columns, source, position.sources.get(source, 0) + rows, flags, self.session)
        position.take(header_at(record, 0))
        stamp(record, 0, position.seq, position.table_seqs["trades"], self.received)
        return record

    def append(self, *rows: int, source: int = 1, group: bool = False) -> None:
        """Append one record for each count of rows; as a group, all but the last say that more follows."""
        first = self.journal.position.seq + 1
        made = [self.record(n, source, int(group and i < len(rows) - 1)) for i, n in enumerate(rows)]
        self.journal.append(made, first)
        self.records += [(first + i, bytes(r)) for i, r in enumerate(made)]
        self.journal.roll_if_full()

    @property
    def last_file(self) -> Path:
        return self.journal.segments[-1].path


def everything(journal: Journal, max_bytes: int = 2**20) -> list[tuple[int, bytes]]:
    """Read the journal from its beginning to its end, as a subscriber does."""
    found: list[tuple[int, bytes]] = []
    while chunk := journal.segments.read(found[-1][0] + 1 if found else 1, max_bytes):
        found += [(h.seq, chunk[start - HEADER_BYTES : start + h.length]) for h, start in records(chunk)]
    return found


def copy_of(position: Position) -> Position:
    return Position(position.seq, dict(position.table_seqs), dict(position.sources), dict(position.sessions))


def closed(folder: Path, segments: int = 3, segment_bytes: int = 3000) -> Writer:
    """Return a writer whose journal has `segments` segments, the last one with records too."""
    writer = Writer(folder, segment_bytes=segment_bytes)
    while len(writer.journal.segments) < segments:
        writer.append(3)
    for _ in range(3):
        writer.append(3)
    return writer


def flip(path: Path, record: bytes, at: int = 80) -> None:
    """Flip a bit of a record in a file, `at` bytes behind its beginning."""
    data = bytearray(path.read_bytes())
    data[data.index(record) + at] ^= 4
    path.write_bytes(data)


def harm(path: Path, change: str) -> None:
    """Delete a file ("missing"), cut its last bytes off ("cut"), or flip a bit in them ("flipped")."""
    good = path.read_bytes()
    if change == "missing":
        path.unlink()
    elif change == "cut":
        path.write_bytes(good[:-5])
    else:
        assert change == "flipped", change
        path.write_bytes(good[:-5] + bytes([good[-5] ^ 1]) + good[-4:])
