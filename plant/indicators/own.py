"""Indicators of a user's own: a class that is made with its parameters and takes one bar after the other.

    class Middle:
        outputs = ()                     # names, if `update` returns a tuple: the columns NAME_a, NAME_b
        warm_up = 0                      # bars at the beginning whose values do not count; __init__ may set it, too

        def update(self, bar):           # a Bar; returns a float, or a tuple of as many as `outputs` has
            return (bar.high + bar.low) / 2

`peek(bar)`, the value of a bar that is still forming, and `copy()` may be there, too; else a deep copy is made for it.
"""

import copy
import sys
from importlib import import_module
from math import nan
from pathlib import Path
from typing import Any, Self

from plant.errors import SettingsError
from plant.indicators.bars import Bar
from plant.indicators.incremental import Step


def load_own(kind: str, folder: Path | None = None) -> type[Any]:
    """Return the class "mypackage.module:MyIndicator", also of a module in `folder`, that of plant.toml.

    Raises SettingsError, whatever goes wrong in the import, and for what is no indicator.
    """
    module, _, name = kind.partition(":")
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        found = getattr(import_module(module), name)
    except Exception as error:  # the module is somebody else's
        raise SettingsError(f"indicator {kind!r} cannot be imported: {type(error).__name__}: {error}") from None
    if not isinstance(found, type) or not callable(getattr(found, "update", None)):
        raise SettingsError(f"{kind!r} is no indicator: expected a class with update(bar), found {found!r}")
    return found


def outputs_of(own: type[Any]) -> tuple[str, ...]:
    """Return the names of a class's outputs, ("",) if it has the main one alone. Raises SettingsError for others."""
    told = getattr(own, "outputs", ())
    if not isinstance(told, list | tuple) or not all(isinstance(name, str) for name in told):
        raise SettingsError(f"{own.__name__}.outputs: expected a tuple of names, found {told!r}")
    return tuple(told) or ("",)


class OwnStep(Step):
    """One of the user's, as a step that takes the bar itself. Raises SettingsError if the class cannot be made."""

    __slots__ = ("bars", "mine", "outputs", "warm_up")

    def __init__(self, own: type[Any], parameters: dict[str, Any]) -> None:
        try:
            self.mine = own(**parameters)
        except Exception as error:  # the class is somebody else's
            given = ", ".join(f"{name}={value!r}" for name, value in parameters.items()) or "nothing"
            raise SettingsError(
                f"{own.__name__} cannot be made with {given}: {type(error).__name__}: {error}"
            ) from None
        self.outputs = outputs_of(own)
        self.warm_up, self.bars = getattr(self.mine, "warm_up", 0), 0
        if not isinstance(self.warm_up, int) or self.warm_up < 0:
            raise SettingsError(f"{own.__name__}.warm_up: expected a number of bars, 0 or more, found {self.warm_up!r}")

    def update(self, bar: Bar) -> float | tuple[float, ...]:
        """Return what the class does with this bar, NaN while it warms up. Raises whatever it raises."""
        self.bars += 1
        return self._checked(self.mine.update(bar), self.bars)

    def peek(self, bar: Bar) -> float | tuple[float, ...]:
        """Return what `update` would, and change nothing."""
        if hasattr(self.mine, "peek"):
            return self._checked(self.mine.peek(bar), self.bars + 1)
        return self.copy().update(bar)

    def copy(self) -> Self:
        """Return one that goes on from here by itself."""
        twin = copy.copy(self)
        twin.mine = self.mine.copy() if hasattr(self.mine, "copy") else copy.deepcopy(self.mine)
        return twin

    def _checked(self, value: Any, bars: int) -> float | tuple[float, ...]:
        wanted = len(self.outputs)
        values = value if isinstance(value, tuple) else (value,)
        if len(values) != wanted:
            raise TypeError(
                f"{type(self.mine).__name__}: expected {wanted} value{'s' if wanted > 1 else ''} a bar, as its "
                f"`outputs` says, found {value!r}"
            )
        floats = tuple(nan if x is None or bars <= self.warm_up else float(x) for x in values)
        return floats if wanted > 1 else floats[0]
