"""Earnings: sums of fills and of what is held, against plain sums over the rows."""

import math
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from state_rows import NOON, journaled

from plant.errors import QueryError
from plant.rows.columns import Columns
from plant.state.earnings import DIGITS, Earned, earned, holdings

DAY = 86_400 * 10**9


def fills(rows: list[dict[str, Any]]) -> Columns:
    told = {"side": "buy", "qty": 1.0, "price": 10.0, "account": "paper", "order_id": "o"}
    return journaled("fills", [{**told, "fill_id": f"f{i}", "market_time": NOON, **row} for i, row in enumerate(rows)])


def held(sym: str, unrealised: float, strategy: str = "s", **more: Any) -> dict[str, Any]:
    told = {"account": "paper", "run": "r", "qty": 1.0, "seq": 1, "seq_row": 0}
    return {"sym": sym, "strategy": strategy, "unrealised": unrealised, **told, **more}


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "sym": st.sampled_from(["A", "B"]),
            "strategy": st.sampled_from(["s", "t"]),
            "fill_id": st.sampled_from(["1", "2", "3", "4"]),
            "seq": st.integers(1, 5),
            "realised": st.integers(-(10**12), 10**12).map(lambda n: n / 10**DIGITS),
            "commission": st.integers(0, 10**9).map(lambda n: n / 10**DIGITS),
            "market_time": st.integers(0, 3).map(lambda day: NOON + day * DAY),
        }
    ),
    max_size=8,
)


@given(ROWS, st.sampled_from(["day", "sym", "strategy"]))
def test_sums_are_those_of_the_newest_row_of_each_fill(rows: list[dict[str, Any]], by: str) -> None:
    newest: dict[str, dict[str, Any]] = {}
    for row in rows:  # of two with one seq the later
        if row["fill_id"] not in newest or row["seq"] >= newest[row["fill_id"]]["seq"]:
            newest[row["fill_id"]] = row
    sums: dict[str, list[float]] = {}
    for row in newest.values():
        name = f"2025-11-{20 + (row['market_time'] - NOON) // DAY}" if by == "day" else row[by]
        found = sums.setdefault(name, [0, 0.0, 0.0])
        found[0] += 1
        found[1] += row["realised"]
        found[2] += row["commission"]
    expected = [
        (name, count, pytest.approx(realised, abs=1e-6), pytest.approx(paid, abs=1e-6))
        for name, (count, realised, paid) in sorted(sums.items())
    ]
    told = earned(fills(rows), (), by)
    assert [(each.name, each.fills, each.realised, each.commission) for each in told] == expected


def test_what_is_held_counts_by_symbol_and_by_strategy_and_belongs_to_no_day() -> None:
    some = fills([{"sym": "A", "strategy": "s", "realised": 5.0, "commission": 1.0}])
    both = (held("A", 2.0), held("B", -3.0, "t"))
    assert earned(some, both, "sym") == [Earned("A", 1, 5.0, 2.0, 1.0), Earned("B", 0, 0.0, -3.0, 0.0)]
    assert [each.net for each in earned(some, both, "strategy")] == [6.0, -3.0]
    (day,) = earned(some, both, "day")
    assert (day.name, day.net, math.isnan(day.unrealised)) == ("2025-11-20", 4.0, True)


def test_a_day_begins_in_the_zone_and_a_fill_without_market_time_is_of_the_day_it_was_learned() -> None:
    late = NOON + 12 * 3600 * 10**9  # midnight UTC, 19:00 in New York
    some = fills([{"market_time": late}, {"market_time": None, "time": late}])
    assert [day.name for day in earned(some, (), "day")] == ["2025-11-21"]
    assert [(day.name, day.fills) for day in earned(some, (), "day", ZoneInfo("America/New_York"))] == [
        ("2025-11-20", 2)
    ]


def test_earnings_by_something_else_are_refused() -> None:
    with pytest.raises(QueryError, match="earnings are by day, sym, strategy, found 'month'"):
        earned(fills([]), (), "month")


def test_an_account_holds_the_newest_of_each_strategy_and_symbol_of_runs_that_count() -> None:
    rows = [
        held("A", 1.0, run="first", seq=1),
        held("A", 2.0, run="next", seq=5),  # the next run of a strategy goes on where the one before ended
        held("B", 3.0, run="next", seq=6, qty=0.0),
        held("A", 4.0, run="tested", seq=9),
        held("A", 5.0, run="next", seq=9, account="other"),
        held("A", 6.0, "t", run="next", seq=2),
    ]
    assert [row["unrealised"] for row in holdings(rows, "paper", {"first", "next"})] == [2.0, 6.0]
