"""Fields of a form, made of a JSON schema: what the trader tells of a class's parameters. Pure, but for `drawn`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

Kind = Literal["whole number", "number", "switch", "choice", "text"]

WIDTH = 156  # pixels of a field: two stand beside one another on a phone
_KINDS: dict[str, Kind] = {"integer": "whole number", "number": "number", "boolean": "switch", "string": "text"}


@dataclass(frozen=True)
class Field:
    """One field: what it takes, where it stands at first, and what it allows.

    low, high, step   of numbers; None: none
    choices           of a choice
    """

    name: str
    kind: Kind
    value: Any
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    help: str = ""

    @property
    def told(self) -> str:
        """What stands at the field: its help, and its range."""
        low, high = ("" if bound is None else f"{bound:g}" for bound in (self.low, self.high))
        reach = f"{low} to {high}" if low and high else f"{low} or more" if low else f"{high} or less" if high else ""
        return "; ".join(part for part in (self.help, reach) if part)


def fields_of(schema: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> list[Field]:
    """Return the fields of a schema's properties, in their order; `values` stand there at first, else the defaults.

    A value that its field does not allow gives way to the default: the form cannot show it.

    >>> schema = {"properties": {"period": {"type": "integer", "default": 14, "minimum": 1, "description": "bars"}}}
    >>> fields_of(schema, {"period": 20})
    [Field(name='period', kind='whole number', value=20, low=1, high=None, step=None, choices=(), help='bars')]
    """
    found = []
    for name, told in schema.get("properties", {}).items():
        choices = tuple(told.get("enum") or ())
        kind: Kind = "choice" if choices else _KINDS.get(told.get("type", "string"), "text")
        low, high, default = told.get("minimum"), told.get("maximum"), told.get("default")
        value = (values or {}).get(name, default)
        if not _allowed(value, kind, low, high, choices):
            value = default
        found.append(Field(name, kind, value, low, high, told.get("step"), choices, told.get("description", "")))
    return found


def _allowed(value: Any, kind: Kind, low: float | None, high: float | None, choices: tuple[Any, ...]) -> bool:
    if kind == "choice":
        return value in choices
    if kind == "switch":
        return isinstance(value, bool)
    if kind == "text":
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if kind == "whole number" and value != int(value):
        return False
    return (low is None or value >= low) and (high is None or value <= high)


def drawn(fields: list[Field], key: str) -> dict[str, Any]:
    """Draw the fields, and return what stands in them by name. `key` tells this form's widgets from others."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        return {field.name: _widget(field, f"{key}-{field.name}") for field in fields}


def _widget(field: Field, key: str) -> Any:
    told: dict[str, Any] = {"key": key, "help": field.told or None, "width": WIDTH}
    match field.kind:
        case "switch":
            return st.toggle(field.name, field.value, **told)
        case "choice":
            return st.selectbox(field.name, field.choices, field.choices.index(field.value), **told)
        case "text":
            return st.text_input(field.name, field.value or "", **told)
    cast: Any = int if field.kind == "whole number" else float
    options: dict[str, Any] = {
        name: None if value is None else cast(value)
        for name, value in (("min_value", field.low), ("max_value", field.high), ("step", field.step))
    }
    options["step"] = options["step"] or (1 if cast is int else 0.1)
    if cast is float:
        options["format"] = "%g"  # as many decimals as the number has
    return st.number_input(field.name, value=cast(field.value), **options, **told)
