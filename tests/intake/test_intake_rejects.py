"""Rows that cannot be read are refused one by one; what is wrong with all of them is refused at once."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.errors import BadRows
from plant.intake.forms import columns_of
from plant.intake.rejects import readable
from plant.rows.schema import UNKNOWN_TIME, Column, Table
from plant.rows.tables import schema_of

SCHEMA = schema_of()
TRADES = SCHEMA["trades"]
DEFAULTS = {"source": "feed", "trade_id": "", "size": float("nan")}
NOON = 1_763_640_000_000_000_000
GOOD = {"time": NOON, "sym": "A", "price": 1.5}


def parts(rows: Any, unit: str | None = None) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return what rows become: (table, rows)."""
    found = []
    for name, columns in readable(TRADES, rows, DEFAULTS, unit, NOON):
        values = {n: column.tolist() for n, column in columns.items()}
        found.append((name, [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]))
    return found


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"price": "n/a"}, "trades.price: expected float, found 'n/a' (str)"),
        ({"time": "yesterday"}, "trades.time: expected time"),
        ({"time": None}, "trades.time: expected time, found a missing time"),
        ({"time": 1_709_544_600}, 'it looks like s: say so, publisher(..., unit="s")'),
        ({"sym": None}, "trades.sym: expected symbol, found None (NoneType)"),
        ({"sym": "\ud800"}, "trades.sym: expected symbol"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_with_number_and_values_and_the_others_stay(
    wrong: dict[str, Any], reason: str
) -> None:
    rows = [GOOD, {**GOOD, "sym": "B"}, GOOD | wrong, {**GOOD, "sym": "C"}]
    good, refused = parts(rows)
    assert [good[0], refused[0]] == ["trades", "rejects"]
    assert [r["sym"] for r in good[1]] == ["A", "B", "C"]
    (row,) = refused[1]
    assert row["reason"].startswith("row 2 of 4 (counted from 0): ")
    assert reason in row["reason"]
    assert "numpy" not in row["reason"]
    assert (row["table_name"], row["source"]) == ("trades", "feed")
    (name,) = wrong
    assert str(json.loads(row["row"])[name]).encode(errors="replace") == str(wrong[name]).encode(errors="replace")


@given(st.lists(st.sampled_from(["1.5", "x", None, 2, 2.5, "nan", "1e3", ""]), min_size=1, max_size=30))
def test_each_row_given_is_one_row_there_in_order(prices: list[Any]) -> None:
    good = [p not in ("x", "nan", "") for p in prices]
    rows = {"time": [NOON] * len(prices), "sym": ["A"] * len(prices), "price": prices}
    if all(good):
        assert len(columns_of(TRADES, rows, DEFAULTS)["time"]) == len(prices)
        return
    found = dict(parts(rows))
    places = [int(row["reason"].split()[1]) for row in found["rejects"]]
    assert places == [place for place, g in enumerate(good) if not g]
    assert len(found.get("trades", ())) == sum(good)


@pytest.mark.parametrize("form", [list, np.array, pd.Series])
def test_text_that_is_exactly_a_number_is_that(form: Any) -> None:
    rows = {"time": [NOON] * 3, "sym": ["A"] * 3, "price": form(["1.5", "-2e3", ".5"])}
    assert columns_of(TRADES, rows, DEFAULTS)["price"].tolist() == [1.5, -2000.0, 0.5]
    beats = {"time": [NOON], "sym": ["p"], "pid": form(["9007199254740993"])}
    assert columns_of(SCHEMA["heartbeats"], beats)["pid"].tolist() == [9007199254740993]


def test_times_that_are_some_text_and_some_numbers_are_read_each() -> None:
    rows = [{**GOOD, "time": time} for time in (NOON, "2025-11-20 12:00", pd.Timestamp(NOON, tz="UTC"))]
    ((name, found),) = [p for p in parts([*rows, {**GOOD, "price": "x"}]) if p[0] == "trades"]
    assert name == "trades"
    assert {r["time"] for r in found} == {NOON}


@pytest.mark.parametrize(("scale", "unit"), [(1, "s"), (10**3, "ms"), (10**6, "us")])
@pytest.mark.parametrize("form", [list, np.array, pd.Series])
def test_int_times_of_another_unit_are_refused_saying_which_and_taken_if_it_is_told(
    scale: int, unit: str, form: Any
) -> None:
    rows = {"time": form([1_709_544_600 * scale] * 2), "sym": ["A"] * 2, "price": [1.0] * 2}
    with pytest.raises(BadRows, match=f'no time of a market; it looks like {unit}: say so, publisher.*unit="{unit}"'):
        columns_of(TRADES, rows, DEFAULTS, None)
    with pytest.raises(BadRows, match=f"it looks like {unit}"):
        parts(rows)
    assert columns_of(TRADES, rows, DEFAULTS, unit)["time"].tolist() == [1_709_544_600 * 10**9] * 2
    with pytest.raises(BadRows, match="it looks like ns"):
        columns_of(TRADES, {**rows, "time": form([NOON] * 2)}, DEFAULTS, unit)


def test_dates_of_1970_are_dates_but_a_small_int_is_none() -> None:
    rows = {"time": ["1970-01-02"], "sym": ["A"], "price": [1.0]}
    assert columns_of(TRADES, rows, DEFAULTS, None)["time"].tolist() == [86_400 * 10**9]
    for time in (0, 5, -1):
        with pytest.raises(BadRows, match="is no time of a market; that is no unit we know"):
            columns_of(TRADES, {**rows, "time": [time]}, DEFAULTS, None)


def test_a_time_beside_the_first_is_rejected_row_by_row_or_as_a_whole_if_all_are_of_another_unit() -> None:
    table = Table("news", (Column("time", "time"), Column("sym", "symbol"), Column("heard", "time")))
    rows = [{"time": NOON, "sym": "A", "heard": heard} for heard in (None, NOON, NOON // 10**6, "x")]
    found = list(readable(table, rows, DEFAULTS, None, NOON))
    assert [(name, len(columns["time"])) for name, columns in found] == [("news", 2), ("rejects", 2)]
    assert found[0][1]["heard"].tolist() == [UNKNOWN_TIME, NOON]
    assert ["it looks like ms" in reason for reason in found[1][1]["reason"].tolist()] == [True, False]
    wrong = [{**row, "heard": heard} for row, heard in zip(rows, (None, NOON // 10**6, NOON // 10**6), strict=False)]
    with pytest.raises(BadRows, match=r"news\.heard: .*it looks like ms"):
        list(readable(table, wrong, DEFAULTS, None, NOON))
