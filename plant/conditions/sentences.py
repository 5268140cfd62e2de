"""What happened, told with its numbers: "SMA 20 rose above EMA 50 (170.25 against 170.20, was 170.10 against 170.20)".

Only what is so is told: of `a or b` the one that holds, of `not (a and b)` what does not hold.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import floor, log10
from typing import NamedTuple

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
    """What an atom found on one bar: whether it holds, its operands' values now, and of a crossing before."""

    true: bool
    now: tuple[float, ...]
    was: tuple[float, ...] = ()


def sentence(truth: Truth, told: Mapping[Atom, Told]) -> str:
    """Return the sentence of a condition that is true; `told` is what each of its atoms found.

    >>> rule = Crossing(Name("rsi_14"), False, Number(30.0))
    >>> sentence(rule, {rule: Told(True, (29.4, 30.0), (31.2, 30.0))})
    'RSI 14 fell below 30 (29.4, was 31.2)'
    """
    return " and ".join(_sentences(truth, True, told))


def _sentences(truth: Truth, so: bool, told: Mapping[Atom, Told]) -> list[str]:
    match truth:
        case Not(operand):
            return _sentences(operand, not so, told)
        case And(operands) | Or(operands):
            return [
                text for operand in operands if _holds(operand, told) == so for text in _sentences(operand, so, told)
            ]
    return [_atom(truth, so, told[truth])]


def _holds(truth: Truth, told: Mapping[Atom, Told]) -> bool:
    match truth:
        case And(operands):
            return all(_holds(operand, told) for operand in operands)
        case Or(operands):
            return any(_holds(operand, told) for operand in operands)
        case Not(operand):
            return not _holds(operand, told)
    return told[truth].true


def _atom(atom: Atom, so: bool, told: Told) -> str:
    words = _atom_words(atom, so)
    operands: tuple[Value, ...] = children(atom)  # type: ignore[assignment]  # an atom's are values
    now, was = (_numbers(atom, operands, values) for values in (told.now, told.was))
    numbers = f"{now}, was {was}" if was else now
    return f"{words} ({numbers})" if numbers else words


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


def _numbers(atom: Atom, operands: tuple[Value, ...], values: tuple[float, ...]) -> str:
    texts = decimals(values, _digits_of(atom))
    pairs = zip(operands, texts, strict=False)
    return " against ".join(text for operand, text in pairs if not isinstance(operand, Number))


@lru_cache(1024)
def _digits_of(atom: Atom) -> int:
    first = next((re.split(r"[_.:]", column.name)[0] for column in columns_in(atom)), "")
    return 3 if first in _FEW_DIGITS else 6


def decimals(values: Sequence[float], significant: int) -> list[str]:
    """Return numbers with so many digits of the largest, and up to 6 more until they can be told apart."""
    largest = max(map(abs, values), default=0.0)
    places = max(0, significant - 1 - floor(log10(largest))) if largest else 0
    different = len(set(values))
    texts: list[str] = []
    for more in range(7 if different > 1 else 1):
        texts = [f"{value:z.{places + more}f}" for value in values]
        if len(set(texts)) == different:
            break
    return texts


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
