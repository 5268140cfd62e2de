"""What the installed TA-Lib says of its functions, as plant/indicators/talib.json has it: python <this file> writes it.

The least and most that a parameter may be are not in its metadata: they are found by asking what it refuses.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import talib
from talib import _ta_lib, abstract

FILE = Path(__file__).parents[2] / "plant/indicators/talib.json"

_LEVELS = {
    **dict.fromkeys(("RSI", "IMI"), (30, 70)),
    **dict.fromkeys(("STOCH", "STOCHF", "STOCHRSI", "MFI", "ULTOSC", "KDJ"), (20, 80)),
    "WILLR": (-80, -20),
    "CCI": (-100, 100),
    "CMO": (-50, 50),
    "SMI": (-40, 40),
    "ADX": (25,),
    "ADXR": (25,),
}
_ZERO = (
    *("MACD", "MACDEXT", "MACDFIX", "APO", "PPO", "PVO", "MOM", "ROC", "ROCP", "TRIX", "TSI", "AC", "AO", "BOP"),
    *("CMF", "COPPOCK", "DPO", "EFI", "ERI", "AROONOSC", "LINEARREG_SLOPE", "QSTICK", "ADOSC"),
)
_BARS = 300
_BESIDE = {"minperiod": {"maxperiod": 100_000}, "maxperiod": {"minperiod": 1}}  # the one bounds the other


def described(name: str) -> dict[str, Any]:
    """Return one function: name, group, inputs, parameters, outputs, pane, levels, lookback of the defaults."""
    function = abstract.Function(name)
    info = function.info
    outputs = info["output_names"]
    flags = info["function_flags"]
    levels = (-100, 100) if name.startswith("CDL") else _LEVELS.get(name, (0,) if name in _ZERO else ())
    return {
        "title": info["display_name"],
        "group": info["group"],
        "inputs": _inputs(info["input_names"]),
        "parameters": [_parameter(name, i, key) for i, key in enumerate(info["parameters"])],
        "outputs": [""] if len(outputs) == 1 else list(outputs),
        "pane": "price" if "Output scale same as input" in flags else "own",
        "levels": list(levels),
        "lookback": function.lookback,
    }


def _inputs(names: dict[str, Any]) -> list[list[str]]:
    """Return [key of a declaration, column]: what is one series may be another column, a bar's own prices may not.

    `periods` has no default.
    """
    free = [key for key in names if key != "prices"]
    found = []
    for key, column in names.items():
        if key == "prices":
            found += [["", of_the_bar] for of_the_bar in column]
        else:
            called = key if len(free) > 1 and key != "price" else "input"
            found.append([called, "" if column == "periods" else column])
    return found


def _parameter(function: str, place: int, key: str) -> list[Any]:
    """Return [name, type, default, least, most, meaning]; null where there is no least or most."""
    told = _ta_lib._ta_getOptInputParameterInfo(function.encode(), place)
    default = abstract.Function(function).info["parameters"][key]
    whole = isinstance(default, int)
    below, above = (-1_000, 200_000) if whole else (-1e37, 1e37)
    accepts = _acceptance(function, key)
    least, most = (_last_accepted(accepts, default, end, whole) for end in (below, above))
    return [key, "int" if whole else "float", default, least, most, told["help"]]


def _acceptance(function: str, key: str) -> Callable[[float], bool]:
    names = abstract.Function(function).input_names
    inputs = sum(len(column) if isinstance(column, list) else 1 for column in names.values())
    bars = [np.linspace(2.0, 3.0, _BARS) for _ in range(inputs)]

    def accepts(value: float) -> bool:
        try:
            getattr(talib, function)(*bars, **(_BESIDE.get(key, {}) | {key: value}))
        except Exception as error:
            if "TA_BAD_PARAM" in str(error):
                return False
            raise
        return True

    return accepts


def _last_accepted(accepts: Callable[[float], bool], good: float, bad: float, whole: bool) -> float | None:
    """Return the last accepted value on the way from one that is accepted to one that is not; None if that is, too."""
    if accepts(bad):
        return None
    for round_value in (
        0.0,
        1e-8,
        0.01,
        0.99,
        1.0,
        100.0,
    ):  # floats end at round numbers, not at what a bisection meets
        if not whole and min(good, bad) <= round_value <= max(good, bad):
            beyond = round_value + np.sign(bad - good) * max(abs(round_value) * 1e-9, 1e-12)
            if accepts(round_value) and not accepts(beyond):
                return round_value
    while abs(good - bad) > (1 if whole else 1e-9 * max(1, abs(good))):
        middle = (good + bad) // 2 if whole else (good + bad) / 2
        good, bad = (middle, bad) if accepts(middle) else (good, middle)
    return good


def text() -> str:
    """Return the file: one function a line, in alphabetical order."""
    lines = (f"{json.dumps(name)}: {json.dumps(described(name))}" for name in sorted(talib.get_functions()))
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(text())
