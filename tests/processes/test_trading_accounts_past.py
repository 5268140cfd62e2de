"""What an account had before a run began: as of its first seq, of runs that follow the plant, whoever asks and when."""

import json
from typing import Any

import pytest
from local_connection import LocalConnection
from state_rows import NOON

from plant.intake.forms import columns_of
from plant.memory.table import MemoryTable
from plant.query.answers import Answerer
from plant.rows.batch import Batch
from plant.rows.tables import schema_of
from plant.state.commands import GivenCommand
from trading.accounts.opening import Opening
from trading.accounts.past import opening

SCHEMA = schema_of()
TABLES = ("positions", "orders", "risk_events", "equity", "broker_reports")


class Journal:
    """Rows of trading by their seqs, asked as the plant is."""

    def __init__(self) -> None:
        self.tables = {name: MemoryTable(SCHEMA[name]) for name in TABLES}
        self.db = LocalConnection(Answerer(self.tables).answer)
        self.runs: dict[str, dict[str, Any]] = {}

    def run(self, name: str, first_seq: int, strategy: str = "cross", **told: Any) -> None:
        row = {"sym": strategy, "mode": "paper", "state": "running", "seq": first_seq, "first_seq": first_seq}
        row["last_seq"] = first_seq
        risk = json.dumps({"account": told.pop("account", "paper")})
        self.runs[name] = {**row, "risk": risk, "symbols": '["A", "B"]', "detail": "", **told}

    def row(self, table: str, seq: int, **columns: Any) -> None:
        columns = {"time": NOON + seq, "sym": "A", "account": "paper", **columns}
        declared = SCHEMA[table]
        kept = columns_of(declared, [{k: v for k, v in columns.items() if k in declared.names}])
        self.tables[table].append(Batch(table, kept, seq, seq, NOON + seq, declared.key, times=declared.times))

    def position(self, seq: int, run: str, qty: float, strategy: str = "cross", **columns: Any) -> None:
        self.row("positions", seq, run=run, strategy=strategy, qty=qty, market_time=NOON + seq, **columns)

    def opening(self, run: str = "new", seq: int = 100, strategy: str = "cross", *commands: GivenCommand) -> Opening:
        return opening(self.db, SCHEMA, self.runs, commands, run, strategy, "paper", seq)


@pytest.fixture
def journal() -> Journal:
    made = Journal()
    made.run("old", 10, state="completed", seq=60)
    made.run("other", 20, "else")
    made.run("test", 30, mode="backtest")
    made.run("away", 30, "far", account="second")
    return made


def held(found: Opening) -> dict[tuple[str, str], float]:
    return {(row["strategy"], row["sym"]): row["qty"] for table, row in found.rows if table == "positions"}


def test_the_newest_position_of_each_strategy_and_symbol_up_to_the_seq(journal: Journal) -> None:
    for seq, qty in ((40, 1.0), (50, 2.0), (150, 3.0)):
        journal.position(seq, "old", qty)
        journal.position(seq + 1, "other", -qty, "else", sym="B")
    journal.position(70, "test", 99.0)
    journal.position(71, "away", 99.0, "far", account="second")
    assert held(journal.opening()) == {("cross", "A"): 2.0, ("else", "B"): -2.0}
    assert held(journal.opening(seq=45)) == {("cross", "A"): 1.0, ("else", "B"): -1.0}


def test_it_is_the_same_when_it_is_made_again_later(journal: Journal) -> None:
    journal.position(50, "old", 2.0)
    before = journal.opening()
    journal.run("new", 100)
    journal.run("next", 200)
    journal.position(110, "new", 5.0)
    journal.runs["other"] = {**journal.runs["other"], "state": "completed", "seq": 300}
    again = journal.opening()
    assert str(again) == str(before)  # NaN is not itself


def test_runs_of_its_strategy_that_were_not_over_are_waited_for(journal: Journal) -> None:
    assert journal.opening().after == frozenset()
    assert journal.opening(seq=55).after == {"old"}
    assert journal.opening(strategy="else").after == {"other"}


def test_orders_that_were_open_count_unless_their_run_was_over(journal: Journal) -> None:
    order = {"n": 1, "side": "buy", "qty": 1.0, "filled": 0.0, "market_time": NOON, "made_at": NOON}
    for seq, run, name, state in (
        (40, "old", "o1", "accepted"),
        (41, "other", "o2", "accepted"),
        (42, "other", "o3", "accepted"),
        (43, "other", "o3", "filled"),
        (140, "other", "o2", "filled"),
    ):
        journal.row("orders", seq, **order, run=run, strategy="x", order_id=name, state=state)
    assert [row["order_id"] for table, row in journal.opening().rows if table == "orders"] == ["o2"]


def test_halts_of_the_account_and_of_the_strategy_that_nobody_ended(journal: Journal) -> None:
    halted = {"rule": "max_drawdown", "action": "halted", "detail": "risk: max_drawdown (run other)"}
    journal.row("risk_events", 50, strategy="", **halted)
    journal.row("risk_events", 51, strategy="else", **halted)
    journal.row("risk_events", 52, strategy="", **{**halted, "detail": "risk: max_daily_loss (run test)"})
    journal.row("risk_events", 150, strategy="", **{**halted, "detail": "risk: later (run other)"})
    assert journal.opening().halts == {"account": "risk: max_drawdown (run other)"}
    assert journal.opening(strategy="else").halts.keys() == {"account", "strategy"}
    resume = GivenCommand("c", "resume", "*", {}, NOON + 60, NOON + 60, 60, 0)
    assert journal.opening("new", 100, "cross", resume).halts == {}
    assert journal.opening("new", 100, "cross", resume._replace(seq=160)).halts != {}


def test_after_one_that_diverged_the_strategy_is_halted_until_a_resume(journal: Journal) -> None:
    journal.runs["old"] |= {"state": "failed", "detail": "diverged: fills.price"}
    assert journal.opening().halts == {"strategy": "diverged: fills.price"}
    assert journal.opening(strategy="else").halts == {}
    resume = GivenCommand("c", "resume", "cross", {}, NOON + 70, NOON + 70, 70, 0)
    assert journal.opening("new", 100, "cross", resume).halts == {}


def test_equities_since_the_last_resume_and_the_highest_of_all(journal: Journal) -> None:
    for seq, run, equity in ((40, "old", 300.0), (50, "other", 200.0), (55, "test", 900.0), (70, "other", 250.5)):
        journal.row("equity", seq, sym="paper", run=run, equity=equity, market_time=NOON + seq)
    found = journal.opening()
    assert (found.equity.tolist(), found.peak) == ([300 * 10**8, 200 * 10**8, 25_050_000_000], 300 * 10**8)
    resume = GivenCommand("c", "resume", "paper", {}, NOON + 60, NOON + 60, 60, 0)
    found = journal.opening("new", 100, "cross", resume)
    assert (found.times.tolist(), found.equity.tolist(), found.peak) == ([NOON + 70], [25_050_000_000], 300 * 10**8)
