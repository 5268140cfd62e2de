"""One order's ways: sent once, found, rejected, cancelled, filled late."""

import doctest
import importlib

import pytest

from trading.brokers.broker import Denied, Duplicate, Execution, Known, Limited, Unclear
from trading.brokers.desk.reconciliation import Finding, What
from trading.brokers.desk.ticket import GRACE_S, Fetch, Find, Phase, Submit, Ticket, Withdraw
from trading.events import OrderReport, Side
from trading.orders import Kind, Order, State


def ticket(state: State = State.SUBMITTING, **given: object) -> Ticket:
    names = {"order_id": "tp-r-1-0", "sym": "A", "run": "r", "strategy": "s", "account": "a"}
    order = Order(**names, side=Side.BUY, kind=Kind.MARKET, qty=5, state=state, **given)  # type: ignore[arg-type]
    return Ticket(order, 0.0)


def known(state: State = State.ACCEPTED, filled: int = 0, **given: object) -> Known:
    return Known(order_id="tp-r-1-0", broker_id="b", sym="A", state=state, filled=filled, **given)  # type: ignore[arg-type]


def execution(qty: int, cumulative: int) -> Execution:
    return Execution(f"x{cumulative}", "tp-r-1-0", "b", "A", Side.BUY, qty, 100, cumulative, 7)


def states(out: list[object]) -> list[str]:
    return [one.state for one in out if isinstance(one, OrderReport)]


def test_it_is_sent_once() -> None:
    one = ticket()
    assert one.submit(0.0) == [Submit(one.order)]
    assert one.submit(1.0) == []
    one.failed(Unclear("no answer"), 1.0)
    assert one.submit(2.0) == []


@pytest.mark.parametrize("error", [Denied("no"), Limited("too many", 5)])
def test_what_is_refused_is_rejected(error: Denied) -> None:
    one = ticket()
    one.submit(0.0)
    assert states(one.failed(error, 1.0)) == ["rejected"]
    assert one.phase is Phase.DONE


def test_a_duplicate_is_asked_for_at_once_and_found() -> None:
    one = ticket()
    one.submit(0.0)
    out = one.failed(Duplicate("must be unique"), 1.0)
    assert states(out) == ["unknown"]
    assert out[-1] == Find(one.reference)
    assert states(one.found(known(), 1.2)) == ["accepted"]


def test_no_answer_is_no_matter_if_the_order_socket_told_of_it() -> None:
    one = ticket()
    one.submit(0.0)
    assert states(one.hear(known(), 0.5)) == ["accepted"]
    assert one.failed(Unclear("no answer"), 1.0) == []
    assert one.tick(100.0) == []


def test_one_that_turns_up_after_it_was_given_up_is_adopted() -> None:
    one = ticket()
    one.submit(0.0)
    one.failed(Unclear("no answer"), 0.0)
    one.tick(15.0)
    assert states(one.absent(15.1)) == ["rejected"]
    out = one.hear(known(), 20.0)
    assert [type(each) for each in out] == [Finding, OrderReport]
    assert (out[0].what, states(out)) == (What.ADOPTED, ["accepted"])  # type: ignore[union-attr]
    assert one.phase is Phase.LIVE


def test_a_message_that_was_long_under_way_does_not_open_a_done_order() -> None:
    one = ticket()
    one.submit(0.0)
    one.hear(known(), 0.1)
    one.hear(known(State.CANCELLED), 1.0)
    assert one.hear(known(), 2.0) == []
    assert one.phase is Phase.DONE


def test_an_answer_that_was_asked_for_before_the_end_does_not_open_a_done_order() -> None:
    one = ticket()
    one.submit(0.0)
    one.failed(Unclear("no answer"), 0.0)
    assert one.tick(1.0) == [Find(one.reference)]
    one.hear(known(), 1.1)
    one.hear(known(State.CANCELLED), 1.2)
    assert one.found(known(), 1.3) == []
    assert one.phase is Phase.DONE


def test_the_end_is_told_after_the_fills_before_it_or_when_they_were_fetched() -> None:
    one = ticket()
    one.submit(0.0)
    one.hear(known(), 0.1)
    assert states(one.hear(known(State.CANCELLED, 2, paid=200), 1.0)) == []
    assert one.settling
    assert one.tick(1.0 + GRACE_S) == [Fetch(one.reference)]
    out = one.fetched([execution(2, 2)], 2.1)
    assert [(each.state, each.filled) for each in out if isinstance(each, OrderReport)] == [
        ("", 2),
        ("cancelled", None),
    ]


def test_executions_that_the_broker_never_lists_are_booked_at_the_average_after_three_answers() -> None:
    one = ticket()
    one.submit(0.0)
    one.hear(known(State.FILLED, 5, paid=512), 1.0)
    now, out = 1.0, []
    for _ in range(3):
        while not (asked := one.tick(now)):
            now += 0.5
        assert asked == [Fetch(one.reference)]
        assert out == []
        out = one.fetched(Unclear("lost"), now)
        while not one.tick(now):
            now += 0.5
        out = one.fetched([], now)
    first, last = out
    assert isinstance(first, OrderReport)
    assert (first.filled, first.paid, first.fill) == (5, 512, None)
    assert isinstance(last, OrderReport)
    assert last.state == "filled"


def test_a_cancel_of_an_order_that_is_on_its_way_waits_until_it_is_there() -> None:
    one = ticket()
    one.submit(0.0)
    assert one.withdraw(0.1) == []
    assert one.hear(known(), 0.2)[-1] == Withdraw(one.reference._replace(broker_id="b"))


def test_a_cancel_is_asked_for_again_while_the_broker_has_the_order_open() -> None:
    one = ticket()
    one.submit(0.0)
    one.hear(known(), 0.1)
    assert one.withdraw(1.0) == [Withdraw(one.reference)]
    assert one.withdrawn(Unclear("no answer"), 2.0) == [Find(one.reference)]
    assert one.found(known(cancelling=True), 2.5) == []
    assert one.tick(4.0) == [Find(one.reference)]
    assert one.found(known(), 4.5) == [Withdraw(one.reference)]
    one.withdrawn(None, 5.0)
    assert one.phase is Phase.LIVE, "the broker has not said so"
    assert states(one.hear(known(State.CANCELLED), 6.0)) == ["cancelled"]
    assert one.tick(1000.0) == []


@pytest.mark.parametrize(
    ("state", "phase", "told"),
    [
        (State.SUBMITTING, Phase.UNKNOWN, ["unknown"]),
        (State.UNKNOWN, Phase.UNKNOWN, []),
        (State.ACCEPTED, Phase.LIVE, []),
        (State.CANCELLING, Phase.UNKNOWN, ["unknown"]),
        (State.FILLED, Phase.DONE, []),
    ],
)
def test_after_a_restart_an_order_goes_on_from_where_the_journal_has_it(
    state: State, phase: Phase, told: list[str]
) -> None:
    one, out = Ticket.resumed(ticket(state).order, 0.0)
    assert (one.phase, states(out)) == (phase, told)
    assert not any(isinstance(each, Submit) for each in [*out, *one.submit(1.0), *one.tick(1.0)])
    assert not any(isinstance(each, Withdraw) for each in out), "there is nothing to name to the broker"


def test_after_a_restart_an_order_that_the_broker_has_named_is_withdrawn_at_once() -> None:
    one, out = Ticket.resumed(ticket(State.CANCELLING, broker_id="b").order, 0.0)
    assert (one.phase, out) == (Phase.LIVE, [Withdraw(one.reference)])


def test_after_a_restart_one_that_may_not_have_been_sent_is_withdrawn_as_soon_as_it_is_found() -> None:
    one, _ = Ticket.resumed(ticket(State.CANCELLING).order, 0.0)
    assert one.settling
    assert one.tick(1.0) == [Find(one.reference)]
    assert any(isinstance(each, Withdraw) for each in one.found(known(), 1.5))


@pytest.mark.parametrize(
    "name",
    [
        "decimals",
        "desk.fill_book",
        "desk.reconciliation",
        "clock_offset",
        "alpaca",
        "alpaca_messages",
        "binance_messages",
    ],
)
def test_the_examples_in_docstrings(name: str) -> None:
    ran = doctest.testmod(importlib.import_module(f"trading.brokers.{name}"))
    assert ran.attempted > 0
    assert ran.failed == 0
