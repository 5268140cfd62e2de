"""The JSON document of a strategy, checked to its end: what is wrong is said with its place, all of it at once.

indicators   [{"as", "name", "parameters", "input"}]: a kind of the catalogue under a name of one's own
signals      [{"id", "action": "entry" | "exit", "side": "long" | "short", "all": [...], "any": [...]}]
             a value is a name of an indicator (with .output), open high low close volume, a number, or an annotation:
             level:prev_day_high, zone:support (plant.conditions.operands)
risk         size {"type", "value"}: qty (units), notional (currency), fraction (of the equity, 0.15 is 15 %), risk
             (currency that is lost at the stop_loss, which it needs); stop_loss, take_profit, trailing {"type",
             "value"}: percent (of the close), atr (multiples of ATR 14), level (a price; of trailing a distance);
             max_positions, max_daily_loss (currency), cooldown_s (after a position closed), max_trades_per_day
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plant.conditions.condition import Condition
from plant.conditions.json_form import condition_of_json
from plant.conditions.operands import OPERANDS, check_operands
from plant.conditions.parsing import ANNOTATED
from plant.errors import ConditionError, SettingsError, nearest_names
from plant.indicators.scalar import scalar

_KEYS = ("id", "name", "description", "sym", "interval", "indicators", "signals", "risk", "tags", "enabled", "version")
_RISK = (
    *("size", "stop_loss", "take_profit", "trailing", "max_positions", "max_daily_loss", "cooldown_s"),
    "max_trades_per_day",
)
PRICES = ("open", "high", "low", "close", "volume")
"""Names of a bar's own values."""

_SIZES, _DISTANCES = ("qty", "notional", "fraction", "risk"), ("percent", "atr", "level")
Faults = list[tuple[str, str]]


@dataclass(frozen=True)
class RuleOfSignal:
    """One signal: what it does when its condition is true."""

    id: str
    action: str
    side: str
    condition: Condition


@dataclass(frozen=True)
class RiskTerms:
    """How much is entered, and what protects it: (type, value) each, None: none."""

    size: tuple[str, float] = ("qty", 1.0)
    stop_loss: tuple[str, float] | None = None
    take_profit: tuple[str, float] | None = None
    trailing: tuple[str, float] | None = None
    max_positions: int | None = None
    max_daily_loss: float | None = None
    cooldown_ns: int = 0
    max_trades_per_day: int | None = None

    @property
    def needs_atr(self) -> bool:
        """Whether a distance is told in ATR."""
        return any(told is not None and told[0] == "atr" for told in (self.stop_loss, self.take_profit, self.trailing))

    def terms(self, side: str, close: float, atr: float | None) -> dict[str, Any] | None:
        """Return the terms of an entry at a close; None while the ATR that it needs is not there."""
        sign = 1 if side == "long" else -1
        if self.needs_atr and atr is None:
            return None

        def distance(told: tuple[str, float]) -> float:
            kind, value = told
            return close * value / 100 if kind == "percent" else value * (atr or 0.0)

        def level(told: tuple[str, float] | None, direction: int) -> float | None:
            if told is None:
                return None
            return told[1] if told[0] == "level" else close + direction * distance(told)

        stop, profit = level(self.stop_loss, -sign), level(self.take_profit, sign)
        trail = None
        if self.trailing is not None:
            trail = self.trailing[1] if self.trailing[0] == "level" else distance(self.trailing)
        kind, value = self.size
        qty: Any = value
        if kind == "notional":
            qty = value / close
        elif kind == "fraction":
            qty = f"{value * 100:.10f}% equity"
        elif kind == "risk":
            qty = value / abs(close - stop) if stop is not None and stop != close else 0.0
        return {"qty": qty, "stop_loss": stop, "take_profit": profit, "trailing_stop": trail}


@dataclass(frozen=True)
class Definition:
    """A document that was read: indicators as (name, kind, parameters, input)."""

    indicators: tuple[tuple[str, str, dict[str, Any], str | None], ...]
    signals: tuple[RuleOfSignal, ...]
    risk: RiskTerms
    enabled: bool
    symbols: tuple[str, ...]
    interval: str

    @property
    def annotations(self) -> tuple[str, ...]:
        """The levels and zones that its conditions read, each once."""
        names = (name for signal in self.signals for name in signal.condition.names)
        return tuple(dict.fromkeys(name for name in names if name in OPERANDS))


def definition_of(document: Any) -> Definition:
    """Return what a document says. Raises ConditionError whose `faults` are all places that are wrong."""
    faults: Faults = []
    if not isinstance(document, Mapping):
        raise ConditionError.at([("$", f"expected an object, found {document!r}")])
    if "python" in document:
        where = "`plant strategy create --definition` and a command `backtest` take it; else hand on the class itself"
        raise ConditionError.at([("$.python", f"a class's source is the other form of a strategy: {where}")])
    _known_keys(document, _KEYS, "$", faults)
    indicators, names = _indicators(document.get("indicators", []), faults)
    interval = str(document.get("interval", ""))
    signals = _signals(document.get("signals", []), (*PRICES, *names), interval, faults)
    risk = _risk(document.get("risk", {}), faults)
    enabled = document.get("enabled", True)
    if not isinstance(enabled, bool):
        faults.append(("$.enabled", f"expected true or false, found {enabled!r}"))
    told = document.get("sym", [])
    symbols = (told,) if isinstance(told, str) else tuple(told) if isinstance(told, list) else ()
    if not all(isinstance(sym, str) for sym in symbols) or (told and not symbols):
        faults.append(("$.sym", f"expected a list of symbols, found {told!r}"))
    if faults:
        raise ConditionError.at(faults)
    return Definition(tuple(indicators), tuple(signals), risk, enabled, symbols, interval)


def _indicators(told: Any, faults: Faults) -> tuple[list[tuple[str, str, dict[str, Any], str | None]], list[str]]:
    found: list[tuple[str, str, dict[str, Any], str | None]] = []
    names: list[str] = []
    if not isinstance(told, list):
        faults.append(("$.indicators", f"expected a list, found {told!r}"))
        return found, names
    for i, entry in enumerate(told):
        place = f"$.indicators[{i}]"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("as"), str) or not entry["as"].isidentifier():
            faults.append((place, f"expected an object with a name in 'as', found {entry!r}"))
            continue
        _known_keys(entry, ("as", "name", "parameters", "input"), place, faults)
        name = entry["as"]
        if name in (*PRICES, *names):
            faults.append((f"{place}.as", f"{name!r} is taken; choose another name"))
            continue
        try:
            parameters = dict(entry.get("parameters") or {})
            made = scalar(str(entry.get("name")), input=entry.get("input"), **parameters)
        except (SettingsError, TypeError) as error:
            faults.append((place, str(error)))
            continue
        found.append((name, str(entry["name"]), parameters, entry.get("input")))
        names += [f"{name}.{output}" if output else name for output in made.declaration.outputs]
    return found, names


def _signals(told: Any, names: tuple[str, ...], interval: str, faults: Faults) -> list[RuleOfSignal]:
    found: list[RuleOfSignal] = []
    if not isinstance(told, list):
        faults.append(("$.signals", f"expected a list, found {told!r}"))
        return found
    for i, entry in enumerate(told):
        place = f"$.signals[{i}]"
        if not isinstance(entry, Mapping):
            faults.append((place, f"expected an object, found {entry!r}"))
            continue
        _known_keys(entry, ("id", "action", "side", "all", "any"), place, faults)
        for key, allowed in (("action", ("entry", "exit")), ("side", ("long", "short"))):
            if entry.get(key) not in allowed:
                faults.append((f"{place}.{key}", f"expected {' or '.join(allowed)}, found {entry.get(key)!r}"))
        group = {key: entry[key] for key in ("all", "any") if key in entry}
        known = (*names, *OPERANDS) if any(kind in str(group) for kind in ANNOTATED) else names
        try:
            condition = condition_of_json(group or {"all": []}, known, place)
            if interval:
                check_operands(condition.names, interval)
        except ConditionError as error:
            faults.extend(error.faults or [(place, str(error))])
            continue
        found.append(RuleOfSignal(str(entry.get("id", i)), str(entry.get("action")), str(entry.get("side")), condition))
    return found


def _risk(told: Any, faults: Faults) -> RiskTerms:
    if not isinstance(told, Mapping):
        faults.append(("$.risk", f"expected an object, found {told!r}"))
        return RiskTerms()
    _known_keys(told, _RISK, "$.risk", faults)
    size = _typed(told.get("size"), _SIZES, "$.risk.size", faults) or ("qty", 1.0)
    given: dict[str, Any] = {
        name: _typed(told.get(name), _DISTANCES, f"$.risk.{name}", faults)
        for name in ("stop_loss", "take_profit", "trailing")
    }
    if size[0] == "risk" and given["stop_loss"] is None:
        faults.append(("$.risk.size", "a size by risk needs a stop_loss: what is risked is the distance to it"))
    if size[0] == "fraction" and size[1] > 1:
        faults.append(("$.risk.size.value", f"a fraction of the equity is at most 1, found {size[1]:g}"))
    numbers: dict[str, Any] = {}
    for name, whole in (
        ("max_positions", True),
        ("max_daily_loss", False),
        ("cooldown_s", False),
        ("max_trades_per_day", True),
    ):
        value = told.get(name)
        if value is not None and (not _positive(value) or (whole and value != int(value))):
            faults.append((f"$.risk.{name}", f"expected a number, more than 0, found {value!r}"))
            value = None
        numbers[name] = value
    cooldown = int((numbers.pop("cooldown_s") or 0) * 1e9)
    return RiskTerms(size=size, cooldown_ns=cooldown, **given, **numbers)


def _typed(told: Any, kinds: tuple[str, ...], place: str, faults: Faults) -> tuple[str, float] | None:
    if told is None:
        return None
    if not isinstance(told, Mapping) or told.get("type") not in kinds or not _positive(told.get("value")):
        one_of = ", ".join(kinds)
        faults.append((place, f'expected {{"type": one of {one_of}, "value": a number more than 0}}, found {told!r}'))
        return None
    return str(told["type"]), float(told["value"])


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def _known_keys(told: Mapping[str, Any], keys: tuple[str, ...], place: str, faults: Faults) -> None:
    for key in told:
        if key not in keys:
            near = nearest_names(key, keys, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            faults.append((place, f"unknown key {key!r}{hint}; keys are: {', '.join(keys)}"))
