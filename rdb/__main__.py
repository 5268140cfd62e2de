"""The rdb's process: follow every table of the plant since the last end of day, keep it in memory, answer questions.

With a limit on what is kept, the oldest rows go once the hdb has them on disk; `plant.connect()` finds them there.
"""

import time

from plant.errors import Unavailable
from plant.rows.batch import Batch
from plant.runtime.lifecycle import Timer, log, run
from plant.runtime.settings import Settings
from plant.serving.follower import Follower
from plant.transport.request import Requester
from rdb.retention import Keeping

LOOK_S = 1.0
"""Pause between looks at what is kept."""

ASK_S = 0.2
"""Longest the hdb may take to answer what it has."""


class Rdb(Follower):
    """Today's tables in memory."""

    name = "rdb"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, settings.rdb.port)
        self._keeping = Keeping(settings.rdb.keep_gb, settings.rdb.keep_hours)
        self._look = Timer(LOOK_S)
        self._hdb = Requester(settings.address(settings.hdb.port), "hdb", ASK_S)

    def step(self) -> None:
        """Take what has come; let go of what is too much or too old."""
        super().step()
        if self._keeping.limited and self._look.due():
            self._let_go()

    def take(self, batch: Batch) -> None:
        """Take a batch."""
        super().take(batch)
        if self._keeping.limited:
            self._keeping.note(batch.received, batch.seq, len(batch))

    def release(self, seq: int) -> None:
        """Let go of the rows with seq <= `seq`."""
        super().release(seq)
        self._keeping.released(seq)

    def shutdown(self) -> None:
        """Close the sockets."""
        super().shutdown()
        self._hdb.close()

    def _let_go(self) -> None:
        """Release what is beyond the limits, as far as the hdb has it."""
        wanted = self._keeping.wanted(time.time_ns(), sum(t.nbytes for t in self.tables.values()))
        if not wanted:
            return
        try:
            through = int(self._hdb.status()["through"])
        except Unavailable:
            log.debug("nothing is let go", reason="the hdb does not answer")
            return
        self.release(min(wanted, through))


def main() -> None:
    """Run an rdb."""
    run(Rdb, name="rdb")


if __name__ == "__main__":
    main()
