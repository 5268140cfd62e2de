"""The JSON notation says the same trees, and tells every place that is wrong."""

import json
from typing import Any

import pytest
from chance import examples
from hypothesis import assume, given, settings
from random_conditions import truths

from plant.conditions.condition import MOST_CHARACTERS, Condition
from plant.conditions.json_form import OPERATORS, condition_of_json, to_json
from plant.conditions.parsing import condition_of
from plant.conditions.tree import Truth, columns_in, text_of
from plant.errors import ConditionError

law = settings(max_examples=examples(80), deadline=None, derandomize=True, database=None)


@law
@given(truths())
def test_document_of_a_condition_is_read_as_that_condition(truth: Truth) -> None:
    assume(any(columns_in(truth)) and len(text_of(truth)) < MOST_CHARACTERS)
    condition = Condition(truth)
    assert condition_of_json(json.loads(json.dumps(to_json(condition)))) == condition


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"left": "fast", "operator": "gt", "right": "slow", "bars": 1}, "fast > slow"),
        ({"left": "fast", "operator": "ne", "right": 30}, "fast != 30"),
        ({"left": "macd.signal", "operator": "crosses_below", "right": 0.5}, "macd.signal crosses below 0.5"),
        ({"left": "close", "operator": "rising"}, "close rising 1"),
        ({"left": "close", "operator": "falling", "bars": 3, "right": None}, "close falling 3"),
        ({"left": "rsi", "operator": "between", "right": [30, "70"]}, "rsi between 30 and 70"),
        ({"left": "close - open", "operator": "ge", "right": "2 * atr[1]"}, "close - open >= 2 * atr[1]"),
        ({"left": "close", "operator": "le", "right": "level:prev_day_high"}, "close <= level:prev_day_high"),
        (
            {
                "all": [{"left": "a", "operator": "lt", "right": 1}, {"left": "b", "operator": "eq", "right": -2}],
                "any": [{"left": "c", "operator": "lt", "right": 1}, {"left": "d", "operator": "lt", "right": 1}],
            },
            "a < 1 and b == -2 and (c < 1 or d < 1)",
        ),
        ({"all": [], "any": [{"left": "c", "operator": "lt", "right": 1}]}, "c < 1"),
        ({"not": {"any": [{"left": "c", "operator": "lt", "right": 1}]}}, "not c < 1"),
    ],
)
def test_document_says_what_the_text_says(document: dict[str, Any], text: str) -> None:
    assert condition_of_json(document) == condition_of(text)
    assert condition_of_json(to_json(condition_of(text))) == condition_of(text)


def test_two_lists_are_written_as_two_lists() -> None:
    a, b, c = ({"left": name, "operator": "lt", "right": 1} for name in "abc")
    assert to_json(condition_of("a < 1 and (b < 1 or c < 1)")) == {"all": [a], "any": [b, c]}
    assert to_json(condition_of("(b < 1 or c < 1) and a < 1")) == {"all": [{"any": [b, c]}, a]}
    assert to_json(condition_of("a < 1")) == {"all": [a]}
    assert all(to_json(condition_of(f"a {word} 1"))["all"][0]["operator"] in OPERATORS for word in ("!=", "rising"))


def test_every_place_that_is_wrong_is_told() -> None:
    document = {
        "all": [
            {"left": "clos", "operator": "gt", "right": "open +"},
            {"left": "close", "operator": "greater", "right": 1},
            {"left": "close", "operator": "gt", "right": 1, "bar": 2},
        ],
        "any": [
            {"left": "close", "operator": "rising", "bars": 0},
            {"left": "close", "operator": "between", "right": 3},
            {"left": True, "operator": "gt", "right": float("nan")},
            {"left": "close", "operator": "gt", "right": 1, "bars": 2},
            17,
            {"any": []},
        ],
    }
    with pytest.raises(ConditionError) as error:
        condition_of_json(document, ["close", "open"], "$.signals[0]")
    places = dict(error.value.faults)
    assert list(places) == [
        "$.signals[0].all[0].left",
        "$.signals[0].all[0].right",
        "$.signals[0].all[1].operator",
        "$.signals[0].all[2]",
        "$.signals[0].any[0].bars",
        "$.signals[0].any[1].right",
        "$.signals[0].any[2].left",
        "$.signals[0].any[2].right",
        "$.signals[0].any[3].bars",
        "$.signals[0].any[4]",
        "$.signals[0].any[5]",
    ]
    assert "did you mean 'close'?" in places["$.signals[0].all[0].left"]
    assert "did you mean 'bars'?" in places["$.signals[0].all[2]"]
    assert str(error.value).startswith("$.signals[0].all[0].left: 'clos', character 1: unknown name 'clos'")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "$.left: expected a name"),
        ([], "$: expected a condition or a group"),
        ({"all": {}}, "$: expected at least one condition"),
        ({"all": {"left": "a"}}, "$.all: expected a list"),
        ({"all": [], "left": "a"}, "unknown key 'left'"),
        ({"not": {"left": "a", "operator": "lt", "right": 1}, "all": []}, "'not' stands alone"),
        ({"left": "a", "operator": ["lt"], "right": 1}, "expected one of lt le eq"),
        ({"left": "a", "operator": "rising", "right": 1}, "has no right side"),
        ({"left": "a", "operator": "rising", "bars": True}, "whole number"),
        ({"left": "a", "operator": "rising", "bars": 10**6}, "looks back at most"),
        ({"left": "a", "operator": "lt", "right": 10**400}, "finite number"),
        ({"left": 1, "operator": "lt", "right": 2}, "names no column"),
    ],
)
def test_what_is_wrong_is_refused(document: Any, sentence: str) -> None:
    with pytest.raises(ConditionError) as error:
        condition_of_json(document)
    assert sentence in str(error.value)


def test_groups_too_deep_in_one_another_are_refused() -> None:
    document: dict[str, Any] = {"left": "a", "operator": "lt", "right": 1}
    for _ in range(5000):
        document = {"not": document}
    with pytest.raises(ConditionError, match="deep"):
        condition_of_json(document)
