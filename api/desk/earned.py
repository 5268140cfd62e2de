"""What strategies and accounts earned: metrics by the names that front ends use, accounts as they stand. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from api.answers.times import told_time
from plant.control.halts import Halt
from plant.runtime.trading import AccountSection
from plant.state.newest import Row

METRICS = {
    "return": "total_return",
    "win_rate": "win_rate",
    "profit_factor": "profit_factor",
    "sharpe": "sharpe",
    "max_drawdown": "max_drawdown",
    "exposure": "exposure",
}
"""What an answer calls a metric, and the table `metrics`."""

_MONEY = ("cash", "value", "equity", "realised", "unrealised", "commission", "exposure", "drawdown")


def performance_of(rows: Iterable[Row], followed: frozenset[str]) -> dict[str, Any]:
    """Return run and metrics of a strategy, of the newest of its runs that has any; None where there is nothing.

    rows   of `metrics` of one sym, in the order of the journal; runs that follow the plant come before others
    """
    by_run: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_run.setdefault(row["run"], {})[row["name"]] = row
    runs = sorted(by_run, key=lambda run: (run in followed or not run, max(r["seq"] for r in by_run[run].values())))
    found = by_run[runs[-1]] if runs else {}
    metrics = {told: found[name]["value"] if name in found else None for told, name in METRICS.items()}
    others = {name: row["value"] for name, row in found.items() if name not in METRICS.values()}
    newest = max((row["seq"] for row in found.values()), default=None)
    at = max((row["time"] for row in found.values()), default=None)
    told = {"run": runs[-1] or None if runs else None, "metrics": metrics, "more": others}
    return told | {"time": told_time(at), "metrics_seq": newest}


def account_object(account: AccountSection, row: Row | None, halt: Halt) -> dict[str, Any]:
    """Return an account as it stands; `row` is its newest of `equity`, None if there is none yet."""
    told: dict[str, Any] = {
        "account": account.name,
        "broker": account.broker,
        "mode": account.mode,
        "currency": account.currency,
        "capital": account.capital if account.broker == "paper" else None,
        **{name: None if row is None else row[name] for name in _MONEY},
        "market_time": None if row is None else told_time(row["market_time"]),
    }
    return told | halt_object(halt)


def halt_object(halt: Halt) -> dict[str, Any]:
    """Return whether trading is halted, since when and by whom, and which strategies are, and why."""
    since = told_time(halt.since)
    return {"halted": halt.halted, "since": since, "by": halt.by or None, "halted_strategies": dict(halt.strategies)}


def limits_object(account: AccountSection, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits of an account: those of plant.toml, over them those that were told."""
    return account.limits.model_dump(mode="json") | dict(told)
