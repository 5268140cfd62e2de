"""A run as a machine: rows in, rows out, and the same again for the same rows."""

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from state_rows import through_the_plant
from trading_plant import CROSS, closed_bars

from plant.rows.tables import schema_of
from plant.state.newest import Row
from trading import Strategy, backtest
from trading.accounts.opening import Opening
from trading.backtests.metrics import NAMES
from trading.brokered.report_rows import finding_row, report_row
from trading.brokers.desk.reconciliation import Finding, What
from trading.events import Fill, OrderReport, Quote, Side, Trade
from trading.instruments import Instrument
from trading.live.catalogue import Catalogue
from trading.live.machine import Made, RunMachine
from trading.live.reading import MADE
from trading.live.repeated import Repeated
from trading.risk import Limits
from trading.run import RunSetup, fill_rules

START = 1_795_100_400_000_000_000
SECOND = 10**9
ANY_AGE = Limits(stale_s=0, max_orders_per_minute=None)


def strategy(seq: int, version: int = 1, wanted: str = "running", **columns: Any) -> Row:
    names = ("class_name", "definition", "code_sha", "parameters", "symbols", "interval", "account", "note")
    told = dict.fromkeys(names, "")
    own = {"sym": "s", "version": version, "wanted": wanted, "action": "update", "mode": "paper", "who": "me"}
    return told | own | {"seq": seq, "seq_row": 0, "time": START, "received": START, **columns}


@pytest.fixture
def made_of(tmp_path: Path) -> Any:
    (tmp_path / "cross.py").write_text(CROSS)
    return Catalogue(tmp_path).named("Cross", {}).made_of


def machine(made_of: Any, **changes: Any) -> RunMachine:
    told: dict[str, Any] = {
        "run": "r",
        "strategy": "s",
        "strategy_class": made_of,
        "symbols": ("A",),
        "instruments": {"A": Instrument("A")},
        "interval": "1m",
        "mode": "paper",
        "fills": fill_rules({"volume_share": 1.0}),
        "limits": ANY_AGE,
        "account_limits": ANY_AGE,
        "start_seq": 10,
    }
    return RunMachine(RunSetup(**{**told, **changes}), strategy(10), "sha")


def bars(count: int, first_seq: int, seed: int = 5) -> list[Row]:
    rows = list(closed_bars(random.Random(seed), count, start=START))
    return [{**row, "seq": first_seq + i, "seq_row": 0, "received": row["time"] + 7} for i, row in enumerate(rows)]


def command(seq: int, name: str, sym: str = "*", late_s: float = 0.0, **arguments: Any) -> Row:
    at = START + 3600 * SECOND
    told = {"time": at, "sym": sym, "id": f"c{seq}", "command": name, "arguments": json.dumps(arguments), "who": "me"}
    return {**told, "seq": seq, "seq_row": 0, "received": at + int(late_s * SECOND)}


def run_of(run: RunMachine, inputs: list[tuple[str, Row]]) -> list[Made]:
    found = run.begin()
    for table, row in inputs:
        found += run.take(table, row)
    return found


def of(made: list[Made], table: str) -> list[Row]:
    return [each.row for each in made if each.table == table]


def test_the_same_rows_make_the_same_rows(made_of: Any) -> None:
    inputs = [("bar_closes", row) for row in bars(120, 11)]
    inputs.insert(60, ("commands", command(500, "flatten")))
    one = run_of(machine(made_of), inputs)
    assert len(of(one, "fills")) > 10
    repeated = Repeated(
        schema_of(), {t: [through_the_plant(m.table, m.row) | {"seq": 1} for m in one if m.table == t] for t in MADE}
    )
    assert repeated.compare(run_of(machine(made_of), inputs)) == []
    repeated.finish()


def test_rows_have_the_time_at_which_the_plant_took_their_cause(made_of: Any) -> None:
    inputs = bars(30, 11)
    made = run_of(machine(made_of), [("bar_closes", row) for row in inputs])
    received = {row["received"] for row in inputs}
    assert all(each.row["time"] in received for each in made if each.table != "runs")
    assert all(row["cause_seq"] >= 11 for row in of(made, "orders"))


def test_bars_of_before_its_start_warm_it_up_and_nothing_comes_of_them(made_of: Any) -> None:
    cold, warm = machine(made_of), machine(made_of)
    rows = bars(6, 5)
    warm.warm(rows[:6])
    later = [("bar_closes", row) for row in bars(1, 11, seed=6)]
    assert len(of(run_of(warm, later), "plots")) == 1
    assert of(run_of(cold, later), "plots") == []


def test_bars_of_other_symbols_and_intervals_are_not_its_own(made_of: Any) -> None:
    run = machine(made_of)
    row = bars(1, 11)[0]
    assert run.take("bar_closes", {**row, "sym": "B"}) == []
    assert run.take("bar_closes", {**row, "interval": "5m"}) == []


def test_a_paused_run_gives_no_orders_and_goes_on_reading(made_of: Any) -> None:
    run = machine(made_of)
    rows = bars(40, 11)
    before = run_of(run, [("bar_closes", row) for row in rows[:10]])
    (paused,) = run.take("strategies", strategy(100, 2, "paused"))
    made = [each for row in rows[10:30] for each in run.take("bar_closes", row)]
    made += run.take("strategies", strategy(101, 3))
    after = [each for row in rows[30:] for each in run.take("bar_closes", row)]
    assert (paused.table, paused.row["state"]) == ("runs", "paused")
    assert of(before, "orders")
    assert not [row for row in of(made, "orders") if row["state"] == "created"]
    assert of(made, "runs")[-1]["state"] == "running"
    assert [row for row in of(after, "orders") if row["state"] == "created"]


def test_only_the_next_version_counts(made_of: Any) -> None:
    run = machine(made_of)
    run.begin()
    assert run.take("strategies", strategy(100, 3, "stopped")) == []
    assert run.take("strategies", {**strategy(101, 2, "stopped"), "sym": "other"}) == []
    made = run.take("strategies", strategy(102, 2, "stopped"))
    assert of(made, "runs")[-1]["state"] == run.ended == "completed"


def test_a_run_that_is_stopped_cancels_its_orders_and_tells_no_open_trip(made_of: Any) -> None:
    run = machine(made_of, fills=fill_rules("careful"))
    rows = [{**row, "volume": 0.0} for row in bars(12, 11)]  # nothing is filled
    made = run_of(run, [("bar_closes", row) for row in rows])
    assert any(row["state"] == "accepted" for row in of(made, "orders"))
    made += run.take("strategies", strategy(100, 2, "stopped"))
    newest = {row["order_id"]: row["state"] for row in of(made, "orders")}
    assert set(newest.values()) <= {"cancelled", "replaced"}
    assert not of(made, "round_trips")
    assert of(made, "runs")[-1]["detail"] == "stopped by me"
    assert run.take("bar_closes", bars(1, 200)[0]) == []


def test_another_definition_ends_it(made_of: Any) -> None:
    run = machine(made_of)
    run.begin()
    made = run.take("strategies", strategy(100, 2, parameters='{"length": 4}'))
    assert of(made, "runs")[-1]["detail"] == "version 2 takes its place"


@pytest.mark.parametrize(
    ("row", "obeyed"),
    [
        (command(100, "kill"), True),
        (command(100, "kill", "paper"), True),
        (command(100, "kill", "s"), True),
        (command(100, "kill", "other"), False),
        (command(100, "kill", late_s=61.0), False),
        (command(100, "kill") | {"arguments": "{"}, False),
        (command(100, "order", "paper"), False),
    ],
)
def test_a_command_is_obeyed_if_it_is_for_this_run_and_came_in_time(made_of: Any, row: Row, obeyed: bool) -> None:
    run = machine(made_of)
    rows = bars(40, 11)
    run_of(run, [("bar_closes", each) for each in rows[:20]])
    made = run.take("commands", row)
    assert [each["action"] for each in of(made, "risk_events")] == (["halted"] if obeyed else [])
    later = [each for bar in rows[20:] for each in run.take("bar_closes", bar)]
    assert ("refused" in {each["state"] for each in of(later, "orders")}) == obeyed
    if obeyed:
        run.take("commands", command(101, "resume"))
        again = [each for bar in bars(20, 300, 9) for each in run.take("bar_closes", bar)]
        assert "accepted" in {each["state"] for each in of(again, "orders")}


def test_limits_that_are_told_hold_and_wrong_ones_are_told(made_of: Any) -> None:
    run = machine(made_of)
    rows = bars(40, 11)
    run_of(run, [("bar_closes", each) for each in rows[:5]])
    made = run.take("commands", command(100, "limits", "paper", account="paper", max_ordr_qty=1))
    assert "limits refused: limits: unknown limit 'max_ordr_qty'" in of(made, "strategy_events")[0]["detail"]
    run.take("commands", command(101, "limits", "paper", account="paper", max_order_qty=1))
    later = [each for bar in rows[5:] for each in run.take("bar_closes", bar)]
    assert {each["rule"] for each in of(later, "risk_events")} == {"max_order_qty"}


def test_a_run_that_is_cancelled_says_so(made_of: Any) -> None:
    run = machine(made_of)
    run_of(run, [("bar_closes", each) for each in bars(5, 11)])
    assert run.take("commands", command(100, "cancel_run", "x", run="other")) == []
    assert of(run.take("commands", command(101, "cancel_run", "x", run="r")), "runs")[-1]["state"] == "cancelled"


def said(seq: int, order: Row, state: str = "", **told: Any) -> Row:
    """Return what a broker says of an order, as a row of the journal."""
    fill = told.pop("fill", None)
    if fill is not None:
        told["fill"] = Fill("A", START, 0, 0, 0, f"f{seq}", order["order_id"], Side(order["side"]), *fill, 0, "taker")
    report = OrderReport("A", START, 0, 0, 0, order["order_id"], state, "b1", **told)
    return journaled_row(seq, report_row(START, "swing-1", report, Instrument("A")))


def journaled_row(seq: int, row: Row) -> Row:
    return through_the_plant("broker_reports", row) | {"seq": seq, "seq_row": 0, "received": START + seq}


def brokered(made_of: Any) -> tuple[RunMachine, list[Made], Row]:
    """Return a run whose orders go to a broker, what it made so far, and its open order."""
    run = machine(made_of, broker="alpaca", account="swing-1")
    made = run_of(run, [("bar_closes", row) for row in bars(3, 11)])
    (order,) = [row for row in of(made, "orders") if row["state"] == "submitting"]
    return run, made, order


def test_a_broker_fills_and_what_it_says_is_taken_as_its_rows_come(made_of: Any) -> None:
    run, made, order = brokered(made_of)
    assert not of(made, "fills"), "bars fill nothing where a broker does"
    run.take("broker_reports", said(100, order, "accepted"))
    fill = run.take("broker_reports", said(101, order, fill=(4, Fraction(20_001, 2))))
    assert [(row["qty"], row["price"], row["time"], row["cause_seq"]) for row in of(fill, "fills")] == [
        (4.0, 100.005, START + 101, 101)
    ]
    assert of(fill, "orders")[0]["state"] == "partially_filled"
    assert run.take("broker_reports", said(102, {**order, "order_id": "tp-x-1-0"}, "accepted")) == []
    assert run.take("broker_reports", said(103, order, "accepted") | {"account": "other"}) == []
    assert run.told_seq == 103, "also of what it makes nothing of"


def test_a_run_is_over_once_its_broker_says_that_its_orders_are(made_of: Any) -> None:
    run, _, order = brokered(made_of)
    run.take("broker_reports", said(100, order, "accepted"))
    leaving = run.take("strategies", strategy(101, 2, "stopped"))
    assert (of(leaving, "orders")[-1]["state"], run.ended) == ("cancelling", "")
    assert of(leaving, "runs")[-1]["detail"] == "stopped by me; its orders at the broker are being cancelled"
    assert run.take("bar_closes", bars(1, 102)[0]) == []
    raced = run.take("broker_reports", said(103, order, fill=(4, 10_000)))
    assert (len(of(raced, "fills")), run.ended) == (1, "")
    over = run.take("broker_reports", said(104, order, "cancelled"))
    assert (of(over, "orders")[-1]["state"], run.ended) == ("cancelled", "completed")
    assert (of(over, "runs")[-1]["state"], of(over, "runs")[-1]["detail"]) == ("completed", "stopped by me")


def test_what_a_reconciliation_cannot_explain_halts_every_run_of_the_account(made_of: Any) -> None:
    run, _, order = brokered(made_of)
    run.take("broker_reports", said(100, order, "accepted"))
    found = Finding(What.POSITION, "B", "", 0, 7, "B: the books have 0 lots, the broker has 7", True)
    made = run.take("broker_reports", journaled_row(101, finding_row(START, "swing-1", "USD", found, Instrument("B"))))
    assert [(row["rule"], row["action"]) for row in of(made, "risk_events")] == [("reconciliation: position", "halted")]
    assert [row["state"] for row in of(made, "orders")] == ["cancelling"]
    harmless = Finding(What.ADOPTED, "A", order["order_id"])
    row = journaled_row(102, finding_row(START, "swing-1", "USD", harmless, Instrument("A")))
    assert run.take("broker_reports", row) == []
    later = [each for bar in bars(20, 110, 9) for each in run.take("bar_closes", bar)]
    assert {row["state"] for row in of(later, "orders")} <= {"created", "refused"}


def test_cash_that_no_fill_tells_of_is_neither_gain_nor_loss(made_of: Any) -> None:
    bound = Limits(stale_s=0, max_orders_per_minute=None, max_daily_loss=100.0, max_drawdown=0.01)
    run = machine(made_of, broker="alpaca", account="swing-1", account_limits=bound)
    run.begin()
    for row in bars(3, 11):
        run.take("bar_closes", row)
    found = Finding(What.CASH, "", "", 10**14, 25_000 * 10**8, "cash differs")
    row = journaled_row(100, finding_row(START, "swing-1", "USD", found, Instrument("USD")))
    made = run.take("broker_reports", row)
    assert [(row["equity"], row["cash"], row["drawdown"]) for row in of(made, "equity")] == [(25_000.0, 25_000.0, 0.0)]
    later = [each for bar in bars(20, 110, 9) for each in run.take("bar_closes", bar)]
    assert not of(later, "risk_events")
    assert of(later, "equity")[-1]["equity"] == 25_000.0
    begun = machine(made_of, broker="alpaca", account="swing-1", account_limits=bound)
    begun.begin(opening=Opening(deposits=-975_000 * 10**8))
    made = [each for bar in bars(20, 110, 9) for each in begun.take("bar_closes", bar)]
    assert (of(made, "equity")[0]["equity"], of(made, "risk_events")) == (25_000.0, [])


def test_metrics_are_rows_at_each_session_close_as_of_a_backtest(made_of: Any) -> None:
    run = machine(made_of)
    rows = bars(200, 11)
    spread = [{**row, "market_time": row["market_time"] + i // 50 * 86_400 * SECOND} for i, row in enumerate(rows)]
    made = run_of(run, [("bar_closes", row) for row in spread])
    told = of(made, "metrics")
    assert len({row["time"] for row in told}) == 3
    assert [row["name"] for row in told[-len(NAMES) :]] == list(NAMES)
    newest = {row["name"]: row for row in told}
    before = [row for row in of(made, "round_trips") if row["time"] <= told[-1]["time"]]
    assert newest["trades"]["value"] == len(before) > 10
    closes = [row for row in of(made, "equity") if row["time"] <= told[-1]["time"]]
    assert newest["total_return"]["value"] == pytest.approx(closes[-2]["equity"] / 1e6 - 1, abs=1e-4)
    assert newest["cagr"]["detail"] == "2 daily returns, N=365"


def position(seq: int, run: str = "old", strategy: str = "s", qty: float = 10.0, **columns: Any) -> Row:
    told = {"sym": "A", "account": "paper", "strategy": strategy, "run": run, "market_time": START, "qty": qty}
    money = {"average": 99.0, "cost": qty * 99, "price": 100.0, "value": qty * 100, "unrealised": qty}
    own = {"realised": 5.0, "commission": 1.0, "time": START, "received": START, "seq": seq, "seq_row": 0}
    return {**told, **money, **own, **columns}


def ended(seq: int, run: str = "old", detail: str = "") -> Row:
    told = {"sym": "s", "run": run, "state": "completed", "detail": detail, "time": START, "received": START}
    return {**told, "seq": seq, "seq_row": 0, "mode": "paper", "last_seq": seq - 1}


def test_a_run_takes_over_what_the_one_before_left_and_closes_it(made_of: Any) -> None:
    run = machine(made_of)
    made = run.begin(opening=Opening(rows=(("positions", position(5)),)))
    assert [(row["action"], row["value"]) for row in of(made, "risk_events")] == [("adopted", 10.0)]
    assert "holds 10 A" in of(made, "strategy_events")[0]["detail"]
    rows = bars(3, 11)
    first = [each for row in rows[:1] for each in run.take("bar_closes", row)]
    equity = of(first, "equity")[-1]
    close = rows[0]["close"]
    assert (equity["realised"], equity["commission"]) == (5.0, 1.0)
    assert equity["equity"] == pytest.approx(1e6 + 4.0 + 10 * (close - 99.0), abs=1e-8)
    assert [(row["qty"], row["average"]) for row in of(first, "positions")] == [(10.0, 99.0)]
    made = run.take("commands", command(12, "flatten"))
    assert next((row["side"], row["qty"]) for row in of(made, "orders")) == ("sell", 10.0)
    made = run.take("bar_closes", rows[1])
    (trip,) = of(made, "round_trips")
    assert (trip["side"], trip["entry_price"], trip["entry_tag"], trip["qty"]) == ("long", 99.0, "adopted", 10.0)
    assert trip["profit"] == pytest.approx(10 * (trip["exit_price"] - 99.0) - trip["commission"], abs=1e-8)
    assert of(made, "fills")[0]["position_after"] == 0


def test_it_gives_no_orders_before_the_run_before_is_over(made_of: Any) -> None:
    run = machine(made_of)
    run.begin(opening=Opening(after=frozenset({"old"})))
    rows = bars(30, 11)
    made = [each for row in rows[:10] for each in run.take("bar_closes", row)]
    assert run.take("positions", position(50, qty=-4.0)) == []
    made += run.take("runs", ended(51, "other"))
    assert not of(made, "orders")
    assert not of(made, "risk_events")
    made = run.take("runs", ended(52))
    assert [row["value"] for row in of(made, "risk_events")] == [-4.0]
    later = [each for row in rows[10:] for each in run.take("bar_closes", row)]
    assert of(later, "fills")


def test_it_takes_over_a_fill_that_came_after_the_end_of_the_run_before_once(made_of: Any) -> None:
    run = machine(made_of, broker="alpaca", account="swing-1")
    fill = {"sym": "A", "strategy": "s", "run": "old", "order_id": "tp-old-1-0", "fill_id": "x", "side": "buy"}
    fill |= {"qty": 2.0, "price": 99.0, "commission": 0.0, "liquidity": "taker", "market_time": START}
    fill |= {"seq": 40, "seq_row": 0, "received": START}
    run.begin(opening=Opening(after=frozenset({"old"})))
    assert run.take("fills", {**fill, "seq": 20}) == [], "its own fill is in its position"
    run.take("positions", position(21, qty=-4.0))
    (adopted,) = of(run.take("runs", ended(30)), "risk_events")
    assert adopted["value"] == -4.0
    made = run.take("fills", fill)
    ((told,), (held,)) = (of(made, table) for table in ("risk_events", "positions"))
    assert (told["action"], told["value"], held["qty"], held["run"]) == ("adopted", 2.0, -2.0, "r")
    assert of(made, "fills") == of(made, "orders") == []
    assert run.take("positions", position(41, "manual-swing-1", qty=-2.0)) == []
    assert of(run.take("fills", {**fill, "seq": 42, "qty": 1.0}), "positions")[-1]["qty"] == -1.0


def test_after_one_that_diverged_nothing_is_traded_until_a_resume(made_of: Any) -> None:
    run = machine(made_of)
    run.begin(opening=Opening(after=frozenset({"old"})))
    run.take("runs", ended(11, detail="diverged: the source is another"))
    rows = bars(60, 12)
    made = [each for row in rows[:30] for each in run.take("bar_closes", row)]
    assert {row["state"] for row in of(made, "orders")} == {"created", "refused"}
    run.take("commands", command(100, "resume", "s"))
    assert of([each for row in rows[30:] for each in run.take("bar_closes", row)], "fills")


def test_what_others_of_the_account_hold_and_order_counts(made_of: Any) -> None:
    bound = Limits(stale_s=0, max_orders_per_minute=None, max_gross_value=10_000.0, max_open_orders=3)
    run = machine(made_of, account_limits=bound)
    run.begin(opening=Opening(rows=(("positions", position(5, strategy="other", qty=95.0)),)))
    rows = bars(40, 11)
    made = [each for row in rows[:20] for each in run.take("bar_closes", row)]
    assert of(made, "equity")[0]["exposure"] == pytest.approx(9_500 / (1e6 + 5 - 1 + 95))
    assert {row["rule"] for row in of(made, "risk_events")} == {"max_gross_value"}
    run.take("positions", position(50, strategy="other", qty=1.0))
    for name in "abc":
        row = {**position(51, strategy="other"), "order_id": name, "state": "accepted", "parent": "", "side": "buy"}
        row |= {"qty": 1.0, "filled": 0.0}
        assert run.take("orders", row) == []
    made = [each for row in rows[20:30] for each in run.take("bar_closes", row)]
    assert {row["rule"] for row in of(made, "risk_events")} == {"max_open_orders"}
    run.take("runs", ended(60, "old"))
    assert of([each for row in rows[30:] for each in run.take("bar_closes", row)], "fills")


def test_a_halt_that_another_run_found_halts_unless_somebody_resumed_since(made_of: Any) -> None:
    run = machine(made_of)
    rows = bars(60, 11)
    run_of(run, [("bar_closes", each) for each in rows[:20]])
    halted = {"sym": "A", "account": "paper", "strategy": "", "rule": "max_drawdown", "action": "halted"}
    halted |= {"detail": "risk: max_drawdown (run other)", "order_id": "", "seq": 99, "seq_row": 0}
    halted |= {"time": rows[20]["received"], "received": rows[20]["received"] + 1}
    run.take("risk_events", halted)
    made = [each for row in rows[20:40] for each in run.take("bar_closes", row)]
    assert {row["state"] for row in of(made, "orders")} == {"created", "refused"}
    run.take("commands", command(100, "resume"))
    run.take("risk_events", halted)
    assert of([each for row in rows[40:] for each in run.take("bar_closes", row)], "fills")


def test_a_run_that_begins_while_its_account_is_halted_is_halted(made_of: Any) -> None:
    run = machine(made_of)
    told = {"account": {"max_order_qty": 1}}
    run.begin(opening=Opening(halts={"account": "killed by hand"}, limits=told))
    rows = bars(40, 11)
    made = [each for row in rows[:20] for each in run.take("bar_closes", row)]
    assert not of(made, "fills")
    assert {"halted (killed by hand)"} == {row["rule"] for row in of(made, "risk_events")}
    run.take("commands", command(100, "resume"))
    made = [each for row in rows[20:] for each in run.take("bar_closes", row)]
    assert {row["rule"] for row in of(made, "risk_events")} == {"max_order_qty"}


def test_losses_are_measured_from_what_the_account_had_before(made_of: Any) -> None:
    bound = Limits(stale_s=0, max_orders_per_minute=None, max_daily_loss=1_000.0)
    times, equity = np.array([START - 1]), np.array([1_002_000 * 10**8])
    for past, halts in ((equity, True), (equity - 1_500 * 10**8, False)):
        run = machine(made_of, account_limits=bound)
        run.begin(opening=Opening(times=times, equity=past, peak=int(past[0])))
        made = [each for row in bars(20, 11) for each in run.take("bar_closes", row)]
        events = [(row["strategy"], row["rule"]) for row in of(made, "risk_events") if row["action"] == "halted"]
        assert events == [("", "max_daily_loss")] * halts
        assert of(made, "equity")[0]["drawdown"] == pytest.approx(1e6 / (past[0] / 1e8) - 1)


def test_orders_a_minute_are_counted_in_the_markets_time_however_quickly_it_is_played(made_of: Any) -> None:
    bound = Limits(stale_s=0)
    rows = [{**row, "received": START} for row in bars(120, 11)]
    made = run_of(machine(made_of, limits=bound), [("bar_closes", row) for row in rows])
    assert len(of(made, "fills")) > 20
    assert not of(made, "risk_events")
    at_once = [{**row, "market_time": START} for row in rows]
    made = run_of(machine(made_of, limits=bound), [("bar_closes", row) for row in at_once])
    assert {row["rule"] for row in of(made, "risk_events")} == {"max_orders_per_minute"}


def test_a_side_without_an_offer_and_a_size_that_nobody_told_are_nan_as_in_a_backtest() -> None:
    nan = float("nan")

    class Ticks(Strategy):
        def on_quote(self, quote: Quote) -> None:
            self.log(f"{quote.bid} {quote.bid_size} {quote.ask} {quote.ask_size}")

        def on_trade(self, trade: Trade) -> None:
            self.log(f"{trade.price} {trade.size}")

    quote = {"sym": "A", "bid": nan, "ask": 5.0, "bid_size": nan, "ask_size": 2.0, "seq": 11, "seq_row": 0}
    trade = {"sym": "A", "price": 5.0, "size": nan, "seq": 12, "seq_row": 0}
    told = {"time": START, "received": START}
    run = machine(Ticks)
    made = run_of(run, [("quotes", {**quote, **told}), ("trades", {**trade, **told})])
    logs = [row["detail"] for row in of(made, "strategy_events") if row["kind"] == "log"]
    time = pd.to_datetime([START], utc=True)
    frames = {"trades": pd.DataFrame({"time": time, **trade}), "quotes": pd.DataFrame({"time": time, **quote})}
    flat = pd.DataFrame({"time": time, **dict.fromkeys(("open", "high", "low", "close", "volume"), 5.0)})
    result = backtest(Ticks, flat, sym="A", interval="1m", **frames)
    assert logs == result.strategy_events["detail"][lambda each: each != ""].tolist() == ["nan nan 5.0 2.0", "5.0 nan"]
