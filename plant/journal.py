"""The journal: every batch the plant accepted, in order, on disk (docs/journal.md).

A folder of segments. A segment is named for the sequence number of its first record and starts with

    magic b"TPLTJRNL" | uint32 length | uint32 CRC-32 | msgpack map of that length

where the map holds `version`, `first_seq`, `created` (ns since 1970), `tables` (declarations), and the
state of the plant before the segment's first record: `table_seqs` and `sources`. So opening a journal
reads only its last segment. After the header come records as plant.wire has them, and nothing else.

Opening finds what a crash left behind. A tail that is no whole record is cut off and kept beside the
segment as `<segment>.torn-<offset>`; damage with good records after it is skipped and reported.
"""

import fcntl
import mmap
import os
import struct
import threading
import time
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from plant.errors import JournalError, JournalLocked, WireError
from plant.schema import Schema, Table
from plant.wire import HEADER_BYTES, MAGIC, MORE, Header, header_at, records

SEGMENT_MAGIC = b"TPLTJRNL"
SEGMENT_VERSION = 1
BLOCK_BYTES = 64 * 1024
"""Granularity of the index in memory: a reader finds its record by walking at most about this much."""

_PREFIX = struct.Struct("<8sII")
_SEQ = struct.Struct("<16xQ")  # of plant.wire's envelope
_IOV_MAX = 1024


@dataclass
class Position:
    """Where the plant stands after a record: last seq, last seq of each table, last source seq of each source id."""

    seq: int = 0
    table_seqs: dict[str, int] = field(default_factory=dict)
    sources: dict[int, int] = field(default_factory=dict)

    def copy(self) -> "Position":
        """Return a position that stays as this one is now."""
        return Position(self.seq, dict(self.table_seqs), dict(self.sources))

    def restore(self, earlier: "Position") -> None:
        """Be again as `earlier`, a copy, was."""
        self.seq, self.table_seqs, self.sources = earlier.seq, earlier.table_seqs, earlier.sources


class Block(NamedTuple):
    """A run of whole records in a segment: sequence number of the first, and the bytes [start, end)."""

    first_seq: int
    start: int
    end: int


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


class Segment:
    """One file of the journal, for reading. Raises JournalError if its header is not ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blocks: list[Block] = []
        self.damage: list[Damage] = []
        with path.open("rb") as file:
            head = file.read(_PREFIX.size)
            if len(head) < _PREFIX.size:
                raise JournalError(f"{path}: expected a segment header, found {len(head)} bytes")
            magic, length, crc = _PREFIX.unpack(head)
            body = file.read(length) if magic == SEGMENT_MAGIC else b""
        if magic != SEGMENT_MAGIC or zlib.crc32(body) != crc:
            raise JournalError(
                f"{path}: expected a segment header starting with {SEGMENT_MAGIC!r}, found {magic!r} "
                f"or a wrong checksum; move the file away, or restore it"
            )
        self.header: dict[str, Any] = msgpack.unpackb(body, strict_map_key=False)
        if self.header["version"] != SEGMENT_VERSION:
            raise JournalError(f"{path}: expected segment version {SEGMENT_VERSION}, found {self.header['version']}")
        self.first_seq: int = self.header["first_seq"]
        self.start = _PREFIX.size + length
        self.tables = {t.schema_id: t for t in map(Table.declared, self.header["tables"])}

    def scan(self) -> Iterator[tuple[Header, int]]:
        """Yield each good record's envelope and its offset, filling `blocks` and `damage` on the way."""
        self.blocks, self.damage = [], []
        if self.path.stat().st_size <= self.start:
            return
        with (
            self.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
            memoryview(data) as view,
        ):
            yield from self._scan(data, view)

    def _scan(self, data: mmap.mmap, view: memoryview) -> Iterator[tuple[Header, int]]:
        at, size = self.start, len(view)
        first, begin = 0, at
        while at < size:
            try:
                for header, payload in records(view, at):
                    at = payload + header.length
                    if at - begin > BLOCK_BYTES and first:
                        self.blocks.append(Block(first, begin, payload - HEADER_BYTES))
                        first = 0
                    if not first:
                        first, begin = header.seq, payload - HEADER_BYTES
                    yield header, payload - HEADER_BYTES
            except WireError as error:
                if first:
                    self.blocks.append(Block(first, begin, at))
                good = _next_record(data, view, at + 1)
                self.damage.append(Damage(self.path.name, at, good, str(error), "skipped"))
                first, at = 0, good
        if first:
            self.blocks.append(Block(first, begin, at))

    def read(self, seq: int, max_bytes: int) -> bytes:
        """Return whole records from the first whose seq is at least `seq`: at least one, at most about `max_bytes`.

        Empty if there is none. `scan` must have run, or the writer kept `blocks`.
        """
        index = max(bisect_right(self.blocks, seq, key=lambda b: b.first_seq) - 1, 0)
        with self.path.open("rb") as file:
            while index < len(self.blocks):
                block = self.blocks[index]
                start = _offset_of(os.pread(file.fileno(), block.end - block.start, block.start), seq)
                if start is not None:
                    end = block.end
                    for following in self.blocks[index + 1 :]:
                        if following.start != end or following.end - block.start - start > max_bytes:
                            break
                        end = following.end
                    return os.pread(file.fileno(), end - block.start - start, block.start + start)
                index += 1
        return b""


class Journal:
    """The journal, open for appending by the one tickerplant that holds its lock.

    `position` is the state after the last good record; `damage` what opening, and reading since, found. Raises
    JournalLocked if another process has it open, JournalError if it cannot be read or written.
    """

    def __init__(self, folder: Path, schema: Schema, segment_bytes: int = 256 * 2**20) -> None:
        self.folder = folder
        self.schema = schema
        self.segment_bytes = segment_bytes
        self.damage: list[Damage] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder / "lock")
        except OSError as error:
            raise _unusable(folder, error) from None
        self._size = 0
        self._file = threading.Lock()  # held while the file is synced or exchanged
        try:
            self.segments = [Segment(p) for p in sorted(folder.glob("*.journal"))]
            self.position = self._recover() if self.segments else Position()
            # a record is read with the declarations of its segment
            if self.segments and self.segments[-1].tables.keys() == schema.by_id.keys():
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
        if self._size - start <= BLOCK_BYTES:
            self._index(first_seq, start, self._size)
            return
        for chunk in chunks:
            self._index(_SEQ.unpack_from(chunk)[0], start, start + len(chunk))
            start += len(chunk)

    def roll_if_full(self) -> bool:
        """Begin a new segment if the present one has reached its size; `position` must be current.

        Raises JournalError if that cannot be done; the present one then stays in use.
        """
        if self._size < self.segment_bytes:
            return False
        self.sync()
        with self._file:
            full = self._fd
            try:
                self._start_segment()
            except OSError as error:
                raise JournalError(
                    f"{self.folder}: cannot begin a segment: {error.strerror}; "
                    f"the journal goes on in {self.segments[-1].path.name}"
                ) from None
            os.close(full)
        return True

    def sync(self) -> None:
        """Make what was appended survive a power cut (fdatasync); any thread may call it. Raises JournalError."""
        try:
            with self._file:
                os.fdatasync(self._fd)
        except OSError as error:
            raise JournalError(f"{self.segments[-1].path}: fsync failed: {error.strerror}") from None

    def read(self, seq: int, max_bytes: int = 2**20) -> bytes:
        """Return whole records from the first whose seq is at least `seq`, about `max_bytes`; empty at the end."""
        index = max(bisect_right(self.segments, seq, key=lambda s: s.first_seq) - 1, 0)
        for segment in self.segments[index:]:
            if not segment.blocks and not segment.damage and segment is not self.segments[-1]:
                for _ in segment.scan():
                    pass
                self.damage += segment.damage
            if found := segment.read(seq, max_bytes):
                return found
        return b""

    def tables(self) -> list[dict[str, Any]]:
        """Return the declaration of every table in any segment, each schema id once, newest segment last."""
        found = {schema_id: table for s in self.segments for schema_id, table in s.tables.items()}
        return [t.declaration() for t in found.values()]

    def close(self) -> None:
        """Sync and let go of the journal."""
        try:
            self.sync()
        finally:
            os.close(self._fd)
            os.close(self._lock)

    def _index(self, seq: int, start: int, end: int) -> None:
        """Note that records from `seq` on stand at [start, end) of the last segment, in blocks of BLOCK_BYTES."""
        blocks = self.segments[-1].blocks
        if blocks and end - blocks[-1].start <= BLOCK_BYTES:
            blocks[-1] = Block(blocks[-1].first_seq, blocks[-1].start, end)
        else:
            blocks.append(Block(seq, start, end))

    def _recover(self) -> Position:
        last = self.segments[-1]
        position = Position(last.first_seq - 1, dict(last.header["table_seqs"]), dict(last.header["sources"]))
        names = {schema_id: t.name for schema_id, t in last.tables.items()}
        whole_until, group = last.start, []
        for header, offset in last.scan():
            group.append(header)
            if header.flags & MORE:
                continue
            for member in group:
                position.seq = member.seq
                position.table_seqs[names.get(member.schema_id, "")] = member.table_seq
                position.sources[member.source_id] = member.source_seq
            group, whole_until = [], offset + HEADER_BYTES + header.length
        self._cut_tail(last, whole_until)
        self.damage += last.damage
        return position

    def _cut_tail(self, segment: Segment, end: int) -> None:
        size = segment.path.stat().st_size
        if end == size:
            return
        torn = segment.path.with_name(f"{segment.path.name}.torn-{end}")
        while torn.exists():  # it tore here before
            torn = torn.with_name(f"{torn.name}-again")
        with segment.path.open("r+b") as file:
            file.seek(end)
            torn.write_bytes(file.read())
            file.truncate(end)
            os.fsync(file.fileno())
        reason = segment.damage[-1].reason if segment.damage else "the last publish was cut short"
        segment.damage = [d for d in segment.damage if d.start < end]
        segment.damage.append(Damage(segment.path.name, end, size, reason, f"cut off and kept as {torn.name}"))
        segment.blocks = [Block(b.first_seq, b.start, min(b.end, end)) for b in segment.blocks if b.start < end]

    def _start_segment(self) -> None:
        path = self.folder / f"{self.position.seq + 1:020d}.journal"
        header = msgpack.packb(
            {
                "version": SEGMENT_VERSION,
                "first_seq": self.position.seq + 1,
                "created": time.time_ns(),
                "tables": [t.declaration() for t in self.schema.values()],
                "table_seqs": self.position.table_seqs,
                "sources": self.position.sources,
            }
        )
        partial = path.with_suffix(".new")
        with partial.open("wb") as file:
            file.write(_PREFIX.pack(SEGMENT_MAGIC, len(header), zlib.crc32(header)) + header)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        self.segments = [s for s in self.segments if s.path != path]
        self.segments.append(Segment(path))
        self._open_last()

    def _open_last(self) -> None:
        self._fd = os.open(self.segments[-1].path, os.O_WRONLY | os.O_APPEND)
        self._size = os.fstat(self._fd).st_size

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


def _locked(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        raise JournalLocked(
            f"{path.parent}: another tickerplant (pid {holder}) writes this journal; "
            f"stop it, or give this plant another [plant] data folder"
        ) from None
    os.ftruncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())
    return fd


def _next_record(data: mmap.mmap, view: memoryview, at: int) -> int:
    """Return the offset of the next good record at or after `at`, or the end of the file."""
    while (at := data.find(MAGIC, at)) >= 0:
        try:
            header = header_at(view, at)
            end = at + HEADER_BYTES + header.length
            if end <= len(view) and zlib.crc32(view[at + HEADER_BYTES : end]) == header.payload_crc:
                return at
        except WireError:
            pass  # these four bytes stood in a payload
        at += 1
    return len(view)


def _offset_of(block: bytes, seq: int) -> int | None:
    """Return the offset in a block of the first record whose seq is at least `seq`, None if there is none."""
    at = 0
    while at < len(block):
        header = header_at(block, at)
        if header.seq >= seq:
            return at
        at += HEADER_BYTES + header.length
    return None
