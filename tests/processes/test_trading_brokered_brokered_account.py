"""An account with a broker: journal before broker, a broker's word as rows, and nothing twice or lost whatever dies."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from broker_model import World
from brokered_model import BEGAN, SECOND, A, Model
from brokered_plant import BUSY
from chance import SEED, cases
from state_rows import through_the_plant

from plant.errors import SettingsError
from plant.state.newest import Row
from trading.brokered.brokered_account import AGAIN_NS, BrokeredAccount
from trading.brokers.desk.reconciliation import Finding, What
from trading.desk.rows import order_row
from trading.events import OrderReport, Side
from trading.live.catalogue import Catalogue
from trading.orders import FINAL, Kind, Order, State


class Scripted:
    """What is held of a broker: it notes what it is told, and tells what it is given."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.tells: list[Any] = []
        self.state, self.ready, self.pairs, self.polls = "ready", True, True, 0

    def resume(self, orders: Any) -> list[Any]:
        self.heard += [("resume", order.order_id, order.state) for order in orders]
        return []

    def place(self, order: Order) -> list[Any]:
        self.heard.append(("place", order.order_id, order.qty, order.state))
        return []

    def cancel(self, name: str) -> list[Any]:
        self.heard.append(("cancel", name))
        return []

    def poll(self) -> list[Any]:
        self.polls += 1
        told, self.tells = self.tells, []
        return told

    def close(self) -> None:
        self.heard.append("close")


class Desk:
    """An account before a scripted broker, and rows as the plant gives them back."""

    def __init__(self, hold: Any = None, stale_s: float = 60.0) -> None:
        self.held, self.published = Scripted(), list[tuple[str, Row]]()
        self.over: set[str] = set()
        self.seq, self.now = 100, BEGAN
        publish = lambda table, row: self.published.append((table, row))  # noqa: E731
        hold = hold or (lambda books, since: self.held)
        names = ("swing-1", "USD", 10**14, hold, lambda sym: A, publish, lambda run: stale_s)
        self.account = BrokeredAccount(*names, self.over.__contains__, lambda: self.now)

    def row(self, state: str, n: int = 2, name: str = "tp-r-1-0", **changes: Any) -> Row:
        names = {"order_id": name, "sym": "A", "run": "r", "strategy": "s", "account": "swing-1"}
        terms = {"side": Side.BUY, "kind": Kind.LIMIT, "qty": 5, "limit_price": 10_050, "made_at": BEGAN}
        return order_row(BEGAN, Order(**{**names, **terms, "n": n, "state": State(state), **changes}), A)

    def made(self, row: Row) -> Row:
        self.account.made("orders", row)
        return row

    def back(self, row: Row, table: str = "orders") -> None:
        self.seq += 1
        told = {"seq": self.seq, "seq_row": 0, "received": self.now}
        self.account.take(table, through_the_plant(table, row) | told)

    def step(self, ready: bool = True, told_seq: int | None = 10**9) -> None:
        self.account.step(ready, told_seq)


def test_an_order_goes_to_the_broker_once_its_row_came_back_and_not_before() -> None:
    desk = Desk()
    desk.step()
    row = desk.made(desk.row("submitting"))
    desk.step()
    assert desk.held.heard == []
    desk.back(row)
    desk.step()
    desk.back(row)
    desk.step()
    assert desk.held.heard == [("place", "tp-r-1-0", 5, "submitting")]
    cancel = desk.made(desk.row("cancelling", 3))
    desk.step()
    assert len(desk.held.heard) == 1
    desk.back(cancel)
    desk.step()
    assert desk.held.heard[1:] == [("cancel", "tp-r-1-0")]


def test_rows_of_an_earlier_life_are_asked_for_and_those_of_this_one_are_sent() -> None:
    desk = Desk()
    for name, state in (("tp-r-1-0", "submitting"), ("tp-r-2-0", "accepted"), ("tp-r-3-0", "filled")):
        desk.back(desk.row(state, name=name))
    desk.back(desk.row("filled", name="tp-r-0-0", made_at=BEGAN - 48 * 3600 * SECOND))
    mine = desk.made(desk.row("submitting", name="tp-r-4-0"))
    desk.step(ready=False)
    desk.back(mine)
    desk.step(ready=False)
    assert desk.held.heard == []
    desk.step()
    resumed = [
        ("resume", "tp-r-1-0", "submitting"),
        ("resume", "tp-r-2-0", "accepted"),
        ("resume", "tp-r-3-0", "filled"),
    ]
    assert desk.held.heard == [*resumed, ("place", "tp-r-4-0", 5, "submitting")]


def test_a_decision_that_is_too_old_is_not_sent_and_said_to_be_rejected() -> None:
    desk = Desk()
    desk.step()
    desk.now += 61 * SECOND
    desk.back(desk.made(desk.row("submitting")))
    desk.step()
    ((table, told),) = desk.published
    assert (table, told["state"]) == ("broker_reports", "rejected")
    assert told["reason"] == "not sent: it was decided 61 s ago, stale_s allows 60"
    desk.back(told, "broker_reports")
    desk.back(desk.made(desk.row("cancelling", 3)))
    desk.step()
    assert desk.held.heard == [], "there is nothing to cancel"
    fresh = Desk(stale_s=0.0)
    fresh.step()
    fresh.now += 3600 * SECOND
    fresh.back(fresh.made(fresh.row("submitting")))
    fresh.step()
    assert [one[0] for one in fresh.held.heard] == ["place"]


def test_the_broker_is_not_asked_on_before_what_it_said_was_taken() -> None:
    desk = Desk()
    desk.step()
    desk.held.tells = [OrderReport("A", 0, 0, 0, 0, "tp-r-1-0", "accepted"), Finding(What.ADOPTED, "A", "tp-r-1-0")]
    desk.step()
    polls = desk.held.polls
    (_, one), (_, two) = desk.published
    desk.back(one, "broker_reports")
    desk.step()
    desk.back(two, "broker_reports")
    desk.step(told_seq=desk.seq - 1)
    assert desk.held.polls == polls, "one row is not back, then the run has not taken the last"
    assert desk.account.trouble == ""
    desk.now += 11 * SECOND
    desk.step(told_seq=desk.seq - 1)
    assert desk.account.trouble == "account swing-1: what its broker said was not taken by its runs for 10 s"
    desk.step(told_seq=desk.seq)
    assert (desk.held.polls, desk.account.trouble) == (polls + 1, "")


def test_an_account_that_cannot_be_opened_says_why_and_sends_nothing() -> None:
    def hold(books: Any, since: int) -> Any:
        raise SettingsError("account 'swing-1' has no credentials")

    desk = Desk(hold)
    assert desk.account.trouble == "account swing-1: waits until its runs are made again"
    desk.step()
    desk.back(desk.made(desk.row("submitting")))
    desk.step()
    assert desk.account.trouble == "account swing-1: account 'swing-1' has no credentials"
    assert desk.published[0][1]["reason"] == "not sent: account 'swing-1' has no credentials"


def test_an_account_whose_keys_came_later_is_opened_without_a_restart() -> None:
    keys: list[str] = []

    def hold(books: Any, since: int) -> Any:
        if not keys:
            raise SettingsError("account 'swing-1' has no credentials")
        return desk.held

    desk = Desk(hold)
    desk.back(desk.row("accepted", name="tp-r-0-0"))
    desk.step()
    desk.back(desk.made(desk.row("submitting")))
    desk.step()
    assert [row["state"] for _, row in desk.published] == ["rejected"]
    desk.back(desk.published[0][1], "broker_reports")
    keys.append("here")
    desk.step()
    assert desk.account.trouble
    desk.now += AGAIN_NS
    desk.step()
    assert desk.account.trouble == ""
    assert desk.held.heard == [("resume", "tp-r-0-0", "accepted")], "and not what was said to be rejected"
    desk.back(desk.made(desk.row("submitting", name="tp-r-2-0", made_at=desk.now)))
    desk.step()
    assert desk.held.heard[1:] == [("place", "tp-r-2-0", 5, "submitting")]


def test_what_a_run_that_is_over_left_at_the_broker_is_cancelled() -> None:
    desk = Desk()
    desk.back(desk.row("accepted"))
    desk.step()
    assert desk.held.heard == [("resume", "tp-r-1-0", "accepted")]
    desk.over.add("r")
    desk.step()
    desk.step()
    assert desk.held.heard[1:] == [("cancel", "tp-r-1-0")]


def test_books_count_a_fill_once_and_what_a_reconciliation_moved() -> None:
    desk = Desk()
    fill = {
        "time": BEGAN,
        "sym": "A",
        "fill_id": "f1",
        "order_id": "o",
        "account": "swing-1",
        "side": "sell",
        "qty": 3.0,
        "price": 100.005,
        "commission": 1.5,
    }
    desk.account.made("fills", {**fill, "market_time": BEGAN + 5})
    desk.back({**fill, "market_time": BEGAN + 5}, "fills")
    assert (desk.account.books.positions(), desk.account.books.since) == ({"A": -3}, BEGAN + 5)
    assert desk.account.books.cash() == 10**14 + 300_015 * 10**5 - 15 * 10**7, "three at 100.005, less commission"
    desk.step()
    desk.held.tells = [Finding(What.POSITION, "A", "", -3, 4, "differs", True)]
    desk.step()
    desk.back(desk.published[-1][1], "broker_reports")
    assert desk.account.books.positions() == {"A": 4}
    before = desk.account.books.cash()
    desk.held.tells = [Finding(What.CASH, "", "", before, before - 7 * 10**6)]
    desk.step()
    told = desk.published[-1][1]
    desk.back(told, "broker_reports")
    assert (told["sym"], desk.account.books.cash()) == ("USD", before - 7 * 10**6)


def exits(desk: Desk, name: str, state: str = "submitting", n: int = 2, **changes: Any) -> Row:
    stop = name == "tp-r-5-0"
    kind = {"kind": Kind.STOP, "stop_price": 9_000} if stop else {"kind": Kind.LIMIT, "limit_price": 11_000}
    group = {"parent": "tp-r-4-0", "oco": "tp-r-5-0", "side": Side.SELL, "limit_price": None}
    return desk.row(state, n, name, **{**group, **kind, **changes})


STOP, TARGET = "tp-r-5-0", "tp-r-5-1"


def test_exits_of_one_fill_are_a_pair_by_their_rows() -> None:
    desk = Desk()
    books = desk.account.books
    desk.back(exits(desk, STOP))
    assert books.order(STOP).pair == "", "the target is not there yet"  # type: ignore[union-attr]
    desk.back(exits(desk, TARGET))
    assert [(one.order_id, one.pair) for one in books.orders()] == [(STOP, TARGET), (TARGET, STOP)]
    trailing = {"kind": Kind.TRAILING, "trail": 500, "limit_price": None}
    mine, stop = {"oco": "mine"}, {"kind": Kind.STOP, "stop_price": 9_000, "limit_price": None}
    others: dict[str, Row] = {"tp-r-6-0": trailing, "tp-r-6-1": {}, "tp-r-7-0": {**mine, **stop}, "tp-r-7-1": mine}
    for name, changes in others.items():
        desk.back(exits(desk, name, **{"oco": "tp-r-6-0", **changes}))
    assert {books.order(name).pair for name in others} == {""}  # type: ignore[union-attr]


@pytest.mark.parametrize("pairs", [True, False])
def test_a_pair_whose_rows_a_kill_parted_was_never_sent_and_is_sent_now(pairs: bool) -> None:
    desk = Desk()
    desk.held.pairs = pairs
    desk.back(exits(desk, STOP))  # by an earlier life, which never had the row of the target back
    target = desk.made(exits(desk, TARGET))
    desk.step()
    desk.back(target)
    desk.step()
    stop = ("place", STOP, 5, "submitting") if pairs else ("resume", STOP, "submitting")
    assert desk.held.heard == [stop, ("place", TARGET, 5, "submitting")], "without pairs it may have been sent"


def test_a_pair_of_an_earlier_life_is_asked_for() -> None:
    desk = Desk()
    for name in (STOP, TARGET):
        desk.back(exits(desk, name))
    desk.step()
    assert desk.held.heard == [("resume", STOP, "submitting"), ("resume", TARGET, "submitting")]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("strategies")
    (folder / "busy.py").write_text(BUSY)
    return Catalogue(folder).named("Busy", {}).made_of


@cases(few=6, soak=500, at_once=6)
def test_whatever_dies_no_order_is_sent_twice_or_lost_and_all_fills_are_booked(busy: Any, numbers: range) -> None:
    orders = fills = pairs = 0
    for number in numbers:
        print(f"seed {SEED + number}")
        arrived, filled, paired = _play(busy, SEED + number)
        orders, fills, pairs = orders + arrived, fills + filled, pairs + paired
    assert orders > 5 * len(numbers)
    assert pairs > len(numbers)
    assert fills > 3 * len(numbers)


def _play(busy: Any, seed: int) -> tuple[int, int, int]:
    names = ("class_name", "definition", "code_sha", "parameters", "symbols", "interval", "account", "note")
    own = {"sym": "s", "version": 1, "wanted": "running", "action": "create", "mode": "paper", "who": "me"}
    began = dict.fromkeys(names, "") | own | {"seq": 10, "seq_row": 0, "time": BEGAN, "received": BEGAN}
    model = Model(seed, busy, began)
    for number in range(60):
        model.bar(number)
        for _ in range(model.random.randint(1, 12)):
            model.step(0.25)
    for _ in range(300):  # so that a fill after a cancel that nobody was told of is found while its run is there
        model.step(0.0)
    stop = {**began, "version": 2, "wanted": "stopped"}
    model.write("strategies", {name: stop[name] for name in stop if name not in ("seq", "seq_row", "received")})
    broker: World = model.broker
    for moment in itertools.count():
        model.step(0.0)
        if model.trader.machine.ended and not model.trader.outbox and model.trader.read == len(model.journal):
            break
        assert moment < 4000, (model.trader.account.trouble, [o for o in model.newest().values() if not done(o)])
    assert max(broker.arrivals.values(), default=1) == 1
    newest = model.newest()
    fills = {row["fill_id"]: row for table, row in model.journal if table == "fills"}
    assert len(fills) == sum(table == "fills" for table, _ in model.journal)
    for name, held in broker.held.items():
        mine = [row for row in fills.values() if row["order_id"] == name]
        paid = sum(qty * price for qty, price, _ in held.executions)
        assert newest[name]["filled"] == sum(row["qty"] for row in mine) == held.filled, name
        assert sum(row["qty"] * row["price"] for row in mine) == pytest.approx(paid / 100), name
    assert all(done(row) for row in newest.values())
    assert all(not row["filled"] for name, row in newest.items() if name not in broker.held)
    kinds = {row["kind"] for table, row in model.journal if table == "broker_reports"}
    assert kinds <= {"order", "adopted"}, kinds
    print(f"{model.kills} kills, {broker.drops} drops, {len(newest)} orders, {broker.paired} pairs, {len(fills)} fills")
    return len(broker.held), len(fills), broker.paired


def done(row: Row) -> bool:
    return row["state"] in FINAL
