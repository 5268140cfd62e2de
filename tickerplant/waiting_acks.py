"""Acknowledgements that wait until the mirror has their rows: a state machine without sockets.

With `[tickerplant] ack = "mirrored"` a publisher's rows are acknowledged once the replicated stream holds them, so that
none that was acknowledged burns with this machine. The mirror tells up to which seq that is; an acknowledgement waits
until it has told the seq at which its turn ended.

What was mirrored before this tickerplant began is not kept on disk. The mirror reads it from the stream, which is right
whatever happened here, and tells it as soon as it follows again; until then everything in the journal waits as one
turn. That costs nobody a row: a welcome tells a publisher beside what is acknowledged what is in the journal, so it
keeps what lies between the two and sends what is behind both.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping

from plant.journal.position import Position

MOST = 10_000
"""So many turns wait each for itself; the rows of more wait with those of the last."""

Acks = dict[int, tuple[int, int]]
"""By source id what can be acknowledged: its last row, and a seq at or before which that is in the journal."""


class WaitingAcks:
    """Which rows of each source are mirrored, of a plant that stands at `position` when its tickerplant begins.

    `mirrored` is the seq the mirror told last, 0 before it has told any. `clock` gives seconds.
    `unsure`: it has not told yet, and so not compared the journal with the stream.
    """

    def __init__(self, position: Position, clock: Callable[[], float] = time.monotonic) -> None:
        self.mirrored, self.unsure = 0, True
        self._clock = clock
        self._sources: dict[int, int] = {}  # by source id: its last row that is mirrored
        begun = [(position.seq, dict(position.sources))] if position.seq else []
        self._turns: deque[tuple[int, dict[int, int]]] = deque(begun)
        self._told_at = clock()

    @property
    def wait_s(self) -> float:
        """For how long rows wait and the mirror has told nothing; 0.0 while nothing waits."""
        return self._clock() - self._told_at if self._turns else 0.0

    def of(self, source_id: int) -> int:
        """Return the last row of a source that is known to be mirrored."""
        return self._sources.get(source_id, 0)

    def written(self, seq: int, rows: Mapping[int, int]) -> Acks:
        """Take a turn that is in the journal and ends at `seq`; return what of it can be acknowledged at once.

        rows    by source id the last row that the journal has of it: all those who sent something
        """
        now = {source: row for source, row in rows.items() if seq <= self.mirrored or row <= self.of(source)}
        later = {source: row for source, row in rows.items() if source not in now}
        if later:
            if not self._turns:
                self._told_at = self._clock()
            if self._turns and (self._turns[-1][0] == seq or len(self._turns) >= MOST):
                later = self._turns.pop()[1] | later
            self._turns.append((seq, later))
        self._sources |= {source: max(row, self.of(source)) for source, row in now.items()}
        return {source: (row, seq) for source, row in now.items()}

    def told(self, seq: int) -> Acks:
        """Take the mirror's word on up to which seq it has the journal; return what can be acknowledged now."""
        self._told_at, self.unsure = self._clock(), False
        self.mirrored = max(seq, self.mirrored)
        acks: Acks = {}
        while self._turns and self._turns[0][0] <= self.mirrored:
            ended, rows = self._turns.popleft()
            self._sources |= rows
            acks |= {source: (row, ended) for source, row in rows.items()}
        return acks

    def drop(self) -> None:
        """Forget what waits: nothing more will be acknowledged."""
        self._turns.clear()
