"""A viewport: all that one chart shows of a symbol and an interval, as of one seq. Pure."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from plant.errors import BadRows
from plant.state.newest import Row

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, eq=False)
class PlainBars:
    """Bars in order of time: `time` int64[n], ns UTC, their starts; the others float64[n], quote currency and units.

    extended   bool[n]: outside the regular session; None: there are no sessions
    forming    whether the newest is not closed yet
    """

    time: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    extended: np.ndarray | None = None
    forming: bool = False

    def __post_init__(self) -> None:
        columns = [getattr(self, name) for name in ("time", *PRICES, "volume")]
        columns += [] if self.extended is None else [self.extended]
        if len({len(column) for column in columns}) > 1:
            raise BadRows(f"bars: expected columns of one length, found {sorted({len(c) for c in columns})}")
        if (np.diff(self.time) <= 0).any():
            raise BadRows("bars: expected rising times, found one that is not later than the one before")

    def __len__(self) -> int:
        return len(self.time)


class Overlay(NamedTuple):
    """A line over the bars: its name, float64[n] beside them (NaN: none), and "price" or "own", where it is drawn.

    Those in panes of their own that have one `group` share a pane; `levels` are drawn across it.
    """

    name: str
    values: np.ndarray
    pane: str = "price"
    group: str = ""
    levels: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Viewport:
    """What is drawn.

    annotations        rows of that table, the newest of each object (plant.state)
    signals, fills     rows of those tables; those outside the bars are not drawn
    notes              what must be said of the data in words, e.g. "simulated data: made-up prices"
    faint              a word that is written large and faint across the bars; "": none
    aging              whether what is said of its age may change as time goes by
    zone               in which times are written
    seq                everything up to it is in it
    newest             seq of the newest row in it
    """

    sym: str
    interval: str
    bars: PlainBars
    annotations: Sequence[Row] = ()
    signals: Sequence[Row] = ()
    fills: Sequence[Row] = ()
    overlays: Sequence[Overlay] = ()
    notes: Sequence[str] = ()
    faint: str = ""
    aging: bool = True
    zone: dt.tzinfo = field(default=dt.UTC)
    seq: int = 0
    newest: int = 0

    def is_as_at(self, seq: int) -> bool:
        """Return whether it was the same when everything up to a seq was in it: nothing came, and no clock matters.

        While its newest bar forms nothing else is said of that; later its age is.
        """
        return self.newest <= seq <= self.seq and (self.bars.forming or not self.aging)
