"""From text to tree: what means the same is the same, and what is wrong is refused at its place."""

import doctest
from types import ModuleType

import pytest
from chance import examples
from hypothesis import assume, given, settings
from random_conditions import truths

from plant.conditions import parsing, tree
from plant.conditions.condition import MOST_BARS, MOST_CHARACTERS, MOST_DEPTH, Condition
from plant.conditions.parsing import condition_of, value_of
from plant.conditions.tree import Name, Truth, columns_in, text_of
from plant.errors import ConditionError, PlantError, from_wire, to_wire

law = settings(max_examples=examples(120), deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize("module", [parsing, tree], ids=lambda module: module.__name__)
def test_examples_in_docstrings_are_true(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@law
@given(truths())
def test_text_of_a_tree_is_read_as_that_tree(truth: Truth) -> None:
    text = text_of(truth)
    assume(any(columns_in(truth)) and len(text) < MOST_CHARACTERS)
    condition = condition_of(text)
    assert condition.tree == truth
    assert condition == Condition(truth)
    assert condition.text == str(condition) == text
    assert hash(condition) == hash(condition_of(text.replace(" ", "  ")))


@pytest.mark.parametrize(
    ("written", "canonical", "names", "lookback"),
    [
        ("sma_20   crosses\n above ema_50", "sma_20 crosses above ema_50", ("sma_20", "ema_50"), 1),
        ("((close))>30.0", "close > 30", ("close",), 0),
        ("(close - open)[1][2] > 3[1] * -2", "close[3] - open[3] > 3 * -2", ("close", "open"), 3),
        ("a<b<=c", "a < b and b <= c", ("a", "b", "c"), 0),
        ("a>1 and (b>1 and c>1) or d>1", "a > 1 and b > 1 and c > 1 or d > 1", ("a", "b", "c", "d"), 0),
        ("(a>1 or b>1) and not not c>1", "(a > 1 or b > 1) and not not c > 1", ("a", "b", "c"), 0),
        ("not (a>1 and b>1)", "not (a > 1 and b > 1)", ("a", "b"), 0),
        ("x between 1 and y + 2 and z rising 3", "x between 1 and y + 2 and z rising 3", ("x", "y", "z"), 3),
        ("(x between (a) and b) or y > 1", "x between a and b or y > 1", ("x", "a", "b", "y"), 0),
        ("--x > -0", "x > 0", ("x",), 0),
        ("-(a+b) > -a", "-(a + b) > -a", ("a", "b"), 0),
        ("a-(b-c) > a-b-c", "a - (b - c) > a - b - c", ("a", "b", "c"), 0),
        ("a/(b*c) < a/b*c", "a / (b * c) < a / b * c", ("a", "b", "c"), 0),
        ("close crosses below high[4]", "close crosses below high[4]", ("close", "high"), 5),
        ("low[2] falling 3", "low[2] falling 3", ("low",), 5),
        ("level:day_high<fast.signal", "level:day_high < fast.signal", ("level:day_high", "fast.signal"), 0),
        ("lambda > .5 or is != 1E3", "lambda > 0.5 or is != 1000", ("lambda", "is"), 0),
        ("volume[0] >= volume[1]", "volume >= volume[1]", ("volume",), 1),
    ],
)  # fmt: skip
def test_what_means_the_same_is_written_in_one_way(
    written: str, canonical: str, names: tuple[str, ...], lookback: int
) -> None:
    condition = condition_of(written)
    assert (condition.text, condition.names, condition.lookback) == (canonical, names, lookback)
    assert condition_of(canonical) == condition


@pytest.mark.parametrize(
    ("text", "character", "sentence"),
    [
        ("", 1, "expected a number or a name, found the end"),
        ("close", 1, "expected a comparison"),
        ("close >", 8, "found the end"),
        ("close open", 7, "expected an operator, found 'open'"),
        ("close > 3x", 9, "found '3x'"),
        ("close > 1and x > 2", 9, "found '1and'"),
        ("close > 0x1f", 9, "found '0x1f'"),
        ("close > 1_000", 9, "found '1_000'"),
        ("(a > 1", 7, "expected ')' of the '(' at character 1"),
        ("a > 1)", 6, "nothing is open here"),
        ("(a[1) > 2", 5, "expected ']'"),
        ("x between 1", 12, "expected 'and' and the upper value"),
        ("x between 1 or 3", 17, "expected 'and'"),
        ("x between (1 and 3)", 20, "expected 'and' and the upper value"),
        ("a = 3", 3, "write =="),
        ("a > 1 && b > 2", 7, "write and"),
        ("a > b crosses above c", 7, "stands in a chain"),
        ("a between 1 and 2 < 3", 3, "chain"),
        ("not a", 5, "expected a comparison"),
        ("a > not b > 1", 5, "are parentheses missing?"),
        ("a > (b > c)", 6, "found a comparison"),
        ("(a > b)[1]", 1, "expected a comparison"),
        ("x rising 0", 10, f"from 1 to {MOST_BARS} after 'rising'"),
        ("x rising y", 10, "whole number"),
        ("x falling 2.0", 11, "whole number"),
        ("x falling -2", 11, "whole number"),
        ("x[-1] > 2", 3, "whole number"),
        ("x[y] > 2", 3, "whole number"),
        (f"x[{MOST_BARS + 1}] > 3", 3, "whole number"),
        ("x[99999999999999999999] > 3", 3, "whole number"),
        ("a ** b > 1", 4, "found '*'"),
        ("a // b > 1", 4, "found '/'"),
        ("+a > 1", 1, "found '+'"),
        ("a <> b", 4, "found '>'"),
        ("f(x) > 1", 2, "expected an operator, found '('"),
        ("[1] > 2", 1, "found '['"),
        ("a crosses b", 3, "'crosses above' or 'crosses below'"),
        ("a above b", 3, "expected 'crosses above', '>' or '<'"),
        ("a not crosses above b", 3, "found 'not'"),
        ("a if b else c > 1", 3, "found 'if'"),
        ("é > 1", 1, "means nothing"),
        ("a > 'x'", 5, "means nothing"),
        ("a > 1; b > 2", 6, "means nothing"),
        ("a.__class__.b() > 1", 14, "expected an operator, found '('"),
        ("a > 1e999", 5, "up to 1.8e308"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(text: str, character: int, sentence: str) -> None:
    with pytest.raises(ConditionError) as error:
        condition_of(text)
    assert f"{text!r}, character {character}: " in str(error.value)
    assert sentence in str(error.value)


def test_a_name_that_is_not_known_is_told_with_the_nearest_one() -> None:
    assert condition_of("close > open", ["open", "close"]).names == ("close", "open")
    with pytest.raises(
        ConditionError, match=r"character 9: unknown name 'opne' \(did you mean 'open'\?\); names are: c"
    ):
        condition_of("close > opne", ["open", "close"])
    with pytest.raises(ConditionError, match=r"names are: c0, .*, \.\.\. 30 in all"):
        condition_of("x > 1", [f"c{i}" for i in range(30)])


@pytest.mark.parametrize(
    "text",
    [
        "not " * 400 + "a > 1",
        "-" * 1500 + "(-a) > " + "1",
        "+".join("a" * (MOST_DEPTH + 1)) + " > 1",
        "(" * 100 + "a" + ")" * 100 + " > 1",
        "a" * MOST_CHARACTERS + " > 1",
        "(" + "+".join(["aaaaaaaa"] * 40) + ")[400] > 1" + " and a > 1" * 150,
        "a[300][300] > 1",
        f"a[{MOST_BARS}] crosses above 1",
        f"a[1] rising {MOST_BARS}",
    ],
)
def test_what_is_too_long_too_deep_or_looks_too_far_back_is_refused(text: str) -> None:
    with pytest.raises(ConditionError, match=r"at most|more than"):
        condition_of(text)


def test_as_much_as_is_allowed_is_taken() -> None:
    assert condition_of("+".join("a" * (MOST_DEPTH - 1)) + " > 1").names == ("a",)
    assert condition_of(f"a[{MOST_BARS - 1}] crosses above 1").lookback == MOST_BARS
    assert len(condition_of(" and ".join(["close > 1"] * 142)).text) == 1983
    assert condition_of("-" * 50 + "a > 1") == condition_of("a > 1")


def test_a_condition_reads_a_column() -> None:
    with pytest.raises(ConditionError, match="names no column"):
        condition_of("1 < 2")
    with pytest.raises(ConditionError, match="as text"):
        condition_of(30)  # type: ignore[arg-type]


def test_a_value_alone_can_be_read() -> None:
    assert value_of("close[2]") == Name("close", 2)
    with pytest.raises(ConditionError, match="found a comparison"):
        value_of("close > 2")


def test_the_error_crosses_a_socket() -> None:
    error = from_wire(to_wire(ConditionError.at([("$.left", "no"), ("$.right", "neither")])))
    assert isinstance(error, ConditionError)
    assert isinstance(error, PlantError)
    assert str(error) == "$.left: no; $.right: neither"
