"""Corrections whose trade did not come yet: it may still, and then it comes corrected."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from plant.rows.columns import Columns, taken
from processor.checkpoints.saved import Saved

MOST = 10_000
"""So many corrections wait for their trade, the oldest are forgotten."""

Named = tuple[int, str, str, int]
"""The trade that a correction is about: slot, source and trade_id; without that "" and venue_seq, else 0."""


class Strays:
    """Corrections by the trades that they are about; one that names none waits for none."""

    def __init__(self) -> None:
        self._named: dict[Named, None] = {}

    def __len__(self) -> int:
        return len(self._named)

    def add(self, slot: int, corrections: Columns) -> None:
        """Let rows of `trade_corrections` of a symbol wait for their trades."""
        told = zip(*(corrections[name].tolist() for name in ("source", "trade_id", "venue_seq")), strict=True)
        self._named |= {(slot, source, i, 0 if i else n): None for source, i, n in told if i or n}
        for key in list(islice(self._named, max(len(self._named) - MOST, 0))):
            del self._named[key]

    def found(self, slots: np.ndarray, trades: Columns) -> Iterator[tuple[int, int]]:
        """Yield slot and time of each of some trades (their slots int64[n]) that a correction waited for until now."""
        some = np.isin(slots, np.array([slot for slot, *_ in self._named], dtype=np.int64))
        if not some.any():
            return
        rows = taken({name: trades[name] for name in ("source", "trade_id", "venue_seq", "time")}, some)
        told = (column.tolist() for column in rows.values())
        for slot, source, trade_id, venue_seq, time in zip(slots[some].tolist(), *told, strict=True):
            for key in ((slot, source, trade_id, 0), (slot, source, "", venue_seq)):
                if key in self._named:
                    del self._named[key]
                    yield slot, time

    def saved(self) -> Saved:
        """Return the state, for a checkpoint."""
        return {"named": list(self._named)}

    def restore(self, saved: Saved) -> None:
        """Go on from there."""
        self._named = dict.fromkeys(saved["named"])
