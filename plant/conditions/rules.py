"""The rules of signals: the six that are always there, those of each UT Bot, and [[signals]] of plant.toml."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from plant.conditions.condition import Condition
from plant.conditions.parsing import condition_of
from plant.conditions.sentences import decimals
from plant.errors import ConditionError, QueryError, SettingsError, nearest_names
from plant.indicators.declarations import Declaration
from plant.rows.intervals import interval_name

SIDES = ("buy", "sell")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_IN_BRACES = re.compile(r"\{(\w+)\}")
_KEYS = ("name", "side", "when", "intervals", "symbols")


@dataclass(frozen=True)
class Rule:
    """What raises a signal: its name, its side ("buy" or "sell"), and the condition that is true on its bar.

    `intervals` are names of intervals, `symbols` patterns such as "BRK*" (capitals count); empty: all. `says` is what
    it tells, with columns of the bar in braces; "": the condition in words.
    """

    name: str
    side: str
    when: Condition
    intervals: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    says: str = ""

    @property
    def told(self) -> tuple[str, ...]:
        """The columns whose numbers `says` has."""
        return tuple(_IN_BRACES.findall(self.says))

    def detail(self, sentence: str, values: Sequence[float]) -> str:
        """Return what is told of a bar: `sentence` is the condition's, `values` are those of `told`."""
        return self.says.format(**dict(zip(self.told, decimals(values, 6), strict=True))) if self.says else sentence

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


def rules_of(
    sections: Iterable[Mapping[str, Any]], known: Collection[str], declarations: Iterable[Declaration] = ()
) -> tuple[Rule, ...]:
    """Return the default rules, those of the UT Bots among the declared indicators, and those of [[signals]].

    One of [[signals]] with the name of a default one takes its place. `known` are the columns that a rule may read:
    those of the bar and of the indicators. A default rule that reads another (`defaults = false`) is left out. Raises
    SettingsError naming the rule, its key and what was expected, or the name that two have.
    """
    rules: dict[str, tuple[Rule, ...]] = {
        s["name"]: (rule,) for s in DEFAULT_SIGNALS if set((rule := _rule(s, None, "default")).when.names) <= set(known)
    }
    taken: dict[str, str] = {}
    for one in declarations:
        if own := _rules_of_ut_bot(one):
            if one.name in rules:
                raise SettingsError(
                    f"[[indicators]], {one.name!r}: a {one.kind} raises signals of its name, and one of those that are "
                    "always there is called so; choose another name"
                )
            rules[one.name] = own
            taken[one.name] = f"that of the signals of [[indicators]], {one.name!r}, of kind {one.kind}"
    for number, section in enumerate(sections, 1):
        rule = _rule(section, known, f"[[signals]] {number}")
        if rule.name in taken:
            raise SettingsError(
                f"[[signals]] {number}: name = {rule.name!r} is {taken[rule.name]}; choose another name"
            )
        taken[rule.name] = "there twice"
        rules[rule.name] = (rule,)
    return tuple(rule for each in rules.values() for rule in each)


def _rules_of_ut_bot(one: Declaration) -> tuple[Rule, ...]:
    """Return what a declared UT Bot raises by itself, nothing of another kind.

    The position is compared, not price and stop: on a price that hardly moves they come closer to each other than a
    condition can tell apart (1e-12), and the position tells exactly.
    """
    if one.kind != "ut_bot":
        return ()
    position, says = f"{one.name}_position", f"{one.name} turned to {{}} (close {{close}}, stop {{{one.name}_stop}})"
    return tuple(
        Rule(one.name, side, condition_of(when), one.intervals, one.symbols, says.replace("{}", side))
        for side, when in (
            ("buy", f"{position} == 1 and {position}[1] < 1"),
            ("sell", f"{position} == -1 and {position}[1] > -1"),
        )
    )


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
    name = section.get("name", "")
    if isinstance(name, str) and name:
        place = f"{place} ({name})"
    for key in section:
        if key not in _KEYS:
            near = nearest_names(key, _KEYS, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise SettingsError(f"{place}: unknown key {key!r}{hint}; keys are: {', '.join(_KEYS)}")
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
