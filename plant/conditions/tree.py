"""What a condition is, as a tree: values that are numbers, and truths made of comparisons between values.

Four truths compare values and are atoms: Comparison, Crossing, Trend, Between. And, Or and Not join them. A tree is
what its text means, and nothing of how that was written: `(close - open)[1]` is `close[1] - open[1]`, `a < b < c` is
`a < b and b < c`, `a and (b and c)` is `a and b and c`. `text_of` writes a tree, and its text read again is the same
tree.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS = ("<", "<=", "==", "!=", ">=", ">")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it stands, finite."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """The value of a column, `bars_before` the present bar (0: of the present one)."""

    name: str
    bars_before: int = 0


@dataclass(frozen=True, slots=True)
class Negative:
    """Minus a value; never of a Number or of another Negative, which are written as what they are."""

    operand: "Value"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two values joined by one of + - * /."""

    left: "Value"
    operator: str
    right: "Value"


Value = Number | Name | Negative | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values joined by one of COMPARISONS."""

    left: Value
    operator: str
    right: Value


@dataclass(frozen=True, slots=True)
class Crossing:
    """Whether `left` crosses `right` with this bar, upwards if `above`."""

    left: Value
    above: bool
    right: Value


@dataclass(frozen=True, slots=True)
class Trend:
    """Whether a value rose, or fell, with each of the last `bars` bars."""

    operand: Value
    rising: bool
    bars: int


@dataclass(frozen=True, slots=True)
class Between:
    """Whether low <= operand <= high."""

    operand: Value
    low: Value
    high: Value


Atom = Comparison | Crossing | Trend | Between


@dataclass(frozen=True, slots=True)
class And:
    """Whether all operands hold: two or more, none an And itself."""

    operands: tuple["Truth", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Whether one of the operands holds: two or more, none an Or itself."""

    operands: tuple["Truth", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Whether the operand does not hold."""

    operand: "Truth"


Truth = Atom | And | Or | Not
Node = Value | Truth


def negative(operand: Value) -> Value:
    """Return minus a value, as short as it can be written.

    >>> negative(Number(3.0)), negative(negative(Name("macd")))
    (Number(value=-3.0), Name(name='macd', bars_before=0))
    """
    match operand:
        case Number(value):
            return Number(0.0 - value)  # never -0.0, which would be written as another number
        case Negative(inner):
            return inner
    return Negative(operand)


def combined(kind: type[And] | type[Or], operands: list[Truth]) -> Truth:
    """Return the And, or the Or, of some truths, one or more; of one it is that itself."""
    flat: list[Truth] = []
    for operand in operands:
        flat += operand.operands if isinstance(operand, kind) else (operand,)
    return kind(tuple(flat)) if len(flat) > 1 else flat[0]


def children(node: Node) -> tuple[Node, ...]:
    """Return the trees that a tree is made of, in the order of its text."""
    match node:
        case Negative(operand) | Trend(operand) | Not(operand):
            return (operand,)
        case Arithmetic(left, _, right) | Comparison(left, _, right) | Crossing(left, _, right):
            return left, right
        case Between(operand, low, high):
            return operand, low, high
        case And(operands) | Or(operands):
            return operands
    return ()


def columns_in(node: Node) -> Iterator[Name]:
    """Yield the columns that a tree reads, as often as it names them, in the order of its text."""
    if isinstance(node, Name):
        yield node
    for child in children(node):
        yield from columns_in(child)


def atoms_in(truth: Truth) -> Iterator[Atom]:
    """Yield the comparisons, crossings, trends and betweens of a condition, in the order of its text."""
    if isinstance(truth, And | Or | Not):
        for child in children(truth):
            yield from atoms_in(child)  # type: ignore[arg-type]  # what And, Or and Not join are truths
    else:
        yield truth


def depth_of(node: Node) -> int:
    """Return how many trees lie within one another, 1 for a number or a column."""
    return 1 + max(map(depth_of, children(node)), default=0)


def lookback_of(node: Node) -> int:
    """Return how many bars before the present one a tree reads; a crossing compares with the bar before."""
    own = node.bars_before if isinstance(node, Name) else node.bars if isinstance(node, Trend) else 0
    return own + isinstance(node, Crossing) + max(map(lookback_of, children(node)), default=0)


def column_text(column: Name) -> str:
    """Return a column as it is written: `close`, or `close[2]` for that of two bars before."""
    return f"{column.name}[{column.bars_before}]" if column.bars_before else column.name


def number_text(value: float) -> str:
    """Return a number as it is written: in the fewest digits that are it, without a point if it is whole.

    >>> [number_text(value) for value in (30.0, 0.5, -2.0, 1e22)]
    ['30', '0.5', '-2', '1e+22']
    """
    return repr(value).removesuffix(".0")


def text_of(node: Node, column: Callable[[Name], str] = column_text) -> str:
    """Return the text of a tree, with only the parentheses that it needs; `column` says how columns are written.

    >>> text_of(Comparison(Name("close"), ">", Arithmetic(Number(2.0), "*", Name("open", 1))))
    'close > 2 * open[1]'
    """
    return _written(node, 0, column)


def _written(node: Node, binds: int, column: Callable[[Name], str]) -> str:
    """Return the text of a tree beside an operator that binds as tightly as `binds`."""
    own = _binds(node)

    def within(child: Node, more: int = 0) -> str:
        return _written(child, own + more, column)

    match node:
        case Number(value):
            text = number_text(value)
        case Name():
            text = column(node)
        case Negative(operand):
            text = f"-{within(operand)}"
        case Arithmetic(left, operator, right):
            text = f"{within(left)} {operator} {within(right, 1)}"  # a - (b - c) is not a - b - c
        case Comparison(left, operator, right):
            text = f"{within(left)} {operator} {within(right)}"
        case Crossing(left, above, right):
            text = f"{within(left)} crosses {'above' if above else 'below'} {within(right)}"
        case Trend(operand, rising, bars):
            text = f"{within(operand)} {'rising' if rising else 'falling'} {bars}"
        case Between(operand, low, high):
            text = f"{within(operand)} between {within(low)} and {within(high)}"
        case And(operands) | Or(operands):
            text = f" {'and' if isinstance(node, And) else 'or'} ".join(map(within, operands))
        case Not(operand):
            text = f"not {within(operand)}"
    return text if own >= binds else f"({text})"


def _binds(node: Node) -> int:
    match node:
        case Or():
            return 1
        case And():
            return 2
        case Not():
            return 3
        case Comparison() | Crossing() | Trend() | Between():
            return 4
        case Arithmetic(_, operator, _):
            return 5 if operator in "+-" else 6
        case Negative():
            return 7
        case Number(value) if value < 0:
            return 7
    return 8
