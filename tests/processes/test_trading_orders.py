"""Orders: the states of section 8, fills by their cumulative quantity, and events that do not fit."""

from fractions import Fraction

import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.errors import PlantError
from trading.events import Fill, OrderReport, Side
from trading.orders import FINAL, Kind, Order, Orders, State, order_id, transition


def order(qty: int = 10, **terms: object) -> Order:
    who = {"order_id": "tp-r-1-0", "sym": "X", "run": "r", "strategy": "s", "account": "paper"}
    return Order(**who, side=Side.BUY, kind=Kind.MARKET, qty=qty, **terms)


def report(state: str = "", **said: object) -> OrderReport:
    return OrderReport("X", 1, 2, 3, 0, "tp-r-1-0", state, **said)


def fill(qty: int, price: int, id: str = "f1") -> Fill:
    return Fill("X", 1, 2, 3, 0, id, "tp-r-1-0", Side.BUY, qty, price, 0, "taker")


def through(*reports: OrderReport) -> tuple[Order, list[Fill]]:
    book, fills = Orders(), []
    book.add(order())
    for each in reports:
        step = book.take(each)
        if step.fill is not None:
            fills.append(step.fill)
    found = book.get("tp-r-1-0")
    assert found is not None
    return found, fills


def test_the_usual_way() -> None:
    found, fills = through(
        report("submitting"),
        report("accepted", broker_id="b"),
        report(fill=fill(4, 100)),
        report(fill=fill(6, 105, "f2")),
    )
    assert (found.state, found.n, found.filled, found.average, found.broker_id) == ("filled", 5, 10, 103, "b")
    assert [f.qty for f in fills] == [4, 6]


@pytest.mark.parametrize(
    ("way", "end"),
    [
        (["refused"], "refused"),
        (["submitting", "rejected"], "rejected"),
        (["submitting", "unknown", "accepted", "cancelling", "cancelled"], "cancelled"),
        (["submitting", "unknown", "rejected"], "rejected"),
        (["submitting", "accepted", "expired"], "expired"),
        (["submitting", "accepted", "replaced"], "replaced"),
    ],
)
def test_ways_to_an_end(way: list[str], end: str) -> None:
    found, _ = through(*map(report, way))
    assert (found.state, found.n, found.done) == (end, len(way) + 1, True)


def test_a_fill_is_taken_after_a_cancel_that_it_raced() -> None:
    found, fills = through(report("submitting"), report("accepted"), report("cancelled"), report(fill=fill(3, 100)))
    assert (found.state, found.filled, len(fills)) == ("cancelled", 3, 1)
    found, _ = through(report("submitting"), report("cancelled"), report(fill=fill(10, 100)))
    assert found.state == "filled"


def test_a_fill_that_is_told_twice_is_booked_once() -> None:
    once = report("partially_filled", fill=fill(4, 100), filled=4)
    found, fills = through(report("submitting"), report("accepted"), once, once)
    assert (found.filled, found.n, len(fills)) == (4, 4, 1)


def test_where_the_broker_names_no_fill_the_difference_is_one() -> None:
    found, fills = through(
        report("submitting"),
        report("accepted"),
        report("partially_filled", filled=4, paid=400),
        report("filled", filled=10, paid=1015),
    )
    assert [(f.qty, f.price) for f in fills] == [(4, 100), (6, Fraction(615, 6))]
    assert (found.state, found.average) == ("filled", Fraction(1015, 10))


def test_a_report_out_of_order_changes_nothing() -> None:
    done = report("filled", filled=10, paid=1000)
    late = report("partially_filled", filled=4, paid=400)
    found, fills = through(report("submitting"), report("accepted"), done, late, report("accepted"))
    assert (found.state, found.n, len(fills)) == ("filled", 4, 1)


def test_an_event_that_does_not_fit_is_a_row_with_the_state_as_it_was() -> None:
    found, _ = through(report("submitting"), report("accepted"), report("cancelled"), report("expired", reason="late"))
    assert (found.state, found.n, found.reason) == ("cancelled", 5, "reported expired while cancelled: late")
    found, fills = through(report("submitting"), report("accepted"), report("filled", filled=5))
    assert (found.state, fills) == ("accepted", [])
    assert "no price" in found.reason


def test_an_order_that_was_rejected_and_is_there_after_all_is_open_again() -> None:
    book = Orders()
    book.add(order())
    for each in (report("submitting"), report("unknown"), report("rejected"), report("accepted")):
        book.take(each)
    assert [one.state for one in book] == ["accepted"]
    found, _ = through(report("submitting"), report("rejected"), report(fill=fill(3, 100)), report("accepted"))
    assert (found.state, found.filled) == ("partially_filled", 3)


def test_a_cancel_may_be_refused_and_what_was_said_before_it_does_not_undo_it() -> None:
    cancelling = (report("submitting"), report("cancelling"))
    found, _ = through(*cancelling, report("accepted"))
    assert (found.state, found.n) == ("cancelling", 3)
    found, _ = through(*cancelling, report("accepted", reason="the market is closed"))
    assert (found.state, found.reason) == ("accepted", "the market is closed")
    found, _ = through(*cancelling, report(fill=fill(3, 100)), report("accepted", reason="no"))
    assert found.state == "partially_filled"
    found, _ = through(*cancelling, report("rejected", reason="no such symbol"))
    assert (found.state, found.done) == ("rejected", True)


def test_more_than_was_ordered_is_booked_and_said() -> None:
    found, _ = through(report("submitting"), report("accepted"), report(fill=fill(12, 100)))
    assert (found.state, found.filled) == ("filled", 12)
    assert "more than was ordered" in found.reason


def test_ids_are_made_of_run_cause_and_count_and_are_used_once() -> None:
    assert order_id("a" * 16, 2**63 - 1, 35) == f"tp-{'a' * 16}-1y2p0ij32e8e7-z"
    with pytest.raises(PlantError, match="36"):
        order_id("a" * 16, 2**63 - 1, 36**2)
    for run in ("", "A", "x" * 17, "a_b"):
        with pytest.raises(PlantError, match="run id"):
            order_id(run, 1, 0)
    book = Orders()
    book.add(order())
    with pytest.raises(PlantError, match="never used twice"):
        book.add(order())
    with pytest.raises(PlantError, match="no order"):
        book.take(report()._replace(order_id="other"))


TOLD = st.builds(
    report,
    st.sampled_from(["", *State]),
    fill=st.none() | st.builds(fill, st.integers(1, 10), st.integers(90, 110), st.sampled_from(["f1", "f2", "f3"])),
    filled=st.none() | st.integers(0, 12),
    paid=st.none() | st.integers(0, 1300),
)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(TOLD, max_size=12))
def test_whatever_a_broker_says_filled_is_the_sum_of_the_fills_and_final_is_final(told: list[OrderReport]) -> None:
    book, fills, before = Orders(), [], order()
    book.add(before)
    for each in told:
        step = book.take(each)
        fills += [step.fill] if step.fill else []
        now = book.get(before.order_id)
        assert now is not None
        assert now.filled == sum(f.qty for f in fills)
        assert now.paid == sum(f.qty * f.price for f in fills)
        assert now.n == before.n + (step.order is not None)
        if before.state in FINAL and now.state != before.state:
            adopted = (before.state, each.state) == (State.REJECTED, State.ACCEPTED)
            assert adopted or now.state is State.FILLED, "only a fill that raced, or what was found after all"
        assert (now.order_id in {o.order_id for o in book}) is not now.done
        before = now


def test_transition_is_pure() -> None:
    one = order()
    assert transition(one, report("submitting")) == transition(one, report("submitting"))
    assert one.state is State.CREATED
