"""Whether a journal is whole: every checksum, and that seq and table_seq go on by one (`plant journal verify`).

Reads only, without the lock, so it may run beside a live plant: a record that is being written is given time to end,
and a segment that is compressed or removed meanwhile is looked for again.
"""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from plant.errors import JournalError
from plant.journal.compressed import CompressedSegment
from plant.journal.files import existing_paths, first_seq_of, name_of, segment_at, segment_paths
from plant.journal.journal import confirmed_in
from plant.journal.position import Position
from plant.journal.segment import Segment
from plant.wire.envelope import Header

BEING_WRITTEN_S = 2.0
"""A record at the end of the last segment may be incomplete for this long."""

_LOOK_AGAIN_S = 0.05


@dataclass
class Missing:
    """Records that should be there: of a table by table_seq, or of the journal (`table` is "") by seq; inclusive."""

    table: str
    first: int
    last: int
    where: str
    until: int
    """The seq that was found next."""

    def __str__(self) -> str:
        of = f"{self.table}: table_seq" if self.table else "seq"
        span = f"{self.first:,}" if self.first == self.last else f"{self.first:,} to {self.last:,}"
        return f"{of} {span} missing, {self.where}"


@dataclass
class Verification:
    """What was found.

    records, rows   of each table
    damage          bytes that are no records, files that are no segments
    missing         what is not there although it was numbered
    notes           what is unusual and harmless
    """

    segments: int = 0
    first_seq: int = 0
    last_seq: int = 0
    stored_bytes: int = 0
    records: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    damage: list[str] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is damaged or missing."""
        return not self.damage and not self.missing


def check_journal(folder: Path) -> Verification:
    """Read every record of the journal in `folder`. Raises JournalError if there is no journal."""
    existing_paths(folder)
    walk = _Walk(folder)
    done: set[str] = set()
    while ahead := [p for p in segment_paths(folder) if name_of(p) not in done]:
        path = ahead[0]
        try:
            walk.segment(path, last=len(ahead) == 1)
        except FileNotFoundError:
            continue  # compressed or removed a moment ago
        done.add(name_of(path))
    walk.found.missing = walk.missing_for_good()
    if walk.backward:
        walk.found.notes.append(
            f"received goes back {walk.backward:,} times, first at seq {walk.backward_at:,}: the clock was set back; "
            "seq is the order"
        )
    return walk.found


class _Walk:
    """Goes through the segments in order, comparing each record with what should come next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found = Verification()
        self.backward = self.backward_at = 0
        self._received = 0
        self._open: tuple[str, int] | None = None  # the segment that was the last when it was read, and its records
        self._expected: int | None = None  # the next seq
        self._table_seqs: dict[str, int] | None = None

    def segment(self, path: Path, last: bool) -> None:
        """Verify one segment. Raises FileNotFoundError, nothing counted, if it went away."""
        found = self.found
        stored = path.stat().st_size
        self._finish_open()
        try:
            segment = segment_at(path)
        except JournalError as error:
            found.damage.append(str(error))
            found.segments += 1
            return
        records = segment.scan()
        head = next(records, None)  # from here on the file is open, whoever removes it
        found.segments += 1
        found.stored_bytes += stored
        self._begin(segment)
        count = self._records(segment, (header for header, _ in chain([head] if head else [], records)))
        if last and not isinstance(segment, CompressedSegment):
            count += self._records(segment, self._written_meanwhile(segment, count))
            self._open = (name_of(path), count)
        found.damage += [str(d) for d in segment.damage]

    def _finish_open(self) -> None:
        """Take what was still written to the segment that was read as the last one, now that another has begun."""
        if self._open is None:
            return
        name, count = self._open
        while there := [p for p in segment_paths(self.folder) if name_of(p) == name]:
            try:
                segment = segment_at(there[0])
                headers = [header for header, _ in islice(segment.scan(), count, None)]
            except FileNotFoundError:
                continue  # compressed or removed a moment ago
            self._records(segment, headers)
            break
        self._open = None

    def _records(self, segment: Segment, headers: Iterable[Header]) -> int:
        """Take some records of a segment; return how many."""
        names = {schema_id: table.name for schema_id, table in segment.tables.items()}
        count = 0
        for header in headers:
            self._record(header, names.get(header.schema_id, f"schema {header.schema_id:#010x}"), segment.path.name)
            count += 1
        return count

    def _written_meanwhile(self, segment: Segment, count: int) -> list[Header]:
        """Wait for a record that is being written to be whole; return the headers beyond the first `count`."""
        deadline = time.monotonic() + BEING_WRITTEN_S
        while _torn(segment) and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN_S)
            headers = [header for header, _ in islice(segment.scan(), count, None)]
            if headers and not segment.damage:
                return headers
        return []

    def missing_for_good(self) -> list[Missing]:
        """Return what is missing, but for what was rightly removed, before or while we read."""
        found, first = self.found, first_seq_of(segment_paths(self.folder)[0])
        missing = [m for m in found.missing if m.until > first]
        confirmed = confirmed_in(self.folder)
        if 1 < found.first_seq <= confirmed + 1:
            found.notes.append(f"begins at seq {found.first_seq:,}: what came before was confirmed and removed")
        elif found.first_seq > 1:
            where = f"before the first segment, and only {confirmed:,} were confirmed"
            missing.insert(0, Missing("", 1, found.first_seq - 1, where, found.first_seq))
        return missing

    def _begin(self, segment: Segment) -> None:
        found, header = self.found, segment.header
        if self._table_seqs is None:
            found.first_seq = segment.first_seq
            self._expected, self._table_seqs = segment.first_seq, dict(header["table_seqs"])
        elif self._expected is not None and segment.first_seq > self._expected:
            where = f"before {segment.path.name}"
            found.missing.append(Missing("", self._expected, segment.first_seq - 1, where, segment.first_seq))
            for table, last in header["table_seqs"].items():
                self._expect_table(table, last + 1, where, segment.first_seq)
            self._expected = segment.first_seq
            self._table_seqs |= header["table_seqs"]

    def _record(self, header: Header, table: str, segment: str) -> None:
        found = self.found
        where = f"before seq {header.seq:,} in {segment}"
        if self._expected is not None and header.seq > self._expected:
            found.missing.append(Missing("", self._expected, header.seq - 1, where, header.seq))
        elif self._expected is not None and header.seq < self._expected:
            found.damage.append(f"{segment}: seq {header.seq:,} comes again, expected {self._expected:,}")
        self._expect_table(table, header.table_seq, where, header.seq)
        assert self._table_seqs is not None
        self._table_seqs[table] = header.table_seq
        self._expected = header.seq + 1
        found.last_seq = header.seq
        found.records[table] += 1
        found.rows[table] += header.rows
        if header.received < self._received:
            self.backward += 1
            self.backward_at = self.backward_at or header.seq
        self._received = header.received

    def _expect_table(self, table: str, table_seq: int, where: str, until: int) -> None:
        assert self._table_seqs is not None
        expected = self._table_seqs.get(table, 0) + 1
        if table_seq > expected:
            self.found.missing.append(Missing(table, expected, table_seq - 1, where, until))


def _torn(segment: Segment) -> bool:
    """Return whether nothing good was found behind the last damage, however long the file has become since."""
    damage, blocks = segment.damage, segment.blocks
    return bool(damage) and (not blocks or blocks[-1].end <= damage[-1].start)


def position_before(paths: list[Path], path: Path) -> Position | None:
    """Return the state of the plant before the segment `path`, from the segment before it; None if that is missing."""
    earlier = [p for p in paths if p.name < path.name]
    if not earlier:
        return Position() if first_seq_of(path) == 1 else None
    try:
        segment = segment_at(earlier[-1])
    except JournalError:
        return None
    position = Position.before(segment)
    names = {schema_id: table.name for schema_id, table in segment.tables.items()}
    for header, _ in segment.scan():
        position.advance(header, names.get(header.schema_id, ""))
    return position
