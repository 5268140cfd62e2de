"""What is done to closed segments of a journal beside the capture: index them, compress them, let old ones go."""

import os
import threading
import time
import zlib
from collections.abc import Callable

from plant.compressed import COMPRESSED_SUFFIX, CompressedSegment, frame, segment_at
from plant.errors import JournalError, WireError
from plant.journal import Journal, sync_folder
from plant.segment import PLAIN_SUFFIX, Block, Segment, write_index

ROUND_S = 1.0
"""Pause between looks at the journal."""

RETRY_S = 60.0
"""Pause after a round that failed (disk full, say)."""

RESTS = 3
"""Rest for each time of work."""

READING_S = 60.0
"""A segment that was read this lately is not removed, nor are those after it."""

_DAY_NS = 86_400 * 10**9
_NICE = 10


class Upkeep:
    """Works on the closed segments of a journal, one at a time, in a thread of low priority.

    compress            whether closed segments are compressed
    keep_days, keep_gb  closed segments that ended longer ago, or are beyond this size of the journal (10**9 bytes), are
                        removed, oldest first; 0: kept. Never one that is not confirmed, or that is being read.
    report              takes a line about what was done, or what went wrong
    """

    def __init__(
        self,
        journal: Journal,
        *,
        compress: bool = True,
        keep_days: float = 0.0,
        keep_gb: float = 0.0,
        report: Callable[[str], None] = print,
    ) -> None:
        self.journal = journal
        self.compress = compress
        self.keep_days = keep_days
        self.keep_gb = keep_gb
        self._report = report
        self._stopping = threading.Event()
        self._settled: set[str] = set()  # segments that stay as they are
        self._thread = threading.Thread(target=self._run, name="journal upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop within about a block's work; what was half done is done again at the next start."""
        self._stopping.set()
        if self._thread.ident:
            self._thread.join()

    def round(self, now_ns: int | None = None) -> None:
        """Do all there is to do now. Raises JournalError or OSError; the next round tries again."""
        for segment in self.journal.segments[:-1]:
            if self._stopping.is_set():
                return
            if segment.path.name not in self._settled:
                self._settle(segment)
        for segment in self.expired(time.time_ns() if now_ns is None else now_ns):
            self.journal.exchange(segment, None)
            self._report(f"removed {segment.path.name}")

    def expired(self, now_ns: int) -> list[Segment]:
        """Return the segments to remove, oldest first: always a beginning of the journal."""
        segments = self.journal.segments
        sizes = [s.path.stat().st_size for s in segments]
        left = sum(sizes)
        found = []
        for segment, following, size in zip(segments, segments[1:], sizes, strict=False):
            old = self.keep_days and following.header["created"] < now_ns - self.keep_days * _DAY_NS
            many = self.keep_gb and left > self.keep_gb * 10**9
            read = time.monotonic() - segment.read_at < READING_S
            if not (old or many) or read or following.first_seq - 1 > self.journal.confirmed:
                break
            found.append(segment)
            left -= size
        return found

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        pause_s = ROUND_S
        while not self._stopping.wait(pause_s):
            try:
                self.round()
                pause_s = ROUND_S
            except (JournalError, OSError) as error:
                if pause_s == ROUND_S:
                    self._report(f"closed segments stay as they are for now: {error}")
                pause_s = RETRY_S

    def _settle(self, segment: Segment) -> None:
        """Index a closed segment, and compress it unless it is damaged: its good records can still be saved then."""
        if not segment.indexed:
            self._index(segment)
        if self._stopping.is_set():
            return
        damaged = any(d.outcome == "skipped" for d in segment.damage)
        if self.compress and not damaged and not isinstance(segment, CompressedSegment):
            made = self._compressed(segment)
            if made is None:
                return
            before, after = segment.path.stat().st_size, made.path.stat().st_size
            self.journal.exchange(segment, made)
            self._report(f"compressed {segment.path.name} from {before:,} to {after:,} bytes")
            self._settled.add(made.path.name)
        self._settled.add(segment.path.name)

    def _index(self, segment: Segment) -> None:
        """Write the index of a segment; blocks that only the writer has noted are verified, and get a checksum."""
        blocks = []
        try:
            for block in segment.load():
                if block.crc < 0:
                    began = time.monotonic()
                    block = block._replace(crc=zlib.crc32(segment.bytes_of(block)))
                    if self._rest(began):
                        return
                blocks.append(block)
        except WireError as error:  # it was good when it was written
            self._damaged(segment, error)
            return
        if not segment.indexed:
            write_index(segment, blocks)
            segment.blocks = None  # read from the index when wanted

    def _compressed(self, segment: Segment) -> Segment | None:
        """Write the compressed copy of a segment and return it; None if we are to stop, or it turns out damaged."""
        path = segment.path.with_name(segment.path.name.removesuffix(PLAIN_SUFFIX) + COMPRESSED_SUFFIX)
        partial = path.with_name(f"{path.name}.new")
        try:
            with partial.open("wb") as file:
                opening = segment.opening()
                file.write(frame(Block(0, 0, len(opening)), opening))
                for block in segment.load():
                    began = time.monotonic()
                    file.write(frame(block, segment.bytes_of(block)))
                    if self._rest(began):
                        return None
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
        except WireError as error:  # it was good when it was indexed
            self._damaged(segment, error)
            return None
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)
        found = segment_at(path)
        write_index(found, found.load())
        found.blocks, found.read_at = None, segment.read_at
        return found

    def _damaged(self, segment: Segment, error: WireError) -> None:
        """Find what is left of a segment; it stays as it is."""
        self._report(f"{segment.path.name} is damaged: {error}; `plant journal verify` tells what is lost")
        for _ in segment.scan():
            pass
        write_index(segment, segment.load())

    def _rest(self, began: float) -> bool:
        """Rest for several times what the work since `began` took: capture goes first. Return whether to stop."""
        return self._stopping.wait(min(RESTS * (time.monotonic() - began), 0.1))
