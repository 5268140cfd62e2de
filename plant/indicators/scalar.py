"""An indicator of one series, one bar at a time: what a strategy holds.

    fast = scalar("ema", period=9)          # or scalar(declaration), scalar("mypackage.module:MyIndicator", length=5)
    for bar in bars:
        fast.update(bar)
        if fast.ready:
            print(fast.value)

A value is a float, or of several outputs a named tuple of floats: scalar("macd").value.signal; a main output is called
as its kind there, scalar("adx").value.adx. `update` and `peek` return it, NaN where there is none yet; `value` is that
of the last bar, or None if it is not whole.
"""

import copy
from collections import namedtuple
from collections.abc import Callable, Mapping
from functools import cache
from math import isnan, nan
from operator import attrgetter
from pathlib import Path
from typing import Any

from plant.errors import SettingsError
from plant.indicators.averages import Bollinger, Cci, Macd, Roc, Rsi, Sma, Stdev, Wma
from plant.indicators.bars import LARGEST, OF_A_BAR, Bar
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import Declaration, declaration_of
from plant.indicators.extremes import Donchian, Ichimoku, Stochastic, WilliamsR
from plant.indicators.incremental import Step, ema, rma
from plant.indicators.own import OwnStep, load_own, outputs_of
from plant.indicators.ranges import Adx, Atr, HeikinAshi, Keltner, Psar, Supertrend, TrueRange, UtBot
from plant.indicators.talib_kinds import TalibStep
from plant.indicators.volumes import Mfi, Obv, Vwap

Value = Any
"""A float, or a named tuple of floats."""

STEPS: Mapping[str, Callable[..., Step]] = {
    "sma": Sma,
    "ema": ema,
    "wma": Wma,
    "rma": rma,
    "rsi": Rsi,
    "macd": Macd,
    "bollinger": Bollinger,
    "stdev": Stdev,
    "atr": Atr,
    "true_range": TrueRange,
    "vwap": Vwap,
    "donchian": Donchian,
    "keltner": Keltner,
    "supertrend": Supertrend,
    "stochastic": Stochastic,
    "adx": Adx,
    "obv": Obv,
    "volume_sma": Sma,
    "ut_bot": UtBot,
    "heikin_ashi": HeikinAshi,
    "ichimoku": Ichimoku,
    "psar": Psar,
    "cci": Cci,
    "mfi": Mfi,
    "williams_r": WilliamsR,
    "roc": Roc,
}
"""What computes each of our kinds, one bar at a time; called with the kind's parameters."""


class Scalar:
    """One indicator of one series.

    declaration   what it computes
    value         of the last bar: a float, or a named tuple; None if an output of it is not there
    ready         whether it is
    """

    __slots__ = ("_make", "_nothing", "_read", "_step", "_value", "declaration")

    def __init__(self, declaration: Declaration, own: type[Any] | None = None, folder: Path | None = None) -> None:
        if declaration.own and own is None:
            own = load_own(declaration.kind, folder)
        self.declaration = declaration
        self._step = step_of(declaration, own)
        self._read = tuple(OF_A_BAR.get(column) or attrgetter(column) for column in declaration.inputs)
        self._make, self._nothing, self._value = None, nan, None
        if len(declaration.outputs) > 1:
            main = declaration.kind.rpartition(":")[2]
            self._make = _tuple_of(main, tuple(output or main for output in declaration.outputs))
            self._nothing = self._make([nan] * len(declaration.outputs))

    def update(self, bar: Bar | float) -> Value:
        """Take the next closed bar and return its value, NaN where there is none.

        `bar`: a Bar, or a number where the indicator takes in one series. A bar with an input that is not known, or not
        finite, has no value and is otherwise as though it had not been.
        """
        value = self._next(self._step.update, bar)
        self._value = value
        return value

    def peek(self, bar: Bar | float) -> Value:
        """Return what `update` would, and change nothing: the value of a bar that is still forming."""
        return self._next(self._step.peek, bar)

    def copy(self) -> "Scalar":
        """Return one that goes on from here by itself."""
        twin = copy.copy(self)
        twin._step = self._step.copy()
        return twin

    @property
    def value(self) -> Value:
        """The value of the last bar; None before the first, and where an output of it is not there."""
        return self._value if self.ready else None

    @property
    def ready(self) -> bool:
        """Whether the last bar had a value, of every output."""
        value = self._value
        return value is not None and not (isnan(value) if self._make is None else any(map(isnan, value)))

    def _next(self, advance: Callable[..., Any], bar: Any) -> Value:
        make, read = self._make, self._read
        if not read:
            inputs: tuple[Any, ...] = (bar,)
        else:
            number = len(read) == 1 and isinstance(bar, int | float)
            inputs = (bar,) if number else tuple([of(bar) for of in read])
            for x in inputs:
                if not -LARGEST <= x <= LARGEST:
                    return self._nothing
        return advance(*inputs) if make is None else make(advance(*inputs))


def scalar(
    kind: Declaration | str | type[Any], folder: Path | None = None, input: str | None = None, **parameters: Any
) -> Scalar:
    """Return an indicator of one series, at its beginning.

    `kind`: a Declaration, the name of a kind of the catalogue, or one of your own, as a class or as "module:Class",
    whose module may lie in `folder`. `parameters` are the kind's, `input` the series it takes in ("close", "hl2", ...).
    Raises SettingsError for what the catalogue does not have or allow.

    >>> mean = scalar("sma", period=3)
    >>> [mean.update(price) for price in (1.0, 2.0, 6.0)], mean.value
    ([nan, nan, 3.0], 3.0)
    """
    if isinstance(kind, Declaration):
        return Scalar(kind, folder=folder)
    own = kind if isinstance(kind, type) else load_own(kind, folder) if ":" in kind else None
    entry = {"name": "scalar", "kind": kind, **parameters} | ({} if input is None else {"input": input})
    if own is not None:
        entry |= {"kind": kind if isinstance(kind, str) else f"own:{own.__name__}", "outputs": outputs_of(own)}
    return Scalar(declaration_of(entry, "scalar"), own)


def step_of(declaration: Declaration, own: type[Any] | None = None) -> Step:
    """Return what computes a declaration: handed the values of its inputs, or the bar if it has none.

    `own`: the class, of one of the user's. Raises SettingsError if the class has other outputs than the declaration.
    """
    if own is not None:
        if outputs_of(own) != declaration.outputs:
            told, found = (", ".join(map(repr, names)) for names in (declaration.outputs, outputs_of(own)))
            raise SettingsError(
                f"[[indicators]] {declaration.name!r}: {own.__name__} has the outputs {found}, the declaration {told}; "
                f"write outputs = [{found}]"
            )
        return OwnStep(own, dict(declaration.parameters))
    make = STEPS.get(declaration.kind)
    return make(**declaration.parameters) if make else TalibStep(CATALOGUE[declaration.kind], declaration.parameters)


@cache
def _tuple_of(name: str, fields: tuple[str, ...]) -> Callable[[Any], Any]:
    made: Any = namedtuple(name, fields)  # type: ignore[misc]
    make: Callable[[Any], Any] = made._make
    return make
