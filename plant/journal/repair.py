"""Make a damaged journal whole again as far as it can be (`plant journal repair`): nothing that is good is dropped.

A damaged segment is replaced by a copy of its good records; the damaged file stays beside it as `<segment>.damaged`. A
damaged header is made anew from the segment before. What is lost keeps its seq: numbers are never given twice.
"""

import os
import time
from pathlib import Path
from typing import Any

from plant.data_folder import free_path, partial_of, sync_folder
from plant.errors import JournalError
from plant.journal.check import position_before
from plant.journal.files import existing_paths, first_seq_of, name_of, segment_at, segment_paths
from plant.journal.index import index_path
from plant.journal.journal import Journal, journal_lock
from plant.journal.position import Position
from plant.journal.segment import (
    PLAIN_SUFFIX,
    SEGMENT_VERSION,
    Segment,
    header_in,
    packed_header,
)
from plant.rows.schema import Schema


def repair(folder: Path, schema: Schema) -> list[str]:
    """Repair the journal in `folder`; return a line for each thing that was done, none if it was whole.

    A torn tail of the last segment is cut off as every start does, and kept. Raises JournalLocked while a tickerplant
    runs, JournalError for a segment of another version: that one must be read by what wrote it, and nothing is changed.
    """
    existing_paths(folder)
    lock = journal_lock(folder)
    try:
        done = []
        paths = segment_paths(folder)
        headers = {path: _header_of(path) for path in paths}
        for path in paths:
            header = headers[path]
            remade = header is None
            if header is None:
                header = _remade_header(path, paths, schema)
            segment = segment_at(path, header if remade else None)
            done += _repair_segment(segment, header, remade, last=path == paths[-1])
    finally:
        os.close(lock)
    journal = Journal(folder, schema)  # cuts the tail
    done += [str(d) for d in journal.segments.damage]
    journal.close()
    return done


def _header_of(path: Path) -> dict[str, Any] | None:
    """Return a segment's header, None if it is damaged. Raises JournalError if it is of another version."""
    try:
        return segment_at(path).header
    except JournalError:
        blank = segment_at(path, {"first_seq": 0, "tables": []})
        if header_in(blank.opening()) is not None:
            raise
        return None


def _remade_header(path: Path, paths: list[Path], schema: Schema) -> dict[str, Any]:
    """Return a header for a segment whose own is damaged: the state after the segment before."""
    position = position_before(segment_paths(path.parent), path)
    tables = {t.schema_id: t.declaration() for t in schema.values()}
    for other in paths:
        if other != path and (header := _header_of(other)) is not None:
            tables |= {t.schema_id: t.declaration() for t in segment_at(other, header).tables.values()}
    position = position or Position()
    return {
        "version": SEGMENT_VERSION,
        "first_seq": first_seq_of(path),
        "created": time.time_ns(),
        "tables": list(tables.values()),
        **position.fields(),
    }


def _repair_segment(segment: Segment, header: dict[str, Any], remade: bool, last: bool) -> list[str]:
    """Replace a damaged segment by a copy of its good records."""
    path = segment.path
    records = sum(1 for _ in segment.scan())
    damage = segment.damage
    size = path.stat().st_size
    if not remade and (not damage or (last and len(damage) == 1 and damage[0].end == size)):
        return []
    plain = path.with_name(name_of(path) + PLAIN_SUFFIX)
    partial = partial_of(plain)
    kept = free_path(path.with_name(f"{path.name}.damaged"))
    with partial.open("wb") as file:
        file.write(packed_header(header))
        for block in segment.load():
            file.write(segment.bytes_of(block))
        file.flush()
        os.fsync(file.fileno())
    os.link(path, kept)
    index_path(path).unlink(missing_ok=True)
    partial.rename(plain)
    if path != plain:
        path.unlink()
    sync_folder(path.parent)
    lines = [f"{path.name}: the header was damaged and is made anew"] if remade else []
    lines += [str(d) for d in damage if not (remade and d.start == 0)]
    return [*lines, f"{plain.name}: {records:,} good records copied; the damaged file is kept as {kept.name}"]
