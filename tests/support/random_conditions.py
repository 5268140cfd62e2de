"""Conditions of every shape, for tests by hypothesis, and what they mean, computed bar by bar in plain Python."""

import math

from hypothesis import strategies as st

from plant.conditions.evaluation import PRICE_DIFFERENCES, ROUNDING
from plant.conditions.tree import (
    COMPARISONS,
    And,
    Arithmetic,
    Atom,
    Between,
    Comparison,
    Crossing,
    Name,
    Negative,
    Not,
    Number,
    Or,
    Trend,
    Truth,
    Value,
    atoms_in,
    combined,
    negative,
)

NAMES = ("close", "macd", "high", "level:prev_day_high", "fast.signal")


def values(most_lag: int = 3) -> st.SearchStrategy[Value]:
    """Values with columns of up to `most_lag` bars before."""
    numbers = st.sampled_from([0.0, 1.0, 2.0, 30.0, -1.0, 0.5, 1e22]).map(Number)
    names = st.builds(Name, st.sampled_from(NAMES), st.integers(0, most_lag))
    return st.recursive(
        st.one_of(names, names, numbers),
        lambda inner: st.one_of(
            st.builds(Arithmetic, inner, st.sampled_from("+-*/"), inner), st.builds(negative, inner)
        ),
        max_leaves=4,
    )


def atoms(most_lag: int = 3) -> st.SearchStrategy[Atom]:
    """Atoms of all four kinds."""
    value = values(most_lag)
    return st.one_of(
        st.builds(Comparison, value, st.sampled_from(COMPARISONS), value),
        st.builds(Crossing, value, st.booleans(), value),
        st.builds(Trend, value, st.booleans(), st.integers(1, 4)),
        st.builds(Between, value, value, value),
    )


def truths() -> st.SearchStrategy[Truth]:
    """Conditions of a few atoms."""
    return st.recursive(
        atoms(),
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(combined, st.sampled_from([And, Or]), st.lists(inner, min_size=2, max_size=3)),
        ),
        max_leaves=4,
    )


class PlainSeries:
    """The bars of one series, and what a condition says on the last: by the words of docs/signals.md, nothing kept."""

    def __init__(self) -> None:
        self.bars: list[dict[str, float]] = []

    def true(self, truth: Truth) -> bool:
        """Whether a condition is true on the last bar."""
        now = len(self.bars) - 1
        return all(self._atom(atom, now) is not None for atom in atoms_in(truth)) and self._truth(truth, now)

    def _truth(self, truth: Truth, bar: int) -> bool:
        match truth:
            case And(operands):
                return all(self._truth(operand, bar) for operand in operands)
            case Or(operands):
                return any(self._truth(operand, bar) for operand in operands)
            case Not(operand):
                return not self._truth(operand, bar)
        return bool(self._atom(truth, bar))

    def _atom(self, atom: Atom, bar: int) -> bool | None:
        match atom:
            case Comparison(left, operator, right):
                gap = self._gap(left, right, bar)
                if math.isnan(gap):
                    return None
                return {"<": gap < 0, "<=": gap <= 0, "==": gap == 0, "!=": gap != 0, ">=": gap >= 0, ">": gap > 0}[
                    operator
                ]
            case Between(operand, low, high):
                above, below = self._gap(operand, low, bar), self._gap(high, operand, bar)
                return None if math.isnan(above + below) else above >= 0 and below >= 0
            case Crossing(left, above, right):
                now, before = self._gap(left, right, bar), self._gap(left, right, bar - 1)
                apart = bar - 1
                while self._gap(left, right, apart) == 0:
                    apart -= 1
                if before == 0 and not math.isnan(gap := self._gap(left, right, apart)):
                    before = gap
                if math.isnan(now) or math.isnan(before):
                    return None
                return before <= 0 < now if above else before >= 0 > now
        assert isinstance(atom, Trend)
        changes = [self._change(atom.operand, bar - n) for n in range(atom.bars)]
        if any(map(math.isnan, changes)):
            return None
        return all(change > 0 if atom.rising else change < 0 for change in changes)

    def _change(self, value: Value, bar: int) -> float:
        (now, scale_now), (before, scale_before) = self._value(value, bar), self._value(value, bar - 1)
        return _apart(now - before, max(scale_now, scale_before))

    def _gap(self, left: Value, right: Value, bar: int) -> float:
        (a, scale_a), (b, scale_b) = self._value(left, bar), self._value(right, bar)
        return _apart(a - b, max(scale_a, scale_b))

    def _value(self, value: Value, bar: int) -> tuple[float, float]:
        number, scale = self._computed(value, bar)
        return (number, scale) if math.isfinite(number) else (math.nan, scale)

    def _computed(self, value: Value, bar: int) -> tuple[float, float]:
        match value:
            case Number(number):
                return (number, abs(number)) if bar >= 0 else (math.nan, math.nan)
            case Name(name, bars_before):
                number = self._column(name, bar - bars_before)
                scale = abs(self._column(PRICE_DIFFERENCES.get(name, name), bar - bars_before))
                return number, abs(number) if math.isnan(scale) else max(abs(number), scale)
            case Negative(operand):
                number, scale = self._value(operand, bar)
                return -number, scale
        assert isinstance(value, Arithmetic)
        (a, scale_a), (b, scale_b) = self._value(value.left, bar), self._value(value.right, bar)
        match value.operator:
            case "+":
                return a + b, max(scale_a, scale_b)
            case "-":
                return a - b, max(scale_a, scale_b)
            case "*":
                return a * b, scale_a * scale_b
        return (a / b, scale_a / abs(b) * (scale_b / abs(b))) if b else (math.nan, math.nan)

    def _column(self, name: str, bar: int) -> float:
        return self.bars[bar][name] if bar >= 0 else math.nan


def _apart(gap: float, scale: float) -> float:
    return 0.0 if abs(gap) <= ROUNDING * scale else gap
