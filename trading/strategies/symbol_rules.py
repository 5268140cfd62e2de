"""What the JSON document of a strategy says, bar by bar: which of its signals are true."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from plant.calendars.sessions import Sessions
from plant.conditions.definition import PRICES, Definition, RuleOfSignal
from plant.conditions.evaluator import Evaluator
from plant.conditions.operands import Operands
from plant.indicators.bars import Bar as PlainBar
from plant.indicators.scalar import scalar
from trading.desk.indicators import warm_up_of
from trading.events import Bar
from trading.strategy import Window


class SymbolRules:
    """The indicators and conditions of one symbol, updated with every closed bar as one indicator is.

    If conditions read levels or zones, `follow_sessions` says whose bars come, before the first one.

    value     the signals whose conditions are true on the last bar
    atr       ATR 14 of it, if a distance needs it, else None
    warm_up   bars that its slowest indicator needs
    """

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._of = {
            name: scalar(kind, input=input, **parameters) for name, kind, parameters, input in definition.indicators
        }
        self._atr = scalar("atr", period=14) if definition.risk.needs_atr else None
        self._annotations: Operands | None = None
        self._evaluators = [Evaluator(signal.condition, {}) for signal in definition.signals]
        for evaluator in self._evaluators:
            evaluator.grow(1)
        held = [*self._of.values(), *([self._atr] if self._atr else [])]
        self.warm_up = max((warm_up_of(one) for one in held), default=0)
        self.value: tuple[RuleOfSignal, ...] = ()
        self.atr: float | None = None
        self.ready = True

    def follow_sessions(self, sym: str, interval: str, sessions: Sessions | None) -> None:
        """Say whose bars come, and how its exchange's sessions are; None: days of UTC.

        Raises ConditionError if levels or zones cannot be found over bars of this interval.
        """
        if self._definition.annotations:
            self._annotations = Operands(self._definition.annotations, sym, interval, sessions)

    def update(self, bar: Bar) -> tuple[RuleOfSignal, ...]:
        """Take a closed bar and return the signals whose conditions are true."""
        row = self._row(bar)
        values = {name: [value] for name, value in zip(self._names(), row, strict=True)}
        true = [evaluator.update([0], values)[0] for evaluator in self._evaluators]
        self.value = tuple(s for s, holds in zip(self._definition.signals, true, strict=True) if holds)
        self.atr = None if self._atr is None else self._atr.value
        return self.value

    def prepared(self, window: Window) -> "PreparedRules":
        """Return what has the same values, with the conditions evaluated over all bars at once."""
        rows, atrs = [], []
        for time, open_, high, low, close, volume in zip(*(column.tolist() for column in window), strict=True):
            rows.append(self._row(PlainBar(time, open_, high, low, close, volume)))
            atrs.append(None if self._atr is None else self._atr.value)
        table = np.array(rows, dtype=np.float64).reshape(len(rows), -1)
        columns = {name: table[:, i] for i, name in enumerate(self._names())}
        true = [evaluator.run(0, columns).tolist() for evaluator in self._evaluators]
        return PreparedRules(self._definition.signals, true, atrs)

    def _names(self) -> list[str]:
        found = list(PRICES)
        for name, used in self._of.items():
            found += [f"{name}.{output}" if output else name for output in used.declaration.outputs]
        return [*found, *(self._annotations.names if self._annotations is not None else ())]

    def _row(self, bar: Any) -> list[float]:
        """Update the indicators, and return the values of the bar in the order of the names; NaN: none."""
        if self._atr is not None:
            self._atr.update(bar)
        row = [bar.open, bar.high, bar.low, bar.close, bar.volume]
        for used in self._of.values():
            found = used.update(bar)
            row += found if isinstance(found, tuple) else (found,)
        if self._annotations is not None:
            row += self._annotations.update(bar.time, bar.open, bar.high, bar.low, bar.close)
        return row


class PreparedRules:
    """Rules whose conditions were evaluated before the run began; shown with the bar they belong to."""

    def __init__(self, signals: Sequence[RuleOfSignal], true: list[list[bool]], atrs: list[float | None]) -> None:
        self._signals = signals
        self._rows = zip(atrs, *true, strict=True)
        self.value: tuple[RuleOfSignal, ...] = ()
        self.atr: float | None = None
        self.ready = True

    def update(self, bar: Bar) -> tuple[RuleOfSignal, ...]:
        """Go on to the next bar."""
        self.atr, *true = next(self._rows)
        self.value = tuple(s for s, holds in zip(self._signals, true, strict=True) if holds)
        return self.value
