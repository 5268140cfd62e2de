"""Which rows are refused and how they are told of: the same for one row as for many."""

import json
from typing import Any

import numpy as np
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rows import columns_from

from plant.intake.rejects import ROW_CHARS
from plant.rows.schema import LATEST
from plant.rows.tables import schema_of
from tickerplant.validation import bad_rows, rejects

law = settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
SCHEMA = schema_of()
PRICES = st.sampled_from([1.0, 2.0, 3.0, 0.0, -1.0, float("nan"), float("inf")])
BAR = {
    "time": st.sampled_from([0, 1, -1, LATEST - 1, LATEST]),
    "sym": st.sampled_from(["A", "B", ""]),
    "interval": st.sampled_from(["1m", "1m", "60", "1Min", ""]),
    **dict.fromkeys(("open", "high", "low", "close", "volume"), PRICES),
    "source": st.just("x"),
}


def reason_of(row: dict[str, Any]) -> str | None:
    """What is wrong with a bar, written plainly, in the order of the checks."""
    prices = ("open", "high", "low", "close")
    if not 0 <= row["time"] < LATEST:
        return "time must"
    if row["sym"] == "":
        return "sym must"
    for name in prices:
        if not 0 < row[name] < float("inf"):
            return f"{name} must be a positive"
    if not 0 <= row["volume"] < float("inf"):
        return "volume must"
    if row["high"] < max(row[p] for p in prices):
        return "high must be the highest"
    if row["low"] > min(row[p] for p in prices):
        return "low must be the lowest"
    named = {"1m": None, "": "interval must not be empty"}
    return named.get(row["interval"], "interval must be by its one name")


@law
@given(st.lists(st.fixed_dictionaries(BAR), min_size=1, max_size=5))
def test_bad_rows_are_those_that_fail_a_check_and_the_first_one_is_the_reason(rows: list[dict[str, Any]]) -> None:
    columns = columns_from(SCHEMA["bars"], {name: [row[name] for row in rows] for name in BAR})
    positions, reasons = bad_rows(SCHEMA["bars"], columns, len(rows))
    assert positions.dtype == np.int64
    expected = {i: reason for i, row in enumerate(rows) if (reason := reason_of(row))}
    assert positions.tolist() == list(expected)
    assert all(found.startswith(e) for found, e in zip(reasons, expected.values(), strict=True))
    for i, row in enumerate(rows):
        alone = columns_from(SCHEMA["bars"], {name: [row[name]] for name in BAR})
        found, why = bad_rows(SCHEMA["bars"], alone, 1)
        assert (found.tolist(), why) == (([0], [reasons[positions.tolist().index(i)]]) if i in expected else ([], []))


def test_a_reject_holds_source_table_reason_and_the_row_as_json() -> None:
    rows = {"time": [1, 2, 3], "sym": ["A", "", "C"], "price": [1.0, float("nan"), float("inf")], "size": [1.0] * 3}
    columns = columns_from(SCHEMA["trades"], rows | {"source": ["s"] * 3, "trade_id": ["x", "é", ""]})
    found = rejects(columns, np.array([1, 2]), ["no sym", "no price"], "feed", "trades", 99)
    plain = {name: column.tolist() for name, column in found.items()}
    assert list(plain) == list(SCHEMA["rejects"].names)
    untold = {"conditions": "", "tape": "", "exchange": "", "venue_seq": 0}
    shown = [json.loads(row) for row in plain.pop("row")]
    assert plain == {
        "time": [99, 99],
        "sym": ["?", "C"],
        "source": ["feed", "feed"],
        "table_name": ["trades", "trades"],
        "reason": ["no sym", "no price"],
    }
    assert shown == [
        {"time": 2, "sym": "", "price": "nan", "size": 1.0, "source": "s", "trade_id": "é", **untold},
        {"time": 3, "sym": "C", "price": "inf", "size": 1.0, "source": "s", "trade_id": "", **untold},
    ]


def test_the_rows_of_rejects_are_themselves_good() -> None:
    columns = columns_from(
        SCHEMA["trades"],
        {"time": [-1], "sym": [""], "price": [0.0], "size": [-1.0], "source": [""], "trade_id": ["x" * 10**6]},
    )
    found = rejects(columns, np.array([0]), ["all of it"], "feed", "trades", 5)
    assert bad_rows(SCHEMA["rejects"], found, 1)[1] == []
    assert len(found["row"].tolist()[0]) == ROW_CHARS
