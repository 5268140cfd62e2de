"""Where the blocks of a segment are: the file `<segment>.index` (docs/journal.md).

The index of a closed segment covers all of it. While a segment is written to, its index covers a beginning of it, and
says where the plant stood there, so that opening the journal need not go through those records again.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import numpy as np

from plant.checksum import crc32
from plant.data_folder import partial_of
from plant.wire.numbering import Numbered, packed_sessions, unpacked_sessions

INDEX_MAGIC = b"TPLTINDX"
INDEX_VERSION = 1

PREFIX = struct.Struct("<8sII")
"""Magic, length and CRC-32 of what follows: ahead of a segment's header and of an index."""


class Block(NamedTuple):
    """A run of whole records in a segment.

    first_seq   sequence number of the first; 0 for the segment's header
    start, end  the bytes [start, end) of the plain segment
    received    when the tickerplant took the first, ns since 1970 UTC
    crc         CRC-32 of those bytes, -1 if it was not computed
    at, length  where they stand in a compressed file
    """

    first_seq: int
    start: int
    end: int
    received: int = 0
    crc: int = -1
    at: int = 0
    length: int = 0


@dataclass(frozen=True)
class Damage:
    """Bytes [start, end) of a segment that are no records, and what became of them."""

    segment: str
    start: int
    end: int
    reason: str
    outcome: str

    def __str__(self) -> str:
        return (
            f"{self.segment}: {self.end - self.start:,} bytes at {self.start:,} are no record "
            f"({self.reason}); {self.outcome}"
        )


class State(NamedTuple):
    """Where the plant stands behind a record: its seq, {table: table_seq}, {source_id: source_seq}.

    sessions   who numbered the rows of each source; None in an index of an older version, which does not know
    """

    seq: int
    table_seqs: dict[str, int]
    sources: dict[int, int]
    sessions: dict[int, Numbered] | None = None


class Index(NamedTuple):
    """Blocks and damage of the first `size` bytes of a segment's file; `state` behind them, if it was still open."""

    size: int
    blocks: list[Block]
    damage: list[Damage]
    state: State | None = None


def index_path(segment: Path) -> Path:
    """Return where the index of a segment is."""
    return segment.with_name(f"{segment.name}.index")


def write_index(segment: Path, header_crc: int, index: Index) -> None:
    """Write the index of a segment. It can be made again, so it is checksummed, but not synced. Raises OSError."""
    fields: dict[str, Any] = {
        "version": INDEX_VERSION,
        "size": index.size,
        "header_crc": header_crc,
        "blocks": np.array(index.blocks, dtype="<i8").tobytes(),
        "damage": [[d.start, d.end, d.reason] for d in index.damage if d.outcome == "skipped"],
    }
    if index.state:
        fields["state"] = list(index.state[:3])
        if index.state.sessions is not None:
            fields["sessions"] = packed_sessions(index.state.sessions)
    body = msgpack.packb(fields)
    path = index_path(segment)
    partial = partial_of(path)
    partial.write_bytes(PREFIX.pack(INDEX_MAGIC, len(body), crc32(body)) + body)
    partial.rename(path)


def read_index(segment: Path, header_crc: int) -> Index | None:
    """Return the index of a segment; None if it is missing, damaged, or of another file."""
    try:
        content = index_path(segment).read_bytes()
        magic, length, crc = PREFIX.unpack_from(content)
    except (OSError, struct.error):
        return None
    body = content[PREFIX.size :]
    if magic != INDEX_MAGIC or len(body) != length or crc32(body) != crc:
        return None
    fields = msgpack.unpackb(body, strict_map_key=False)
    if (fields["version"], fields["header_crc"]) != (INDEX_VERSION, header_crc):
        return None
    table = np.frombuffer(fields["blocks"], "<i8").reshape(-1, len(Block._fields))
    damage = [Damage(segment.name, start, end, reason, "skipped") for start, end, reason in fields["damage"]]
    state = State(*fields["state"]) if "state" in fields else None
    if state and "sessions" in fields:
        state = state._replace(sessions=unpacked_sessions(fields["sessions"]))
    return Index(fields["size"], [Block._make(row) for row in table.tolist()], damage, state)
