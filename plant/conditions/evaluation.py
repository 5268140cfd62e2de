"""What is true on some bars of some series: m bars, oldest first, of k series side by side, in one pass of numpy.

One bar of ten thousand series and ten thousand bars of one are the same work, and give the same to the last bit. What
the bars before have left behind is handed in as `past` and handed out as `after`, arrays of float64[rows, k] by name:

    name                       rows
    a column                   its values of the last bars that are read with [n], oldest first
    the text of a crossing     left, right, left less right, of the last bar on which they were apart
    the text of a trend        its value, the value's scale, bars it has moved so, bars it has been known (each up to
                               the trend's)

NaN is null: a column that is null, a division by zero, a bar before the first. A number that is not finite is null.

Two values are equal if they are closer than ROUNDING of the scale of the larger. The scale of a number or column is its
size; of a sum or difference, that of its larger part; of a product or quotient, what comes of those of its parts. A
column that is itself a difference of prices, as the macd is, has the scale of a price: `scales` names the column. So
lines that run into one another and tremble in their last bits neither cross nor rise, and values computed anew, equal
but for rounding, give the same answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant.conditions.condition import Condition
from plant.conditions.tree import (
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
    columns_in,
    text_of,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROUNDING = 1e-12
"""Relative; the rounding of averages is some 1e-15 of the price."""

PRICE_DIFFERENCES = MappingProxyType(dict.fromkeys(("macd", "macd_signal", "macd_histogram"), "close"))
"""Columns that are differences of prices: a small number with the rounding of a large one."""

_CROSSING_ROWS, _TREND_ROWS = 3, 4


class Fact(NamedTuple):
    """What an atom found: whether it holds and is known, and its operands, now and (of a crossing) before.

    Arrays of (m, k), operands in the order of the text.
    """

    true: Bools
    known: Bools
    now: tuple[Floats, ...]
    was: tuple[Floats, ...] = ()


def state_rows(condition: Condition, scales: Mapping[str, str]) -> dict[str, int]:
    """Return what must be kept of a series between bars, and how many numbers of each."""
    kept: dict[str, int] = {}
    for column in columns_in(condition.tree):
        for name in {column.name, scales.get(column.name, column.name)} if column.bars_before else ():
            kept[name] = max(kept.get(name, 0), column.bars_before)
    for atom in atoms_in(condition.tree):
        if isinstance(atom, Crossing | Trend):
            kept[text_of(atom)] = _CROSSING_ROWS if isinstance(atom, Crossing) else _TREND_ROWS
    return kept


@dataclass
class Evaluation:
    """A condition on some bars: `true` is bool[m, k], `facts` tell of its atoms, `after` is the next one's `past`.

    `values` are the columns that it reads, float64[m, k] by name, NaN for null.
    """

    condition: Condition
    values: Mapping[str, Floats]
    past: Mapping[str, Floats]
    scales: Mapping[str, str]
    facts: dict[Atom, Fact] = field(init=False, default_factory=dict)
    after: dict[str, Floats] = field(init=False, default_factory=dict)
    true: Bools = field(init=False)

    def __post_init__(self) -> None:
        self._found: dict[Value, tuple[Floats, Floats]] = {}
        self._shape = next(iter(self.values.values())).shape if self.values else (1, 1)
        self._rows = {}
        for name, rows in self.values.items():
            given = _finite(rows)
            self._rows[name] = np.concatenate([self.past[name], given]) if name in self.past else given
            if name in self.past:
                self.after[name] = self._rows[name][len(given) :]
        with np.errstate(all="ignore"):  # a division by zero is null, and null needs no warning
            for atom in atoms_in(self.condition.tree):
                if atom not in self.facts:
                    self.facts[atom] = self._fact(atom)
        known = np.logical_and.reduce([fact.known for fact in self.facts.values()])
        self.true = self._truth(self.condition.tree) & known

    def _truth(self, truth: Truth) -> Bools:
        match truth:
            case And(operands):
                return np.logical_and.reduce([self._truth(operand) for operand in operands])
            case Or(operands):
                return np.logical_or.reduce([self._truth(operand) for operand in operands])
            case Not(operand):
                return ~self._truth(operand)
        return self.facts[truth].true

    def _fact(self, atom: Atom) -> Fact:
        match atom:
            case Comparison(left, operator, right):
                gap = self._gap(left, right)
                return Fact(_holds(operator, gap), ~np.isnan(gap), self._numbers(left, right))
            case Between(operand, low, high):
                above, below = self._gap(operand, low), self._gap(high, operand)
                known = ~np.isnan(above) & ~np.isnan(below)
                return Fact((above >= 0) & (below >= 0), known, self._numbers(operand, low, high))
            case Crossing():
                return self._crossed(atom)
        return self._moved(atom)

    def _crossed(self, atom: Crossing) -> Fact:
        """Compare with the bar before, or, while they touch, with the last bar on which they were apart.

        Two bars cannot tell whether lines that touch came from above or from below: above, touch, above would be a
        second crossing above.
        """
        key, (left, right) = text_of(atom), self._numbers(atom.left, atom.right)
        gap = self._gap(atom.left, atom.right)
        told = np.stack([left, right, gap])
        if len(gap) == 1:  # of one bar, what follows is this
            last = self.past[key]
            stays = (gap[0] == 0) & (last[2] != 0) & ~np.isnan(last[2])
            self.after[key] = np.where(stays, last, told[:, 0])
            *was, before = last[:, None]
            return self._fact_of_crossing(atom, gap, before, (left, right), tuple(was))
        told = np.concatenate([self.past[key][:, None], told], axis=1)  # row t is the bar before the t-th
        bars = np.broadcast_to(np.arange(len(gap) + 1)[:, None], told.shape[1:])
        apart = np.maximum.accumulate(np.where(told[2] != 0, bars, 0), axis=0)
        gaps = np.take_along_axis(told[2], apart, axis=0)
        settled = np.where(np.isnan(gaps) | (gaps == 0), bars, apart)  # touching since they were null: their own bar
        told = np.take_along_axis(told, settled[None], axis=1)
        self.after[key] = told[:, -1]
        *was, before = told[:, :-1]
        return self._fact_of_crossing(atom, gap, before, (left, right), tuple(was))

    @staticmethod
    def _fact_of_crossing(
        atom: Crossing, gap: Floats, before: Floats, now: tuple[Floats, ...], was: tuple[Floats, ...]
    ) -> Fact:
        true = (before <= 0) & (gap > 0) if atom.above else (before >= 0) & (gap < 0)
        return Fact(true, ~np.isnan(before) & ~np.isnan(gap), now, was)

    def _moved(self, atom: Trend) -> Fact:
        key, (value, scale) = text_of(atom), self._value(atom.operand)
        last_value, last_scale, moved_before, known_before = self.past[key]
        values, scales = np.concatenate([last_value[None], value]), np.concatenate([last_scale[None], scale])
        change = _apart(values[1:] - values[:-1], np.maximum(scales[1:], scales[:-1]))
        moved = _streak(change > 0 if atom.rising else change < 0, moved_before, atom.bars)
        known = _streak(~np.isnan(change), known_before, atom.bars)
        self.after[key] = np.stack([values[-1], scales[-1], moved[-1], known[-1]])
        return Fact(moved[1:] == atom.bars, known[1:] == atom.bars, (value,))

    def _gap(self, left: Value, right: Value) -> Floats:
        (a, scale_a), (b, scale_b) = self._value(left), self._value(right)
        return _apart(a - b, np.maximum(scale_a, scale_b))

    def _numbers(self, *operands: Value) -> tuple[Floats, ...]:
        return tuple(self._value(operand)[0] for operand in operands)

    def _value(self, value: Value) -> tuple[Floats, Floats]:
        """Return a value and its scale, float64[m, k] each."""
        if value not in self._found:
            number, scale = self._computed(value)
            self._found[value] = _finite(number), scale
        return self._found[value]

    def _computed(self, value: Value) -> tuple[Floats, Floats]:
        match value:
            case Number(number):
                return np.full(self._shape, number), np.full(self._shape, abs(number))
            case Name(name, bars_before):
                column = self._column(name, bars_before)
                size = self._column(self.scales.get(name, name), bars_before)
                return column, np.fmax(np.abs(column), np.abs(size))
            case Negative(operand):
                column, scale = self._value(operand)
                return -column, scale
            case Arithmetic(left, operator, right):
                (a, scale_a), (b, scale_b) = self._value(left), self._value(right)
                match operator:
                    case "+":
                        return a + b, np.maximum(scale_a, scale_b)
                    case "-":
                        return a - b, np.maximum(scale_a, scale_b)
                    case "*":
                        return a * b, scale_a * scale_b
                return a / b, scale_a / np.abs(b) * (scale_b / np.abs(b))

    def _column(self, name: str, bars_before: int) -> Floats:
        end = len(self._rows[name]) - bars_before
        return self._rows[name][end - self._shape[0] : end]


def _finite(numbers: Floats) -> Floats:
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _apart(gap: Floats, scale: Floats) -> Floats:
    """Return a difference, 0 where it is no more than rounding, NaN where it is null."""
    return np.where(np.abs(gap) <= ROUNDING * scale, 0.0, gap)


def _holds(operator: str, gap: Floats) -> Bools:
    match operator:
        case "<":
            return gap < 0
        case "<=":
            return gap <= 0
        case "==":
            return gap == 0
        case "!=":
            return gap != 0
        case ">=":
            return gap >= 0
    return gap > 0


def _streak(holds: Bools, before: Floats, most: int) -> Floats:
    """Return for how many bars up to each something held, at most `most`; row 0 is of the bar before, `before`."""
    earlier = np.nan_to_num(before)  # NaN: there was none
    bars = np.arange(len(holds))[:, None]
    broken = np.maximum.accumulate(np.where(holds, -1, bars), axis=0)
    streak = bars - broken + np.where(broken < 0, earlier, 0.0)
    return np.concatenate([earlier[None], np.minimum(streak, most)])
