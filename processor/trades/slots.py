"""Numbers of symbols, and the calendar of each."""

import numpy as np

from plant.calendars.assignment import Calendars
from plant.calendars.sessions import Sessions
from plant.rows.columns import Columns, Symbols
from plant.rows.tables_candles import BUILT
from processor.checkpoints.saved import Saved, restore_to, saved_of

_NEW = -1
_STATE = ("names", "codes")


class Slots:
    """Symbols as numbers: 0, 1, 2, ... in the order in which they came. `codes` are their calendars, "" for none."""

    def __init__(self, calendars: Calendars) -> None:
        self.names: list[str] = []
        self.codes: list[str] = []
        self._calendars = calendars
        self._of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def of(self, rows: Columns) -> np.ndarray:
        """Return the number of each row's symbol, int64[n]; of a new one the calendar is noted, as its feed has it."""
        syms: Symbols = rows["sym"]
        syms = syms.compact()
        numbers = np.array([self._of.get(name, _NEW) for name in syms.names], dtype=np.int64)
        if (numbers == _NEW).any():
            self._add(syms, numbers, rows)
        found: np.ndarray = numbers[syms.codes]
        return found

    def _add(self, syms: Symbols, numbers: np.ndarray, rows: Columns) -> None:
        _, first = np.unique(syms.codes, return_index=True)
        for code in np.flatnonzero(numbers == _NEW).tolist():
            name = syms.names[code]
            if name not in self._of:
                row = first[code : code + 1]
                source = rows["source"][row].tolist()[0] if "source" in rows else ""
                self._of[name] = len(self.names)
                self.names.append(name)
                self.codes.append(self._calendars.code(name, (source or "").removeprefix(BUILT)))
            numbers[code] = self._of[name]

    def sessions(self, slot: int) -> Sessions:
        """Return the sessions of a symbol."""
        return self._calendars.sessions(self.codes[slot])

    def sessions_of(self, code: str) -> Sessions:
        """Return those of a calendar."""
        return self._calendars.sessions(code)

    def saved(self) -> Saved:
        """Return the state, for a checkpoint."""
        return saved_of(self, _STATE)

    def restore(self, saved: Saved) -> None:
        """Go on from there. Raises ValueError for the state of something else."""
        restore_to(self, saved, _STATE)
        self._of = {name: slot for slot, name in enumerate(self.names)}
