"""The annotations there are: rows of `annotations`, folded; now, as of a moment and as of a seq.

Each row is an event and carries the whole object as it is after it. Of an object (an id) a row counts only if its
version is one more than the row before it that counts: of two writers that both made version 4, the one whose row came
first in the journal has it, and the other's counts for nothing, ever. State is the newest row that counts of each id,
unless it is one that deletes.

`Annotations` takes rows as they come, for who follows; `counting` and what builds on it read columns, many rows at
once. Times are int64 ns UTC.
"""

from collections.abc import Collection
from typing import Any

import numpy as np

from plant.rows.columns import Columns, Symbols, taken
from plant.rows.ordering import group_starts, order_by_code
from plant.rows.schema import UNKNOWN_TIME
from plant.rows.tables import schema_of
from plant.state.newest import Row
from plant.state.versioned import Versioned

AUTO = "auto"
"""The source of objects that detectors find."""

OF_A_USER = "user"
"""The type of what is drawn."""

ENDED = frozenset(("broken", "expired", "failed"))
"""States of what is over."""

POINTS = frozenset(("marker", "pivot", "text"))
"""Kinds that stand at start_at alone, if they have no end; the others go on."""

_TABLE = schema_of()["annotations"]
_WHOLE = {"interval": "", "text": "", "style": "", "end_at": None}
_NUMBERS = ("price", "price_end", "top", "bottom", "strength")


class Annotations(Versioned):
    """The annotations by id. `whole` as in Versioned: False where days of history may have been removed."""

    def __init__(self, whole: bool = True) -> None:
        super().__init__(_TABLE.times, whole, named="id")

    def of(self, sym: str) -> list[Row]:
        """Return what there is on a symbol, oldest change first."""
        return sorted((row for row in self.values() if row["sym"] == sym), key=lambda row: (row["seq"], row["seq_row"]))

    def changed(self, name: str, action: str, source: str, time: int, reason: str = "", **columns: Any) -> Row:
        """Return the row that changes an annotation (or creates it) from what it is now: the next version, whole.

        `columns` are those that become otherwise; of a new one those that are not told are not known.
        """
        before = self.newest(name) or dict.fromkeys(_NUMBERS, np.nan) | _WHOLE | {"type": OF_A_USER, "state": "active"}
        row = {c: before[c] for c in _TABLE.names if c in before}
        fixed = {"time": time, "id": name, "version": self.version(name) + 1, "action": action}
        return row | columns | fixed | {"source": source, "reason": reason}


def counting(events: Columns, whole: bool = True) -> Columns:
    """Return the rows of `annotations` that count, in their order. `events` have `seq` and `seq_row`, in any order.

    whole   all events there ever were are among them, at least of these ids; else the first may have any version

    A row that is there twice counts once.
    """
    events = taken(events, np.lexsort((events["seq_row"], events["version"], events["seq"])))
    names, versions = events["id"].codes, events["version"]
    if not len(names):
        return events
    order = order_by_code(names)
    starts = group_starts(names[order])
    counts = np.diff(starts, append=len(order))
    first = np.ones(len(starts), dtype=np.int64) if whole else versions[order[starts]]
    rising = np.arange(len(order)) - np.repeat(starts - first, counts)
    fits = versions[order] == rising
    for start, count in _groups_with_others(starts, counts, fits):  # two writers met, or rows are there twice
        version = int(versions[order[start]]) - 1 if not whole else 0
        for place in range(start, start + count):
            fits[place] = versions[order[place]] == version + 1
            version += int(fits[place])
    counts_at = np.zeros(len(order), dtype=bool)
    counts_at[order] = fits
    return taken(events, counts_at)


def state_of(events: Columns, time: int | None = None, seq: int | None = None, whole: bool = True) -> Columns:
    """Return the annotations there are: of each id the newest row that counts, if it does not delete it.

    time    only what was decided by then (`time <= T`): what could be known
    seq     only what the journal had by then (`seq <= S`): what the plant knew

    The rows are in the order in which they were written. `events` and `whole` as in `counting`.
    """
    rows = counting(events, whole)
    known = np.ones(len(rows["seq"]), dtype=bool)
    if time is not None:
        known &= rows["time"] <= time
    if seq is not None:
        known &= rows["seq"] <= seq
    rows = taken(rows, known)
    names = rows["id"].codes
    order = order_by_code(names)
    last = order[np.append(group_starts(names[order])[1:] - 1, len(order) - 1)] if len(order) else order
    last = np.sort(last)
    return taken(rows, last[rows["action"][last] != "delete"])


def history_of(events: Columns, name: str, whole: bool = True) -> Columns:
    """Return the rows that count of one annotation, oldest first, that which deletes it included."""
    return counting(taken(events, events["id"] == name), whole)


def selected(
    rows: Columns,
    *,
    sym: Collection[str] | None = None,
    interval: Collection[str] | None = None,
    kind: Collection[str] | None = None,
    state: Collection[str] | None = None,
    low: float | None = None,
    high: float | None = None,
    start: int | None = None,
    end: int | None = None,
) -> Columns:
    """Return the annotations that one asks for; None: any.

    sym, interval, kind, state   one of these; of an interval also what is for all (interval "")
    low, high                    that have a price from low to high: a zone that reaches into it, a line that crosses it
    start, end                   that are there at some time in [start, end): one without an end goes on, but POINTS
    """
    found = np.ones(len(rows["seq"]), dtype=bool)
    asked = {"sym": sym, "interval": None if interval is None else {*interval, ""}, "kind": kind, "state": state}
    for name, wanted in asked.items():
        if wanted is not None:
            found &= _one_of(rows[name], wanted)
    prices = [rows[name] for name in ("price", "price_end", "top", "bottom")]
    if low is not None:
        found &= np.fmax.reduce(prices) >= low
    if high is not None:
        found &= np.fmin.reduce(prices) <= high
    begins, ends = rows["start_at"], rows["end_at"]
    if end is not None:
        found &= begins < end
    if start is not None:
        until = np.where(_one_of(rows["kind"], POINTS), begins, np.iinfo(np.int64).max)
        found &= np.where(ends == UNKNOWN_TIME, until, ends) >= start
    return taken(rows, found)


def _groups_with_others(starts: np.ndarray, counts: np.ndarray, fits: np.ndarray) -> list[tuple[int, int]]:
    wrong = ~np.logical_and.reduceat(fits, starts)
    return list(zip(starts[wrong].tolist(), counts[wrong].tolist(), strict=True))


def _one_of(column: Symbols, wanted: Collection[str]) -> np.ndarray:
    return np.isin(column.codes, [code for code, name in enumerate(column.names) if name in wanted])
