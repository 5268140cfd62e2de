"""What a run was worth, in numbers: of its equity at session closes by empyrical, of its round trips by ourselves.

| name | is |
|---|---|
| total_return | equity at the end / at the start - 1 |
| cagr | (end / start) ^ (N / days) - 1 |
| volatility | sd(r) * sqrt(N), sd with ddof 1 |
| sharpe | mean(r) / sd(r) * sqrt(N); Sharpe, The Sharpe Ratio (1994) |
| sortino | mean(r) / sqrt(mean(min(r, 0)^2)) * sqrt(N); Sortino and van der Meer (1991) |
| calmar | cagr / abs(max_drawdown) |
| max_drawdown | least equity / highest so far - 1, on every mark, the start included |
| win_rate | trips with profit > 0 / all |
| profit_factor | gains / abs(losses) |
| expectancy, average_win, average_loss | money of a trip, on average: of all, of those won, of those lost |
| longest_losing_row | trips lost one after the other, the most |
| exposure | bars that closed with a position / all |
| turnover | value bought and sold / mean equity at session closes |
| trades | trips that are closed |

r are the returns from one session close to the next, start and end of cagr the first and the last close; N is 252 with
a calendar, 365 without. The risk-free rate is 0. What has no value is null (NaN), never infinite: of fewer than 2
returns, without variance, without losses. Trips are counted after commission, open ones left out.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading.account import Account
from trading.instruments import amount_of, money_of
from trading.run import RunSetup

NAMES = (
    *("total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown", "win_rate"),
    *("profit_factor", "expectancy", "average_win", "average_loss", "longest_losing_row", "exposure", "turnover"),
    "trades",
)
"""Names of the metrics, in their order."""

SESSIONS_A_YEAR, DAYS_A_YEAR = 252, 365
"""N with an exchange's calendar, and without."""


class Metric(NamedTuple):
    """One metric: NaN is null; `detail` says what it is based on."""

    name: str
    value: float
    detail: str


class Measured(NamedTuple):
    """What metrics are made of.

    start       the equity at the start, money
    equity      at every session close, and at the end, money
    calendar    whether the sessions are those of an exchange
    worst       the deepest equity / highest so far - 1 on any mark
    profits     of the closed trips in their order, money after commission
    open        trips that are not closed
    bars, bars_in_position   that closed, and that closed with a position
    traded      value bought and sold, money
    """

    start: int
    equity: Sequence[int]
    calendar: bool
    worst: float
    profits: Sequence[int]
    open: int
    bars: int
    bars_in_position: int
    traded: int


def metrics_of(measured: Measured) -> list[Metric]:
    """Return all metrics in the order of NAMES."""
    values, basis = _of_equity(measured)
    values |= _of_trips(measured.profits)
    equity = np.array(measured.equity, dtype=np.float64)
    mean = float(equity.mean()) if len(equity) else 0.0
    values["exposure"] = measured.bars_in_position / measured.bars if measured.bars else math.nan
    values["turnover"] = measured.traded / mean if mean > 0 else math.nan
    trips = f"{len(measured.profits)} closed round trips, after commission"
    details = dict.fromkeys(NAMES, basis)
    for name in ("win_rate", "profit_factor", "expectancy", "average_win", "average_loss", "longest_losing_row"):
        details[name] = trips
    details["max_drawdown"] = "on every mark, the start included"
    details["exposure"] = f"{measured.bars_in_position} of {measured.bars} bars closed with a position"
    details["turnover"] = "value bought and sold over the mean equity at session closes"
    details["trades"] = f"open={measured.open}"
    return [Metric(name, values[name], details[name]) for name in NAMES]


def _of_equity(measured: Measured) -> tuple[dict[str, float], str]:
    n = SESSIONS_A_YEAR if measured.calendar else DAYS_A_YEAR
    equity = np.array(measured.equity, dtype=np.float64)
    days = max(len(equity) - 1, 0)
    basis = f"{days} daily returns, N={n}"
    found = dict.fromkeys(("total_return", "cagr", "volatility", "sharpe", "sortino", "calmar"), math.nan)
    found["max_drawdown"] = measured.worst
    if measured.equity:
        found["total_return"] = (measured.equity[-1] - measured.start) / measured.start
    if days < 2 or equity.min() <= 0:
        return found, basis
    returns = equity[1:] / equity[:-1] - 1
    found |= _by_empyrical(returns, n)
    if measured.worst < 0:
        found["calmar"] = found["cagr"] / abs(measured.worst)
    return {name: value if math.isfinite(value) else math.nan for name, value in found.items()}, basis


def _by_empyrical(returns: NDArray[np.float64], n: int) -> dict[str, float]:
    import empyrical
    import pandas as pd

    series = pd.Series(returns)
    found = {"cagr": float(empyrical.cagr(series, annualization=n))}
    if returns.max() > returns.min():
        found["volatility"] = float(empyrical.annual_volatility(series, annualization=n))
        found["sharpe"] = float(empyrical.sharpe_ratio(series, annualization=n))
    else:
        found["volatility"] = 0.0
    if returns.min() < 0:
        found["sortino"] = float(empyrical.sortino_ratio(series, annualization=n))
    return found


def _of_trips(profits: Sequence[int]) -> dict[str, float]:
    wins, losses = [p for p in profits if p > 0], [p for p in profits if p < 0]
    longest = row = 0
    for profit in profits:
        row = row + 1 if profit < 0 else 0
        longest = max(longest, row)
    return {
        "win_rate": len(wins) / len(profits) if profits else math.nan,
        "profit_factor": sum(wins) / -sum(losses) if losses else math.nan,
        "expectancy": _mean(profits),
        "average_win": _mean(wins),
        "average_loss": _mean(losses),
        "longest_losing_row": float(longest) if profits else math.nan,
        "trades": float(len(profits)),
    }


def _mean(money: Sequence[int]) -> float:
    return amount_of(sum(money)) / len(money) if money else math.nan


def metric_rows(
    setup: RunSetup,
    account: Account,
    trips: Sequence[Mapping[str, Any]],
    equity: Sequence[int],
    bars: int,
    calendar: bool,
    time: int,
) -> list[dict[str, Any]]:
    """Return rows of `metrics` of a run.

    account   its books
    trips     its round trips, of those that are open `open` and `bars`
    equity    of its books at session closes, 1e-8 of the currency
    bars      that closed since it began
    time      of the rows
    """
    closed = [money_of(trip["profit"]) for trip in trips if not trip["open"]]
    traded = sum(position.traded for position in account.positions.values())
    found = metrics_of(
        Measured(
            account.began,
            equity,
            calendar,
            account.worst,
            closed,
            len(trips) - len(closed),
            bars,
            sum(trip["bars"] for trip in trips),
            traded,
        )
    )
    return [{**metric._asdict(), "time": time, "sym": setup.strategy, "run": setup.run} for metric in found]


def rows_of_metrics(metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    """Return the metrics as dicts: name, value, detail."""
    return [metric._asdict() for metric in metrics]
