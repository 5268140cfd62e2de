"""Metrics against their definitions, and against quantstats and backtesting.py, which compute them their own way."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from made_up_bars import walk

from trading import backtest
from trading.backtests.metrics import NAMES, Measured, metrics_of
from trading.instruments import money_of
from trading.strategies.moving_average_cross import MovingAverageCross


def measured(equity: list[float], profits: list[float] = (), calendar: bool = False, worst: float = -0.1) -> Measured:
    money = [money_of(value) for value in equity]
    return Measured(money[0], money, calendar, worst, [money_of(p) for p in profits], 0, 100, 25, money_of(5000))


def values(of: Measured) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics_of(of)}


def test_every_metric_is_there_in_its_order() -> None:
    found = metrics_of(measured([1000, 1010]))
    assert tuple(metric.name for metric in found) == NAMES
    assert all(metric.detail for metric in found)


@pytest.mark.parametrize("calendar", [True, False])
def test_of_returns_they_are_what_their_papers_say(calendar: bool) -> None:
    equity = [1000.0, 1010, 1005, 1020, 1000, 1042, 1040]
    n = 252 if calendar else 365
    r = np.diff(equity) / equity[:-1]
    found = values(measured(equity, calendar=calendar, worst=-0.03))
    assert found["total_return"] == 0.04
    assert found["sharpe"] == pytest.approx(r.mean() / r.std(ddof=1) * math.sqrt(n), rel=1e-12)
    assert found["sortino"] == pytest.approx(
        r.mean() / math.sqrt((np.minimum(r, 0) ** 2).mean()) * math.sqrt(n), rel=1e-12
    )
    assert found["volatility"] == pytest.approx(r.std(ddof=1) * math.sqrt(n), rel=1e-12)
    assert found["cagr"] == pytest.approx(1.04 ** (n / 6) - 1, rel=1e-9)
    assert found["calmar"] == pytest.approx(found["cagr"] / 0.03, rel=1e-12)
    assert found["max_drawdown"] == -0.03


def test_of_trips_they_are_counted_after_commission() -> None:
    found = values(measured([1000, 1000], profits=[10, -5, -5, 0, -2, 6]))
    assert found["win_rate"] == 2 / 6
    assert found["profit_factor"] == 16 / 12
    assert found["expectancy"] == pytest.approx(4 / 6)
    assert (found["average_win"], found["average_loss"], found["longest_losing_row"]) == (8, -4, 2)
    assert (found["trades"], found["exposure"], found["turnover"]) == (6, 0.25, 5)


def test_what_has_no_value_is_null_and_never_infinite() -> None:
    none = values(measured([1000, 1010]))
    assert all(math.isnan(none[name]) for name in ("sharpe", "sortino", "volatility", "cagr", "calmar", "win_rate"))
    flat = values(measured([1000, 1000, 1000, 1000], worst=0.0))
    assert all(math.isnan(flat[name]) for name in ("sharpe", "sortino", "calmar"))
    gains = values(measured([1000, 1010, 1030], profits=[5, 7]))
    assert math.isnan(gains["sortino"])
    assert math.isnan(gains["profit_factor"])
    ruined = values(measured([1000, 10, -5, 20]))
    assert not any(math.isinf(value) for value in ruined.values())


def test_quantstats_agrees() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import quantstats.stats as qs

        equity = pd.Series(1000 * np.cumprod(1 + np.random.default_rng(3).normal(0.001, 0.01, 300)))
        equity.index = pd.date_range("2024-01-01", periods=300)
        found = values(measured(equity.round(8).tolist(), calendar=True))
        returns = equity.round(8).pct_change().dropna()
        assert found["sharpe"] == pytest.approx(qs.sharpe(returns, periods=252), rel=1e-9)
        assert found["sortino"] == pytest.approx(qs.sortino(returns, periods=252), rel=1e-9)
        assert found["volatility"] == pytest.approx(qs.volatility(returns, periods=252), rel=1e-9)
        assert found["total_return"] == pytest.approx(qs.comp(returns), rel=1e-9)


def test_backtesting_py_agrees_on_the_trades_of_a_strategy() -> None:
    """Its trades close at the last bar; ours stay open and are left out, so the last is left out of both."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from backtesting import Backtest
        from backtesting import Strategy as Theirs

    frame = walk(400)

    class Cross(Theirs):
        def init(self):
            close = pd.Series(self.data.Close)
            self.fast = self.I(lambda: close.rolling(5).mean())
            self.slow = self.I(lambda: close.rolling(20).mean())

        def next(self):
            above, before = self.fast[-1] > self.slow[-1], self.fast[-2] > self.slow[-2]
            if above != before and not np.isnan(self.slow[-2]):
                self.position.close()
                (self.buy if above else self.sell)(size=1)

    named = frame.rename(columns=str.capitalize).set_index("Time").tz_localize(None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Backtest(named, Cross, cash=1e6).run()["_trades"]
    result = backtest(
        MovingAverageCross, frame, sym="X", interval="1m", fills="tradingview", parameters={"fast": 5, "slow": 20}
    )
    ours = result.round_trips[~result.round_trips["open"]]
    assert len(ours) == len(theirs) > 5
    np.testing.assert_allclose(ours["profit"], theirs["PnL"], atol=1e-8)
    wins = theirs["PnL"] > 0
    assert result.metric("win_rate") == wins.mean()
    assert result.metric("profit_factor") == pytest.approx(
        theirs["PnL"][wins].sum() / -theirs["PnL"][theirs["PnL"] < 0].sum()
    )
    assert result.metric("expectancy") == pytest.approx(theirs["PnL"].mean())
