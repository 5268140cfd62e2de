"""Pairs at a broker: sent as one and once, asked for and given up as both, the stop known without an id of ours."""

from typing import Any

import pytest

from trading.brokers.broker import Absent, Denied, Execution, Known, Limited, Reference, Surveyed, Unclear, Up
from trading.brokers.desk.desk import Desk, Survey
from trading.brokers.desk.register import HOLD_S
from trading.brokers.desk.ticket import Find, Submit, Withdraw
from trading.events import OrderReport, Side
from trading.orders import Kind, Order, State, transition

STOP, TARGET = "tp-r-1-0", "tp-r-1-1"


def exit_order(name: str, **given: Any) -> Order:
    stop = name == STOP
    kind = {"kind": Kind.STOP, "stop_price": 90} if stop else {"kind": Kind.LIMIT, "limit_price": 110}
    names = {"sym": "A", "run": "r", "strategy": "s", "account": "a", "parent": "tp-r-0-0", "oco": STOP}
    fields = {**names, "side": Side.SELL, "qty": 10, "state": State.SUBMITTING, **kind, **given}
    return Order(order_id=name, pair=TARGET if stop else STOP, **fields)


class Books:
    def __init__(self) -> None:
        self.orders = {name: exit_order(name) for name in (STOP, TARGET)}
        self.lots = {"A": 10}

    def order(self, name: str) -> Order | None:
        return self.orders.get(name)

    def positions(self) -> dict[str, int]:
        return self.lots

    def cash(self) -> None:
        return None

    def book(self, out: list[Any]) -> None:
        for one in out:
            if isinstance(one, OrderReport):
                order = self.orders[one.order_id]
                self.orders[one.order_id] = transition(order, one).order or order


def known(name: str = TARGET, broker_id: str = "b1", state: State = State.ACCEPTED, **given: Any) -> Known:
    return Known(order_id=name, broker_id=broker_id, sym="A", state=state, **{"filled": 0, **given})


def leg(state: State = State.ACCEPTED, **given: Any) -> Known:
    return known("", "b2", state, **given)


def ready(now: float = 0.0, pairs: bool = True) -> tuple[Desk, Books]:
    books = Books()
    desk = Desk(books, 0, pairs=pairs)
    desk.hear(Up(), now)
    (survey,) = [one for one in desk.tick(now) if isinstance(one, Survey)]
    desk.answered(survey, Surveyed(positions={"A": 10}), now)
    desk.tick(now)
    assert desk.ready
    return desk, books


def sent() -> tuple[Desk, Books, Submit]:
    desk, books = ready()
    assert desk.place(books.orders[STOP], 1.0) == []
    (submit,) = desk.place(books.orders[TARGET], 1.0)
    assert isinstance(submit, Submit)
    return desk, books, submit


def placed() -> tuple[Desk, Books]:
    desk, books, submit = sent()
    out = desk.answered(submit, [known(), leg(leg_of=TARGET)], 1.1)
    assert told(out) == [(TARGET, "accepted"), (STOP, "accepted")]
    books.book(out)
    return desk, books


def told(out: list[Any]) -> list[tuple[str, str]]:
    return [(one.order_id, one.state) for one in out if isinstance(one, OrderReport)]


def test_a_pair_is_one_request_and_goes_out_once_both_are_here() -> None:
    desk, books, submit = sent()
    assert submit == Submit(books.orders[TARGET], books.orders[STOP])
    assert desk.tick(2.0) == []
    assert desk.place(books.orders[STOP], 2.0) == desk.place(books.orders[TARGET], 2.0) == []


def test_one_whose_other_never_comes_is_not_sent() -> None:
    desk, books = ready()
    desk.place(books.orders[STOP], 1.0)
    assert desk.tick(HOLD_S) == []
    (report,) = desk.tick(1.0 + HOLD_S)
    assert isinstance(report, OrderReport)
    assert (report.state, report.reason) == (
        "rejected",
        f"not sent for 15 s: {TARGET}, the other of its pair, was not to be sent",
    )
    assert desk.place(books.orders[TARGET], 17.0) == [], "and then the other is not sent alone"


def test_a_broker_without_pairs_is_sent_two_orders() -> None:
    desk, books = ready(pairs=False)
    assert desk.place(books.orders[STOP], 1.0) == [Submit(books.orders[STOP])]
    assert desk.place(books.orders[TARGET], 1.0) == [Submit(books.orders[TARGET])]


@pytest.mark.parametrize("error", [Denied("no"), Limited("too many", 5)])
def test_what_the_broker_refuses_is_rejected_as_both(error: Denied) -> None:
    desk, _, submit = sent()
    assert told(desk.answered(submit, error, 2.0)) == [(TARGET, "rejected"), (STOP, "rejected")]


def test_without_an_answer_both_are_unknown_and_found_by_the_id_that_we_chose() -> None:
    desk, _, submit = sent()
    assert told(desk.answered(submit, Unclear("cut"), 2.0)) == [(TARGET, "unknown"), (STOP, "unknown")]
    finds = desk.tick(3.0)
    assert {one.reference for one in finds if isinstance(one, Find)} == {
        Reference(TARGET, "A"),
        Reference(STOP, "A", "", TARGET),
    }
    out = [one for find in finds for one in desk.answered(find, known() if find.reference.leg_of == "" else leg(), 3.1)]  # type: ignore[union-attr]
    assert sorted(told(out)) == [(STOP, "accepted"), (TARGET, "accepted")]
    assert desk.cancel(STOP, 4.0) == [Withdraw(Reference(STOP, "A", "b2", TARGET))]


def test_what_is_not_there_after_15_s_is_rejected_as_both() -> None:
    desk, _, submit = sent()
    desk.answered(submit, Unclear("cut"), 2.0)
    ended: list[tuple[str, str]] = []
    for moment in (3.0, 4.0, 6.0, 10.0, 17.0):
        for find in desk.tick(moment):
            if isinstance(find, Find):
                ended += told(desk.answered(find, Absent("no such order"), moment))
        assert bool(ended) == (moment == 17.0)
    assert sorted(ended) == [(STOP, "rejected"), (TARGET, "rejected")]


def test_a_stop_that_the_answer_does_not_name_is_asked_for() -> None:
    desk, _, submit = sent()
    assert told(desk.answered(submit, [known()], 2.0)) == [(TARGET, "accepted"), (STOP, "unknown")]
    (find,) = [one for one in desk.tick(3.0) if isinstance(one, Find)]
    assert find.reference == Reference(STOP, "A", "", TARGET)


def test_a_fill_of_the_stop_that_was_told_before_its_id_is_booked_with_it() -> None:
    desk, _, submit = sent()
    fill = Execution("x1", "", "b2", "A", Side.SELL, 10, 90, 10, 7)
    assert desk.hear(leg(State.FILLED, filled=10, executions=(fill,)), 1.5) == []
    out = desk.answered(submit, [known(), leg(leg_of=TARGET)], 2.0)
    assert [one.fill.order_id for one in out if isinstance(one, OrderReport) and one.fill] == [STOP]


def test_a_strangers_order_is_no_order_of_ours() -> None:
    desk, _ = placed()
    assert desk.hear(known("", "b9", State.FILLED, filled=3), 2.0) == []


def test_the_other_says_why_it_is_over() -> None:
    desk, books = placed()
    books.book(desk.hear(known(state=State.FILLED, filled=10, paid=1100), 2.0))
    (over,) = desk.hear(leg(State.CANCELLED), 2.1)
    why = f"{TARGET}, the other of its pair, was filled"
    assert (over.order_id, over.state, over.reason) == (STOP, "cancelled", why)
    desk, books = placed()
    assert desk.cancel(TARGET, 2.0) == [Withdraw(Reference(TARGET, "A", "b1"))]
    (over,) = desk.hear(leg(State.CANCELLED), 2.1)
    why = f"{TARGET}, the other of its pair, was cancelled: the broker has them as one"
    assert (over.order_id, over.state, over.reason) == (STOP, "cancelled", why)


def test_one_that_was_not_sent_is_cancelled_with_its_other() -> None:
    books = Books()
    desk = Desk(books, 0, pairs=True)
    for name in (STOP, TARGET):
        desk.place(books.orders[name], 0.0)
    assert told(desk.cancel(TARGET, 1.0)) == [(TARGET, "cancelled"), (STOP, "cancelled")]


def test_a_stop_that_the_broker_made_smaller_is_filled_with_what_is_left() -> None:
    desk, books = placed()
    sold = Execution("x1", TARGET, "b1", "A", Side.SELL, 6, 110, 6, 7)
    books.book(desk.hear(known(filled=6, executions=(sold,)), 2.0))
    assert books.orders[TARGET].state is State.PARTIALLY_FILLED
    books.book(desk.hear(leg(qty=4), 2.1))
    assert (books.orders[STOP].qty, books.orders[STOP].reason) == (4, "the broker made it 4 lots of 10")
    assert desk.hear(leg(qty=10), 2.2) == [], "told before, and late"
    rest = Execution("x2", "", "b2", "A", Side.SELL, 4, 90, 4, 8)
    books.book(desk.hear(leg(State.FILLED, filled=4, qty=4, executions=(rest,)), 3.0))
    books.book(desk.hear(known(state=State.CANCELLED, filled=6), 3.1))
    assert [(one.state, one.filled) for one in books.orders.values()] == [("filled", 4), ("cancelled", 6)]


def test_a_stop_that_is_made_as_small_as_it_is_filled_is_filled() -> None:
    order = exit_order(STOP, state=State.PARTIALLY_FILLED, filled=4, paid=360)
    step = transition(order, OrderReport("A", 0, 0, 0, 0, STOP, "", qty=4))
    assert step.order is not None
    assert (step.order.state, step.order.qty) == ("filled", 4)


def test_a_stop_that_was_replaced_at_the_broker_is_asked_for_and_goes_on() -> None:
    desk, books = placed()
    (find,) = desk.hear(leg(State.REPLACED), 2.0)
    assert find == Find(Reference(STOP, "A", "b2", TARGET))
    assert desk.answered(find, known("", "b3"), 2.1) == []
    fill = Execution("x1", "", "b3", "A", Side.SELL, 10, 90, 10, 7)
    books.book(desk.hear(known("", "b3", State.FILLED, filled=10, executions=(fill,)), 3.0))
    assert books.orders[STOP].state is State.FILLED
    desk, books = placed()
    (find,) = desk.hear(leg(State.REPLACED), 2.0)
    books.book(desk.answered(find, leg(State.REPLACED), 2.1))
    assert books.orders[STOP].state is State.REPLACED, "nothing goes on in its place"


def test_open_orders_tell_the_stop_with_its_target_and_nothing_is_an_orphan() -> None:
    desk, _ = placed()
    (survey,) = [one for one in desk.tick(60.0) if isinstance(one, Survey)]
    listed = Surveyed((known(), leg(leg_of=TARGET)), positions={"A": 10})
    assert desk.answered(survey, listed, 60.1) == []
    (survey,) = [one for one in desk.tick(121.0) if isinstance(one, Survey)]
    out = desk.answered(survey, Surveyed(positions={"A": 10}), 121.1)
    assert {one.reference.order_id for one in out if isinstance(one, Find)} == {STOP, TARGET}
