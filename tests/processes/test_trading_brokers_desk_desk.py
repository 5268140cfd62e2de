"""The desk of an account: what goes out when, and that books and broker agree whatever lies between them."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import chance
from broker_model import World
from chance import cases

from trading.brokers.broker import Absent, Denied, Down, Execution, Known, Surveyed, Unclear, Up
from trading.brokers.desk.desk import Desk, Survey
from trading.brokers.desk.recall import MARGIN_NS, RECALL_NS, Recall
from trading.brokers.desk.reconciliation import Finding, What
from trading.brokers.desk.register import HOLD_S
from trading.brokers.desk.ticket import Find, Submit, Withdraw
from trading.events import OrderReport, Side
from trading.orders import FINAL, Kind, Order, State


class Books:
    """Of which a test says what they have."""

    def __init__(self) -> None:
        self.lots: dict[str, int] = {}
        self.money: int | None = None
        self.orders: dict[str, Order] = {}

    def order(self, order_id: str) -> Order | None:
        return self.orders.get(order_id)

    def positions(self) -> dict[str, int]:
        return self.lots

    def cash(self) -> int | None:
        return self.money


def ordered(name: str = "tp-r-1-0", **fields: object) -> Order:
    given = {"qty": 5, "side": Side.BUY, "kind": Kind.MARKET, "state": State.SUBMITTING, **fields}
    return Order(order_id=name, sym="A", run="r", strategy="s", account="a", **given)  # type: ignore[arg-type]


def known(name: str = "tp-r-1-0", state: State = State.ACCEPTED, filled: int = 0) -> Known:
    return Known(order_id=name, broker_id="b1", sym="A", state=state, filled=filled)


def surveyed(desk: Desk, result: object, now: float) -> list[object]:
    """Answer the survey that is due at `now`, and compare."""
    (survey,) = [one for one in desk.tick(now) if isinstance(one, Survey)]
    return [*desk.answered(survey, result, now), *desk.tick(now)]


def ready(books: Books | None = None, now: float = 0.0) -> Desk:
    desk = Desk(books or Books(), 0)
    desk.hear(Up(), now)
    surveyed(desk, Surveyed(positions=dict(desk._books.positions())), now)
    assert desk.ready
    return desk


def test_an_order_is_held_until_the_account_is_reconciled_and_sent_once() -> None:
    desk = Desk(Books(), 0)
    assert desk.place(ordered(), 0.0) == []
    desk.hear(Up(), 1.0)
    (survey,) = desk.tick(1.0)
    assert desk.tick(1.5) == []
    desk.answered(survey, Surveyed(), 2.0)
    assert desk.tick(2.0) == [Submit(ordered())]
    assert desk.tick(3.0) == []
    assert desk.place(ordered(), 3.0) == []


def test_an_order_that_could_not_be_sent_is_rejected_and_never_sent() -> None:
    desk = Desk(Books(), 0)
    desk.place(ordered(), 0.0)
    (report,) = desk.tick(HOLD_S)
    assert isinstance(report, OrderReport)
    assert (report.state, report.reason) == (
        "rejected",
        "not sent for 15 s: the order socket is down: not connected yet",
    )
    desk.hear(Up(), HOLD_S + 1)
    assert not any(isinstance(one, Submit) for one in surveyed(desk, Surveyed(), HOLD_S + 1))


def test_no_order_is_sent_while_the_socket_is_down_but_a_cancel_is() -> None:
    desk = ready()
    desk.place(ordered(), 1.0)
    desk.answered(Submit(ordered()), known(), 1.0)
    desk.hear(Down("cut"), 2.0)
    assert desk.place(ordered("tp-r-2-0"), 2.0) == []
    assert desk.cancel("tp-r-1-0", 2.0) == [Withdraw(known().reference)]


def test_a_survey_of_an_earlier_connection_makes_nothing_ready() -> None:
    desk = Desk(Books(), 0)
    desk.hear(Up(), 0.0)
    (survey,) = desk.tick(0.0)
    desk.hear(Down(), 1.0)
    desk.hear(Up(), 2.0)
    desk.answered(survey, Surveyed(), 3.0)
    desk.tick(3.0)
    assert not desk.ready


def test_a_survey_that_fails_is_made_again_and_then_every_reconcile_s() -> None:
    desk = Desk(Books(), 0, reconcile_s=60)
    desk.hear(Up(), 0.0)
    (survey,) = desk.tick(0.0)
    desk.answered(survey, Unclear("no answer"), 1.0)
    assert desk.tick(2.9) == []
    surveyed(desk, Surveyed(), 3.0)
    assert desk.ready
    assert desk.tick(62.9) == []
    assert isinstance(desk.tick(63.0)[0], Survey)


def test_a_survey_during_which_a_fill_was_booked_confirms_no_difference() -> None:
    books = Books()
    desk = ready(books)
    assert surveyed(desk, Surveyed(positions={"A": 2}), 60.0) == [], "a first difference by 2"
    (survey,) = [one for one in desk.tick(62.0) if isinstance(one, Survey)]
    books.lots = {"A": -2}  # what is listed was so before this fill
    desk.answered(survey, Surveyed(), 62.5)
    assert desk.tick(62.5) == [], "differs by 2 again, and by another fill"
    assert desk.ready
    assert surveyed(desk, Surveyed(positions={"A": -2}), 66.5) == []


def test_many_orders_of_unknown_fate_are_one_question_and_what_the_list_lacks_is_asked_for_by_its_id() -> None:
    desk = Desk(Books(), 0, together=3)
    made = 10**18
    orders = [ordered(f"tp-r-{n}-0", made_at=made + n) for n in range(5)]
    told = desk.resume(orders, 0.0)
    assert [one.state for one in told if isinstance(one, OrderReport)] == ["unknown"] * 5
    desk.hear(Up(), 0.0)
    (survey,) = desk.tick(0.0)
    fills = tuple(Execution(f"x{n}", "", f"b{n}", "A", Side.BUY, 5, 100, 5, made) for n in range(3))
    desk.answered(survey, Surveyed(executions=fills), 0.5)
    (recall,) = desk.tick(1.0)
    assert recall == Recall(made - MARGIN_NS, tuple(ticket.reference for ticket in desk._register))
    listed = [replace(known(f"tp-r-{n}-0", State.FILLED, 5), broker_id=f"b{n}") for n in range(3)]
    out = desk.answered(recall, [*listed, known("tp-r-9-0")], 1.1)
    filled = [one.order_id for one in out if isinstance(one, OrderReport) and one.fill is not None]
    assert filled == ["tp-r-0-0", "tp-r-1-0", "tp-r-2-0"], "what was listed before its order was known is booked"
    assert all(isinstance(one, OrderReport) for one in out)
    few = [one.reference.order_id for one in desk.tick(2.0) if isinstance(one, Find)]
    assert few == ["tp-r-3-0", "tp-r-4-0"], "so few are asked for one by one"


def test_no_order_is_absent_because_a_list_lacks_it() -> None:
    desk = Desk(Books(), 0, together=3)
    desk.resume([ordered(f"tp-r-{n}-0", made_at=10**18) for n in range(4)], 0.0)
    for now in (1.0, 2.0, 4.0, 8.0):
        (recall,) = desk.tick(now)
        assert isinstance(recall, Recall)
        assert desk.answered(recall, [] if now < 8 else Unclear("no answer"), now) == []
    (recall,) = desk.tick(15.0)
    finds = desk.answered(recall, [], 15.1)
    assert [type(one) for one in finds] == [Find] * 4
    out = [told for find in finds for told in desk.answered(find, Absent("no such order"), 15.2)]
    assert [one.state for one in out if isinstance(one, OrderReport)] == ["rejected"] * 4


def test_an_order_of_another_day_does_not_make_a_list_long() -> None:
    desk = Desk(Books(), 0, together=2)
    made = 10**18
    old, *new = (ordered(f"tp-r-{n}-0", made_at=made - RECALL_NS * (n == 0)) for n in range(3))
    desk.resume([old, *new], 0.0)
    find, recall = desk.tick(1.0)
    assert (find.reference.order_id, recall.since, len(recall.references)) == (old.order_id, made - MARGIN_NS, 2)


def test_an_order_of_ours_that_the_journal_lacks_is_cancelled_and_a_strangers_left_alone() -> None:
    desk = Desk(Books(), 0)
    desk.hear(Up(), 0.0)
    out = surveyed(desk, Surveyed((known("tp-x-9-0"), known("mine-by-hand"))), 0.0)
    assert [one for one in out if isinstance(one, Withdraw)] == [Withdraw(known("tp-x-9-0").reference)]
    assert [one.what for one in out if isinstance(one, Finding)] == [What.ORPHAN]
    again = surveyed(desk, Surveyed((known("tp-x-9-0"),)), 60.0)
    assert [type(one) for one in again] == [Withdraw], "asked for again, told once"


def test_a_position_that_differs_is_told_when_it_differs_twice_and_halts() -> None:
    books = Books()
    books.lots = {"A": 5}
    desk = Desk(books, 0)
    desk.hear(Up(), 0.0)
    assert surveyed(desk, Surveyed(positions={"A": 3}), 0.0) == []
    assert not desk.ready, "no order before it is certain"
    (found,) = surveyed(desk, Surveyed(positions={"A": 3}), 2.0)
    assert isinstance(found, Finding)
    assert (found.what, found.sym, found.ours, found.theirs, found.halts) == (What.POSITION, "A", 5, 3, True)
    assert surveyed(desk, Surveyed(positions={"A": 3}), 62.0) == [], "told once"


def test_a_position_that_differed_for_a_moment_is_not_told() -> None:
    books = Books()
    desk = Desk(books, 0)
    desk.hear(Up(), 0.0)
    surveyed(desk, Surveyed(positions={"A": 3}), 0.0)
    books.lots = {"A": 3}
    assert surveyed(desk, Surveyed(positions={"A": 3}), 2.0) == []
    assert desk.ready


def test_cash_that_differs_is_told_and_does_not_halt() -> None:
    books = Books()
    books.money = 10**10
    desk = Desk(books, 0)
    desk.hear(Up(), 0.0)
    surveyed(desk, Surveyed(cash=12 * 10**9), 0.0)
    (found,) = surveyed(desk, Surveyed(cash=12 * 10**9), 2.0)
    assert isinstance(found, Finding)
    assert (found.what, found.ours, found.theirs, found.halts) == (What.CASH, 10**10, 12 * 10**9, False)
    assert desk.ready


def test_what_is_refused_is_rejected_with_the_brokers_words() -> None:
    desk = ready()
    desk.place(ordered(), 1.0)
    (report,) = desk.answered(Submit(ordered()), Denied("insufficient buying power"), 1.0)
    assert isinstance(report, OrderReport)
    assert (report.state, report.reason) == ("rejected", "insufficient buying power")


def test_a_done_order_is_found_again_in_the_books_for_a_fill_that_was_long_under_way() -> None:
    books = Books()
    books.orders["tp-r-1-0"] = ordered(state=State.CANCELLED, filled=2, paid=200)
    desk = ready(books)
    late = Execution("x", "tp-r-1-0", "b1", "A", Side.BUY, 1, 101, 3, 7)
    told = Known(order_id="tp-r-1-0", broker_id="b1", sym="A", state=State.ACCEPTED, filled=3, executions=(late,))
    (report,) = desk.hear(told, 5.0)
    assert isinstance(report, OrderReport)
    assert report.fill is not None
    assert (report.filled, report.fill.qty, report.fill.price) == (3, 1, 101)


def test_fees_in_kind_are_no_halt_but_only_as_far_as_executions_told_of_them() -> None:
    books = Books()
    books.lots = {"A": 1000}
    books.orders["tp-r-1-0"] = ordered(state=State.FILLED, qty=1000, filled=1000, paid=1)
    desk = Desk(books, 0)
    desk.resume(books.orders.values(), 0.0)
    desk.hear(Up(), 0.0)
    bought = Execution("x", "tp-r-1-0", "b1", "A", Side.BUY, 1000, 1, 1000, 7, fee_lots=Fraction(3, 2))
    surveyed(desk, Surveyed((), (bought,), {"A": Fraction(1997, 2)}), 0.0)
    (found,) = surveyed(desk, Surveyed((), (bought,), {"A": Fraction(1997, 2)}), 2.0)
    assert isinstance(found, Finding)
    assert (found.what, found.theirs - found.ours, found.halts) == (What.FEE, -1, False)
    books.lots = {"A": 999}
    surveyed(desk, Surveyed((), (bought,), {"A": 996}), 62.0)
    (found,) = surveyed(desk, Surveyed((), (bought,), {"A": 996}), 64.0)
    assert isinstance(found, Finding)
    assert found.what is What.POSITION


@cases(few=25, soak=3000)
def test_books_and_broker_agree_after_any_faults(numbers: range) -> None:
    """No order twice at the broker, none lost, none sent while the socket is down, every fill once at its price."""
    seeds = [chance.SEED + number for number in numbers]
    print(f"seeds {seeds[0]} to {seeds[-1]}")
    total: Counter[str] = Counter()
    for seed in seeds:
        world = World(seed, together=2 * (seed % 2))
        world.run(120)
        world.calm()
        journal = world.journal
        at = f"seed {seed}"
        assert max(world.arrivals.values(), default=0) <= 1, at
        assert not world.sent_while_down, at
        assert not journal.findings, (at, journal.findings)
        for name, order in journal.all.items():
            held = world.held.get(name)
            assert order.done, (at, order)
            if held is None:
                assert order.state in (State.REJECTED, State.CANCELLED), (at, order)
                assert order.filled == 0, (at, order)
            else:
                assert held.state in FINAL, at
                ended = {held.state, State.CANCELLED} if held.state is State.REJECTED else {held.state}
                assert order.state in ended, (at, order, held)
                assert order.filled == held.filled, (at, order, held)
                assert order.paid == sum(qty * price for qty, price, _ in held.executions), (at, order, held)
        lots: Counter[str] = Counter()
        for held in world.held.values():
            lots[held.order.sym] += held.order.side.sign * held.filled
        assert lots == journal.lots, at
        total += Counter(orders=len(journal.all), arrived=len(world.held), restarts=world.restarts, drops=world.drops)
        total += Counter(recalls=world.recalls, pairs=world.paired)
    assert total["recalls"] > 0
    assert total["pairs"] > len(seeds)
    print(dict(total))
    assert total["restarts"] > len(seeds) / 2
    assert total["arrived"] > 5 * len(seeds)


def test_an_order_of_the_books_that_was_not_resumed_can_be_cancelled() -> None:
    books = Books()
    books.orders["tp-r-1-0"] = ordered(state=State.ACCEPTED, broker_id="b1")
    desk = ready(books)
    assert desk.cancel("tp-r-1-0", 1.0) == [Withdraw(known().reference)]
    assert desk.cancel("tp-r-9-0", 1.0) == []
