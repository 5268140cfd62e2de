"""What is done to a journal beside the capture: index its segments, compress closed ones, let old ones go.

All of it in one thread of the tickerplant's process. Reading, zstd, CRC-32 and fsync let go of Python's lock, and none
of the journal's locks is held meanwhile, so that capture goes on; after each piece of work the thread rests.
"""

import os
import threading
import time
from collections.abc import Callable

from plant.checksum import crc32
from plant.data_folder import partial_of, sync_folder
from plant.errors import JournalError, WireError
from plant.journal.compressed import COMPRESSED_SUFFIX, CompressedSegment, frame
from plant.journal.files import segment_at
from plant.journal.index import Block
from plant.journal.journal import Journal
from plant.journal.segment import PLAIN_SUFFIX, NotIndexed, Segment

ROUND_S = 1.0
"""Pause between looks at the journal."""

RETRY_S = 60.0
"""Pause after a round that failed (disk full, say)."""

RESTS = 3
"""Rest for each time of work."""

WALK_RECORDS = 1000
"""Records of a segment without an index that are gone through at once, about two milliseconds."""

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
        self._first_things()
        for segment in self.journal.segments[:-1]:
            if self._stopping.is_set():
                return
            if segment.path.name not in self._settled:
                self._settle(segment)
        for segment in self.expired(time.time_ns() if now_ns is None else now_ns):
            self.journal.segments.exchange(segment, None)
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
        retry_at = 0.0
        while not self._stopping.wait(ROUND_S):
            try:
                self._first_things()
                if time.monotonic() >= retry_at:
                    self.round()
                    retry_at = 0.0
            except (JournalError, OSError) as error:
                if not retry_at:
                    self._report(f"closed segments stay as they are for now: {error}")
                retry_at = time.monotonic() + RETRY_S

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
            self.journal.segments.exchange(segment, made)
            self._report(f"compressed {segment.path.name} from {before:,} to {after:,} bytes")
            self._settled.add(made.path.name)
        self._settled.add(segment.path.name)

    def _first_things(self) -> None:
        """Do what should not wait for a compression: what a reader waits for, and the index of the open segment."""
        if (wanted := self.journal.segments.unindexed) is not None:
            try:
                self._walk(wanted)
            except (JournalError, OSError):
                wanted.hopeless = True  # its reader meets the error
                raise
            finally:
                self.journal.segments.unindexed = None
        if (beginning := self.journal.beginning) is not None:
            self.journal.beginning = None
            try:
                if self._summed(beginning.segment, beginning.segment.load(), beginning.blocks - 1):
                    last = beginning.last
                    crc = crc32(beginning.segment.bytes_of(last))
                    self.journal.index_beginning(beginning._replace(last=last._replace(crc=crc)))
            except WireError as error:
                self._report(f"{beginning.segment.path.name} is damaged while it is written: {error}")

    def _walk(self, segment: Segment) -> None:
        """Go through a segment that has no index yet."""
        try:
            segment.load(walk=False)
        except NotIndexed:
            began = time.monotonic()
            for count, _ in enumerate(segment.walk(), 1):
                if count % WALK_RECORDS == 0:
                    if self._rest(began, 1):
                        return
                    began = time.monotonic()

    def _summed(self, segment: Segment, blocks: list[Block], count: int) -> bool:
        """Verify the first `count` blocks where only the writer has noted them, and note their checksums.

        False if we are to stop. Raises WireError for a block that is not what was written.
        """
        for i in range(count):
            if (block := blocks[i]).crc < 0:
                began = time.monotonic()
                blocks[i] = block._replace(crc=crc32(segment.bytes_of(block)))
                if self._rest(began):
                    return False
        return True

    def _index(self, segment: Segment) -> None:
        """Write the index of a closed segment."""
        self._walk(segment)
        if self._stopping.is_set():
            return
        blocks = segment.load()
        try:
            if not self._summed(segment, blocks, len(blocks)):
                return
        except WireError as error:  # it was good when it was written
            self._damaged(segment, error)
            return
        if not segment.indexed:
            segment.save_index(blocks)
            segment.blocks = None  # read from the index when wanted

    def _compressed(self, segment: Segment) -> Segment | None:
        """Write the compressed copy of a segment and return it; None if we are to stop, or it turns out damaged."""
        path = segment.path.with_name(segment.path.name.removesuffix(PLAIN_SUFFIX) + COMPRESSED_SUFFIX)
        partial = partial_of(path)
        try:
            with partial.open("wb") as file:
                opening = segment.opening()
                file.write(frame(Block(0, 0, len(opening)), opening))
                for block in segment.load():
                    self._first_things()
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
        found.save_index(found.load())
        found.blocks, found.read_at = None, segment.read_at
        return found

    def _damaged(self, segment: Segment, error: WireError) -> None:
        """Find what is left of a segment; it stays as it is."""
        self._report(f"{segment.path.name} is damaged: {error}; `plant journal verify` tells what is lost")
        for _ in segment.scan():
            pass
        segment.save_index(segment.load())

    def _rest(self, began: float, times: int = RESTS) -> bool:
        """Rest for several times what the work since `began` took: capture goes first. Return whether to stop."""
        return self._stopping.wait(min(times * (time.monotonic() - began), 0.1))
