"""What kept us waiting is not asked again at once: the processor asks between two looks at what comes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from plant.errors import Unavailable

TIMES = 10
"""After waiting in vain nothing is asked for so many times as long."""


class Patience:
    """Asks that end with Unavailable at once while the last one that did is not long ago; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._why = ""

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask within this. Raises Unavailable, as what is asked does, and without asking while it is too soon."""
        started = self._clock()
        if started < self._until:
            raise Unavailable(self._why)
        try:
            yield
        except Unavailable as error:
            now = self._clock()
            self._until, self._why = now + TIMES * (now - started), str(error)
            raise
