"""Whether the journal is still the one whose records were handed on: a state machine without sockets.

A tickerplant that starts again may have lost the end of its journal (a power cut before an fsync), and then gives those
numbers to other rows. So what was handed on since the beat before last is compared with the journal of each new
tickerplant, before anything more is taken from it.
"""

import contextlib
from typing import NamedTuple

from plant.errors import JournalDiverged, WireError
from plant.wire.envelope import Header
from plant.wire.record import records


class Handed(NamedTuple):
    """A record that was handed on: its seq, and the header_crc of its envelope, which covers all of it."""

    seq: int
    checksum: int


class Divergence:
    """Records that a tickerplant may have lost, and whether its journal has them; `begun` is one known from before.

    `in_doubt`: this is not known yet of the journal of the present epoch.
    """

    def __init__(self, begun: Handed | None) -> None:
        self._handed = [begun] if begun else []
        self._epoch = 0
        self.in_doubt = bool(begun)

    @property
    def asks_from(self) -> int | None:
        """The seq to read the journal from, to compare; None if there is nothing to compare."""
        return self._handed[0].seq if self.in_doubt and self._handed else None

    def published(self, newest: Header) -> None:
        """Note the newest record handed on of those that were published."""
        self._handed.append(Handed(newest.seq, newest.header_crc))

    def journaled(self, newest: Header) -> None:
        """Note the newest record handed on, which the journal has; so it has those before it."""
        self._handed = [Handed(newest.seq, newest.header_crc)]

    def beat(self, epoch: int) -> bool:
        """Take a beat: all that came since the one before is of the same tickerplant. Return what `restarted` does."""
        restarted = self.restarted(epoch)
        if not restarted and not self.in_doubt:
            del self._handed[:-1]
        return restarted

    def restarted(self, epoch: int) -> bool:
        """Note whose word we hear; return whether it is another tickerplant than before, whose journal is in doubt."""
        before, self._epoch = self._epoch, epoch
        if before in (0, epoch):
            return False
        self.in_doubt = True
        return True

    def compare(self, chunk: bytes, first_seq: int) -> Header | None:
        """Compare with what the journal gave from `asks_from` on; return the last record found, None if it had none.

        While `in_doubt` stays, the rest is in the answers to come. Those before `first_seq` were removed since, and
        cannot be compared. Raises JournalDiverged if the first of the others is not there as it was.
        """
        handed = self._handed
        while handed and handed[0].seq < first_seq:
            handed.pop(0)
        found = self._found(chunk) if handed else None
        if not handed:
            self.in_doubt = False
            if found is not None:
                self.journaled(found)
        return found

    def _found(self, chunk: bytes) -> Header:
        """Take out of what was handed on the records that a chunk has; return the last of them."""
        handed = self._handed
        found: Header | None = None
        with contextlib.suppress(WireError):
            for header, _ in records(chunk):
                if header.seq < handed[0].seq:
                    continue
                if (header.seq, header.header_crc) != handed[0]:
                    break
                found = header
                handed.pop(0)
                if not handed:
                    break
        if found is None:
            raise JournalDiverged(
                f"the journal has no longer what was published as {handed[0].seq}: it lost its tail "
                "(a power cut before an fsync?) or is another one; start again from the journal"
            )
        return found
