"""What is written to the stream next: a state machine without sockets and clocks.

    anew --begin(last message)--> ready --next()--> under way --acked(js seq)--> ready
      ^------------------------------ failed() -----------------------------------'

One message is under way at a time, and each says behind which message of the stream it stands; the stream takes no
other. So whatever happened to it (refused, not answered but kept, kept much later), the stream's last message tells
where to go on, and nothing is in it twice, nor left out: whoever else writes there, and whoever was killed.
"""

from collections import deque
from typing import NamedTuple

from plant.errors import JournalError
from plant.stream.stream import Mark
from plant.wire.envelope import HEADER_BYTES, MORE, Header
from plant.wire.runs import Run

MESSAGE_BYTES = 512 * 1024
"""About so much is written as one message; a longer publish is alone in one."""


class Place(NamedTuple):
    """The stream's last message: its number there (0: there is none), and the journal's last record up to there."""

    js_seq: int
    mark: Mark


class Message(NamedTuple):
    """Records to write behind message `after` of the stream; `mark` is that of the last of them."""

    data: bytes
    after: int
    first: int
    mark: Mark
    rows: int


class Whole(NamedTuple):
    """Records of whole publishes, one behind the other: all of them go into one message."""

    pieces: list[memoryview]
    size: int
    first: int
    last: Header
    rows: int


class Copying:
    """Makes messages of records, `most` bytes each at most.

    `place` is where the stream stands as far as is known, None if its last message is to be read first.
    """

    def __init__(self, most: int, about: int = MESSAGE_BYTES) -> None:
        self.place: Place | None = None
        self.under_way: Message | None = None
        self._most, self._about = most, about
        self._waiting: deque[Whole] = deque()
        self._begun: list[Run] = []  # records of a publish whose end is still to come
        self._taken = 0

    @property
    def expected(self) -> int:
        """The seq of the record to be taken next, if the journal has lost none."""
        return self._taken + 1

    def begin(self, place: Place) -> None:
        """Go on behind the stream's last message, as its leader has it."""
        self.place, self.under_way = place, None
        self._waiting.clear()
        self._begun.clear()
        self._taken = place.mark.seq

    @property
    def waits_from(self) -> int:
        """The seq of the first record that waits to be written, 0 if none does."""
        return self._waiting[0].first if self._waiting else 0

    def beside(self, js_seq: int) -> None:
        """Note a message of another subject that this process wrote behind the last one: `place` is behind it now."""
        place = self.place
        if place is None or self.under_way is not None or js_seq != place.js_seq + 1:
            raise JournalError(f"the stream acknowledged message {js_seq} behind {place}")
        self.place = Place(js_seq, place.mark)

    def failed(self) -> None:
        """Nothing is known of the stream any more: its last message tells where to go on."""
        self.place = self.under_way = None

    def take(self, run: Run) -> None:
        """Take the journal's next records. Raises JournalError for one that comes again or goes back."""
        if run.first.seq <= self._taken:
            raise JournalError(f"the journal gave seq {run.first.seq} behind {self._taken}; the mirror begins anew")
        self._taken = run.last.seq
        whole = not (self._begun or run.last.flags & MORE or len(_bytes_of(run)) > self._about)
        for each in (run,) if whole else run.each():
            self._take(each)

    def _take(self, run: Run) -> None:
        self._begun.append(run)
        if run.last.flags & MORE:
            return
        begun, self._begun = self._begun, []
        pieces = [_bytes_of(r) for r in begun]
        size, first = sum(map(len, pieces)), begun[0].first.seq
        if size > self._most:
            raise JournalError(
                f"seq {first} to {run.last.seq} were one publish and are {size:,} bytes, and the servers take messages "
                f"of {self._most:,}: set a larger max_payload there (64MB at most), or publish fewer rows at once"
            )
        self._waiting.append(Whole(pieces, size, first, run.last, sum(r.rows for r in begun)))

    def next(self) -> Message | None:
        """Return the message to write now; None if one is under way, nothing waits, or `begin` is to come first."""
        if self.place is None or self.under_way is not None or not self._waiting:
            return None
        some = [self._waiting.popleft()]
        size = some[0].size
        while self._waiting and size + self._waiting[0].size <= min(self._about, self._most):
            size += self._waiting[0].size
            some.append(self._waiting.popleft())
        last = some[-1].last
        self.under_way = Message(
            b"".join(piece for whole in some for piece in whole.pieces),
            self.place.js_seq,
            some[0].first,
            Mark(last.seq, last.seq, last.header_crc),
            sum(whole.rows for whole in some),
        )
        return self.under_way

    def acked(self, js_seq: int) -> Message:
        """Note that the message under way is in the stream under this number; return it.

        Raises JournalError if that is not where it had to be: no stream that keeps what it is told says so.
        """
        message = self.under_way
        if message is None or js_seq != message.after + 1:
            after = "nothing" if message is None else f"a message behind {message.after}"
            raise JournalError(f"the stream acknowledged message {js_seq}, under way was {after}")
        self.place, self.under_way = Place(js_seq, message.mark), None
        return message


def _bytes_of(run: Run) -> memoryview:
    return memoryview(run.message)[run.starts[0] - HEADER_BYTES : run.starts[-1] + run.last.length]
