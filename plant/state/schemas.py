"""Parameters of a strategy, checked against what its class says of them (JSON schema, as the trader tells it)."""

import math
from collections.abc import Mapping
from typing import Any

from plant.errors import nearest_names

_KINDS: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}

LIMITS = "limits"
"""The name of the parameter that every strategy may have besides: limits of its own."""


def faults_of(parameters: Mapping[str, Any], schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with parameters, as (place, sentence) each; none if they are right.

    Of a JSON schema are understood: properties with type, minimum, maximum, exclusiveMinimum, exclusiveMaximum and
    enum; required; other names are faults, but `limits`.

    >>> schema = {"properties": {"period": {"type": "integer", "minimum": 1}}}
    >>> faults_of({"perod": 3, "period": 0}, schema)
    [('$.perod', "unknown parameter (did you mean 'period'?)"), ('$.period', 'expected 1 or more, found 0')]
    """
    known: Mapping[str, Any] = schema.get("properties", {})
    found = []
    for name, value in parameters.items():
        if name in known:
            if fault := _fault(value, known[name]):
                found.append((f"$.{name}", fault))
        elif name != LIMITS:
            near = nearest_names(name, known, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else f"; there are {', '.join(known) or 'none'}"
            found.append((f"$.{name}", f"unknown parameter{hint}"))
    return found + [(f"$.{name}", "is missing") for name in schema.get("required", ()) if name not in parameters]


def _fault(value: Any, told: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, "" for nothing."""
    if (choices := told.get("enum")) is not None:
        return "" if value in choices else f"expected one of {', '.join(map(str, choices))}, found {value!r}"
    kind = told.get("type")
    if kind is not None:
        right = isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))
        if not right and not (kind == "integer" and isinstance(value, float) and value.is_integer()):
            return f"expected {'an' if kind[0] in 'aio' else 'a'} {kind}, found {value!r}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"expected a finite number, found {value!r}"
    for key, wrong, words in (
        ("minimum", lambda bound: value < bound, "{:g} or more"),
        ("maximum", lambda bound: value > bound, "{:g} or less"),
        ("exclusiveMinimum", lambda bound: value <= bound, "more than {:g}"),
        ("exclusiveMaximum", lambda bound: value >= bound, "less than {:g}"),
    ):
        if (bound := told.get(key)) is not None and wrong(bound):
            return f"expected {words.format(bound)}, found {value!r}"
    return ""
