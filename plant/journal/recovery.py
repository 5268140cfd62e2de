"""What a crash left behind in a journal: its position found again, a torn tail cut off, files on their way deleted.

The last segment is gone through from where its index ends. A record, or a group of them that belong together, that is
not whole at the end of the file is cut off and kept beside the segment as `<segment>.torn-<offset>`.
"""

import os
from pathlib import Path

from plant.data_folder import PARTIAL, free_path
from plant.journal.compressed import CompressedSegment
from plant.journal.files import segment_paths
from plant.journal.index import Block, Damage, index_path
from plant.journal.position import Position
from plant.journal.segment import PLAIN_SUFFIX, Segment
from plant.wire.envelope import HEADER_BYTES, MORE


def clear_leftovers(folder: Path) -> None:
    """Delete what a crash left of files that were being made, and the plain segment beside its compressed copy."""
    for partial in folder.glob(f"*{PARTIAL}"):
        partial.unlink()
    kept = set(segment_paths(folder))
    for path in folder.glob(f"*{PLAIN_SUFFIX}"):
        if path not in kept:
            path.unlink()


def recovered(last: Segment) -> tuple[Position, int]:
    """Return the position behind the last good record, and how many bytes of the last segment its index covers.

    What was found damaged, or cut off, is in the segment's `damage`.
    """
    position, indexed = Position.before(last), last.start
    known: list[Block] = []
    if (begun := last.beginning()) and (state := begun.state) and state.sessions is not None:
        position = Position(state.seq, state.table_seqs, state.sources, state.sessions)
        indexed, known = begun.size, begun.blocks
    else:
        index_path(last.path).unlink(missing_ok=True)
    names = {schema_id: t.name for schema_id, t in last.tables.items()}
    whole_until, group = known[-1].end if known else last.start, []
    for header, offset in last.scan(known):
        group.append(header)
        if header.flags & MORE:
            continue
        for member in group:
            position.advance(member, names.get(member.schema_id, ""))
        group, whole_until = [], offset + HEADER_BYTES + header.length
    if not isinstance(last, CompressedSegment):
        _cut_tail(last, whole_until)
    return position, indexed


def _cut_tail(segment: Segment, end: int) -> None:
    size = segment.path.stat().st_size
    if end == size:
        return
    torn = free_path(segment.path.with_name(f"{segment.path.name}.torn-{end}"))  # it may have torn here before
    with segment.path.open("r+b") as file:
        file.seek(end)
        torn.write_bytes(file.read())
        file.truncate(end)
        os.fsync(file.fileno())
    reason = segment.damage[-1].reason if segment.damage else "the last publish was cut short"
    segment.damage = [d for d in segment.damage if d.start < end]
    segment.damage.append(Damage(segment.path.name, end, size, reason, f"cut off and kept as {torn.name}"))
    blocks = [b for b in segment.load() if b.start < end]
    segment.blocks = [b if b.end <= end else Block(b.first_seq, b.start, end, b.received) for b in blocks]
