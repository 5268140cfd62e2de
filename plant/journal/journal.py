"""The journal: every batch the plant accepted, in order, on disk (docs/journal.md).

A folder of segments (plant.journal.segment). A segment is named for the sequence number of its first record and starts
with

    magic b"TPLTJRNL" | uint32 length | uint32 CRC-32 | msgpack map of that length

where the map holds `version`, `first_seq`, `created` (ns since 1970), `tables` (declarations), and the
state of the plant before the segment's first record: `table_seqs`, `sources` and `sessions`. So opening a journal
reads only its last segment. After the header come records as plant.wire.record has them, and nothing else.

Opening finds what a crash left behind. A tail that is no whole record is cut off and kept beside the
segment as `<segment>.torn-<offset>`; damage with good records after it is skipped and reported.
"""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from plant.data_folder import lock, replace_file, sync_folder
from plant.errors import JournalError, JournalLocked
from plant.journal.compressed import CompressedSegment
from plant.journal.index import Block, Index, State, write_index
from plant.journal.position import Position, refuse_rows_of_a_user
from plant.journal.recovery import clear_leftovers, recovered
from plant.journal.segment import (
    PLAIN_SUFFIX,
    SEGMENT_VERSION,
    Segment,
    packed_header,
)
from plant.journal.segments import Segments
from plant.rows.built_in import is_of_a_user
from plant.rows.schema import Schema, Table
from plant.wire.envelope import Header, header_at

CONFIRMED = "confirmed"
"""File of the journal's folder with the seq up to which the writer of the history has kept everything."""

INDEX_EVERY = 32 * 2**20
"""Bytes by which the open segment grows before its index is written again: what opening goes through at most, or so."""

_IOV_MAX = 1024
_HOUR_S = 3600.0


class Beginning(NamedTuple):
    """A beginning of the open segment that is to be indexed: so many blocks, the last of them, the state behind it."""

    segment: Segment
    blocks: int
    last: Block
    state: State


class Journal:
    """The journal, open for appending by the one tickerplant that holds its lock.

    `position` is the state after the last good record, `segments` what there is to read, `beginning` what is to be
    indexed of the open segment. A segment ends at `segment_bytes`, or `segment_hours` after it began. Raises
    JournalLocked if another process has the journal open, JournalError if it cannot be read or written, SchemaError
    if it has rows of a table that `schema` declares otherwise than they can be read as.

    One thread appends and reads; others may sync, index, and exchange or remove closed segments.
    """

    def __init__(
        self, folder: Path, schema: Schema, segment_bytes: int = 256 * 2**20, segment_hours: float = 24.0
    ) -> None:
        self.folder = folder
        self.schema = schema
        self.segment_bytes = segment_bytes
        self.segment_s = segment_hours * _HOUR_S
        self.beginning: Beginning | None = None
        self._others: dict[int, Table] = {}
        self._begun_size = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = journal_lock(folder)
        except OSError as error:
            raise _unusable(folder, error) from None
        self._size = self._synced_size = 0
        self._sync_failed = False
        self._file = threading.Lock()  # held while the file is synced or exchanged
        try:
            clear_leftovers(folder)
            self.segments = Segments(folder)
            self.confirmed = confirmed_in(folder)
            self.position = Position()
            if self.segments:
                self.position, self._begun_size = recovered(self.segments[-1])
                self.segments.note(self.segments[-1].damage)
                refuse_rows_of_a_user(self.segments, self.position)
            schema.check_kinds(t for s in self.segments for t in s.tables.values() if not is_of_a_user(t))
            # a record is read with the declarations of its segment
            last = self.segments[-1] if self.segments else None
            if last and last.tables.keys() == schema.by_id.keys() and not isinstance(last, CompressedSegment):
                self._open_last()
            else:
                self._start_segment()
        except BaseException as error:
            os.close(self._lock)
            if isinstance(error, OSError):
                raise _unusable(folder, error) from None
            raise

    def append(self, chunks: Sequence[bytes | bytearray], first_seq: int, durable: bool = False) -> None:
        """Write records, already stamped and in order, one in each chunk, the first numbered `first_seq`.

        All of them or none: after an error (disk full, say) the segment ends where it ended before. If `durable`, they
        survive a power cut when this returns, and are not kept if they would not. Raises JournalError.
        """
        start = self._size
        try:
            for i in range(0, len(chunks), _IOV_MAX):
                self._write(chunks[i : i + _IOV_MAX])
            if durable:
                os.fdatasync(self._fd)
        except OSError as error:
            os.ftruncate(self._fd, start)
            self._size = start
            raise JournalError(
                f"{self.segments[-1].path}: cannot write {sum(map(len, chunks)):,} bytes: "
                f"{error.strerror}; nothing of it was accepted"
            ) from None
        self.segments[-1].extend(chunks, first_seq, start, self._size)

    def roll_if_full(self) -> bool:
        """Begin a new segment if the present one has reached its size or age; `position` must be current.

        Otherwise see to it that the index of the present one is written now and then. Raises JournalError if a new one
        cannot be begun; the present one then stays in use.
        """
        last = self.segments[-1]
        full = self._size >= self.segment_bytes or time.monotonic() >= self._ends_at
        if not full or self.position.seq < last.first_seq:
            self._note_beginning(last)
            return False
        self._roll()
        return True

    def declare(self, tables: Mapping[int, Table]) -> bool:
        """Have the segment that is written to declare these tables, too, by schema id: return whether it did not.

        Records copied from another journal may be of a table as it was declared there before. `position` must be
        current. Raises JournalError.
        """
        missing = tables.keys() - self.segments[-1].tables.keys()
        if missing:
            self._others |= {schema_id: tables[schema_id] for schema_id in missing}
            self._roll()
        return bool(missing)

    def begin_behind(self, position: Position) -> None:
        """Have a journal without records begin behind a position, as the one it is copied from. Raises JournalError."""
        if self.position.seq:
            raise JournalError(f"{self.folder}: it has records, and cannot begin behind seq {position.seq}")
        empty = self.segments[-1]
        self.position.restore(position)
        self._roll()
        self.segments.exchange(empty, None)

    def _roll(self) -> None:
        self.sync()
        with self._file:
            old = self._fd
            try:
                self._start_segment()
            except OSError as error:
                raise JournalError(
                    f"{self.folder}: cannot begin a segment: {error.strerror}; "
                    f"the journal goes on in {self.segments[-1].path.name}"
                ) from None
            os.close(old)

    def sync(self) -> None:
        """Make what was appended survive a power cut (fdatasync); any thread may call it. Raises JournalError.

        After a failure Linux takes the pages that it could not write for clean, and the next fsync would succeed
        without them (https://wiki.postgresql.org/wiki/Fsync_Errors). So they are written once more first.
        """
        try:
            with self._file:
                size = self._size
                if self._sync_failed:
                    self._write_again(self._synced_size, size)
                os.fdatasync(self._fd)
                self._synced_size, self._sync_failed = size, False
        except OSError as error:
            self._sync_failed = True
            raise JournalError(f"{self.segments[-1].path}: fsync failed: {error.strerror}") from None

    def _note_beginning(self, segment: Segment) -> None:
        """Have the open segment indexed as far as it goes, if it has grown enough since it was last."""
        blocks = segment.load()
        if self._size - self._begun_size < INDEX_EVERY or not blocks or blocks[-1].end != self._size:
            return
        position = self.position.copy()
        state = State(position.seq, position.table_seqs, position.sources, position.sessions)
        self.beginning = Beginning(segment, len(blocks), blocks[-1], state)
        self._begun_size = self._size

    def _write_again(self, start: int, end: int) -> None:
        with self.segments[-1].path.open("r+b") as file:
            file.seek(start)
            unsynced = file.read(end - start)
            file.seek(start)
            file.write(unsynced)

    def newest(self) -> Header | None:
        """Return the envelope of the last record, None if there is none: a new journal, or all of it was removed."""
        chunk = self.segments.read(self.position.seq, 0, check=True)
        header = header_at(chunk, 0) if chunk else None
        return header if header and header.seq == self.position.seq else None

    def index_beginning(self, beginning: Beginning) -> None:
        """Write the index of a beginning of the open segment; its blocks must have their checksums. Any thread."""
        segment = beginning.segment
        blocks = [*segment.load()[: beginning.blocks - 1], beginning.last]
        if segment is self.segments[-1] and not segment.damage:
            index = Index(beginning.last.end, blocks, [], beginning.state)
            write_index(segment.path, segment.header_crc, index)

    def confirm(self, seq: int) -> None:
        """Note that the history holds everything up to `seq`, so that it may be removed here (settings keep_...).

        Raises JournalError if `seq` is beyond the journal, or cannot be noted.
        """
        if not 0 <= seq <= self.position.seq:
            raise JournalError(f"confirmed: expected a seq up to {self.position.seq}, found {seq}")
        if seq <= self.confirmed:
            return
        path = self.folder / CONFIRMED
        try:
            replace_file(path, f"{seq}\n".encode())
        except OSError as error:
            raise JournalError(f"{path}: cannot note what is confirmed: {error.strerror}") from None
        self.confirmed = seq

    def close(self) -> None:
        """Sync and let go of the journal."""
        try:
            self.sync()
        finally:
            os.close(self._fd)
            os.close(self._lock)

    def _start_segment(self) -> None:
        path = self.folder / f"{self.position.seq + 1:020d}{PLAIN_SUFFIX}"
        header = packed_header(
            {
                "version": SEGMENT_VERSION,
                "first_seq": self.position.seq + 1,
                "created": time.time_ns(),
                "tables": [t.declaration() for t in (*self._others.values(), *self.schema.values())],
                **self.position.fields(),
            }
        )
        replace_file(path, header)
        sync_folder(self.folder)
        begun = Segment(path)
        begun.blocks, self._begun_size = [], begun.start
        self.segments.add(begun)
        self._open_last()

    def _open_last(self) -> None:
        self._fd = os.open(self.segments[-1].path, os.O_WRONLY | os.O_APPEND)
        self._size = os.fstat(self._fd).st_size
        self._synced_size, self._sync_failed = 0, False
        self._begun_size = min(self._begun_size, self._size)
        # counted from now, so that a clock that is set does not matter while the plant runs
        age_s = (time.time_ns() - self.segments[-1].header["created"]) / 10**9
        self._ends_at = time.monotonic() + self.segment_s - max(age_s, 0.0)

    def _write(self, chunks: Sequence[bytes | bytearray]) -> None:
        wanted = sum(map(len, chunks))
        done = os.writev(self._fd, chunks)
        self._size += done
        if done < wanted:  # rare: a signal, or the disk's last bytes
            rest = memoryview(b"".join(chunks))[done:]
            while rest:
                done = os.write(self._fd, rest)
                self._size += done
                rest = rest[done:]


def _unusable(folder: Path, error: OSError) -> JournalError:
    where = error.filename or folder
    return JournalError(f"{where}: cannot open the journal for writing: {error.strerror}; see to the disk, then start")


def journal_lock(folder: Path) -> int:
    """Return a file descriptor that holds the journal's lock. Raises JournalLocked, naming the process that has it."""
    return lock(
        folder,
        lambda holder: JournalLocked(
            f"{folder}: another tickerplant (pid {holder}) writes this journal; "
            "stop it, or give this plant another [plant] data folder"
        ),
    )


def confirmed_in(folder: Path) -> int:
    """Return the seq up to which the history holds everything, 0 if nobody has said so."""
    try:
        return int((folder / CONFIRMED).read_text())
    except (FileNotFoundError, ValueError):
        return 0
