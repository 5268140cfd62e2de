"""Fields of a form, made of the JSON schema that a class tells."""

import doctest
from typing import Any

import pytest

from dashboard.desk import fields
from dashboard.desk.fields import fields_of
from trading.parameters import param
from trading.strategy import Strategy


class Every(Strategy):
    """Has a parameter of every kind."""

    length: int = param(20, low=1, high=500, step=5, help="bars")
    size: float = param(1.5, low=0, help="units")
    eager: bool = param(True)
    side: str = param("both", choices=("both", "long", "short"))
    depth: int = param(2, choices=(1, 2, 3))
    note: str = param("")


def test_its_example_holds() -> None:
    assert doctest.testmod(fields).failed == 0


def test_each_parameter_is_a_field_of_its_kind_with_its_range_and_help() -> None:
    found = {field.name: field for field in fields_of(Every.schema())}
    kinds = {name: field.kind for name, field in found.items()}
    assert kinds == {
        "length": "whole number",
        "size": "number",
        "eager": "switch",
        "side": "choice",
        "depth": "choice",
        "note": "text",
    }
    assert (found["length"].low, found["length"].high, found["length"].step) == (1, 500, 5)
    assert [found[name].told for name in ("length", "size", "eager")] == ["bars; 1 to 500", "units; 0 or more", ""]
    assert {name: field.value for name, field in found.items()} == {
        name: getattr(Every, name).default for name in found
    }


@pytest.mark.parametrize(
    ("value", "shown"), [({"length": 30}, 30), ({"length": 0}, 20), ({"length": "x"}, 20), ({"length": 2.5}, 20)]
)
def test_a_value_stands_there_at_first_unless_its_field_cannot_show_it(value: dict[str, Any], shown: int) -> None:
    assert fields_of(Every.schema(), value)[0].value == shown
