"""What each trade of a batch sets, by its conditions, its tape, and whether its market was in session."""

from typing import NamedTuple

import numpy as np

from plant.calendars.exchange import US_EQUITIES
from plant.calendars.sessions import REGULAR
from plant.rows.columns import Columns, Texts
from processor.trades.conditions import ALL, CLOSING, CORRECTED_CLOSE, Conditions
from processor.trades.folding import Trades, sizes
from processor.trades.slots import Slots


class Print(NamedTuple):
    """A trade after the close that sets the close of its day (`label`); size 0: it adds nothing to the volume."""

    slot: int
    label: int
    key: tuple[int, int, int]
    price: float
    size: float


class Counting:
    """The rules of C2 for symbols of US equities, and for those without a calendar; of others every trade counts."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.conditions = Conditions()

    def flags(self, slots: np.ndarray, rows: Columns) -> np.ndarray:
        """Return what each trade sets, uint8[n], of rows of `trades` and their symbols' numbers."""
        flags = np.full(len(slots), ALL, dtype=np.uint8)
        told: Texts = rows["conditions"]
        some = np.flatnonzero(np.diff(told.offsets))
        if not len(some):
            return flags
        used, of = np.unique(slots[some], return_inverse=True)
        codes = [self._slots.codes[slot] for slot in used.tolist()]
        ruled = np.array([code in ("", *US_EQUITIES) for code in codes])[of]
        some, of = some[ruled], of[ruled]
        regular = np.zeros(len(some), dtype=bool)  # without a calendar there is no regular session
        for code in {*codes} & US_EQUITIES:
            at = np.array([each == code for each in codes])[of]
            regular[at] = self._slots.sessions_of(code).kinds(rows["time"][some[at]]) == REGULAR
        flags[some] = self.conditions.of(told[some].tolist(), rows["tape"][some].tolist(), regular)
        return flags

    def prints(self, trades: Trades) -> list[Print]:
        """Return the trades that set the close of a day that is over."""
        found: list[Print] = []
        rows = np.flatnonzero((trades.flags & (CLOSING | CORRECTED_CLOSE)) > 0)
        added = sizes(trades.size[rows], trades.price[rows]).tolist()
        for row, adds in zip(rows.tolist(), added, strict=True):
            slot, time = int(trades.slots[row]), int(trades.time[row])
            label, _ = self._slots.sessions(slot).last_close(np.array([time]))
            if label[0] >= 0:
                key = (time, int(trades.venue_seq[row]), int(trades.place[row]))
                size = adds if trades.flags[row] & CLOSING else 0.0
                found.append(Print(slot, int(label[0]), key, float(trades.price[row]), size))
        return found
