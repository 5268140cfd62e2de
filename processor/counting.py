"""Which bars indicators and signals take in: those of all sessions, or of the regular ones alone."""

from typing import Any

import numpy as np

from plant.calendars.assignment import Calendars
from plant.calendars.sessions import REGULAR, Sessions
from plant.rows.columns import Columns, taken
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
        if self._all or not len(rows["sym"]):
            return rows
        sym, interval = rows["sym"], rows["interval"]
        intraday = np.array([name[-1:] in "smh" for name in interval.names], bool)[interval.codes]
        good = np.ones(len(sym), bool)
        for code in np.unique(sym.codes[intraday]).tolist():
            of_sym = np.flatnonzero((sym.codes == code) & intraday)
            source = rows["source"][of_sym[:1]].tolist()[0] if "source" in rows else ""
            sessions = self.sessions_of(sym.names[code], source)
            if not sessions.continuous:
                good[of_sym] = sessions.kinds(rows[time][of_sym]) == REGULAR
        found: Any = rows if good.all() else taken(rows, good)
        return found

    def saved(self) -> Saved:
        """Return the state, for a checkpoint."""
        return {"codes": dict(self._codes)}

    def restore(self, saved: Saved) -> None:
        """Go on from there."""
        self._codes = dict(saved["codes"])
