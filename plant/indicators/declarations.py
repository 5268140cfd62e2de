"""What [[indicators]] of plant.toml declares: columns computed from bars, checked before anything is computed.

    [[indicators]]
    name = "ema_9"                 # ema_9 is the column of a main output, ema_9_<output> that of another
    kind = "ema"                   # from the catalogue, or "mypackage.module:MyIndicator"
    period = 9                     # the kind's parameters; what one of your own is made with
    input = "close"                # or another price of the bar, hl2, hlc3, ohlc4, volume, another indicator's column
    intervals = ["1m"]             # empty: all
    symbols = ["AAPL", "BTC*"]     # patterns; empty: all

Nothing of TA-Lib, nor of one's own classes, is imported here.
"""

import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from typing import Any

from plant.errors import QueryError, SettingsError, nearest_names
from plant.indicators.bars import CHOSEN, OF_A_BAR
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.kinds import Kind, Number
from plant.rows.intervals import interval_name
from plant.rows.schema import META_COLUMNS, Column
from plant.rows.tables import TABLES

RESERVED = {
    *META_COLUMNS,
    *OF_A_BAR,
    *(column.name for table in TABLES if table.name == "bars" for column in table.columns),
    *("and", "or", "not", "crosses", "above", "below", "rising", "falling", "between", "true", "false", "null"),
}
"""What no column of an indicator may be called: columns of a bar, and words of the rules of signals."""

_KEYS = ("name", "kind", "outputs", "intervals", "symbols")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_NAME = 63
_OWN = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_LISTED = 40


@dataclass(frozen=True)
class Declaration:
    """One indicator as it is computed: of which kind, with which parameters, from which series, for whom.

    parameters   all that its kind has; of one of one's own, those that were given
    inputs       columns that it takes in, in the order of its kind; none: it takes whole bars (one of one's own)
    outputs      "" is the main one
    intervals, symbols   empty: all; symbols are patterns
    """

    name: str
    kind: str
    parameters: Mapping[str, Any] = field(hash=False)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ("",)
    intervals: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it adds, in the order of its outputs."""
        return tuple(f"{self.name}_{output}" if output else self.name for output in self.outputs)

    @property
    def own(self) -> bool:
        """Whether it is a class of the user's own."""
        return ":" in self.kind

    def covers(self, sym: str, interval: str) -> bool:
        """Return whether it is computed for this series."""
        return (not self.intervals or interval in self.intervals) and (
            not self.symbols or any(fnmatchcase(sym, pattern) for pattern in self.symbols)
        )

    def table_columns(self) -> tuple[Column, ...]:
        """Return its columns as the table `indicators` declares them, each with what it means."""
        meanings = (f"{output} of {self}" if output else str(self) for output in self.outputs)
        return tuple(Column(name, "float", text) for name, text in zip(self.columns, meanings, strict=True))

    def __str__(self) -> str:
        """Return e.g. "bollinger(period=20, deviations=2.0) of close"."""
        told = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        free = (
            ""
            if self.own
            else "".join(
                f" of {column}"
                for (key, _), column in zip(CATALOGUE[self.kind].inputs, self.inputs, strict=True)
                if key
            )
        )
        return f"{self.kind}({told}){free}"


def declaration_of(entry: Mapping[str, Any], place: str = "[[indicators]]") -> Declaration:
    """Return what one [[indicators]] declares, by itself: whether its inputs are there is not looked at.

    Raises SettingsError, which begins with `place`, for what the catalogue does not have or allow.
    """
    name, kind = entry.get("name"), entry.get("kind")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SettingsError(f"{place}: name: expected a-z, 0-9 and _, a letter first, found {name!r}")
    place = f"{place}, {name!r}"
    if not isinstance(kind, str) or not (kind in CATALOGUE or _OWN.fullmatch(kind)):
        near = nearest_names(kind, CATALOGUE, 3)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise SettingsError(
            f"{place}: unknown kind {kind!r}; {hint}`plant indicators` lists them; "
            'one of your own is "mypackage.module:MyIndicator"'
        )
    own = kind not in CATALOGUE
    told = {key: value for key, value in entry.items() if key not in _KEYS}
    outputs = _texts(entry, "outputs", place)
    declared = Declaration(
        name=name,
        kind=kind,
        parameters=_own_parameters(told, place) if own else _parameters(CATALOGUE[kind], told, place),
        inputs=() if own else _inputs(CATALOGUE[kind], told, place),
        outputs=_own_outputs(outputs, place) if own else _outputs(CATALOGUE[kind], outputs, place),
        intervals=tuple(_interval(text, place) for text in _texts(entry, "intervals", place)),
        symbols=_texts(entry, "symbols", place),
    )
    if longest := [column for column in declared.columns if len(column) > _LONGEST_NAME]:
        raise SettingsError(
            f"{place}: {longest[0]!r} is longer than a column's {_LONGEST_NAME} letters; shorten the name"
        )
    return declared


DEFAULTS = tuple(
    Declaration(name, kind, parameters, ("close",), CATALOGUE[kind].outputs)
    for name, kind, parameters in (
        ("sma_20", "sma", {"period": 20}),
        ("ema_20", "ema", {"period": 20}),
        ("ema_50", "ema", {"period": 50}),
        ("rsi_14", "rsi", {"period": 14}),
        ("macd", "macd", {"fast": 12, "slow": 26, "signal": 9}),
        ("bb", "bollinger", {"period": 20, "deviations": 2.0}),
    )
)
"""The columns that are always there, unless `[processor] defaults = false`."""


def declared(entries: Iterable[Mapping[str, Any]], defaults: bool = True) -> tuple[Declaration, ...]:
    """Return what plant.toml declares, in the order of its columns: those that are always there, then its own.

    Raises SettingsError with the place for a bad one: unknown, out of range, a name that is taken, an input that is no
    column, inputs in a circle.
    """
    found = list(DEFAULTS) if defaults else []
    taken = {
        column: f"a column of {known.name!r}, always there"
        for known in found
        for column in (known.name, *known.columns)
    }
    taken |= dict.fromkeys(RESERVED, "a column of every bar, or a word of the rules of signals")
    places = {known.name: "always there" for known in found}
    for number, entry in enumerate(entries, 1):
        place = f"[[indicators]] number {number}"
        one = declaration_of(entry, place)
        for name in (one.name, *one.columns):
            if name in taken:
                raise SettingsError(f"{place}, {one.name!r}: the name {name!r} is {taken[name]}; choose another name")
        taken |= dict.fromkeys((one.name, *one.columns), f"taken by number {number}, {one.name!r}")
        places[one.name] = f"{place}, {one.name!r}"
        found.append(one)
    columns = [column for one in found for column in one.columns]
    for one in found:
        for column in one.inputs:
            if column not in columns and column not in OF_A_BAR:
                raise SettingsError(_unknown_input(column, columns, places[one.name]))
    computing_order(found)
    return tuple(found)


def computing_order(declarations: Sequence[Declaration]) -> tuple[Declaration, ...]:
    """Return declarations such that each comes behind those whose columns it takes in. Raises SettingsError."""
    giving = {column: one.name for one in declarations for column in one.columns}
    named = {one.name: one for one in declarations}
    graph = {one.name: [giving[column] for column in one.inputs if column in giving] for one in declarations}
    try:
        return tuple(named[name] for name in TopologicalSorter(graph).static_order())
    except CycleError as cycle:
        circle = " -> ".join(cycle.args[1])
        raise SettingsError(f"[[indicators]]: inputs in a circle, {circle}; one of them must take in the bar") from None


def _parameters(kind: Kind, told: Mapping[str, Any], place: str) -> dict[str, Number]:
    keys = [key for key, _ in kind.inputs if key]
    known = {parameter.name: parameter for parameter in kind.parameters}
    for key in told:
        if key not in known and key not in keys:
            near = nearest_names(key, (*known, *keys, *_KEYS), 1)
            hint = f", did you mean {near[0]!r}?" if near else ";"
            raise SettingsError(f"{place}: unknown key {key!r}{hint} {_has(kind)}")
    values = {}
    for name, parameter in known.items():
        value = told.get(name, parameter.default)
        if expected := parameter.wrong(value):
            raise SettingsError(
                f"{place}: {name} of {kind.name} ({parameter.meaning}): expected {expected}, found {value!r}"
            )
        values[name] = parameter.type(value)
    return values


def _has(kind: Kind) -> str:
    names = [parameter.name for parameter in kind.parameters] + [key for key, _ in kind.inputs if key]
    return f"{kind.name} has {', '.join(names)}" if names else f"{kind.name} has no parameters and takes in the bar"


def _inputs(kind: Kind, told: Mapping[str, Any], place: str) -> tuple[str, ...]:
    columns = []
    for key, default in kind.inputs:
        column = told.get(key, default) if key else default
        if not isinstance(column, str) or not _NAME.fullmatch(column):
            raise SettingsError(f"{place}: {key} of {kind.name}: expected the name of a column, found {column!r}")
        if column in OF_A_BAR and column not in CHOSEN and key:
            raise SettingsError(_unknown_input(column, (), place))
        columns.append(column)
    return tuple(columns)


def _outputs(kind: Kind, told: tuple[str, ...], place: str) -> tuple[str, ...]:
    if told and told != kind.outputs:
        names = ", ".join(name or "the main one" for name in kind.outputs)
        raise SettingsError(f"{place}: the outputs of {kind.name} are {names}; leave out the key `outputs`")
    return kind.outputs


def _own_parameters(told: Mapping[str, Any], place: str) -> dict[str, Any]:
    if "input" in told:
        raise SettingsError(f"{place}: an indicator of your own takes whole bars; leave out the key `input`")
    for key in told:
        if not key.isidentifier() or keyword.iskeyword(key):
            raise SettingsError(f"{place}: {key!r} cannot be an argument of its class")
    return dict(told)


def _own_outputs(told: tuple[str, ...], place: str) -> tuple[str, ...]:
    for name in told:
        if name and not _NAME.fullmatch(name):
            raise SettingsError(f"{place}: outputs: expected a-z, 0-9 and _, a letter first, found {name!r}")
    if len(set(told)) < len(told):
        raise SettingsError(f"{place}: outputs: the same name twice in {', '.join(told)}")
    return told or ("",)


def _texts(entry: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    value = entry.get(key, ())
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise SettingsError(f"{place}: {key}: expected a list of texts, found {value!r}")
    return tuple(value)


def _interval(text: str, place: str) -> str:
    try:
        return interval_name(text)
    except QueryError as error:
        raise SettingsError(f"{place}: intervals: {error}") from None


def _unknown_input(column: str, columns: Iterable[str], place: str) -> str:
    known = (*CHOSEN, *columns)
    near = nearest_names(column, known, 1)
    hint = f", did you mean {near[0]!r}?" if near else ";"
    more = ", ..." if len(known) > _LISTED else ""
    return f"{place}: no column {column!r} to take in{hint} there are {', '.join(known[:_LISTED])}{more}"
