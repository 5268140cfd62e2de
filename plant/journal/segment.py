"""One file of the journal, for reading (docs/journal.md).

Its index (plant.journal.index) lists its blocks, so that nobody walks its records to find one.
"""

import mmap
import os
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgpack

from plant.checksum import crc32
from plant.errors import JournalError, WireError
from plant.journal.index import PREFIX, Block, Damage, Index, read_index, write_index
from plant.rows.schema import Table
from plant.wire.envelope import HEADER_BYTES, MAGIC, RECEIVED, SEQ, Header, header_at
from plant.wire.record import records

SEGMENT_MAGIC = b"TPLTJRNL"
SEGMENT_VERSION = 1
PLAIN_SUFFIX = ".journal"
BLOCK_BYTES = 64 * 1024
"""Granularity of the index: a reader finds its record by walking at most about this much."""


class NotIndexed(Exception):
    """A segment would have to be gone through to find its blocks, which takes seconds."""


class Segment:
    """A plain segment. Raises JournalError if its header is not ours; `header` stands in for one that is damaged."""

    def __init__(self, path: Path, header: dict[str, Any] | None = None) -> None:
        self.path = path
        self.blocks: list[Block] | None = None
        self.damage: list[Damage] = []
        self.indexed = False
        self.hopeless = False  # nobody but its reader will go through it: that failed before
        self.read_at = float("-inf")  # time.monotonic() of the last read
        self.start = 0
        self.header_crc = 0
        if header is None:
            opening = self.opening()
            header = header_in(opening)
            if header is None:
                raise JournalError(
                    f"{path}: expected a segment header starting with {SEGMENT_MAGIC!r}, found {opening[:8]!r}, "
                    "too few bytes or a wrong checksum; restore the file, or save what is in it: plant journal repair"
                )
            if header["version"] != SEGMENT_VERSION:
                raise JournalError(
                    f"{path}: expected segment version {SEGMENT_VERSION}, found {header['version']}; "
                    "it was written by another version of tickplant: use that one, or move the file away"
                )
            self.start = len(opening)
            self.header_crc = PREFIX.unpack_from(opening)[2]
        self.header: dict[str, Any] = header
        self.first_seq: int = header["first_seq"]
        self.tables = {t.schema_id: t for t in map(Table.declared, header["tables"])}

    def opening(self) -> bytes:
        """Return the bytes of the header, or of what stands in its place."""
        with self.path.open("rb") as file:
            head = file.read(PREFIX.size)
            if len(head) < PREFIX.size:
                return head
            size = self.path.stat().st_size
            return head + file.read(min(PREFIX.unpack(head)[1], size))

    def scan(self, known: Sequence[Block] = ()) -> Iterator[tuple[Header, int]]:
        """Yield each good record's envelope and its offset; `blocks` and `damage` are set at the end.

        Records in the `known` blocks, good ones from the segment's beginning on, are passed over.
        """
        for header, offset, _ in self._walk(known, copy=False):
            yield header, offset

    def walk(self) -> Iterator[tuple[Header, int]]:
        """Yield as `scan` does what must be gone through to find the blocks, less what an earlier index has."""
        begun = self.beginning()
        return self.scan(begun.blocks if begun else ())

    def payloads(self) -> Iterator[tuple[Header, bytes]]:
        """Yield each good record's envelope and payload; `damage` is set at the end."""
        for header, _, payload in self._walk((), copy=True):
            yield header, payload

    def load(self, walk: bool = True) -> list[Block]:
        """Return the blocks: those in memory, those of the index file, or found by going through the segment.

        Raises NotIndexed where it is to be gone through, but not to `walk`.
        """
        blocks = self.blocks  # another thread may let go of them meanwhile
        if blocks is not None:
            return blocks
        found = read_index(self.path, self.header_crc)
        if found is None or found.size != self.path.stat().st_size:
            if not walk and not self.hopeless:
                raise NotIndexed(self.path.name)
            return self._rebuild()
        self.blocks, self.damage = found.blocks, found.damage
        self.indexed = True
        return found.blocks

    def save_index(self, blocks: list[Block]) -> None:
        """Write the index of a closed segment. Raises OSError."""
        write_index(self.path, self.header_crc, Index(self.path.stat().st_size, blocks, self.damage))
        self.indexed = True

    def beginning(self) -> Index | None:
        """Return the index of a beginning of the segment, made while it was open, if every byte is as it was then."""
        found = read_index(self.path, self.header_crc)
        if found is None or found.state is None or found.damage or not found.blocks:
            return None
        end = self.start
        for block in found.blocks:
            if block.start != end or block.crc < 0:
                return None
            end = block.end
        try:
            with self.path.open("rb") as file:
                for block in found.blocks:
                    self._bytes(file, [block], check=False)
        except WireError:
            return None
        return found if end == found.size else None

    def read(self, seq: int, max_bytes: int, check: bool = False, walk: bool = True) -> bytes:
        """Return whole records from the first whose seq is at least `seq`: at least one, at most about `max_bytes`.

        Empty if there is none. Raises NotIndexed as `load` does. Blocks whose checksum is wrong are walked, their good
        records kept, the rest added to `damage`; `check` verifies every record, also where no checksum of the block is
        known.
        """
        self.read_at = time.monotonic()
        blocks = self.load(walk)
        index = max(bisect_right(blocks, seq, key=lambda b: b.first_seq) - 1, 0)
        with self.path.open("rb") as file:
            while index < len(blocks):
                block = blocks[index]
                try:
                    data = self._bytes(file, [block], check)
                    start = _offset_of(data, seq)
                except WireError as error:
                    blocks = self.blocks = self._without_damage(file, blocks, index, str(error))
                    continue
                if start is None:
                    index += 1
                    continue
                run: list[Block] = []
                end = block.end
                while index + 1 + len(run) < len(blocks):
                    following = blocks[index + 1 + len(run)]
                    if following.start != end or following.end - block.start - start > max_bytes:
                        break
                    run.append(following)
                    end = following.end
                try:
                    more = self._bytes(file, run, check) if run else b""
                except WireError:
                    more = b""  # the next read meets the damage, as its first block
                return b"".join((memoryview(data)[start:], more))
        return b""

    def extend(self, chunks: Sequence[bytes | bytearray], seq: int, start: int, end: int) -> None:
        """Note that these records, the first numbered `seq`, were appended at [start, end): blocks of BLOCK_BYTES."""
        blocks = self.load()
        if end - start <= BLOCK_BYTES:
            _extend(blocks, seq, start, end, chunks[0])
            return
        for chunk in chunks:
            _extend(blocks, SEQ.unpack_from(chunk)[0], start, start + len(chunk), chunk)
            start += len(chunk)

    def bytes_of(self, block: Block) -> bytes:
        """Return the plain bytes of a block. Raises WireError if its checksum, or without one a record's, is wrong."""
        with self.path.open("rb") as file:
            return self._bytes(file, [block], check=block.crc < 0)

    def _pieces(self, start: int, damage: list[Damage]) -> Iterator[tuple[int, int, Any]]:
        """Yield (offset in the segment, where records begin in it, bytes) from `start` on; add damage to `damage`."""
        if self.path.stat().st_size <= start:
            return
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield 0, start, data

    def _walk(self, known: Sequence[Block], copy: bool) -> Iterator[tuple[Header, int, bytes]]:
        blocks = list(known)
        damage: list[Damage] = []
        for base, begin, data in self._pieces(known[-1].end if known else self.start, damage):
            with memoryview(data) as view:
                for header, at in records_in(self.path.name, data, view, base, begin, blocks, damage):
                    payload = at + HEADER_BYTES
                    yield header, base + at, bytes(view[payload : payload + header.length]) if copy else b""
        self._found(blocks, damage)

    def _found(self, blocks: list[Block], damage: list[Damage]) -> None:
        self.blocks, self.damage = blocks, damage

    def _rebuild(self) -> list[Block]:
        for _ in self.walk():
            pass
        return self.blocks or []

    def _bytes(self, file: IO[bytes], blocks: Sequence[Block], check: bool) -> bytes:
        first = blocks[0].start
        data = os.pread(file.fileno(), blocks[-1].end - first, first)
        if len(data) < blocks[-1].end - first:
            raise WireError(f"the file ends at {first + len(data):,}")
        with memoryview(data) as view:
            for block in blocks:
                check_block(block, view[block.start - first : block.end - first], check)
        return data

    def _without_damage(self, file: IO[bytes], blocks: list[Block], index: int, reason: str) -> list[Block]:
        """Return the blocks with the one at `index` replaced by the runs of good records in it."""
        block, good = blocks[index], list[Block]()
        data = os.pread(file.fileno(), block.end - block.start, block.start)
        with memoryview(data) as view:
            for _ in records_in(self.path.name, data, view, block.start, 0, good, self.damage):
                pass
        return [*blocks[:index], *good, *blocks[index + 1 :]]


def _extend(blocks: list[Block], seq: int, start: int, end: int, record: bytes | bytearray) -> None:
    last = blocks[-1] if blocks else None
    if last and last.end == start and end - last.start <= BLOCK_BYTES:
        blocks[-1] = Block(last.first_seq, last.start, end, last.received)
    else:
        blocks.append(Block(seq, start, end, RECEIVED.unpack_from(record)[0]))


def header_in(opening: bytes) -> dict[str, Any] | None:
    """Return the map of a segment's header, of any version; None if it is damaged or not a segment's."""
    if len(opening) < PREFIX.size:
        return None
    magic, length, crc = PREFIX.unpack_from(opening)
    body = opening[PREFIX.size :]
    if magic != SEGMENT_MAGIC or len(body) != length or crc32(body) != crc:
        return None
    found: dict[str, Any] = msgpack.unpackb(body, strict_map_key=False)
    return found


def packed_header(fields: dict[str, Any]) -> bytes:
    """Return the bytes of a segment's header."""
    body = msgpack.packb(fields)
    return PREFIX.pack(SEGMENT_MAGIC, len(body), crc32(body)) + body


def records_in(
    name: str, data: Any, view: memoryview, base: int, begin: int, blocks: list[Block], damage: list[Damage]
) -> Iterator[tuple[Header, int]]:
    """Yield the envelope and offset of each good record in `view` from `begin` on; `base` is the view's own offset."""
    at, size = begin, len(view)
    first: Header | None = None

    def close(end: int) -> None:
        if first:
            crc = crc32(view[begin:end])
            blocks.append(Block(first.seq, base + begin, base + end, first.received, crc))

    while at < size:
        try:
            for header, payload in records(view, at):
                at = payload + header.length
                if at - begin > BLOCK_BYTES:
                    close(payload - HEADER_BYTES)
                    first = None
                if not first:
                    first, begin = header, payload - HEADER_BYTES
                yield header, payload - HEADER_BYTES
        except WireError as error:
            close(at)
            good = _next_record(data, view, at + 1)
            damage.append(Damage(name, base + at, base + good, str(error), "skipped"))
            first, at = None, good
    close(at)


def _next_record(data: Any, view: memoryview, at: int) -> int:
    """Return the offset of the next good record at or after `at`, or the end."""
    while (at := data.find(MAGIC, at)) >= 0:
        try:
            header = header_at(view, at)
            end = at + HEADER_BYTES + header.length
            if end <= len(view) and crc32(view[at + HEADER_BYTES : end]) == header.payload_crc:
                return at
        except WireError:
            pass  # these four bytes stood in a payload
        at += 1
    return len(view)


def check_block(block: Block, data: memoryview, every_record: bool) -> None:
    """Raise WireError if the checksum of a block, or of any record in it, is wrong."""
    if block.crc >= 0 and crc32(data) != block.crc:
        raise WireError(f"the checksum of the block at {block.start:,} is wrong")
    if every_record:
        for _ in records(data):
            pass


def _offset_of(block: bytes, seq: int) -> int | None:
    """Return the offset in a block of the first record whose seq is at least `seq`, None if there is none."""
    at = 0
    while at < len(block):
        header = header_at(block, at)
        if header.seq >= seq:
            return at
        at += HEADER_BYTES + header.length
    return None
