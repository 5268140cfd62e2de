"""Parameters of a strategy: declared in its class, checked once, and described as JSON schema for forms and commands.

    class Cross(Strategy):
        fast: int = param(50, low=1, high=500, help="bars of the fast average")

The type is that of the annotation: int, float, bool or str.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from plant.errors import SettingsError, nearest_names

TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}
"""What a parameter may be, and what JSON schema calls it."""


@dataclass(frozen=True)
class Parameter:
    """One parameter: its type, default, and what it may be.

    low, high   bounds, both allowed; None: none
    step        by how much a form or a sweep moves it; it refuses no value
    choices     the values there are; empty: all
    help        what it means, with its unit
    """

    name: str
    type: type
    default: Any
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    help: str = ""

    def checked(self, value: Any, where: str) -> Any:
        """Return the value as it counts, an int of a float parameter as a float. Raises SettingsError."""
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if self.type is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        if not self._allows(value):
            raise SettingsError(f"{where}: {self.name} must be {self._expected}, found {value!r}")
        return value

    def _allows(self, value: Any) -> bool:
        kind: object = self.type
        if type(value) is not kind:
            return False
        if isinstance(value, float) and not math.isfinite(value):
            return False
        if self.choices and value not in self.choices:
            return False
        return not ((self.low is not None and value < self.low) or (self.high is not None and value > self.high))

    @property
    def _expected(self) -> str:
        if self.choices:
            return f"one of {', '.join(map(repr, self.choices))}"
        kind = {int: "a whole number", float: "a finite number", bool: "true or false", str: "a text"}[self.type]
        least = "" if self.low is None else f" from {self.low:g}"
        return kind + least + ("" if self.high is None else f" to {self.high:g}")

    @property
    def schema(self) -> dict[str, Any]:
        """The parameter as JSON schema."""
        told = {"minimum": self.low, "maximum": self.high, "step": self.step, "enum": list(self.choices) or None}
        described = {"description": self.help} if self.help else {}
        found = {key: value for key, value in told.items() if value is not None}
        return {"type": TYPES[self.type], "default": self.default, **found, **described}


@dataclass(frozen=True)
class _Declared:
    """What `param` says, before the class tells name and type."""

    default: Any
    low: float | None
    high: float | None
    step: float | None
    choices: tuple[Any, ...]
    help: str


def param(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    choices: Sequence[Any] = (),
    help: str = "",
) -> Any:
    """Declare a parameter of a strategy: `size: float = param(1.0, low=0, help="units")`.

    low and high are allowed themselves; step is what a form moves by; choices are the only values, if given.
    """
    return _Declared(default, low, high, step, tuple(choices), help)


def declared(cls: type) -> dict[str, Parameter]:
    """Return the parameters of a class by name, a base class's first.

    Raises SettingsError for one without an annotation, of another type than TYPES, or whose default is not allowed.
    """
    found: dict[str, Parameter] = {}
    told: dict[str, _Declared] = {}
    for base in reversed(cls.__mro__):
        told |= {name: value for name, value in vars(base).items() if isinstance(value, _Declared)}
    if not told:
        return found
    hints = get_type_hints(cls)
    for name, said in told.items():
        where, kind = cls.__name__, hints.get(name)
        if kind not in TYPES:
            expected = ", ".join(kind.__name__ for kind in TYPES)
            raise SettingsError(f"{where}.{name}: annotate it with one of {expected}: {name}: float = param(...)")
        made = Parameter(name, kind, said.default, said.low, said.high, said.step, said.choices, said.help)
        found[name] = Parameter(name, kind, made.checked(said.default, where), *_rest(said))
    return found


def _rest(said: _Declared) -> tuple[float | None, float | None, float | None, tuple[Any, ...], str]:
    return said.low, said.high, said.step, said.choices, said.help


def values_of(parameters: Mapping[str, Parameter], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return all values: those given, checked, and the defaults of the rest. Raises SettingsError with a sentence."""
    for name in given:
        if name not in parameters:
            near = nearest_names(name, parameters, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            has = f"parameters are: {', '.join(parameters)}" if parameters else "it has none"
            raise SettingsError(f"{where} has no parameter {name!r}{hint}; {has}")
    return {name: p.checked(given.get(name, p.default), where) for name, p in parameters.items()}


def schema_of(parameters: Mapping[str, Parameter], title: str, description: str) -> dict[str, Any]:
    """Return the parameters of a class as one JSON schema: an object that has no other properties."""
    return {
        "type": "object",
        "title": title,
        "description": description,
        "properties": {name: parameter.schema for name, parameter in parameters.items()},
        "additionalProperties": False,
    }
