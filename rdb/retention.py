"""How much of today an rdb keeps in memory, when not all of it: by size, by age.

Every second of rows is noted with its seq, so that a limit can be turned into the seq up to which rows are to go.
"""

from collections import deque
from dataclasses import dataclass

SAMPLE_NS = 10**9
"""Rows are noted this far apart, by the time the tickerplant took them."""

ROOM = 0.9
"""What is over its size is brought down to this part of it, so that it is not over again at once."""

_HOUR_NS = 3600 * 10**9


@dataclass(frozen=True, slots=True)
class _Sample:
    received: int
    seq: int
    rows: int


class Keeping:
    """Limits on what is kept: `keep_gb` (10**9 bytes) and `keep_hours`; 0 for none."""

    def __init__(self, keep_gb: float, keep_hours: float) -> None:
        self.keep_bytes = keep_gb * 10**9
        self.keep_ns = keep_hours * _HOUR_NS
        self.limited = bool(keep_gb or keep_hours)
        self._samples: deque[_Sample] = deque()
        self._rows = self._gone = 0  # rows that came, and those of them that were let go

    def note(self, received_ns: int, seq: int, rows: int) -> None:
        """Note that `rows` rows came, the last of them with this seq."""
        self._rows += rows
        if not self._samples or received_ns - self._samples[-1].received >= SAMPLE_NS:
            self._samples.append(_Sample(received_ns, seq, self._rows))

    def wanted(self, now_ns: int, used_bytes: int) -> int:
        """Return the seq up to which rows should go, 0 for none."""
        found = 0
        over = self._gone
        if self.keep_bytes and used_bytes > self.keep_bytes:
            over += int((self._rows - self._gone) * (1 - ROOM * self.keep_bytes / used_bytes))
        for sample in self._samples:
            old = self.keep_ns and sample.received < now_ns - self.keep_ns
            if not old and sample.rows > over:
                break
            found = sample.seq
        return found

    def released(self, seq: int) -> None:
        """Note that the rows up to a seq are gone."""
        while self._samples and self._samples[0].seq <= seq:
            self._gone = self._samples.popleft().rows
