"""Conditions as JSON documents: the same trees in another notation, as front ends send and strategies keep them.

    condition    {"left": value, "operator": operator, "right": value}
                 {"left": value, "operator": "between", "right": [value, value]}
                 {"left": value, "operator": "rising" | "falling", "bars": 3}       bars: 1 if absent
    group        {"all": [...], "any": [...]}: all of the first and one of the second; either may be absent or empty
                 {"not": condition or group}
    operator     lt le eq ne ge gt crosses_above crosses_below rising falling between
    value        a number, or a text: a column ("close", "fast.signal", "level:prev_day_high") or an expression of some

In the lists of a group stand conditions and groups.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

from plant.conditions.condition import MOST_DEPTH, Condition
from plant.conditions.parsing import value_of
from plant.conditions.tree import (
    And,
    Atom,
    Between,
    Comparison,
    Crossing,
    Not,
    Number,
    Or,
    Trend,
    Truth,
    Value,
    combined,
    text_of,
)
from plant.errors import ConditionError, nearest_names

_COMPARED = {"lt": "<", "le": "<=", "eq": "==", "ne": "!=", "ge": ">=", "gt": ">"}
_NAMED = {operator: name for name, operator in _COMPARED.items()}
OPERATORS = (*_COMPARED, "crosses_above", "crosses_below", "rising", "falling", "between")
"""What `operator` may be."""

_KEYS = ("left", "operator", "right", "bars")
_GROUPS = ("all", "any", "not")


def condition_of_json(document: Any, known: Collection[str] | None = None, place: str = "$") -> Condition:
    """Return the condition that a document says, plain data as `json.loads` gives it.

    `known` are the names there are, None: all are taken. `place` is what the document is called in errors. Raises
    ConditionError whose `faults` are all places that are wrong, each with what was expected there.

    >>> condition_of_json({"all": [{"left": "fast", "operator": "crosses_above", "right": "slow"},
    ...                            {"left": "rsi", "operator": "lt", "right": 70}]}).text
    'fast crosses above slow and rsi < 70'
    """
    reader = _Reader(known)
    tree = reader.truth(document, place, 0)
    if tree is None:
        raise ConditionError.at(reader.faults)
    try:
        return Condition(tree)
    except ConditionError as error:
        raise ConditionError.at([(place, str(error))]) from None


def to_json(condition: Condition) -> dict[str, Any]:
    """Return the document of a condition: a group, of which `condition_of_json` makes an equal condition."""
    document = _document(condition.tree)
    return document if set(document) & set(_GROUPS) else {"all": [document]}


class _Reader:
    """Reads a document to its end, whatever is wrong with it; what is wrong is in `faults`."""

    def __init__(self, known: Collection[str] | None) -> None:
        self._known = known
        self.faults: list[tuple[str, str]] = []

    def truth(self, document: Any, place: str, depth: int) -> Truth | None:
        if depth > MOST_DEPTH:
            return self._fault(place, f"groups lie more than {MOST_DEPTH} deep in one another; take them apart")
        if not isinstance(document, Mapping):
            return self._fault(place, f"expected a condition or a group, an object, found {document!r}")
        keys = _GROUPS if set(document) & set(_GROUPS) else _KEYS
        for key in document:
            if key not in keys:
                near = nearest_names(key, keys, 1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                self._fault(place, f"unknown key {key!r}{hint}; keys are: {', '.join(keys)}")
        return self._group(document, place, depth) if keys is _GROUPS else self._atom(document, place)

    def _group(self, document: Mapping[str, Any], place: str, depth: int) -> Truth | None:
        if "not" in document:
            if len(document) > 1:
                return self._fault(place, "'not' stands alone; put it into the list of 'all' or 'any'")
            operand = self.truth(document["not"], f"{place}.not", depth + 1)
            return operand and Not(operand)
        before, found = len(self.faults), []
        for key, kind in (("all", And), ("any", Or)):
            listed = document.get(key) or []
            if not isinstance(listed, list | tuple):
                return self._fault(f"{place}.{key}", f"expected a list of conditions, found {listed!r}")
            read = [self.truth(item, f"{place}.{key}[{i}]", depth + 1) for i, item in enumerate(listed)]
            if operands := [truth for truth in read if truth is not None]:
                found.append(combined(kind, operands))
        if len(self.faults) > before:
            return None
        return combined(And, found) if found else self._fault(place, "expected at least one condition in all or any")

    def _atom(self, document: Mapping[str, Any], place: str) -> Truth | None:
        before = len(self.faults)
        operator, right, bars = document.get("operator"), document.get("right"), document.get("bars")
        left = self._value(document.get("left"), f"{place}.left")
        if not isinstance(operator, str) or operator not in OPERATORS:
            near = nearest_names(operator, OPERATORS, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            self._fault(f"{place}.operator", f"expected one of {' '.join(OPERATORS)}, found {operator!r}{hint}")
            if isinstance(right, str):
                self._value(right, f"{place}.right")
            return None
        if operator in ("rising", "falling"):
            if right is not None:
                self._fault(f"{place}.right", f"{operator!r} has no right side; leave it out")
            if bars is not None and (type(bars) is not int or bars < 1):
                self._fault(f"{place}.bars", f"expected a whole number of bars, 1 or more, found {bars!r}")
            return None if len(self.faults) > before or left is None else Trend(left, operator == "rising", bars or 1)
        if bars not in (None, 1):
            self._fault(f"{place}.bars", f"only rising and falling count bars, found {bars!r} with {operator!r}")
        if operator == "between":
            if not isinstance(right, list | tuple) or len(right) != 2:
                return self._fault(f"{place}.right", f"expected [lower, upper], found {right!r}")
            low, high = (self._value(value, f"{place}.right[{i}]") for i, value in enumerate(right))
            complete = left is not None and low is not None and high is not None and len(self.faults) == before
            return Between(left, low, high) if complete else None  # type: ignore[arg-type]  # none is None
        value = self._value(right, f"{place}.right")
        if left is None or value is None or len(self.faults) > before:
            return None
        if operator in _COMPARED:
            return Comparison(left, _COMPARED[operator], value)
        return Crossing(left, operator == "crosses_above", value)

    def _value(self, value: Any, place: str) -> Value | None:
        if isinstance(value, str):
            try:
                return value_of(value, self._known)
            except ConditionError as error:
                return self._fault(place, str(error))
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf:
            try:
                return Number(float(value) + 0.0)  # -0.0 is 0
            except OverflowError:
                pass
        return self._fault(place, f"expected a name or a finite number, found {value!r}")

    def _fault(self, place: str, sentence: str) -> Any:
        """Note what is wrong; returns None, what a reader returns of what it could not read."""
        self.faults.append((place, sentence))


def _document(truth: Truth) -> dict[str, Any]:
    match truth:
        case And((*operands, Or(others))) if not any(isinstance(operand, Or) for operand in operands):
            return {"all": list(map(_document, operands)), "any": list(map(_document, others))}
        case And(operands):
            return {"all": list(map(_document, operands))}
        case Or(operands):
            return {"any": list(map(_document, operands))}
        case Not(operand):
            return {"not": _document(operand)}
    return _atom_document(truth)


def _atom_document(atom: Atom) -> dict[str, Any]:
    match atom:
        case Comparison(left, operator, right):
            return {"left": _plain(left), "operator": _NAMED[operator], "right": _plain(right)}
        case Crossing(left, above, right):
            name = "crosses_above" if above else "crosses_below"
            return {"left": _plain(left), "operator": name, "right": _plain(right)}
        case Between(operand, low, high):
            return {"left": _plain(operand), "operator": "between", "right": [_plain(low), _plain(high)]}
        case Trend(operand, rising, bars):
            return {"left": _plain(operand), "operator": "rising" if rising else "falling", "bars": bars}


def _plain(value: Value) -> str | float:
    if isinstance(value, Number):
        return int(value.value) if value.value.is_integer() and abs(value.value) < 2**53 else value.value
    return text_of(value)
