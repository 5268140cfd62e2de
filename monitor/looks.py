"""Looks at the processes of the plant: whether each answers, asked in a thread of its own, once a second."""

import threading
from collections.abc import Sequence

from plant.errors import PlantError
from plant.runtime.probing import probe
from plant.runtime.settings import Settings

LOOK_S = 1.0


class Looks:
    """Asks `names` until it is closed; `found` has for each that was asked "" if it answered, else the error."""

    def __init__(self, settings: Settings, names: Sequence[str], every_s: float = LOOK_S) -> None:
        self._settings, self._every_s = settings, every_s
        self.found: dict[str, str] = {}
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._look, args=(name,), daemon=True) for name in names]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the looks; one under way takes as long as a process may take to answer."""
        self._closed.set()
        for thread in self._threads:
            thread.join()

    def _look(self, name: str) -> None:
        while not self._closed.is_set():
            try:
                probe(name, self._settings)
                error = ""
            except PlantError as refused:
                error = str(refused)
            except Exception as other:  # whatever it is: were the thread to end, its last look would stand for good
                error = f"{type(other).__name__}: {other}"
            self.found[name] = error
            self._closed.wait(self._every_s)
