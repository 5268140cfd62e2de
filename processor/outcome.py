"""What the engine gives out: rows of `indicators` as arrays, events as rows of `signals`, and how both are compared."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant.rows.columns import Columns, Symbols, Texts
from processor.open_bars import NEVER, PRICES, Floats, Ints
from processor.series import Series

ROUNDING = 1e-12
"""Values that differ by less, relative to themselves or to the close, are the same."""

WITHDRAWN = "withdrawn"
"""The state of a signal that the corrected series does not have."""

_CLOSE = PRICES.index("close")


class Outcome(NamedTuple):
    """Rows of `indicators` and of `signals`, None for none."""

    indicators: Columns | None
    signals: Columns | None


class Event(NamedTuple):
    """A signal of a bar: its side, the bar's close, the sentence; `state` is "" or WITHDRAWN."""

    side: str
    price: float
    detail: str
    state: str = ""

    @property
    def withdrawn(self) -> "Event":
        """The same, taken back."""
        return self._replace(state=WITHDRAWN)


EventRow = tuple[int, int, str, Event]
"""The slot of a series, the time of a bar, the name of a rule, and the event."""


class Rows:
    """Bars with what was computed of them: slots int64[n], times int64[n], values float64[n, 5 + columns]."""

    __slots__ = ("slots", "times", "values")

    def __init__(self, slots: Ints, times: Ints, values: Floats) -> None:
        self.slots, self.times, self.values = slots, times, values

    @classmethod
    def none(cls, columns: int) -> "Rows":
        """Return no rows of so many computed columns."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, len(PRICES) + columns)))

    @classmethod
    def of(cls, series: Series, rows: Columns, columns: Sequence[str]) -> "Rows":
        """Return rows of `indicators`; a column that they do not have is unknown."""
        slots = series.of(rows["sym"], rows["interval"])
        unknown = np.full(len(slots), np.nan)
        values = np.column_stack([rows.get(name, unknown) for name in (*PRICES, *columns)])
        return cls(slots, rows["time"], values)

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> "Rows":
        """Return the rows of at least one part, one behind the other."""
        return cls(
            np.concatenate([part.slots for part in parts]),
            np.concatenate([part.times for part in parts]),
            np.concatenate([part.values for part in parts]),
        )

    def saved(self) -> dict[str, Any]:
        """Return the rows, for a checkpoint."""
        return {"slots": self.slots, "times": self.times, "values": self.values}

    @classmethod
    def of_saved(cls, saved: Mapping[str, Any]) -> "Rows":
        """Return the rows again."""
        return cls(saved["slots"], saved["times"], saved["values"])

    def copy(self) -> "Rows":
        """Return rows that share nothing with these."""
        return Rows(self.slots.copy(), self.times.copy(), self.values.copy())

    def __len__(self) -> int:
        return len(self.slots)

    def __getitem__(self, which: Any) -> "Rows":
        return Rows(self.slots[which], self.times[which], self.values[which])

    def grown(self, slots: int) -> "Rows":
        """Return one row for each slot 0..slots-1, those that are new being unknown."""
        more = slots - len(self)
        unknown = Rows(np.arange(len(self), slots), np.full(more, NEVER), np.full((more, self.values.shape[1]), np.nan))
        return Rows.joined([self, unknown])

    def put(self, rows: "Rows") -> None:
        """Let the rows of some slots be these, of several the last; of rows by slot (`grown`)."""
        self.times[rows.slots] = rows.times
        self.values[rows.slots] = rows.values

    def unlike(self, others: "Rows") -> NDArray[np.bool_]:
        """Return which rows have another value than the one in the same place, beyond rounding."""
        found: NDArray[np.bool_] = np.any(self.values_unlike(others), axis=1)
        return found

    def values_unlike(self, others: "Rows") -> NDArray[np.bool_]:
        """Return which values are others than those in the same place, beyond rounding: bool[n, 5 + columns]."""
        one, other = self.values, others.values
        scale = np.fmax(np.fmax(np.abs(one), np.abs(other)), np.abs(one[:, _CLOSE : _CLOSE + 1]))
        with np.errstate(invalid="ignore"):
            same = (one == other) | (np.abs(one - other) <= ROUNDING * scale) | (np.isnan(one) & np.isnan(other))
        found: NDArray[np.bool_] = ~same
        return found


def indicator_columns(series: Series, rows: Rows, computed: Sequence[str]) -> Columns | None:
    """Return rows of `indicators`, `computed` being the names of its computed columns; None for none."""
    if not len(rows):
        return None
    return {
        "time": rows.times,
        **series.columns(rows.slots),
        **{name: np.ascontiguousarray(rows.values[:, i]) for i, name in enumerate((*PRICES, *computed))},
    }


def differ(rows: Rows, known: Rows) -> NDArray[np.bool_]:
    """Return which rows are not among the known ones, or have another value; of two known of a bar the later counts."""
    if not len(rows) or not len(known):
        return np.ones(len(rows), bool)
    times, ranks = np.unique(known.times, return_inverse=True)
    keys = known.slots * len(times) + ranks
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(times, rows.times), len(times) - 1)
    wanted = rows.slots * len(times) + place
    found = np.maximum(np.searchsorted(keys[order], wanted, side="right") - 1, 0)
    there = (times[place] == rows.times) & (keys[order][found] == wanted)
    return ~there | rows.unlike(known[order[found]])


def events_of(series: Series, rows: Columns) -> dict[tuple[int, int, str], Event]:
    """Return rows of `signals` by slot, time and name; of two of a key the later counts."""
    slots = series.of(rows["sym"], rows["interval"]).tolist()
    names = ("time", "signal", "side", "price", "detail", "state")
    columns = [rows[name].tolist() for name in names]
    return {
        (slot, time, name): Event(side, price, detail, state or "")
        for slot, time, name, side, price, detail, state in zip(slots, *columns, strict=True)
    }


def signal_columns(series: Series, events: Iterable[EventRow]) -> Columns | None:
    """Return events as rows of `signals`, in order of time; None for none."""
    rows = sorted(events, key=lambda row: row[1])
    if not rows:
        return None
    found = [event for *_, event in rows]
    return {
        "time": np.array([time for _, time, _, _ in rows]),
        **series.columns(np.array([slot for slot, *_ in rows])),
        "signal": Symbols.of([name for _, _, name, _ in rows]),
        "side": Symbols.of([event.side for event in found]),
        "price": np.array([event.price for event in found]),
        "detail": Texts.of([event.detail for event in found]),
        "state": Symbols.of([event.state for event in found]),
    }
