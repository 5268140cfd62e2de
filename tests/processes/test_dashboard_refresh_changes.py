import doctest
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard.refresh import changes
from dashboard.refresh.changes import change, changed

plain = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.5, 0.1, 1e-300, "", "a"])
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)


def told(made: Any) -> Any:
    return json.loads(json.dumps(made))


@given(values, values, st.integers(0, 4))
def test_what_changed_since_a_value_makes_the_new_one_of_it_and_leaves_the_old_one(
    old: Any, new: Any, gone: int
) -> None:
    before = json.dumps(old)
    made = told(change(old, new, gone))
    assert json.dumps(changed(old, made), sort_keys=True) == json.dumps(new, sort_keys=True)
    assert json.dumps(old) == before


@given(values)
def test_nothing_changed_is_none(value: Any) -> None:
    assert change(value, told(value)) is None


def test_bars_that_dropped_out_are_counted_not_repeated_also_where_values_repeat() -> None:
    colors = ["up", "up", "down"] * 100
    assert change(colors, [*colors[4:], "up"], 4) == ["[", 4, 296, [], [], ["up"]]
    unknown = [None] * 20 + list(range(80))
    assert change(unknown, [*unknown[3:], 80, 81, 82], 3) == ["[", 3, 97, [], [], [80, 81, 82]]


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(changes).failed == 0
