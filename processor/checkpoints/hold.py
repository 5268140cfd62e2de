"""A moment when all that was given out has come back, so that it is in memory and, soon, everywhere in the plant.

Under load there is no such moment by itself, so what is to be given out is held back for one round trip.
"""

import time

from plant.errors import PlantError, Unavailable
from plant.runtime.lifecycle import log
from plant.stream.publisher import Publisher
from plant.stream.stream import Stream

HOLD_S = 1.0
"""Longest anything is held back."""


class Hold:
    """Waits for the moment; to be asked again and again, with nothing given out meanwhile."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._seq: int | None = None  # by which all is in the journal

    def over(self, publisher: Publisher, stream: Stream, most_s: float = HOLD_S) -> bool | None:
        """Return True at the moment, False before it, None if it did not come within `most_s`."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if self._returned(publisher, stream):
            self.reset()
            return True
        if now - self._since <= most_s:
            return False
        self.reset()
        return None

    def reset(self) -> None:
        """Wait for another moment from now on."""
        self._since = self._seq = None

    def _returned(self, publisher: Publisher, stream: Stream) -> bool:
        if self._seq is None:
            try:
                self._seq = publisher.flush(0.0)
            except Unavailable:
                return False
            except PlantError as error:  # of a batch that was refused as a whole: it is not under way either
                log.warning("refused", reason=str(error))
                return False
        return max(stream.cursor or 0, stream.complete) >= self._seq
