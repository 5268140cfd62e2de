"""The tables of trading: kinds by one rule, and what their rows must be."""

from typing import Any

import numpy as np
import pytest

from plant.intake.forms import columns_of
from plant.rows.schema import Column, Table
from plant.rows.tables import schema_of
from plant.rows.tables_trading import TRADING_TABLES
from tickerplant.validation import bad_rows

NOON = 1_763_640_000_000_000_000

COLUMNS = {
    "instruments": "since currency asset_class tick lot multiplier min_notional maker_bps taker_bps fee_per_unit "
    "calendar shortable source",
    "strategies": "version action class_name definition code_sha parameters symbols interval account mode wanted "
    "who note",
    "commands": "id command arguments who",
    "runs": "run mode state class_name code_sha parameters symbols interval start_at end_at warm_up fills risk seed "
    "data_sha first_seq last_seq bars progress market_time detail",
    "strategy_events": "run market_time kind detail",
    "plots": "run market_time interval name value",
    "orders": "order_id n client_order_id run strategy account side kind qty limit_price stop_price trail "
    "time_in_force parent oco tag filled average state reason broker_id market_time made_at cause_seq",
    "fills": "fill_id order_id run strategy account market_time side qty price commission liquidity realised "
    "position_after cause_seq cause_row",
    "broker_reports": "account kind order_id broker_id state filled reason fill_id side qty price commission liquidity "
    "market_time ours theirs halts detail exact",
    "positions": "account strategy run market_time qty average cost price value realised unrealised commission",
    "equity": "run market_time cash value equity realised unrealised commission exposure drawdown",
    "round_trips": "run strategy number side entry_at entry_price entry_tag exit_at exit_price exit_tag qty profit "
    "profit_pct commission run_up drawdown bars open",
    "metrics": "run name value detail",
    "risk_events": "account strategy rule bound value action order_id detail",
}
KEYS = {
    "instruments": {"since"},
    "plots": {"run", "interval", "name", "market_time"},
    "fills": {"fill_id"},
    "round_trips": {"run", "number"},
    "metrics": {"run", "name"},
}

TEXTS = {
    "client_order_id",
    "definition",
    "parameters",
    "symbols",
    "arguments",
    "fills",
    "risk",
    "detail",
    "reason",
    "note",
    "exact",
}
INTS = {"n", "number", "bars", "version", "warm_up", "seed", "shortable", "by_clock", "open", "halts", "cause_row"}
FLOATS = {
    *COLUMNS["instruments"].split()[3:10],
    *COLUMNS["positions"].split()[4:],
    *COLUMNS["equity"].split()[2:],
    *("progress", "limit_price", "stop_price", "trail", "filled", "position_after", "bound"),
    *("ours", "theirs", "entry_price", "exit_price", "profit", "profit_pct", "run_up"),
}


def kind_of(name: str) -> str:
    """Return the kind that a column of this name has in every table of trading."""
    if name in TEXTS:
        return "text"
    if name in INTS or name.endswith("_seq"):
        return "int"
    if name in ("time", "market_time", "since") or name.endswith("_at"):
        return "time"
    return "float" if name in FLOATS else "symbol"


@pytest.mark.parametrize("table", TRADING_TABLES, ids=lambda table: table.name)
def test_columns_kinds_and_keys_follow_the_rule(table: Table) -> None:
    assert table.names == ("time", "sym", *COLUMNS[table.name].split())
    assert {c.name: c.kind for c in table.columns} == {name: kind_of(name) for name in table.names}
    assert set(table.key) == ({"time", "sym"} | KEYS[table.name] if table.name in KEYS else set())
    assert all(column.meaning for column in table.columns)


def refused(name: str, /, **row: Any) -> list[str]:
    """Return why a row is refused, alone and in a batch."""
    table = schema_of()[name]
    whole = {"time": NOON, "sym": "X", **row}
    many = bad_rows(table, columns_of(table, [whole, whole]), 2)[1]
    alone = bad_rows(table, columns_of(table, whole), 1)[1]
    assert many in ([], alone * 2)
    return alone


STRATEGY = {"version": 1, "action": "create", "wanted": "stopped"}
ORDER = {"order_id": "tp-r-1-1", "n": 1, "side": "buy", "qty": 1.0, "filled": 0.0}
FILL = {"fill_id": "tp-r-1-1-1", "side": "sell", "qty": 1.0}
GOOD: dict[str, dict[str, Any]] = {
    "instruments": {"since": None, "tick": 0.01, "lot": 1.0, "multiplier": 1.0},
    "strategies": STRATEGY,
    "commands": {"id": "c1", "command": "kill"},
    "runs": {"run": "r", "state": "running"},
    "orders": ORDER,
    "fills": FILL,
    "broker_reports": {"account": "a", "kind": "order"},
    "round_trips": {"run": "r", "number": 1},
    "metrics": {"run": "r", "name": "sharpe", "value": np.nan},
    "plots": {"run": "r", "interval": "5m", "name": "trail", "market_time": NOON},
}


@pytest.mark.parametrize("table", TRADING_TABLES, ids=lambda table: table.name)
def test_what_is_left_out_is_not_known(table: Table) -> None:
    assert refused(table.name, **GOOD.get(table.name, {})) == []


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("strategies", {"version": 0}, "version must be 1 or more"),
        ("strategies", {"action": "drop"}, "action must be create, update or delete"),
        ("strategies", {"wanted": "started"}, "wanted must be stopped, running or paused"),
        ("commands", {"command": "compare"}, "command must be backtest, replay, "),
        ("commands", {"id": ""}, "id must not be empty"),
        ("orders", {"n": 0}, "n must be 1 or more"),
        ("orders", {"side": "long"}, "side must be buy or sell"),
        ("orders", {"qty": np.nan}, "qty must be a finite number, 0 or more"),
        ("orders", {"qty": 0.0}, ""),
        ("orders", {"filled": -1.0}, "filled must be a finite number, 0 or more"),
        ("orders", {"limit_price": np.inf}, "limit_price must be a finite number, or not known"),
        ("orders", {"made_at": 1}, ""),
        ("broker_reports", {"kind": "fill"}, "kind must be order, position, fee, cash, orphan, adopted or fills"),
        ("broker_reports", {"account": ""}, "account must not be empty"),
        ("fills", {"qty": 0.0}, "qty must be a positive finite number"),
        ("fills", {"price": -np.inf}, "price must be a finite number, or not known"),
        ("instruments", {"tick": 0.0}, "tick must be a positive finite number"),
        ("metrics", {"value": np.inf}, "value must be a finite number, or not known"),
    ],
)
def test_a_row_that_means_nothing_is_refused(table: str, change: dict[str, Any], reason: str) -> None:
    found = refused(table, **{**GOOD[table], **change})
    assert (len(found) == 1 and reason in found[0]) if reason else not found


def test_every_number_is_looked_at() -> None:
    def numbers(table: Table) -> set[str]:
        return {c.name for c in table.columns if c.kind == "float"}

    for table in TRADING_TABLES:
        told = {check.reason.split()[0] for check in table.checks}
        assert numbers(table) <= told
        assert isinstance(table.columns[0], Column)
