"""Stream and journal compared, record by record: `plant mirror verify`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from mirror.jetstream import Link
from mirror.promoting import ASK_S, STREAM_S
from plant.errors import Unavailable, WireError
from plant.journal.segments import Segments
from plant.progress import Progress
from plant.runtime.settings import Settings
from plant.stream.mirrored import Before, unpacked_records
from plant.transport.request import Requester
from plant.wire import messages
from plant.wire.record import records

MOST_DIFFERENCES = 20
"""More are counted, and not named."""

Found = tuple[int, int]
"""A record: its seq, and its header_crc, which covers the payload's."""


@dataclass
class Comparison:
    """What was found: records that both have, from `first` to `last`; `behind` that only the journal has."""

    messages: int = 0
    records: int = 0
    first: int = 0
    last: int = 0
    behind: int = 0
    differences: list[str] = field(default_factory=list)
    more: int = 0

    @property
    def same(self) -> bool:
        """Whether the stream is a part of the journal, without a hole, up to its end."""
        return not self.differences

    def differ(self, what: str) -> None:
        """Note a difference."""
        if len(self.differences) < MOST_DIFFERENCES:
            self.differences.append(what)
        else:
            self.more += 1


def compare(settings: Settings, progress: Progress) -> Comparison:
    """Compare the stream of [mirror] with the journal. Raises Unavailable, SettingsError without a stream."""
    found = Comparison()
    link = Link(settings.mirror)
    read = _reader(settings)
    try:
        standing = link.present().result(STREAM_S)
        end = standing.place.js_seq
        before = standing.declared.before if standing.declared else Before(0, {}, {})
        stream = _stream(link, standing.first, end, found, progress)
        head = next(stream, None)
        if head is None:
            return found
        found.first = head[0]
        if standing.first == 1 and head[0] > before.seq + 1:
            found.differ(f"seq {before.seq + 1} to {head[0] - 1}: not in the stream, which should begin there")
        _compare(chain([head], stream), _journal(read, head[0]), found)
    finally:
        link.close()
    return found


def _compare(stream: Iterator[Found], journal: Iterator[Found], found: Comparison) -> None:
    """Go through both in the order of seq."""
    ours = next(journal, None)
    for theirs in stream:
        while ours is not None and ours[0] < theirs[0]:
            found.differ(f"seq {ours[0]}: in the journal, not in the stream")
            ours = next(journal, None)
        if theirs[0] <= found.last:
            found.differ(f"seq {theirs[0]}: again in the stream, behind {found.last}")
        elif ours is None or ours[0] > theirs[0]:
            found.differ(f"seq {theirs[0]}: in the stream, not in the journal")
        else:
            if ours[1] != theirs[1]:
                found.differ(f"seq {theirs[0]}: another record in the stream than in the journal")
            else:
                found.records += 1
            ours = next(journal, None)
        found.last = max(found.last, theirs[0])
    found.behind = sum(1 for _ in journal) + (ours is not None)


def _stream(link: Link, first: int, end: int, found: Comparison, progress: Progress) -> Iterator[Found]:
    at = first
    while at <= end:
        at, body, headers = link.message(at).result(STREAM_S)
        if not at or at > end:
            return
        found.messages += 1
        try:
            for header, _ in records(unpacked_records(body, headers)):
                yield header.seq, header.header_crc
        except WireError as error:
            found.differ(f"message {at} of the stream is damaged: {error}")
        progress(at, end)
        at += 1


def _journal(read: Callable[[int], bytes], first: int) -> Iterator[Found]:
    while chunk := read(first):
        for header, _ in records(chunk):
            yield header.seq, header.header_crc
            first = header.seq + 1


def _reader(settings: Settings) -> Callable[[int], bytes]:
    """Return what reads the journal from a seq on: its tickerplant's word, or its files if that is down."""
    requester = Requester(settings.journal_address, "tickerplant", ASK_S)
    try:
        requester.status()
    except Unavailable:
        segments = Segments(settings.plant.data / "journal")
        return lambda seq: segments.read(seq, messages.CHUNK_BYTES, check=True)
    return lambda seq: requester.ask(**messages.ask_journal(seq, check=True))[1]
