"""What a reconciliation found becomes rows: risk_events, and the position of nobody."""

import math
from typing import Any

from state_rows import NOON, through_the_plant

from plant.state.newest import Row
from trading.brokered.findings import Findings
from trading.brokered.report_rows import finding_row
from trading.brokers.desk.reconciliation import Finding, What
from trading.instruments import Instrument

COIN = Instrument("BTCUSDT", tick=0.01, lot=1e-5)


def row(*found: Any) -> Row:
    told = finding_row(NOON, "a", "USDT", Finding(*found), COIN)
    return through_the_plant("broker_reports", told) | {"received": NOON + 7, "seq": 5, "seq_row": 0}


def test_positions_that_differ_add_up_exactly_and_are_nobodys() -> None:
    findings = Findings("a", "manual-a", "manual")
    made = [findings.take(row(What.POSITION, "BTCUSDT", "", 0, 10_000, "differs", True))]
    made.append(findings.take(row(What.FEE, "BTCUSDT", "", 30_000, 29_990, "fees")))
    positions = [each for told in made for table, each in told if table == "positions"]
    assert [(each["qty"], each["strategy"], each["run"]) for each in positions] == [
        (0.1, "unallocated", "manual-a"),
        (0.0999, "unallocated", "manual-a"),
    ]
    assert all(math.isnan(each["price"]) and each["cost"] == each["value"] == 0.0 for each in positions)
    events = [each for told in made for table, each in told if table == "risk_events"]
    assert [(each["action"], each["bound"], each["value"], each["detail"]) for each in events] == [
        ("adopted", 0.0, 0.1, "differs (run manual-a)"),
        ("adopted", 0.3, 0.2999, "fees (run manual-a)"),
    ]
    for told in made:
        for table, each in told:
            through_the_plant(table, each)


def test_a_standing_run_that_begins_anew_goes_on_from_what_nobody_had() -> None:
    findings = Findings("a", "manual-a", "manual")
    findings.remember({"sym": "BTCUSDT", "qty": 0.1})
    _, (_, position) = findings.take(row(What.POSITION, "BTCUSDT", "", 10_000, 0, "differs", True))
    assert position["qty"] == 0.0


def test_orders_that_turned_up_and_orders_that_nobody_knows_are_risks_and_cash_is_none() -> None:
    findings = Findings("a", "manual-a", "manual")
    found = [findings.take(row(what, "BTCUSDT", "tp-r-1-0")) for what in (What.ORPHAN, What.ADOPTED, What.FILLS)]
    assert [(table, each["action"], each["order_id"]) for told in found for table, each in told] == [
        ("risk_events", action, "tp-r-1-0") for action in ("orphan", "adopted", "halted")
    ]
    assert findings.take(row(What.CASH, "", "", 0, 10**8)) == []
