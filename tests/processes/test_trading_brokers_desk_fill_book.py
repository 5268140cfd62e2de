"""Executions in any order, once, twice or never: the lots are booked once each, in order, at their price."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.brokers.broker import Execution
from trading.brokers.desk.fill_book import FillBook
from trading.events import Side


def execution(number: int, qty: object, cumulative: object) -> Execution:
    return Execution(f"x{number}", "o", "b", "A", Side.BUY, qty, 100 + number, cumulative, number)  # type: ignore[arg-type]


@given(quantities=st.lists(st.integers(1, 5), min_size=1, max_size=8), data=st.data())
def test_every_lot_is_booked_once_in_order_whatever_came_when(quantities: list[int], data: st.DataObject) -> None:
    all_of_them, lots = [], []
    for number, qty in enumerate(quantities):
        lots += [100 + number] * qty
        all_of_them.append(execution(number, qty, len(lots)))
    times = data.draw(st.lists(st.sampled_from(all_of_them), max_size=12))
    before = data.draw(st.integers(0, len(lots)))
    book, booked = FillBook(before), []
    for one in [*times, *data.draw(st.permutations(all_of_them))]:
        for ready in book.take(one):
            assert ready.cumulative == before + len(booked) + ready.qty
            booked += [ready.price] * int(ready.qty)
    assert booked == lots[before:]
    assert book.gap == 0


@pytest.mark.parametrize(("qty", "cumulative"), [(0, 0), (3, 2), (-1, 2), (Fraction(1, 2), 1), (1, Fraction(3, 2))])
def test_quantities_that_cannot_be_are_refused(qty: object, cumulative: object) -> None:
    with pytest.raises(ValueError, match="expected whole lots"):
        FillBook().take(execution(0, qty, cumulative))


def test_what_is_missing_is_booked_as_one_difference_only_if_its_price_is_known() -> None:
    book = FillBook()
    book.take(execution(0, 2, 2))
    book.hear(5, None)
    assert (book.gap, book.settle(), book.booked) == (3, None, 2)
    book.hear(5, 512)
    assert (book.settle(), book.booked, book.gap) == (512, 5, 0)
    assert book.take(execution(1, 3, 5)) == [], "it comes after all, and is known"
