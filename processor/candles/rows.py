"""What the builder takes and gives, as arrays: rows of a batch with their seqs, bars as columns, what was recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, taken
from plant.rows.tables_candles import BUILT
from processor.trades.folding import MINUTE_NS, VALUES
from processor.trades.slots import Slots

ROUNDING = 1e-12
"""Values that differ by less, relative to themselves, are the same."""


class Recorded(Protocol):
    """What the plant holds already, for bars that are too old to be in memory.

    All answer columns of their table with seq and seq_row (int64[n]), rows of one symbol with start <= time < end, the
    newest revision of each bar. They must hold everything up to the last seq the builder took, and may hold more.
    Raises PlantError if they cannot be had now: the builder asks again later.
    """

    def trades(self, sym: str, start: int, end: int) -> Columns:
        """Return rows of `trades`."""

    def corrections(self, sym: str, start: int, end: int) -> Columns:
        """Return rows of `trade_corrections`."""

    def bars(self, sym: str, interval: str, start: int, end: int) -> Columns:
        """Return rows of `bars`."""


def arrivals(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Return the seq of each row, and when the plant took it, int64[n] twice."""
    if batch.parts is None:
        return np.full(len(batch), batch.seq), np.full(len(batch), batch.received)
    counts = np.diff(batch.parts[0], append=len(batch))
    return np.repeat(batch.parts[1], counts), np.repeat(batch.parts[2], counts)


def bars_of(
    slots: np.ndarray,
    starts: np.ndarray,
    interval: Symbols,
    values: np.ndarray,
    sources: list[str],
    syms: Sequence[str],
) -> Columns:
    """Return rows of `bars`: values float64[k, 7] in the order of VALUES, a source without BUILT for each row."""
    used, codes = np.unique(slots, return_inverse=True)
    return {
        "time": starts.astype(np.int64),
        "sym": Symbols([syms[slot] for slot in used.tolist()], codes.astype(np.int32)),
        "interval": interval,
        **{name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(VALUES[:5])},
        "source": Symbols.of([BUILT + source for source in sources]),
        **{name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(VALUES) if i >= 5},
    }


def values_of(columns: Columns) -> np.ndarray:
    """Return the values of rows of `bars`, float64[n, 7] in the order of VALUES."""
    return np.stack([columns[name] for name in VALUES], axis=1).astype(np.float64, copy=False)


def built(column: Symbols) -> np.ndarray:
    """Return which sources are of bars that the plant made, bool[n]."""
    own = np.array([name.startswith(BUILT) for name in column.names], dtype=bool)
    found: np.ndarray = own[column.codes] if len(own) else np.zeros(len(column), dtype=bool)
    return found


def differ(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return which rows of values differ by more than rounding, bool[k]; unknown is the same as unknown."""
    with np.errstate(invalid="ignore"):
        close = np.abs(one - other) <= ROUNDING * np.maximum(np.abs(one), np.abs(other))
    same = (one == other) | close | (np.isnan(one) & np.isnan(other))
    found: np.ndarray = ~same.all(axis=1)
    return found


def whole_minutes(rows: Columns, slots: np.ndarray) -> tuple[Columns, np.ndarray]:
    """Return the rows of 1m bars that begin with a minute, and their slots; a feed's own may begin elsewhere."""
    whole = rows["time"] % MINUTE_NS == 0
    return (rows, slots) if whole.all() else (taken(rows, whole), slots[whole])


def rounds(slots: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield positions so that each slot comes once in each array, in order; `rows` are those to be yielded."""
    while len(rows):
        _, first = np.unique(slots[rows], return_index=True)
        yield rows[first]
        left = np.ones(len(rows), dtype=bool)
        left[first] = False
        rows = rows[left]


@dataclass(frozen=True)
class Pace:
    """When a bar that changed goes out again: every `update_ns` at most, but at once when its end is past, and again
    when `grace_ns` is, too, before it is closed by the clock: so that it closes with all trades that came until then.
    """

    update_ns: int
    grace_ns: int

    def ready(self, ends: np.ndarray, given_at: np.ndarray, now: int) -> np.ndarray:
        """Return which of k bars go out, bool[k]: their ends and when they last did (-1: never), int64[k], ns."""
        found: np.ndarray = (given_at < 0) | (given_at + self.update_ns <= now)
        for until in (ends, ends + self.grace_ns):
            found |= (until <= now) & (given_at < until)
        return found


@dataclass
class Minutes:
    """Rows of 1m bars to be given out: slots, starts (int64[k]), values (float64[k, 7]) and feeds.

    One that lost its last trade stands at volume 0 without trades, and is to be removed once it came back.
    """

    slots: np.ndarray
    starts: np.ndarray
    values: np.ndarray
    feeds: list[str]

    def columns(self, slots: Slots) -> Columns:
        """Return them as rows of `bars`, in order of time."""
        order = np.argsort(self.starts, kind="stable")
        interval = Symbols(["1m"], np.zeros(len(order), dtype=np.int32))
        feeds = [self.feeds[i] for i in order.tolist()]
        return bars_of(self.slots[order], self.starts[order], interval, self.values[order], feeds, slots.names)
