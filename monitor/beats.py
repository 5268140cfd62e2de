"""What heartbeats tell: when each process was heard last, and how its rows grow; folded, without clocks."""

import statistics
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from plant.rows.batch import Batch
from plant.runtime.sections import MISCONFIGURED

USUAL_OF = 9
"""Pauses between rows that a feed's pace is known by: their median."""

SILENT_AFTER = 4.0
"""Pauses that a feed may miss: as the dashboard calls the newest bar silent after four of its lengths."""

_NOT_RUNNING = (MISCONFIGURED, "waiting for the tickerplant", "no tickerplant")
_ENDED = "finished"


@dataclass(slots=True)
class Beats:
    """The heartbeats of one process. Times in ns UTC; `grew` is when its rows grew last, 0 if that was not seen.

    pauses   ns between beats at which the rows had grown
    """

    first: int
    time: int = 0
    pid: int = 0
    rows: int = 0
    state: str = ""
    grew: int = 0
    pauses: deque[int] = field(default_factory=lambda: deque(maxlen=USUAL_OF))

    def take(self, times: np.ndarray, pids: np.ndarray, rows: np.ndarray, state: str) -> None:
        """Take its next beats, each int64[n], and the state that the last one tells."""
        same = pids == np.concatenate([[self.pid], pids[:-1]])
        before = np.where(same, np.concatenate([[self.rows], rows[:-1]]), 0)
        for time in times[rows > before][-USUAL_OF - 1 :].tolist():
            if self.grew:
                self.pauses.append(time - self.grew)
            self.grew = time
        self.time, self.pid, self.rows, self.state = int(times[-1]), int(pids[-1]), int(rows[-1]), state

    @property
    def expects_rows(self) -> bool:
        """Whether a feed says that rows may come: it runs, and is not at its end."""
        return self.rows > 0 and not self.state.startswith(_NOT_RUNNING) and _ENDED not in self.state

    def silent_after_ns(self, least_ns: int) -> int:
        """Return how long it may send no row: four of its usual pauses, and no less than `least_ns`."""
        usual = statistics.median(self.pauses) if self.pauses else 0
        return max(least_ns, int(SILENT_AFTER * usual))


def fold(known: dict[str, Beats], batch: Batch) -> None:
    """Take a batch of `heartbeats` into the beats of each process."""
    columns = batch.columns
    sym = columns["sym"]
    for code in np.unique(sym.codes).tolist():
        at = np.flatnonzero(sym.codes == code)
        times = columns["time"][at]
        name = sym.names[code]
        beats = known.get(name)
        if beats is None:
            beats = known[name] = Beats(int(times[0]))
        beats.take(times, columns["pid"][at], columns["rows"][at], columns["state"][at[-1:]].tolist()[0])
