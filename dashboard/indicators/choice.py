"""What a chart shows beside its candles: indicators, each by a text that the page's address can hold. Pure.

rsi_14                     an indicator that is declared, by its name
ut_bot(key=2,period=14)    one of the catalogue, with those of its parameters and inputs that are not the default
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from plant.errors import SettingsError, nearest_names
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import DEFAULTS, Declaration, declaration_of
from plant.indicators.kinds import Kind

VOLUME, SIGNALS = "volume", "signals"
SEPARATOR = ";"  # between choices in the address
ABBREVIATIONS = frozenset(
    ("sma", "ema", "wma", "rma", "rsi", "macd", "atr", "vwap", "adx", "obv", "ut", "psar", "cci", "mfi", "roc")
)
_PICKED = re.compile(r"(\w+)\((.*)\)")


@dataclass(frozen=True)
class Choice:
    """An indicator to show. `text` is it in the address; `declared`: the processor has its columns."""

    text: str
    declaration: Declaration
    declared: bool

    @property
    def kind(self) -> Kind | None:
        """The entry of the catalogue; None for one of the user's own."""
        return CATALOGUE.get(self.declaration.kind)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its outputs, in their order."""
        return self.declaration.columns

    @property
    def names(self) -> dict[str, str]:
        """Column -> its name in tables and files: of one that is picked, its text and the output."""
        outputs = zip(self.columns, self.declaration.outputs, strict=True)
        return {
            column: column if self.declared else f"{self.text}_{output}" if output else self.text
            for column, output in outputs
        }

    @property
    def label(self) -> str:
        """Its name for people: as it was declared, else e.g. "RSI 14", "UT Bot 2 14", "MACD" with its defaults."""
        if self.declared and self.declaration not in DEFAULTS:
            return self.declaration.name
        kind, numbers = CATALOGUE[self.declaration.kind], self.declaration.parameters
        told = dict(numbers) != kind.defaults or len(numbers) == 1
        return self._named(numbers.values() if told else ())

    @property
    def title(self) -> str:
        """The same with all parameters, as a pane is headed: "MACD 12 26 9"; of a declared one its name ahead."""
        mine = "" if not self.declared or self.declaration in DEFAULTS else f"{self.declaration.name} · "
        return mine + self._named(self.declaration.parameters.values())

    def _named(self, numbers: Iterable[Any]) -> str:
        one = self.declaration
        name = kind_label(one.kind) if self.kind else one.kind.rpartition(":")[2]
        inputs = zip(self.kind.inputs, one.inputs, strict=True) if self.kind else ()
        other = [column for (key, default), column in inputs if key and column != default]
        told = zip(one.parameters, numbers, strict=False)
        said = [key.replace("_", " ") if value is True else _number(value) for key, value in told if value is not False]
        words = [name, *said, *(f"of {column}" for column in other)]
        return " ".join(words)


def declared_choices(declarations: Sequence[Declaration]) -> dict[str, Choice]:
    """Return a choice for each indicator that is declared, by its text."""
    return {one.name: Choice(one.name, one, declared=True) for one in declarations}


def picked(kind: str, settings: Mapping[str, Any]) -> Choice:
    """Return the choice of a kind of the catalogue with such parameters and inputs.

    Raises SettingsError for what the catalogue does not have or allow.
    """
    if kind not in CATALOGUE:
        near = nearest_names(kind, CATALOGUE, 1)
        raise SettingsError(
            f"no indicator {kind!r} in the catalogue" + (f", did you mean {near[0]!r}?" if near else "")
        )
    declaration = declaration_of({"name": "picked", "kind": kind, **settings}, kind)
    defaults = CATALOGUE[kind].defaults | {key: column for key, column in CATALOGUE[kind].inputs if key}
    keys = [key for key, _ in CATALOGUE[kind].inputs]
    told = {**declaration.parameters, **{k: c for k, c in zip(keys, declaration.inputs, strict=True) if k}}
    parts = [f"{name}={_number(value)}" for name, value in told.items() if value != defaults.get(name)]
    text = f"{kind}({','.join(parts)})"
    name = f"picked_{blake2b(text.encode(), digest_size=5).hexdigest()}"  # no name of plant.toml's begins otherwise
    named = Declaration(name, kind, declaration.parameters, declaration.inputs, declaration.outputs)
    return Choice(text, named, declared=False)


def choice_of(text: str, declared: Mapping[str, Choice]) -> Choice:
    """Return the choice that a text names. Raises SettingsError for one that names nothing, or nothing allowed.

    >>> choice_of("ema(period=9,input=hl2)", {}).label
    'EMA 9 of hl2'
    """
    if text in declared:
        return declared[text]
    match = _PICKED.fullmatch(text)
    if match is None:
        near = nearest_names(text, declared, 1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise SettingsError(f"no indicator {text!r} is declared{hint}; one of the catalogue is written rsi(period=14)")
    settings: dict[str, Any] = {}
    for part in filter(None, match[2].split(",")):
        name, _, value = part.partition("=")
        settings[name.strip()] = _value(value.strip())
    return picked(match[1], settings)


def address_of(shown: Collection[str], at_first: Collection[str]) -> str | None:
    """Return what the address says of what is shown: nothing as long as it is what is shown at first."""
    return None if list(shown) == list(at_first) else SEPARATOR.join(shown)


def kind_label(kind: str) -> str:
    """Return the name of a kind for people.

    >>> kind_label("ut_bot"), kind_label("macd"), kind_label("CDLDOJI")
    ('UT Bot', 'MACD', 'CDLDOJI')
    """
    if kind.isupper():
        return kind
    return " ".join(word.upper() if word in ABBREVIATIONS else word.capitalize() for word in kind.split("_"))


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
