"""A closed segment as zstd frames.

The bytes of the plain segment, a frame for its header and one for each block of records, each behind a skippable frame
that says what it holds (RFC 8878, 3.1.2). So `zstd -d` gives the plain segment back, and a reader can decompress any
block alone. The head of a frame, little-endian:

    uint32 0x184D2A54 | uint32 40 | uint32 stored length | uint32 plain length | uint64 first_seq | uint64 start
    | int64 received | uint32 CRC-32 of the plain bytes | uint32 CRC-32 of this head so far
"""

import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from typing import IO, Any

import pyarrow as pa

from plant.checksum import crc32
from plant.errors import JournalError, WireError
from plant.journal.index import Block, Damage
from plant.journal.segment import Segment, check_block

COMPRESSED_SUFFIX = ".journal.zst"

_HEAD = struct.Struct("<IIIIQQqI")
_HEAD_CRC = struct.Struct("<I")
_HEAD_BYTES = _HEAD.size + _HEAD_CRC.size
_SKIPPABLE = 0x184D2A54
_CODEC = pa.Codec("zstd", 3)


class CompressedSegment(Segment):
    """A closed segment as zstd frames; offsets are those of the plain segment."""

    _good: list[Block]

    def opening(self) -> bytes:
        """Return the bytes of the header, or of what stands in its place."""
        with self.path.open("rb") as file:
            head = _head_in(file.read(_HEAD_BYTES), 0)
            if head is None or head.first_seq:
                return b""
            try:
                return self._bytes(file, [head], check=False)
            except WireError:
                return b""

    def load(self, walk: bool = True) -> list[Block]:
        """Return the blocks; without an index the heads of the frames tell, which takes no time worth speaking of."""
        return super().load(walk=True)

    def frames(self, damage: list[Damage]) -> Iterator[Block]:
        """Yield the block of each frame behind a good head, the segment's header first; go round damaged heads."""
        if not self.path.stat().st_size:
            return
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at, end = 0, 0
            while at < len(data):
                head = _head_in(data, at)
                if head is None:
                    lost, at = at, _next_head(data, at + 1)
                    head = _head_in(data, at)
                    reason = f"no frame at byte {lost:,} of the file"
                    damage.append(Damage(self.path.name, end, head.start if head else end, reason, "skipped"))
                    if head is None:
                        return
                yield head
                at, end = head.at + head.length, head.end

    def _pieces(self, start: int, damage: list[Damage]) -> Iterator[tuple[int, int, Any]]:
        with self.path.open("rb") as file:
            self._good = []
            for block in [b for b in self.frames(damage) if b.first_seq]:
                try:
                    yield block.start, 0, self._bytes(file, [block], check=False)
                    self._good.append(block)
                except WireError as error:
                    damage.append(Damage(self.path.name, block.start, block.end, str(error), "skipped"))

    def _found(self, blocks: list[Block], damage: list[Damage]) -> None:
        self.blocks, self.damage = self._good, damage

    def _rebuild(self) -> list[Block]:
        damage: list[Damage] = []
        blocks = [b for b in self.frames(damage) if b.first_seq]
        self.blocks, self.damage = blocks, damage
        return blocks

    def _bytes(self, file: IO[bytes], blocks: Sequence[Block], check: bool) -> bytes:
        parts = []
        for block in blocks:
            stored = os.pread(file.fileno(), block.length, block.at)
            try:
                data = _CODEC.decompress(stored, decompressed_size=block.end - block.start, asbytes=True)
            except (OSError, ValueError, pa.ArrowException) as error:
                raise WireError(f"a frame cannot be decompressed: {error}") from None
            check_block(block, memoryview(data), check)
            parts.append(data)
        return b"".join(parts) if len(parts) > 1 else parts[0]

    def _without_damage(self, file: IO[bytes], blocks: list[Block], index: int, reason: str) -> list[Block]:
        block = blocks[index]
        self.damage.append(Damage(self.path.name, block.start, block.end, reason, "skipped"))
        return [*blocks[:index], *blocks[index + 1 :]]


def frame(block: Block, data: bytes) -> bytes:
    """Return the head and the zstd frame of a block whose plain bytes are `data`."""
    stored = _CODEC.compress(data, asbytes=True)
    if _CODEC.decompress(stored, decompressed_size=len(data), asbytes=True) != data:
        raise JournalError(f"zstd did not give back the {len(data):,} bytes at {block.start:,}; check the memory")
    crc = crc32(data)
    head = _HEAD.pack(
        _SKIPPABLE, _HEAD_BYTES - 8, len(stored), len(data), block.first_seq, block.start, block.received, crc
    )
    return head + _HEAD_CRC.pack(crc32(head)) + stored


def _head_in(data: Any, at: int) -> Block | None:
    if at + _HEAD_BYTES > len(data):
        return None
    magic, _, stored, plain, first_seq, start, received, crc = _HEAD.unpack_from(data, at)
    if magic != _SKIPPABLE or _HEAD_CRC.unpack_from(data, at + _HEAD.size)[0] != crc32(data[at : at + _HEAD.size]):
        return None
    return Block(first_seq, start, start + plain, received, crc, at + _HEAD_BYTES, stored)


def _next_head(data: mmap.mmap, at: int) -> int:
    magic = struct.pack("<II", _SKIPPABLE, _HEAD_BYTES - 8)
    while (at := data.find(magic, at)) >= 0 and _head_in(data, at) is None:
        at += 1
    return at if at >= 0 else len(data)
