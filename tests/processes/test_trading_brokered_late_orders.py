"""Fills that come after the end of their order's run: booked once, to its strategy, whatever dies, whoever is next."""

from collections import Counter
from typing import Any

import pytest
from brokered_model import BEGAN, A
from chance import SEED, cases
from heirs_model import Model
from state_rows import through_the_plant

from plant.state.newest import Row
from plant.state.orders import FINAL
from plant.state.positions import UNALLOCATED
from plant.state.runs import ENDED
from trading import account as books
from trading.accounts.shared import Held, SharedAccount
from trading.brokered.late_orders import Known, LateOrders
from trading.brokered.report_rows import report_row
from trading.desk.rows import order_row
from trading.events import Fill, OrderReport, Side
from trading.instruments import MONEY
from trading.orders import Kind, Order, State
from trading.run import RunSetup
from trading.strategies.manual import Manual


@cases(few=8, soak=500, at_once=8)
def test_whatever_is_over_or_dies_all_fills_are_their_strategys_and_every_run_is_made_again(
    numbers: range, tmp_path_factory: pytest.TempPathFactory
) -> None:
    seen: Counter[str] = Counter()
    for number in numbers:
        print(f"seed {SEED + number}")
        model = Model(SEED + number, tmp_path_factory.mktemp("plant"))
        _play(model)
        _check(model)
        late = [row for row in model.rows("risk_events") if row["rule"] == "late fill"]
        taken = [row for row in late if "takes them over" in row["detail"]]
        seen.update(late=len(late), taken_over=len(taken), kills=model.kills, runs=len(_ends(model)))
        print(dict(seen))
    assert seen["late"] > len(numbers) // 2
    assert seen["taken_over"] > len(numbers) // 4
    assert seen["kills"] > 0


def _play(model: Model) -> None:
    model.wanted("running")
    for number in range(40):
        model.bar(number)
        for _ in range(model.random.randint(1, 12)):
            model.step(0.25)
        if number % 6 == 5:
            model.wanted(model.random.choice(("running", "running", "stopped")))
    for _ in range(600):
        model.step(0.0)
    model.wanted("stopped")
    for _ in range(4000):
        model.step(0.0)
        if all(row["state"] in FINAL for row in model.newest().values()) and model.settled:
            break


def _check(model: Model) -> None:
    fills = {row["fill_id"]: row for row in model.rows("fills")}
    assert len(fills) == len(model.rows("fills"))
    newest = model.newest()
    for name, held in model.broker.held.items():
        mine = [row for row in fills.values() if row["order_id"] == name]
        paid = sum(qty * price for qty, price, _ in held.executions)
        assert newest[name]["filled"] == sum(row["qty"] for row in mine) == held.filled, name
        assert sum(row["qty"] * row["price"] for row in mine) == pytest.approx(paid / 100), name
    assert all(row["state"] in FINAL for row in newest.values())
    positions = model.rows("positions")
    assert [row for row in positions if row["strategy"] == UNALLOCATED] == []
    signed = [(row["qty"] if row["side"] == "buy" else -row["qty"], row["price"]) for row in fills.values()]
    last = next((row for row in reversed(positions) if row["strategy"] == "s"), _FLAT)
    assert last["qty"] == sum(qty for qty, _ in signed)
    cash = last["realised"] - last["commission"] - last["cost"]
    assert cash == pytest.approx(-sum(qty * price for qty, price in signed))
    trips = [(row["run"], row["number"]) for row in model.rows("round_trips")]
    assert len(set(trips)) == len(trips)
    for run in {row["run"] for row in model.rows("runs")}:
        found = model.again(run)
        assert (found.difference, found.missing) == ("", 0), run


_FLAT: Row = dict.fromkeys(("qty", "realised", "commission", "cost"), 0.0)


def _ends(model: Model) -> dict[str, int]:
    return {row["run"]: row["seq"] for row in model.rows("runs") if row["state"] in ENDED}


SETUP = RunSetup(
    run="manual-swing-1",
    strategy="manual",
    strategy_class=Manual,
    symbols=(),
    instruments={},
    account="swing-1",
    mode="paper",
    broker="alpaca",
    standing=True,
    fills_on="bars",
)


class Account:
    """A strategy that has bought 6 A at 100.00, whose stop at 98.50 was being cancelled when its run `r` ended."""

    def __init__(self) -> None:
        self.shared = SharedAccount(books.Account("swing-1", 10**14))
        self.order = Order("tp-r-9-0", "A", "r", "s", "swing-1", Side.SELL, Kind.STOP, 6, 4, tag="stop")
        self.order = self.order._replace(stop_price=9_850, state=State.CANCELLED, made_at=BEGAN)
        bought = {"fill_id": "f1", "order_id": "tp-r-8-0", "run": "r", "strategy": "s", "side": "buy", "qty": 6.0}
        told = {"price": 100.0, "commission": 0.5, "position_after": 6.0, "market_time": BEGAN, "realised": 0.0}
        self.fills = [{"sym": "A", "seq": 20, **bought, **told}]
        self.shared.told("s", "A", Held(6.0, 100.0, BEGAN, 600 * MONEY, 600 * MONEY, 0, MONEY // 2))
        self.late = LateOrders(SETUP, self.known, self.shared)
        self.late.remember(run_row("r", 10, "running", 10))
        self.seq = 100

    def known(self, order_id: str, row: Row) -> Known | None:
        if order_id != self.order.order_id:
            return None
        return Known({**order_row(BEGAN, self.order, A), "seq": 30}, A, self.fills, "L", 4)

    def ends(self, run: str = "r", last_seq: int = 50) -> list[tuple[str, Row]]:
        self.seq += 1
        return self.late.run(run_row(run, self.seq, "completed", last_seq))

    def filled(self, qty: int, cumulative: int, seq: int = 0) -> list[tuple[str, Row]]:
        self.seq += 1
        fill = Fill("A", BEGAN + 5, 0, 0, 0, f"x{cumulative}", "tp-r-9-0", Side.SELL, qty, 9_850, MONEY // 4, "taker")
        told = report_row(
            BEGAN + 9, "swing-1", OrderReport("A", BEGAN + 5, 0, 0, 0, "tp-r-9-0", "", "b", cumulative, None, fill), A
        )
        place = {"seq": seq or self.seq, "seq_row": 0, "received": BEGAN + 9}
        return self.late.report({**through_the_plant("broker_reports", told), **place})


def run_row(run: str, seq: int, state: str, last_seq: int, **told: Any) -> Row:
    row = {"sym": "s", "run": run, "mode": "paper", "state": state, "symbols": '["A"]', "first_seq": seq}
    risk = {"risk": '{"account": "swing-1"}', "last_seq": last_seq, "detail": ""}
    return {**row, **risk, "seq": seq, "seq_row": 0, "received": BEGAN + seq, **told}


def of(made: list[tuple[str, Row]], table: str) -> list[Row]:
    return [through_the_plant(name, row) for name, row in made if name == table]


def test_a_stop_that_was_filled_after_the_end_closes_the_trip_that_its_run_had_entered() -> None:
    account = Account()
    assert account.ends() == []
    made = account.filled(4, 4)
    ((order,), (fill,), (position,)) = (of(made, table) for table in ("orders", "fills", "positions"))
    assert (order["run"], order["n"], order["state"], order["filled"]) == ("r", 5, "cancelled", 4.0)
    assert (fill["run"], fill["strategy"], fill["realised"], fill["position_after"]) == ("r", "s", -6.0, 2.0)
    assert (position["run"], position["strategy"], position["qty"]) == ("manual-swing-1", "s", 2.0)
    assert of(made, "round_trips") == []
    assert account.filled(4, 4) == [], "what is told twice is booked once"
    made = account.filled(2, 6)
    ((order,), (position,), (trip,)) = (of(made, table) for table in ("orders", "positions", "round_trips"))
    assert (order["state"], position["qty"], position["realised"]) == ("filled", 0.0, -9.0)
    assert (trip["run"], trip["number"], trip["side"], trip["qty"]) == ("r", 5, "long", 6.0)
    assert (trip["entry_at"], trip["entry_price"], trip["entry_tag"]) == (BEGAN, 100.0, "L")
    assert (trip["exit_at"], trip["exit_price"], trip["exit_tag"]) == (BEGAN + 5, 98.5, "stop")
    assert (trip["profit"], trip["commission"]) == (-10.0, 1.0)
    (event,) = of(made, "risk_events")
    assert (event["action"], event["value"], event["order_id"]) == ("adopted", -2.0, "tp-r-9-0")
    assert event["detail"] == (
        "-2 A were filled after run r was over, and are booked to its strategy (run manual-swing-1)"
    )


def test_a_trip_whose_entry_no_fill_tells_is_one_that_was_taken_over() -> None:
    account = Account()
    account.fills = []
    account.ends()
    (trip,) = of(account.filled(6, 6), "round_trips")
    assert (trip["entry_tag"], trip["entry_at"], trip["entry_price"], trip["profit"]) == (
        "adopted",
        BEGAN,
        100.0,
        -9.25,
    )


def test_what_came_behind_the_last_that_its_run_took_is_late_and_nothing_before() -> None:
    account = Account()
    assert account.filled(2, 2, seq=49) == []
    assert account.filled(1, 3, seq=51) == []
    account.order = account.order._replace(filled=2, paid=2 * 9_850)
    made = account.ends(last_seq=50)
    assert [(row["qty"], row["cause_seq"]) for row in of(made, "fills")] == [(1.0, 51)]
    assert of(made, "orders")[0]["average"] == 98.5


def test_a_run_of_the_strategy_and_symbol_that_is_under_way_tells_what_is_held() -> None:
    account = Account()
    account.ends()
    account.late.run(run_row("next", 60, "running", 60))
    made = account.filled(1, 1)
    assert [table for table, _ in made] == ["orders", "fills", "risk_events"]
    assert "run next takes them over" in made[-1][1]["detail"]
    (position,) = of(account.ends("next", 70), "positions")
    assert position["qty"] == 5.0, "it ended before it heard of it"
    account.late.run(run_row("other", 80, "running", 80, symbols='["B"]'))
    assert of(account.filled(1, 2), "positions")[0]["qty"] == 4.0


def test_an_order_that_the_plant_does_not_know_is_left_alone() -> None:
    account = Account()
    account.ends()
    account.order = account.order._replace(order_id="tp-r-other-0")
    assert account.filled(1, 1) == []
