"""Parameters checked against what their class says of them."""

from typing import Any

import pytest

from plant.state.schemas import faults_of

SCHEMA: dict[str, Any] = {
    "properties": {
        "period": {"type": "integer", "minimum": 1, "maximum": 200, "default": 10},
        "key": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10},
        "side": {"type": "string", "enum": ["long", "short"]},
        "hedge": {"type": "boolean"},
        "levels": {"type": "array"},
    },
    "required": ["side"],
}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"period": 200, "key": 1, "hedge": True, "levels": [1]}, None),
        ({"period": 3.0, "limits": {"max_order_qty": 1}}, None),
        ({"period": 0}, ("$.period", "expected 1 or more, found 0")),
        ({"period": 201}, ("$.period", "expected 200 or less, found 201")),
        ({"period": 1.5}, ("$.period", "expected an integer, found 1.5")),
        ({"period": True}, ("$.period", "expected an integer, found True")),
        ({"key": 0.0}, ("$.key", "expected more than 0, found 0.0")),
        ({"key": 10}, ("$.key", "expected less than 10, found 10")),
        ({"key": float("nan")}, ("$.key", "expected a finite number, found nan")),
        ({"key": "1"}, ("$.key", "expected a number, found '1'")),
        ({"side": "up"}, ("$.side", "expected one of long, short, found 'up'")),
        ({"hedge": 1}, ("$.hedge", "expected a boolean, found 1")),
        ({"preiod": 3}, ("$.preiod", "unknown parameter (did you mean 'period'?)")),
        ({"x": 3}, ("$.x", "unknown parameter; there are period, key, side, hedge, levels")),
    ],
)
def test_a_fault_has_its_place_and_what_was_expected(change: dict[str, Any], fault: tuple[str, str] | None) -> None:
    assert faults_of({"side": "long", **change}, SCHEMA) == ([fault] if fault else [])


def test_what_must_be_told_is_missed() -> None:
    assert faults_of({}, SCHEMA) == [("$.side", "is missing")]
    assert faults_of({"x": 1}, {}) == [("$.x", "unknown parameter; there are none")]
