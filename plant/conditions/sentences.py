"""What happened, told with its numbers: "SMA 20 rose above EMA 50 (170.25 against 170.20, was 170.10 against 170.20)".

Only what is so is told: of `a or b` the one that holds, of `not (a and b)` what does not hold.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant.conditions.tree import (
    And,
    Atom,
    Between,
    Comparison,
    Crossing,
    Name,
    Not,
    Number,
    Or,
    Trend,
    Truth,
    Value,
    children,
    columns_in,
    text_of,
)

Floats = NDArray[np.float64]

_ABBREVIATIONS = frozenset(
    "adx atr bb cci di dmi ema hma kama macd mfi obv roc rma rsi sma stdev tema vwap wma".split()  # noqa: SIM905
)
_FEW_DIGITS = frozenset(("adx", "cci", "macd", "mfi", "roc", "rsi", "stochastic", "williams"))
_COMPARED = {
    ">": ("above", "at or below"),
    ">=": ("at or above", "below"),
    "<": ("below", "at or above"),
    "<=": ("at or below", "above"),
    "==": ("equal to", "other than"),
    "!=": ("other than", "equal to"),
}


class Told(NamedTuple):
    """What an atom found on n bars: where it holds, its operands' values now, and of a crossing before.

    bool[n], and float64[n] of each operand.
    """

    true: NDArray[np.bool_]
    now: tuple[Floats, ...]
    was: tuple[Floats, ...] = ()


def sentences(truth: Truth, told: Mapping[Atom, Told]) -> list[str]:
    """Return the sentences of bars on which a condition is true; `told` is what each of its atoms found on them.

    >>> rule = Crossing(Name("rsi_14"), False, Number(30.0))
    >>> now, was = (np.array([29.4]), np.array([30.0])), (np.array([31.2]), np.array([30.0]))
    >>> sentences(rule, {rule: Told(np.array([True]), now, was)})
    ['RSI 14 fell below 30 (29.4, was 31.2)']
    """
    count = len(next(iter(told.values())).true) if told else 0
    parts: list[list[str]] = [[] for _ in range(count)]
    for where, texts in _said(truth, True, told, np.ones(count, bool)):
        for i, text in zip(where, texts, strict=True):
            parts[i].append(text)
    return [" and ".join(texts) for texts in parts]


def _said(
    truth: Truth, so: bool, told: Mapping[Atom, Told], where: NDArray[np.bool_]
) -> Iterator[tuple[list[int], list[str]]]:
    """Yield what is said of a condition that is `so` on some bars: on which, and the words of each."""
    match truth:
        case Not(operand):
            yield from _said(operand, not so, told, where)
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _said(operand, so, told, where & (_holds(operand, told) == so))
        case _:
            found = told[truth]
            which = np.flatnonzero(where)
            now, was = (tuple(values[which] for values in both) for both in (found.now, found.was))
            yield which.tolist(), _of_atom(truth, so, now, was)


def _holds(truth: Truth, told: Mapping[Atom, Told]) -> NDArray[np.bool_]:
    match truth:
        case And(operands):
            return np.logical_and.reduce([_holds(operand, told) for operand in operands])
        case Or(operands):
            return np.logical_or.reduce([_holds(operand, told) for operand in operands])
        case Not(operand):
            return ~_holds(operand, told)
    return told[truth].true


def _of_atom(atom: Atom, so: bool, now: tuple[Floats, ...], was: tuple[Floats, ...]) -> list[str]:
    words = _atom_words(atom, so)
    numbers = _numbers(atom, now)
    if not numbers:
        return [words] * len(now[0])
    if was:
        return [f"{words} ({one}, was {other})" for one, other in zip(numbers, _numbers(atom, was), strict=True)]
    return [f"{words} ({one})" for one in numbers]


@lru_cache(1024)
def _atom_words(atom: Atom, so: bool) -> str:
    """Return what is said of an atom: the same of every bar."""
    match atom:
        case Comparison(left, operator, right):
            words = f"{_words(left)} {_COMPARED[operator][0 if so else 1]} {_words(right, left)}"
        case Crossing(left, True, right):
            words = f"{_words(left)} {'rose' if so else 'did not rise'} above {_words(right, left)}"
        case Crossing(left, _, right):
            words = f"{_words(left)} {'fell' if so else 'did not fall'} below {_words(right, left)}"
        case Between(operand, low, high):
            words = f"{_words(operand)} {'' if so else 'not '}between {_words(low)} and {_words(high)}"
        case Trend(operand, rising, bars):
            way = f"{'' if so else 'not '}{'rising' if rising else 'falling'}"
            words = f"{_words(operand)} {way} for {bars} bar{'s' if bars > 1 else ''}"
    return words


def _numbers(atom: Atom, values: tuple[Floats, ...]) -> list[str]:
    """Return the operands of each bar as text, but for those that are numbers in the words already; none: no text."""
    operands: tuple[Value, ...] = children(atom)  # type: ignore[assignment]  # an atom's are values
    shown = [i for i, operand in enumerate(operands[: len(values)]) if not isinstance(operand, Number)]
    texts = _decimals_of(values, _digits_of(atom))
    match shown:
        case []:
            return []
        case [one]:
            return [of_bar[one] for of_bar in texts]
    return [" against ".join([of_bar[i] for i in shown]) for of_bar in texts]


@lru_cache(1024)
def _digits_of(atom: Atom) -> int:
    first = next((re.split(r"[_.:]", column.name)[0] for column in columns_in(atom)), "")
    return 3 if first in _FEW_DIGITS else 6


def decimals(values: Sequence[float], significant: int) -> list[str]:
    """Return numbers with so many digits of the largest, and up to 6 more until they can be told apart."""
    return _decimals_of(tuple(np.array([value]) for value in values), significant)[0] if values else []


def _decimals_of(values: tuple[Floats, ...], significant: int) -> list[list[str]]:
    """Return each bar's numbers with so many digits of the largest, and up to 6 more until they can be told apart."""
    largest = np.max(np.abs(values), axis=0)
    with np.errstate(divide="ignore"):
        places = np.maximum(0, significant - 1 - np.floor(np.log10(largest)))
    places[largest == 0] = 0
    texts = []
    for of_bar, least in zip(zip(*[one.tolist() for one in values], strict=True), places.tolist(), strict=True):
        found, different = _formatted(of_bar, int(least)), len(set(of_bar))
        more = 0
        while len(set(found)) < different and more < 6:
            more += 1
            found = _formatted(of_bar, int(least) + more)
        texts.append(found)
    return texts


def _formatted(values: tuple[float, ...], places: int) -> list[str]:
    specification = f"z.{places}f"
    return [format(value, specification) for value in values]


def _words(value: Value, beside: Value | None = None) -> str:
    """Return a value as one says it; `beside` what it is compared with."""

    def column(name: Name) -> str:
        if isinstance(beside, Name) and re.fullmatch(rf"{re.escape(beside.name)}[_.]signal", name.name):
            return "its signal line" + _before(name)
        parts = re.split(r"[_.:]", name.name)
        return " ".join(p.upper() if p in _ABBREVIATIONS else p for p in parts) + _before(name)

    return text_of(value, column)


def _before(name: Name) -> str:
    match name.bars_before:
        case 0:
            return ""
        case 1:
            return " of the bar before"
    return f" of {name.bars_before} bars before"
