"""Which processes of the plant answer: asked again and again in a thread, so that no request waits for one."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from api.answers.problems import Problem
from plant.errors import PlantError
from plant.runtime.settings import Settings
from plant.transport.request import Requester

ASKED = ("tickerplant", "rdb", "processor", "hdb", "trading")

LOOK_S = 0.5
"""Pause between looks."""

ANSWER_S = 1.0
"""A process that takes longer is away."""

NEEDED = ("tickerplant", "rdb")
"""Without these there is nothing to read, or nothing new."""


class Pulse:
    """What each of ASKED said of itself last; `found[name]` is that, or the sentence of the error."""

    def __init__(self, settings: Settings) -> None:
        self.found: dict[str, dict[str, Any] | str] = {}
        self._requesters = {name: Requester(_address(settings, name), name, ANSWER_S, "api") for name in ASKED}
        self._stopping = threading.Event()
        self._known = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def up(self, name: str) -> bool:
        """Return whether a process answered when it was last asked."""
        self._known.wait(2 * ANSWER_S)
        return isinstance(self.found.get(name), dict)

    def need(self, name: str) -> None:
        """Raise Problem unavailable if a process does not answer."""
        if not self.up(name):
            found = self.found.get(name, "not asked yet")
            raise Problem("unavailable", f"{name} does not answer: {found}", process=name, headers={"Retry-After": "1"})

    @property
    def health(self) -> str:
        """How the plant is: ok; degraded, if a process is away; down, if nothing can be read."""
        if not self.up("rdb"):
            return "down"
        return "ok" if all(self.up(name) for name in ASKED) else "degraded"

    def close(self) -> None:
        """Ask no more."""
        self._stopping.set()
        for requester in self._requesters.values():
            requester.close()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(len(ASKED), "pulse") as pool:
            while not self._stopping.is_set():
                began = time.monotonic()
                self.found = dict(zip(ASKED, pool.map(self._look, ASKED), strict=True))
                self._known.set()
                self._stopping.wait(max(LOOK_S - (time.monotonic() - began), 0.05))

    def _look(self, name: str) -> dict[str, Any] | str:
        try:
            return self._requesters[name].status()
        except PlantError as error:
            return str(error)


def _address(settings: Settings, name: str) -> str:
    port = settings.tickerplant.journal_port if name == "tickerplant" else getattr(settings, name).port
    return settings.address(port)
