"""Tests of plant.stream.gathering: rows given one by one or as columns, in any mixture, come out as one."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.errors import BadRows
from plant.intake.forms import columns_of
from plant.rows.columns import Columns, Symbols
from plant.rows.schema import Column, Table
from plant.stream.gathering import Gathering

FILLS = Table(
    "fills",
    (
        Column("time", "time"),
        Column("sym", "symbol"),
        Column("price", "float"),
        Column("detail", "text"),
        Column("source", "symbol"),
    ),
)

ROWS = st.fixed_dictionaries(
    {"time": st.integers(0, 10**18), "sym": st.sampled_from("ABÄ"), "price": st.integers(0, 9) | st.floats(0, 9)},
    optional={"detail": st.sampled_from(["", "x", "ü€"]), "source": st.sampled_from("st")},
)
ALIKE = st.lists(ROWS, min_size=1, max_size=5).map(lambda rows: [{**r, "detail": "x", "source": "s"} for r in rows])


def values(columns: Columns) -> list[tuple[Any, ...]]:
    return list(zip(*(columns[name].tolist() for name in FILLS.names), strict=True))


def whole(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple({"detail": "", "source": "me", **row}[name] for name in FILLS.names)


@given(st.lists(ROWS | ALIKE, max_size=12), st.sets(st.integers(0, 12)))
def test_any_mixture_of_rows_and_batches_comes_out_whole_and_in_order(given: list[Any], taken_after: set[int]) -> None:
    gathering, found, expected = Gathering(FILLS, {"source": "me"}), [], []
    for i, rows in enumerate(given):
        if isinstance(rows, dict):
            gathering.add(dict(rows))
            expected.append(whole(rows))
        else:
            gathering.add(columns_of(FILLS, rows))
            expected += [whole(row) for row in rows]
        gathering.own()
        assert gathering.rows == len(expected) - len(found)
        if i in taken_after:
            found += values(gathering.take() or {})
    if gathering.rows:
        found += values(gathering.take() or {})
    assert found == expected
    assert gathering.take() is None


def test_what_was_owned_does_not_change_when_its_giver_writes_over_it() -> None:
    gathering = Gathering(FILLS, {})
    price = np.array([1.0, 2.0])
    batch = {"time": [1, 2], "sym": ["A", "B"], "price": price, "detail": ["", ""], "source": ["s", "s"]}
    gathering.add(columns_of(FILLS, batch))
    gathering.own()
    price[:] = 9.0
    gathering.add(columns_of(FILLS, batch))
    gathering.own()
    columns = gathering.take()
    assert columns is not None
    assert columns["price"].tolist() == [1.0, 2.0, 9.0, 9.0]


def test_the_names_of_a_given_column_are_not_added_to() -> None:
    names = ["A"]
    gathering = Gathering(FILLS, {})
    for given_names in (names, ["B", "A"]):
        row = {"time": 1, "sym": "A", "price": 1.0, "detail": "", "source": "s"}
        columns = columns_of(FILLS, [row] * len(given_names))
        columns["sym"] = Symbols(given_names, np.arange(len(given_names), dtype=np.int32))
        gathering.add(columns)
        gathering.own()
    columns_taken = gathering.take()
    assert columns_taken is not None
    assert columns_taken["sym"].tolist() == ["A", "B", "A"]
    assert names == ["A"]


def test_rows_of_two_forms_in_turn_keep_their_order() -> None:
    gathering = Gathering(FILLS, {"source": "me"})
    forms: list[dict[str, Any]] = [
        {"time": 1, "sym": "A", "price": 1.0},
        {"sym": "B", "time": 2, "price": 2, "detail": "x"},
    ]
    for i in range(20):
        gathering.add({**forms[i % 2], "time": i})
    columns = gathering.take()
    assert columns is not None
    assert columns["time"].tolist() == list(range(20))
    assert columns["sym"].tolist() == ["A", "B"] * 10


@pytest.mark.parametrize("wrong", [{"price": "dear"}, {"time": 2**63}, {"sym": 7}])
def test_a_row_of_a_known_form_with_a_wrong_value_is_refused_and_the_others_kept(wrong: dict[str, Any]) -> None:
    gathering = Gathering(FILLS, {})
    row = {"time": 1, "sym": "A", "price": 1.0}
    gathering.add(row)
    gathering.add(row)
    with pytest.raises(BadRows):
        gathering.add({**row, **wrong})
    gathering.add(row)
    columns = gathering.take()
    assert columns is not None
    assert len(columns["time"]) == 3


def test_a_row_that_turns_out_bad_is_told_of_and_the_others_go_on() -> None:
    gathering = Gathering(FILLS, {})
    for sym in ("A", "A", "\ud800", "B"):
        try:
            gathering.add({"time": 1, "sym": sym, "price": 1.0})
        except BadRows as error:
            gathering.refused.append(({}, error))
    columns = gathering.take()
    assert columns is not None
    assert columns["sym"].tolist() == ["A", "A", "B"]
    assert len(gathering.refused) == 1
    assert gathering.rows == 0
