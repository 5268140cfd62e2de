"""Where the plant stands behind a record of its journal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from plant.journal.segment import Segment
from plant.rows.built_in import is_of_a_user, kept_rows
from plant.wire.envelope import Header
from plant.wire.numbering import Numbered, Told, followed, packed_sessions, unpacked_sessions


@dataclass
class Position:
    """Where the plant stands after a record: last seq, last seq of each table, last source seq of each source id.

    `sessions` tell by source id who numbered its rows; of a source that is not in it, that is not known.
    """

    seq: int = 0
    table_seqs: dict[str, int] = field(default_factory=dict)
    sources: dict[int, int] = field(default_factory=dict)
    sessions: dict[int, Numbered] = field(default_factory=dict)

    @classmethod
    def before(cls, segment: Segment) -> "Position":
        """Return the position that a segment's header tells of: before its first record."""
        header = segment.header
        sessions = unpacked_sessions(header.get("sessions", {}))
        return cls(segment.first_seq - 1, dict(header["table_seqs"]), dict(header["sources"]), sessions)

    def fields(self) -> dict[str, Any]:
        """Return what the header of a segment that begins here says of it; `sessions` only if any are known."""
        sessions = {"sessions": packed_sessions(self.sessions)} if self.sessions else {}
        return {"table_seqs": self.table_seqs, "sources": self.sources, **sessions}

    def copy(self) -> "Position":
        """Return a position that stays as this one is now."""
        return Position(self.seq, dict(self.table_seqs), dict(self.sources), dict(self.sessions))

    def restore(self, earlier: "Position") -> None:
        """Be again as `earlier`, a copy, was."""
        self.seq, self.table_seqs = earlier.seq, earlier.table_seqs
        self.sources, self.sessions = earlier.sources, earlier.sessions

    def advance(self, header: Header, table: str) -> None:
        """Go on to a record of a table."""
        self.seq = header.seq
        self.table_seqs[table] = header.table_seq
        self.take(header)

    def take(self, header: Header) -> None:
        """Note whose rows a record has, and up to which."""
        source_id, session = header.source_id, header.session
        known = self.sessions.get(source_id)
        if session != (known.session if known else 0):
            self.sessions[source_id] = followed(known, session, self.sources.get(source_id, 0))
        self.sources[source_id] = header.source_seq

    def told(self, source_id: int) -> Told:
        """Return who numbered the rows of a source, empty if that is not known."""
        known = self.sessions.get(source_id)
        return known.told(self.sources.get(source_id, 0)) if known else ()


def refuse_rows_of_a_user(segments: Sequence[Segment], end: Position) -> None:
    """Raise SchemaError if a segment has rows of a user's table whose name is the plant's own by now.

    `end` is the position behind the last segment. Each header tells of the position before its segment: nothing else is
    read. A table that was declared and has no rows does no harm.
    """
    behind = [*(Position.before(segment) for segment in segments[1:]), end]
    for segment, after in zip(segments, behind, strict=True):
        before = Position.before(segment)
        for table in segment.tables.values():
            rows = after.table_seqs.get(table.name, 0) > before.table_seqs.get(table.name, 0)
            if rows and is_of_a_user(table):
                raise kept_rows(segment.path, table)
