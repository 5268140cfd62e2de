"""TA-Lib's functions as kinds, under their own names, and each as a scalar indicator.

Names, parameters, inputs and outputs are data (talib.json, made of talib.abstract by tests/support/talib_description.py
and compared with the installed TA-Lib by a test), so that a declaration can be read without TA-Lib; it is imported when
one is first computed, or asked for the warm-up of other than default parameters.
"""

import json
from collections.abc import Callable
from functools import partial
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np

from plant.errors import SettingsError
from plant.indicators.incremental import Step
from plant.indicators.kinds import Input, Kind, Number, Parameter, Parameters

_TYPES: dict[str, type[int] | type[float]] = {"int": int, "float": float}


def talib_kinds() -> list[Kind]:
    """Return the kinds in alphabetical order."""
    functions = json.loads(Path(__file__).with_name("talib.json").read_text())
    return [_kind(name, told) for name, told in functions.items()]


def _kind(name: str, told: dict[str, Any]) -> Kind:
    parameters = tuple(
        Parameter(key, _TYPES[kind], default, least, most, meaning)
        for key, kind, default, least, most, meaning in told["parameters"]
    )
    return Kind(
        name,
        told["title"],
        told["group"],
        parameters,
        tuple(Input(key, column) for key, column in told["inputs"]),
        tuple(told["outputs"]),
        told["pane"],
        partial(_lookback, name, told["lookback"], {p.name: p.default for p in parameters}),
        f"TA-Lib {name}",
        tuple(told["levels"]),
    )


def _lookback(name: str, of_defaults: int, defaults: dict[str, Number], parameters: Parameters) -> int:
    if all(parameters.get(key, default) == default for key, default in defaults.items()):
        return of_defaults
    from talib import abstract

    function: Any = abstract.Function  # type: ignore[attr-defined]
    found = int(function(name, **parameters).lookback)
    if found < 0:
        told = ", ".join(f"{key}={value}" for key, value in parameters.items())
        raise SettingsError(f"TA-Lib refuses {name} with {told}, though each is within its bounds; change one")
    return found


class TalibStep(Step):
    """A function of TA-Lib that goes on bar by bar: gathers bars until it can be opened, then has TA-Lib's stream.

    Raises SettingsError for parameters that TA-Lib refuses though each is within its bounds.
    """

    __slots__ = ("bars", "need", "nothing", "open", "stream")

    def __init__(self, kind: Kind, parameters: Parameters) -> None:
        import talib.stream

        self.open: Callable[..., Any] = partial(getattr(talib.stream, kind.name), **parameters)
        self.need = kind.warm_up(parameters) + 1
        self.bars: list[tuple[float, ...]] = []
        self.stream: Any = None
        self.nothing: Any = (nan,) * len(kind.outputs) if len(kind.outputs) > 1 else nan

    def update(self, *inputs: float) -> float | tuple[float, ...]:
        """Return the function's value with these inputs."""
        if self.stream is not None:
            return _floats(self.stream.update(*inputs))
        self.bars.append(inputs)
        if len(self.bars) < self.need:
            return self.nothing
        import talib

        try:
            self.stream = self.open(*(np.array(series) for series in zip(*self.bars, strict=True)))
        except talib.InsufficientHistory:
            return self.nothing
        self.bars = []
        return _floats(self.stream.value)

    def peek(self, *inputs: float) -> float | tuple[float, ...]:
        """Return what `update` would, and change nothing."""
        return self.copy().update(*inputs) if self.stream is None else _floats(self.stream.peek(*inputs))


def _floats(value: Any) -> float | tuple[float, ...]:
    """Return TA-Lib's answer as floats; what is infinite is no value."""
    if isinstance(value, tuple):
        return tuple(float(x) if isfinite(x) else nan for x in value)
    return float(value) if isfinite(value) else nan
