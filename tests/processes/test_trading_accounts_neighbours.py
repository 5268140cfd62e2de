"""Which rows of others a run is handed: those of runs that follow the plant, of its account, never its own."""

from typing import Any

import numpy as np
from state_rows import journaled

from trading.accounts.neighbours import Neighbours, account_of_run, run_of_event, symbols_of_run

POSITION = {"strategy": "s", "market_time": 1_763_640_000_000_000_000}


def kept(neighbours: Neighbours, table: str, *rows: dict[str, Any]) -> list[int]:
    return np.flatnonzero(neighbours.wanted(table, journaled(table, list(rows)))).tolist()


def test_backtests_and_its_own_rows_and_other_accounts_are_left_out() -> None:
    neighbours = Neighbours("mine", "paper", {"old": "paper", "test": "backtest", "mine": "paper"})
    told = [("old", "paper"), ("test", "paper"), ("mine", "paper"), ("old", "other"), ("unknown", "paper")]
    rows = [{**POSITION, "run": run, "account": account} for run, account in told]
    assert kept(neighbours, "positions", *rows) == [0]
    order = {"order_id": "o", "n": 1, "side": "buy", "qty": 1.0, "filled": 0.0}
    assert kept(neighbours, "orders", *({**order, **row} for row in rows)) == [0]


def test_runs_that_begin_are_learned_of() -> None:
    neighbours = Neighbours("mine", "paper", {})
    row = {**POSITION, "run": "new", "account": "paper"}
    assert kept(neighbours, "positions", row) == []
    told = [("new", "live"), ("test", "replay"), ("mine", "paper")]
    assert kept(neighbours, "runs", *({"run": run, "mode": mode, "state": "running"} for run, mode in told)) == [0]
    assert kept(neighbours, "positions", row, {**row, "run": "test"}) == [0]
    assert neighbours.takes("positions", row)


def test_of_risk_events_halts_of_the_whole_account_are_handed_on() -> None:
    neighbours = Neighbours("mine", "paper", {"old": "paper"})
    halted = {"account": "paper", "strategy": "", "action": "halted", "detail": "risk: kill (run old)"}
    others = [{"strategy": "s"}, {"action": "refused"}, {"account": "other"}]
    assert kept(neighbours, "risk_events", halted, *({**halted, **other} for other in others)) == [0]
    assert neighbours.made_by_others({**halted, "order_id": ""})
    assert not neighbours.made_by_others({**halted, "order_id": "", "detail": "risk: kill (run mine)"})


def test_what_a_row_tells_of_its_run() -> None:
    assert run_of_event({"order_id": "tp-manual-a-b-1qoi-0", "detail": ""}) == "manual-a-b"
    assert run_of_event({"order_id": "", "detail": "no word"}) == ""
    assert account_of_run({"risk": '{"account": "paper"}'}) == "paper"
    assert (account_of_run({"risk": ""}), symbols_of_run({"symbols": '["A"]'})) == ("", ["A"])
