"""Which bars indicators and signals take in: those of all sessions, or of the regular ones alone."""

from typing import Any

import numpy as np

from plant.calendars.assignment import Calendars
from plant.calendars.sessions import REGULAR, Sessions
from plant.rows.columns import Columns, Symbols, taken
from plant.rows.tables_candles import BUILT
from processor.checkpoints.saved import Saved


class Counting:
    """What [processor] `session` says ("regular", "extended") of symbols that have a calendar; of others all count."""

    def __init__(self, calendars: Calendars, session: str) -> None:
        self._calendars = calendars
        self._all = session == "extended"
        self._codes: dict[str, str] = {}  # the calendar of each symbol

    def sessions_of(self, sym: str, source: str = "") -> Sessions:
        """Return the sessions of a symbol; `source` is that of its bars, also of built ones."""
        code = self._codes.get(sym)
        if code is None:
            code = self._calendars.code(sym, source.removeprefix(BUILT))
            if source:  # else who sends its bars is not known yet
                self._codes[sym] = code
        return self._calendars.sessions(code)

    def counted(self, rows: Columns, time: str = "time") -> Columns:
        """Return the rows (sym, interval, `time`, and `source` if it is known) of bars that count."""
        sym, interval = rows["sym"], rows["interval"]
        if self._calendars.none or not len(sym):
            return rows
        calendars, which = self._calendars_of(sym, rows.get("source"))
        if self._all:
            return rows
        intraday = np.array([name[-1:] in "smh" for name in interval.names], bool)[interval.codes]
        good = np.ones(len(sym), bool)
        for i, sessions in enumerate(calendars):
            if not sessions.continuous:
                at = np.flatnonzero(intraday & (which == i))
                good[at] = sessions.kinds(rows[time][at]) == REGULAR
        found: Any = rows if good.all() else taken(rows, good)
        return found

    def _calendars_of(self, sym: Symbols, source: Symbols | None) -> tuple[list[Sessions], np.ndarray]:
        """Return the calendars of some symbols, and which of them each row has, int64[n]."""
        codes, first = np.unique(sym.codes, return_index=True)
        calendars: list[Sessions] = []
        which = np.zeros(len(sym.names), np.int64)
        for code, row in zip(codes.tolist(), first.tolist(), strict=True):
            sessions = self.sessions_of(sym.names[code], source.names[source.codes[row]] if source is not None else "")
            if not any(sessions is one for one in calendars):
                calendars.append(sessions)
            which[code] = next(i for i, one in enumerate(calendars) if one is sessions)
        return calendars, which[sym.codes]

    def saved(self) -> Saved:
        """Return the state, for a checkpoint."""
        return {"codes": dict(self._codes)}

    def restore(self, saved: Saved) -> None:
        """Go on from there."""
        self._codes = dict(saved["codes"])


class TradingDays:
    """The trading day of each bar of many series, numbered by slot: for what begins anew with each of them.

    `sessions_of(sym)` are those of a symbol, `Counting.sessions_of` once it was handed bars of it.
    """

    def __init__(self, sessions_of: Any) -> None:
        self._sessions_of = sessions_of
        self._calendars: list[Sessions] = []
        self._which = np.zeros(0, np.int64)

    def grow(self, syms: list[str]) -> None:
        """Add a slot for each of some symbols."""
        added = []
        for sym in syms:
            sessions = self._sessions_of(sym)
            if not any(sessions is one for one in self._calendars):
                self._calendars.append(sessions)
            added.append(next(i for i, one in enumerate(self._calendars) if one is sessions))
        self._which = np.append(self._which, np.array(added, np.int64))

    def of(self, slots: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return the label of the day of each bar, int64[n]; without a calendar a date of UTC."""
        found = np.zeros(len(times), np.int64)
        which = self._which[slots]
        for i, sessions in enumerate(self._calendars):
            at = np.flatnonzero(which == i)
            found[at] = sessions.days(times[at])
        return found
