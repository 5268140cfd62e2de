"""Which trades came before: a set of (source, sym, day, id) says the same, over turns that were written and not."""

from typing import Any

import numpy as np
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rows import columns_from

from plant.history.days import Days
from plant.rows.columns import Columns
from plant.rows.tables import schema_of
from tickerplant.repeats.trade_ids import TradeIds, Verdict

law = settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
TRADES = schema_of()["trades"]
DAY = 86_400 * 10**9
TODAY = 20_000
NOW = TODAY * DAY + DAY // 2
NONE = np.zeros(0, dtype=np.int64)

Trade = tuple[int, str, str, str, float, float]
"""Day, sym, source, id, price, size."""


def columns_of(rows: list[Trade]) -> Columns:
    days, syms, sources, ids, prices, sizes = (list(column) for column in zip(*rows, strict=True))
    times = [day * DAY + 3_600 * 10**9 + i for i, day in enumerate(days)]
    given_columns: dict[str, list[Any]] = {"time": times, "sym": syms, "price": prices, "size": sizes}
    return columns_from(TRADES, {**given_columns, "source": sources, "trade_id": ids})


def checked(ids: TradeIds, rows: list[Trade], bad: np.ndarray = NONE) -> Verdict:
    verdict = ids.check(columns_of(rows), bad, NOW)
    ids.keep(verdict)
    return verdict


def trade(trade_id: str, day: int = TODAY, size: float = 5.0, sym: str = "A", price: float = 10.0) -> Trade:
    return day, sym, "venue", trade_id, price, size


TRADE = st.tuples(
    st.sampled_from([TODAY, TODAY - 1]),
    st.sampled_from("AB"),
    st.sampled_from(["x", "y"]),
    st.sampled_from(["", "1", "2", "3", "4", "é"]),
    st.sampled_from([10.0, 11.0]),
    st.sampled_from([5.0, float("nan")]),
)


@law
@given(
    st.lists(st.tuples(st.lists(TRADE, min_size=1, max_size=40), st.sampled_from(["more", "kept", "lost"])), max_size=8)
)
def test_a_trade_is_a_repeat_as_a_set_of_ids_says(batches: list[tuple[list[Trade], str]]) -> None:
    ids = TradeIds(Days(), 1000)
    written: dict[tuple[Any, ...], str] = {}
    model: dict[tuple[Any, ...], str] = {}
    for rows, then in batches:
        repeats, conflicts = [], []
        for place, (*key, price, size) in enumerate(rows):
            value = repr((price, size))
            if not key[3]:
                continue
            first = model.setdefault(tuple(key), value)
            if first is not value:
                (repeats if first == value else conflicts).append(place)
        verdict = checked(ids, rows)
        assert verdict.repeats.tolist() == repeats
        assert verdict.conflicts.tolist() == conflicts
        assert not verdict.unchecked
        if then == "kept":
            ids.settle()
            written = dict(model)
        elif then == "lost":
            ids.drop()
            model = dict(written)


def test_trades_sent_again_are_repeats_and_new_ones_are_not() -> None:
    ids = TradeIds(Days(), 1000)
    assert not len(checked(ids, [trade("9001"), trade("9002"), trade("9003")]).repeats)
    ids.settle()
    assert checked(ids, [trade("9002"), trade("9003"), trade("9004")]).repeats.tolist() == [0, 1]


def test_another_price_or_size_under_an_id_is_a_conflict_and_a_row_refused_before_is_none() -> None:
    ids = TradeIds(Days(), 1000)
    checked(ids, [trade("1"), trade("2")])
    verdict = checked(
        ids, [trade("1", size=6.0), trade("2", price=11.0), trade("2", price=12.0), trade("1")], np.array([2])
    )
    assert (verdict.repeats.tolist(), verdict.conflicts.tolist()) == ([3], [0, 1])


def test_days_behind_the_newest_two_are_forgotten_and_their_trades_are_counted_as_not_compared() -> None:
    ids = TradeIds(Days(), 1000)
    for day in (TODAY - 2, TODAY - 1, TODAY):
        assert not checked(ids, [trade("1", day)]).unchecked
        ids.settle()
    assert ids.newest == [TODAY - 1, TODAY]
    verdict = checked(ids, [trade("1", TODAY - 2), trade("1", TODAY - 1), trade("1", TODAY)])
    assert (verdict.repeats.tolist(), verdict.unchecked) == ([1, 2], 1)


def test_one_trade_far_ahead_of_the_clock_does_not_push_out_the_ids_of_today() -> None:
    ids = TradeIds(Days(), 1000)
    checked(ids, [trade("1"), trade("2", TODAY - 1)])
    ids.settle()
    assert checked(ids, [trade("1", TODAY + 400), trade("1", TODAY + 500)]).unchecked == 2
    ids.settle()
    assert checked(ids, [trade("1"), trade("2", TODAY - 1)]).repeats.tolist() == [0, 1]


def test_at_the_bound_the_oldest_ids_go_first_and_are_told() -> None:
    ids = TradeIds(Days(), 100)
    rows = [trade(str(k)) for k in range(130)]
    for at in range(0, 130, 10):
        verdict = checked(ids, rows[at : at + 10])
        ids.settle()
    assert (ids.forgotten, ids.counted(verdict).forgotten, ids.counted(verdict).forgotten) == (50, 50, 0)
    assert len(checked(ids, rows[50:]).repeats) == 80
    assert not len(checked(ids, rows[:50]).repeats)


def test_a_day_is_the_plants() -> None:
    ids = TradeIds(Days("17:00", "America/New_York"), 100)
    before = {"time": [NOW], "sym": ["A"], "price": [1.0], "size": [1.0], "source": ["x"], "trade_id": ["7"]}
    for hours, repeats in ((0, 0), (1, 1), (12, 0)):  # 12:00 UTC; 00:00 UTC is past 17:00 in New York
        columns = columns_from(TRADES, before | {"time": [NOW + hours * 3_600 * 10**9]})
        verdict = ids.check(columns, NONE, NOW)
        ids.keep(verdict)
        assert len(verdict.repeats) == repeats
