"""Kept: the plant's annotations, folded; asked for what is new, shared by all sessions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.control.growing import ANSWER_S, GrowingRows
from plant.errors import PlantError
from plant.rows.arrow import columns_from_arrow
from plant.rows.schema import META_COLUMNS, Schema
from plant.runtime.settings import Settings
from plant.state.annotations import Annotations
from plant.state.newest import Row

READ_S = 20.0  # longest the first look may take; it reads all there is
SHARE_S = 0.4  # a look this young serves other sessions too


@dataclass(frozen=True)
class Noted:
    """The annotations of a symbol, oldest change first. `error`: why they may be older than they should be."""

    rows: tuple[Row, ...] = ()
    error: PlantError | None = None


class Kept:
    """The annotations of one plant, kept up to date by `look`. Any thread.

    whole, today   as in GrowingRows
    complete       the history has all days there ever were
    """

    def __init__(
        self,
        schema: Schema,
        whole: Callable[[], Connection],
        today: Callable[[], Connection],
        complete: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table, self._complete, self._clock = schema["annotations"], complete, clock
        self._growing = GrowingRows(whole, today)
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._error: PlantError | None = None
        self._begin()

    def look(self, sym: str, fresh: bool = False) -> Noted:
        """Return the annotations of a symbol; not more than SHARE_S old, unless the plant does not answer.

        `fresh`: asked for now, however young the last look is.
        """
        with self._lock:
            now = self._clock()
            if fresh or not 0 < self._not_before - now <= ANSWER_S:  # a clock may be set back
                try:
                    if self._growing.read(self._ask, self._begin):
                        self._of.clear()
                    self._error, self._not_before = None, now + SHARE_S
                except PlantError as error:
                    self._error, self._not_before = error, self._clock() + ANSWER_S
            if sym not in self._of:
                self._of[sym] = tuple(self._fold.of(sym))
            return Noted(self._of[sym], self._error)

    def _begin(self) -> None:
        self._fold, self._reached = Annotations(whole=self._complete), -1
        self._of: dict[str, tuple[Row, ...]] = {}

    def _ask(self, connection: Connection) -> bool:
        names = (*self._table.names, *META_COLUMNS)
        where = [("seq", ">", self._reached)]
        found = connection.select(self._table.name, columns=names, where=where, frames="arrow")
        if not len(found):
            return False
        columns = columns_from_arrow(found, self._table, names)
        self._reached = max(self._reached, int(columns["seq"].max()))
        self._fold.take(columns)
        return True


def live_annotations(settings: Settings) -> Kept:
    """Return the annotations of the plant that the settings name."""
    rdb, hdb = settings.address(settings.rdb.port), settings.address(settings.hdb.port)
    options: dict[str, Any] = {"frames": "arrow", "timeout_s": READ_S, "warn_unknown": False}
    return Kept(
        settings.table_schema,
        lambda: PlantConnection(rdb, hdb, settings.table_schema, **options),
        lambda: Connection("rdb", rdb, **options),
        complete=not settings.hdb.keep_days,
    )
