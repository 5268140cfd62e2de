"""From a condition's text to its tree: Python's own parser says what belongs to what, and nothing is ever executed.

What is taken from Python's tree is listed here; all else is refused with its place.
"""

import ast
from collections.abc import Collection
from itertools import pairwise
from math import isfinite

from plant.conditions.condition import MOST_BARS, MOST_DEPTH, Condition
from plant.conditions.tokens import Token, python_of, refused_at, tokens_of
from plant.conditions.tree import (
    And,
    Arithmetic,
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
    combined,
    negative,
)
from plant.errors import ConditionError, nearest_names

_LISTED = 20
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def condition_of(text: str, known: Collection[str] | None = None) -> Condition:
    """Return the condition that a text says; `known` are the names there are, None: all are taken.

    Raises ConditionError with the place in the text, what was expected there, and for a name that is not known the
    nearest that is.

    >>> condition_of("sma_20 crosses above ema_50 and (rsi_14<70)").text
    'sma_20 crosses above ema_50 and rsi_14 < 70'
    """
    reader = _Reader(text, known)
    return Condition(reader.truth(reader.root, 0))


ANNOTATED = ("level:", "zone:")
"""How names of levels and zones begin."""


def value_of(text: str, known: Collection[str] | None = None) -> Value:
    """Return the value that a text says, such as `close`, `2 * volume[1]` or `30`. Raises as `condition_of` does."""
    reader = _Reader(text, known)
    return reader.value(reader.root, 0, 0)


def unknown_name(name: str, known: Collection[str]) -> str:
    """Return the sentence about a name that is not known, with the nearest one that is.

    Of a level or a zone it says why not: rules of [[signals]] have none, and what somebody drew has no name.
    """
    near = nearest_names(name, known, 1)
    if name.startswith(ANNOTATED):
        there = [each for each in known if each.startswith(ANNOTATED)]
        if not there:
            return (
                f"{name!r}: levels and zones stand in conditions of strategies only; a rule of [[signals]] reads "
                "columns of the bar and of its indicators"
            )
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return (
            f"unknown level or zone {name!r}{hint}: a condition compares with those that are found over its own bars, "
            "docs/detectors.md lists their names; what somebody drew is for eyes and cannot be compared with"
        )
    more = f", ... {len(known)} in all" if len(known) > _LISTED else ""
    listed = f"{', '.join(sorted(known)[:_LISTED]) or 'none'}{more}"
    return f"unknown name {name!r}{f' (did you mean {near[0]!r}?)' if near else ''}; names are: {listed}"


class _Reader:
    """One text, and Python's tree of it."""

    def __init__(self, text: str, known: Collection[str] | None) -> None:
        if not isinstance(text, str):
            raise ConditionError(f"expected a condition as text, found {text!r}")
        self._text, self._known = text, known
        tokens = tokens_of(text)
        self._at = {token.start: token for token in tokens}
        self._operators = [token for token in tokens if token.kind == "operator"]
        try:
            # in parentheses, since an expression must not begin with a blank
            self.root = ast.parse(f"({python_of(text, tokens)})", mode="eval").body
        except SyntaxError as error:
            place = min(max((error.offset or 2) - 2, 0), len(text))
            raise refused_at(text, place, "this does not belong here; are parentheses missing?") from None
        except (RecursionError, MemoryError):
            raise self._too_deep() from None

    def value(self, node: ast.expr, bars_before: int, depth: int) -> Value:
        """Return what is a number in Python's tree, `bars_before` the present bar."""
        if depth > 2 * MOST_DEPTH:  # Condition has the bound; this one keeps Python's stack
            raise self._too_deep()
        match node:
            case ast.Name():
                return self._column(node, bars_before)
            case ast.Constant():
                return self._number(node)
            case ast.UnaryOp(ast.USub(), operand):
                return negative(self.value(operand, bars_before, depth + 1))
            case ast.BinOp(left, operator, right) if type(operator) in _ARITHMETIC:
                return Arithmetic(
                    self.value(left, bars_before, depth + 1),
                    _ARITHMETIC[type(operator)],
                    self.value(right, bars_before, depth + 1),
                )
            case ast.Subscript(value, index):
                return self.value(value, bars_before + self._bars(index, 0, "in [ ]"), depth + 1)
            case ast.BoolOp() | ast.Compare() | ast.UnaryOp(ast.Not()):
                raise self._refused(node, "expected a number or a name, found a comparison")
        raise self._refused(node, "this is no operator of conditions; there are + - * / and comparisons")

    def truth(self, node: ast.expr, depth: int) -> Truth:
        """Return what is true or false in Python's tree."""
        if depth > 2 * MOST_DEPTH:
            raise self._too_deep()
        match node:
            case ast.BoolOp(operator, values):
                kind = And if isinstance(operator, ast.And) else Or
                return combined(kind, [self.truth(value, depth + 1) for value in values])
            case ast.UnaryOp(ast.Not(), operand):
                return Not(self.truth(operand, depth + 1))
            case ast.Compare(left, operators, rights):
                return self._compared([left, *rights], len(operators), depth + 1)
        raise self._refused(node, "expected a comparison such as close > open, found a value alone")

    def _compared(self, nodes: list[ast.expr], count: int, depth: int) -> Truth:
        words = [self._operator(a, b) for a, b in pairwise(nodes)]
        texts = [word.text for word in words]
        if texts == ["between", "between and"]:
            operand, low, high = (self.value(node, 0, depth) for node in nodes)
            return Between(operand, low, high)
        named = [word for word in words if word.text[0].isalpha()]
        if named and count > 1:
            raise refused_at(
                self._text, named[0].start, f"{named[0].text!r} stands in a chain; join comparisons with 'and'"
            )
        if texts[0] in ("rising", "falling"):
            bars = self._bars(nodes[1], 1, f"after {texts[0]!r}")
            return Trend(self.value(nodes[0], 0, depth), texts[0] == "rising", bars)
        values = [self.value(node, 0, depth) for node in nodes]
        if named:
            return Crossing(values[0], texts[0] == "crosses above", values[1])
        return combined(And, [Comparison(a, text, b) for (a, b), text in zip(pairwise(values), texts, strict=True)])

    def _operator(self, left: ast.expr, right: ast.expr) -> Token:
        """Return the word between two operands: Python does not say where it stands."""
        between = range(int(left.end_col_offset or 0) - 1, right.col_offset - 1)
        return next(t for t in self._operators if t.start in between and t.text not in ("(", ")", "[", "]"))

    def _column(self, node: ast.expr, bars_before: int) -> Name:
        name = self._token(node).text
        if self._known is not None and name not in self._known:
            raise self._refused(node, unknown_name(name, self._known))
        return Name(name, bars_before)

    def _number(self, node: ast.expr) -> Number:
        number = float(self._token(node).text)
        if not isfinite(number):
            raise self._refused(node, "expected a number up to 1.8e308")
        return Number(number)

    def _bars(self, node: ast.expr, least: int, where: str) -> int:
        text = self._token(node).text if isinstance(node, ast.Constant) else ""
        bars = int(text) if text.isdecimal() and len(text) < 10 else -1
        if not least <= bars <= MOST_BARS:
            raise self._refused(node, f"expected a whole number of bars from {least} to {MOST_BARS} {where}")
        return bars

    def _token(self, node: ast.expr) -> Token:
        return self._at[node.col_offset - 1]

    def _refused(self, node: ast.expr, sentence: str) -> ConditionError:
        return refused_at(self._text, node.col_offset - 1, sentence)

    def _too_deep(self) -> ConditionError:
        return refused_at(self._text, 0, f"a condition is at most {MOST_DEPTH} operators deep; take it apart")
