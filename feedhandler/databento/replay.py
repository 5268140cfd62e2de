"""What was seen just before a session ended, so that the replay of the next one doubles nothing: pure.

The next session asks for each schema from a little before its newest record on. What comes again is byte for byte what
came before, and is left out as often as it had come.
"""

from collections import Counter, deque

OVERLAP_NS = 5_000_000_000
LONGEST_NS = int(23.9 * 3_600) * 1_000_000_000
"""The gateway replays the last 24 hours."""


class Seen:
    """Records of one type: `add` each, `begin` a session, and `repeated` says which ones of it are to be left out."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, bytes]] = deque()
        self._again: Counter[bytes] = Counter()
        self.newest = self._floor = 0

    def subscribed(self, now_ns: int) -> None:
        """Note, before the first record, from when on there would be some: what is older is not replayed."""
        self.newest = self._floor = now_ns

    def begin(self, now_ns: int) -> int | None:
        """Return from when on the next session is to be replayed (UTC ns), None: it begins now."""
        if not self.newest:
            return None
        self._again = Counter(record for _, record in self._recent)
        return max(self.newest - OVERLAP_NS, self._floor, now_ns - LONGEST_NS)

    def completed(self) -> None:
        """Note that the replay is over."""
        self._again.clear()

    def repeated(self, record: bytes, time_ns: int) -> bool:
        """Take a record; return whether it came before."""
        if self._again and self._again[record] > 0:
            self._again[record] -= 1
            return True
        if self._floor and not self._recent:
            self.newest, self._floor = time_ns, min(self._floor, time_ns)
        self._recent.append((time_ns, record))
        self.newest = max(self.newest, time_ns)
        while self._recent and self._recent[0][0] < self.newest - OVERLAP_NS:
            self._recent.popleft()
        return False
