"""The rules of signals: [[signals]] of plant.toml, and the six that are always there."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from plant.conditions.condition import Condition
from plant.conditions.parsing import condition_of
from plant.errors import ConditionError, QueryError, SettingsError, nearest_names
from plant.rows.intervals import interval_name

SIDES = ("buy", "sell")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Rule:
    """What raises a signal: its name, its side ("buy" or "sell"), and the condition that is true on its bar.

    `intervals` are names of intervals, `symbols` patterns such as "BRK*" (capitals count); empty: all.
    """

    name: str
    side: str
    when: Condition
    intervals: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()

    def watches(self, sym: str, interval: str) -> bool:
        """Return whether the rule is for the bars of this symbol and interval (a name as `interval_name` gives)."""
        return (not self.intervals or interval in self.intervals) and (
            not self.symbols or any(fnmatchcase(sym, pattern) for pattern in self.symbols)
        )


DEFAULT_SIGNALS: tuple[dict[str, str], ...] = (
    {"name": "golden_cross", "side": "buy", "when": "sma_20 crosses above ema_50"},
    {"name": "death_cross", "side": "sell", "when": "sma_20 crosses below ema_50"},
    {"name": "rsi_oversold", "side": "buy", "when": "rsi_14 crosses below 30"},
    {"name": "rsi_overbought", "side": "sell", "when": "rsi_14 crosses above 70"},
    {"name": "macd_cross_up", "side": "buy", "when": "macd crosses above macd_signal"},
    {"name": "macd_cross_down", "side": "sell", "when": "macd crosses below macd_signal"},
)
"""The six rules that are there without being written, as [[signals]] would have them."""


def rules_of(sections: Iterable[Mapping[str, Any]], known: Collection[str]) -> tuple[Rule, ...]:
    """Return the rules of [[signals]], after the default ones; one with the name of a default one takes its place.

    `known` are the columns that a rule may read: those of the bar and of the indicators. A default rule that reads
    another (`defaults = false`) is left out. Raises SettingsError naming the rule, its key and what was expected.
    """
    rules = {
        s["name"]: rule for s in DEFAULT_SIGNALS if set((rule := _rule(s, None, "default")).when.names) <= set(known)
    }
    written: set[str] = set()
    for number, section in enumerate(sections, 1):
        rule = _rule(section, known, f"[[signals]] {number}")
        if rule.name in written:
            raise SettingsError(f"[[signals]] {number}: name = {rule.name!r} is there twice; choose another name")
        written.add(rule.name)
        rules[rule.name] = rule
    return tuple(rules.values())


def rule_of(section: Mapping[str, Any], known: Collection[str] | None = None) -> Rule:
    """Return the rule that one of [[signals]] says; `known` as in `rules_of`, None: all names are taken.

    Raises SettingsError naming the key and what was expected.

    >>> rule_of({"name": "breakout", "side": "buy", "when": "close > high[1]", "symbols": ["BRK*"]}).symbols
    ('BRK*',)
    """
    return _rule(section, known, "[[signals]]")


def _rule(section: Mapping[str, Any], known: Collection[str] | None, place: str) -> Rule:
    if not isinstance(section, Mapping):
        raise SettingsError(f"{place}: expected name, side and when, found {section!r}")
    keys = [field.name for field in fields(Rule)]
    name = section.get("name", "")
    if isinstance(name, str) and name:
        place = f"{place} ({name})"
    for key in section:
        if key not in keys:
            near = nearest_names(key, keys, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise SettingsError(f"{place}: unknown key {key!r}{hint}; keys are: {', '.join(keys)}")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SettingsError(f"{place}: name must be a-z, 0-9 and _, a letter first, at most 63; found {name!r}")
    if (side := section.get("side")) not in SIDES:
        raise SettingsError(f'{place}: side must be "buy" or "sell", found {side!r}')
    if not isinstance(when := section.get("when"), str):
        raise SettingsError(f'{place}: when must be a condition such as "rsi_14 crosses below 30", found {when!r}')
    try:
        condition = condition_of(when, known)
    except ConditionError as error:
        raise SettingsError(f"{place}: when = {error}") from None
    try:
        intervals = tuple(map(interval_name, _texts(section, "intervals", place)))
    except QueryError as error:
        raise SettingsError(f"{place}: intervals: {error}") from None
    return Rule(name, side, condition, intervals, _texts(section, "symbols", place))


def _texts(section: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    values = section.get(key, [])
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) and v for v in values):
        raise SettingsError(f"{place}: {key} must be a list of texts, none empty, found {values!r}")
    return tuple(values)
