"""Where the plant stands behind a record of its journal."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from plant.journal.segment import Segment
from plant.rows.built_in import is_of_a_user, kept_rows
from plant.wire.envelope import Header


@dataclass
class Position:
    """Where the plant stands after a record: last seq, last seq of each table, last source seq of each source id."""

    seq: int = 0
    table_seqs: dict[str, int] = field(default_factory=dict)
    sources: dict[int, int] = field(default_factory=dict)

    @classmethod
    def before(cls, segment: Segment) -> "Position":
        """Return the position that a segment's header tells of: before its first record."""
        return cls(segment.first_seq - 1, dict(segment.header["table_seqs"]), dict(segment.header["sources"]))

    def copy(self) -> "Position":
        """Return a position that stays as this one is now."""
        return Position(self.seq, dict(self.table_seqs), dict(self.sources))

    def restore(self, earlier: "Position") -> None:
        """Be again as `earlier`, a copy, was."""
        self.seq, self.table_seqs, self.sources = earlier.seq, earlier.table_seqs, earlier.sources

    def advance(self, header: Header, table: str) -> None:
        """Go on to a record of a table."""
        self.seq = header.seq
        self.table_seqs[table] = header.table_seq
        self.sources[header.source_id] = header.source_seq


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
