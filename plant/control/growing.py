"""GrowingRows: rows of some tables, history and today at first, and then only those behind what is known.

A further read asks the rdb alone, as long as it has let go of no row that is not known; else history and today again.
"""

from __future__ import annotations

from collections.abc import Callable

from plant.client.connection import Connection

ANSWER_S = 2.0  # the rdb says within this how it is; else nothing is asked, for as long again


class GrowingRows:
    """Reads what is new. One thread at a time.

    whole, today   open a connection to history and today as one, and to the rdb; their frames are Arrow
    """

    def __init__(self, whole: Callable[[], Connection], today: Callable[[], Connection]) -> None:
        self._open = {"whole": whole, "today": today}
        self._connections: dict[str, Connection] = {}
        self._through = -1
        self._unsure = False  # whether a read ended by an error: it may have had rows ahead of that

    @property
    def through(self) -> int:
        """All rows up to this seq are known; -1 before the first read."""
        return self._through

    def read(self, ask: Callable[[Connection], bool], begin: Callable[[], None]) -> bool:
        """Have `ask` ask for rows that are not known yet, and return whether there were any, or may have been.

        It says so itself. `begin` has it forget what it knows, where this is another journal. Raises PlantError.
        """
        today = self._connection("today")
        before = today.status(ANSWER_S)
        changed, self._unsure = self._unsure, True
        if before["seq"] < self._through and before["caught_up"]:
            begin()
            self._through, changed = -1, True
        has_all = 0 <= before["released"] <= self._through
        changed |= ask(today if has_all else self._connection("whole"))
        if has_all and today.status(ANSWER_S)["released"] > self._through:  # a day was closed just now
            changed |= ask(self._connection("whole"))
        self._through, self._unsure = max(self._through, before["seq"]), False
        return changed

    def _connection(self, name: str) -> Connection:
        if name not in self._connections:
            self._connections[name] = self._open[name]()
        return self._connections[name]
