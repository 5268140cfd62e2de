"""The thread that closes days, and compares parts with the journal while there is none to close.

What is told of a closed day (a row of `days`, and the journal's `confirmed`) follows its catalogue; if this process
ends in between, the next one tells it.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from hdb.writer.closing import Closing, Interrupted
from hdb.writer.housekeeping import Housekeeping
from hdb.writer.journal_sums import Journaled
from hdb.writer.store import Store
from plant.errors import HistoryError, PlantError, Unavailable
from plant.history.catalogue import End
from plant.runtime.lifecycle import log

LOOK_S = 0.2
"""Pause between looks for something to do."""

RETRY_S = 30.0
"""Pause after a close that failed; `plant end-of-day` for that day ends it."""

Tell = Callable[[dict[str, Any]], None]
"""Publishes a row of `days`."""

Confirm = Callable[[int], None]
"""Tells the journal up to which seq the history holds everything. Raises Unavailable."""


class Closer:
    """Closes the days of `store` one after the other; `progress` says which, "" while there is none.

    `report` is called with fields of a row of `days`, by this thread.
    """

    def __init__(
        self, store: Store, journaled: Journaled, housekeeping: Housekeeping, tell: Tell, confirm: Confirm
    ) -> None:
        self.progress = ""
        self.error = ""
        self._store = store
        self._journaled = journaled
        self._housekeeping = housekeeping
        self._tell = tell
        self._confirm = confirm
        self._stopping = threading.Event()
        self._again_at = 0.0
        self._failure = ("", 0)  # what was told last, and of which end
        self._told = 0  # the cut of the last day that this process told of, or found told
        self._confirmed = 0  # the cut that the journal was told of
        self._thread = threading.Thread(target=self._run, name="closing", daemon=True)
        self._thread.start()

    def nudge(self) -> None:
        """Try again now what failed."""
        self._again_at, self.error = 0.0, ""

    def close(self) -> None:
        """Stop soon; what is half done is done again after the next start."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self._round()
            except Interrupted:
                return
            except Unavailable:
                continue  # the tickerplant is away; nothing is wrong with the history
            except (PlantError, OSError, pa.ArrowException) as error:
                self._failed(error)

    def _round(self) -> None:
        """Do what is most urgent."""
        catalogue = self._store.catalogue
        if catalogue.closed > self._confirmed:
            self._tell_closed()
        elif time.monotonic() < self._again_at:
            return
        elif catalogue.ends:
            self._close(catalogue.ends[0])
        elif part := next((p for p in catalogue.parts if not p.verified), None):
            if wrong := self._journaled.differences(part):
                raise HistoryError(f"the history is not what the journal says: {'; '.join(wrong[:3])}")
            self._store.verified(part)
            self.error = ""
        else:
            self._housekeeping.work(self._stopping)

    def _close(self, end: End) -> None:
        began = time.monotonic()
        self._progress(end, "")
        closing = Closing(self._store, self._journaled, end, self._stopping, lambda line: self._progress(end, line))
        try:
            closing.run()
        finally:
            self.progress = ""
        self.error = ""
        log.info("day closed", day=end.day, seq=end.seq, rows=closing.rows, seconds=round(time.monotonic() - began, 2))

    def _tell_closed(self) -> None:
        """Tell of the last closed day, once, and the journal until it has taken that."""
        catalogue = self._store.catalogue
        if catalogue.closed > self._told:
            if not self._was_told(catalogue.closed):
                self._tell(_row(catalogue.closed_day, "closed", catalogue.closed, catalogue.closed_rows, ""))
            self._told = catalogue.closed
        self._confirm(catalogue.closed)
        self._confirmed = catalogue.closed

    def _was_told(self, closed: int) -> bool:
        """Return whether the row of a closed day is in the journal. It can only be if an earlier process wrote it."""
        if self._told:
            return False
        for batch in self._journaled.batches(closed + 1, self._journaled.end(), ("days",)):
            pairs = zip(batch.columns["state"].tolist(), batch.columns["last_seq"].tolist(), strict=True)
            if ("closed", closed) in pairs:
                return True
        return False

    def _failed(self, error: Exception) -> None:
        self._again_at = time.monotonic() + RETRY_S
        said = str(error) if isinstance(error, PlantError) else f"{type(error).__name__}: {error}"
        ends = self._store.catalogue.ends
        if said != self.error:
            log.error("history", failed=said, day=ends[0].day if ends else "")
        if ends and (said, ends[0].seq) != self._failure:
            self._failure = (said, ends[0].seq)
            self._tell(_row(ends[0].day, "failed", ends[0].seq, 0, said))
        self.error = said

    def _progress(self, end: End, line: str) -> None:
        self.progress = f"closing {end.day}{': ' if line else ''}{line}"


def _row(day: str, state: str, last_seq: int, rows: int, detail: str) -> dict[str, Any]:
    return {"time": time.time_ns(), "day": day, "state": state, "last_seq": last_seq, "rows": rows, "detail": detail}
