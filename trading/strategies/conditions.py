"""A strategy that is a JSON document: indicators, conditions that enter and leave, and how much is risked.

    {"sym": ["AAPL"], "interval": "5m",
     "indicators": [{"as": "fast", "name": "ema", "parameters": {"period": 20}, "input": "close"}],
     "signals": [{"id": "up", "action": "entry", "side": "long",
                  "all": [{"left": "close", "operator": "crosses_above", "right": "fast"}]}],
     "risk": {"size": {"type": "qty", "value": 1}}}

Conditions are those of plant.conditions, over closed bars. See `trading.strategies.definition` for what it may say.
"""

import json
from collections.abc import Mapping
from typing import Any

from plant.conditions.definition import Definition, definition_of
from trading.events import Bar
from trading.parameters import param
from trading.strategies.symbol_rules import SymbolRules
from trading.strategy import Desk, FillView, Strategy

_DAY_NS = 86_400 * 10**9


class Conditions(Strategy):
    """Enter and leave by the conditions of a JSON document."""

    definition: str = param("", help="the document as JSON")

    def __init__(self, desk: Desk, given: Mapping[str, Any]) -> None:
        told = dict(given)
        if isinstance(told.get("definition"), Mapping):
            told["definition"] = json.dumps(told["definition"])
        super().__init__(desk, told)
        self.document: Definition = definition_of(json.loads(self.definition or "{}"))

    def start(self) -> None:
        self.rules = {sym: self.use(SymbolRules(self.document), sym) for sym in self.symbols}
        self.day, self.day_equity, self.entries, self.resting_until = -1, 0.0, 0, 0

    def on_bar(self, bar: Bar) -> None:
        risk, rules = self.document.risk, self.rules[bar.sym]
        if bar.end // _DAY_NS != self.day:
            self.day, self.day_equity, self.entries = bar.end // _DAY_NS, self.equity, 0
        if not self.document.enabled:
            return
        held = self.position(bar.sym)
        for signal in rules.value:
            long = signal.side == "long"
            if signal.action == "exit":
                if held > 0 if long else held < 0:
                    self.close(bar.sym, tag=signal.id)
            elif self._may_enter(bar, held, long):
                terms = risk.terms(signal.side, bar.close, rules.atr)
                if terms is not None:
                    self.entries += 1
                    self.enter(signal.side, sym=bar.sym, id=signal.side, tag=signal.id, **terms)

    def on_fill(self, fill: FillView) -> None:
        if not fill.position_after or fill.realised:
            self.resting_until = fill.market_time + self.document.risk.cooldown_ns

    def _may_enter(self, bar: Bar, held: float, long: bool) -> bool:
        risk = self.document.risk
        if held and (held > 0) == long:
            return False
        others = sum(1 for sym in self.symbols if sym != bar.sym and self.position(sym))
        return (
            (risk.max_positions is None or others < risk.max_positions)
            and (risk.max_trades_per_day is None or self.entries < risk.max_trades_per_day)
            and (risk.max_daily_loss is None or self.day_equity - self.equity < risk.max_daily_loss)
            and (not risk.cooldown_ns or bar.end >= self.resting_until)
        )
