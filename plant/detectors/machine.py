"""What every detector is: a state machine over the closed bars of one symbol, whose state is plain values.

It has no clock and no socket, and looks at one bar after another: the same in the processor and in a backtest. As bytes
a state is msgpack, in which tuples, and what of them has a name here, stay so.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import msgpack

from plant.calendars.sessions import REGULAR, Sessions
from plant.detectors.annotation import Annotation, Change
from plant.indicators.ranges import Atr

ATR_PERIOD = 14
"""Of Wilder's average true range, of the bars of a detector's own interval."""


class ClosedBar(NamedTuple):
    """A bar that is closed. Times are ns since 1970 UTC.

    time, end   its start, and its end (plant.calendars.sessions)
    kind        PRE, REGULAR or POST; of 1d and larger REGULAR
    session     number of the session it belongs to
    """

    time: int
    end: int
    open: float
    high: float
    low: float
    close: float
    kind: int = REGULAR
    session: int = 0

    @property
    def top(self) -> float:
        """The upper end of its body."""
        return self.open if self.open > self.close else self.close

    @property
    def bot(self) -> float:
        """The lower end of its body."""
        return self.open if self.open < self.close else self.close


@dataclass(frozen=True)
class DetectorTerms:
    """What plant.toml says of detectors, in [annotations].

    types           those that are found
    intervals       of pivots, zigzag, flags, supply and demand
    opening_range   lengths of opening ranges, minutes
    pivot_bars      bars on either side of a pivot
    zigzag          below 1: a share of the price; else so many ATR
    flag_pole_atr   least height of a flag's pole, in ATR; 0: none is needed
    keep            zones of supply and demand of a symbol and interval that are kept
    days            whether there will be bars of 1d
    """

    types: frozenset[str]
    intervals: tuple[str, ...] = ("5m", "15m")
    opening_range: tuple[int, ...] = (5, 15, 30)
    pivot_bars: int = 5
    zigzag: float = 0.03
    flag_pole_atr: float = 2.0
    keep: int = 20
    days: bool = True


@dataclass(frozen=True)
class Place:
    """What a machine looks at: a symbol, the interval of its bars, the sessions of its calendar, and the settings."""

    sym: str
    interval: str
    sessions: Sessions
    terms: DetectorTerms


class Machine:
    """A detector. `STATE` are its attributes that change, plain values or lists and dicts of them."""

    STATE: ClassVar[tuple[str, ...]] = ()

    def __init__(self, place: Place) -> None:
        self.place = place

    def update(self, bar: ClosedBar, atr: float) -> list[Change]:
        """Take the next closed bar, and return what it changes. `atr`: with this bar, NaN while there are too few."""
        raise NotImplementedError

    def saved(self) -> list[Any]:
        """Return the state, not copied."""
        return [getattr(self, name) for name in self.STATE]

    def restore(self, saved: list[Any]) -> None:
        """Go on from there, one that is new."""
        for name, value in zip(self.STATE, saved, strict=True):
            setattr(self, name, value)


class Wilder:
    """The ATR of one series."""

    def __init__(self) -> None:
        self._atr = Atr(ATR_PERIOD)

    def update(self, bar: ClosedBar) -> float:
        """Return the ATR with this bar."""
        return self._atr.update(bar.high, bar.low, bar.close)

    def saved(self) -> list[Any]:
        """Return the state."""
        average = self._atr.average
        return [self._atr.range.before, average.count, average.value]

    def restore(self, saved: list[Any]) -> None:
        """Go on from there."""
        average = self._atr.average
        self._atr.range.before, average.count, average.value = saved


_MADE: tuple[type[tuple[Any, ...]], ...] = (tuple, Annotation, ClosedBar, Change)
"""By their numbers; new ones go last."""

_NUMBERS = {kind: number for number, kind in enumerate(_MADE)}


def pack(value: Any) -> bytes:
    """Return plain values (numbers, texts, None, and lists, dicts and tuples of them) as bytes."""
    found: bytes = msgpack.packb(value, default=_packed, strict_types=True)
    return found


def unpack(data: bytes) -> Any:
    """Return the values again. Raises ValueError for what is none of ours."""
    return msgpack.unpackb(data, ext_hook=_unpacked, strict_map_key=False)


def _packed(value: Any) -> msgpack.ExtType:
    kind = type(value)
    if kind not in _NUMBERS:
        raise TypeError(f"a detector's state has plain values, found {value!r}")
    return msgpack.ExtType(_NUMBERS[kind], pack(list(value)))


def _unpacked(number: int, data: bytes) -> Any:
    kind = _MADE[number]
    values = unpack(data)
    return tuple(values) if kind is tuple else kind(*values)
