"""A sweep is a backtest at every point of its grid, on all CPUs."""

import pytest
from made_up_bars import walk

from plant.errors import SettingsError
from trading import backtest, sweep
from trading.backtests.refusals import OrdersRefused
from trading.strategies.moving_average_cross import MovingAverageCross

TERMS = {"sym": "X", "interval": "1m", "fills": "tradingview"}


def test_every_point_has_the_metrics_of_its_backtest() -> None:
    frame, told = walk(150), []
    found = sweep(
        MovingAverageCross,
        {"fast": [3, 5], "slow": [10, 20]},
        frame,
        parameters={"size": 2.0},
        workers=2,
        progress=lambda done, of: told.append((done, of)),
        **TERMS,
    )
    assert found[["fast", "slow"]].values.tolist() == [[3, 10], [3, 20], [5, 10], [5, 20]]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    last = backtest(MovingAverageCross, frame, parameters={"fast": 5, "slow": 20, "size": 2.0}, **TERMS)
    for name in ("total_return", "max_drawdown", "trades", "win_rate"):
        assert found[name].iloc[3] == last.metric(name)


def test_points_that_are_not_allowed_are_refused_before_anything_runs() -> None:
    for grid, sentence in (
        ({"fast": [0]}, "fast must be"),
        ({"fsat": [1]}, "did you mean"),
        ({"fast": 3}, "a list of values"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            sweep(MovingAverageCross, grid, walk(20), progress=False, **TERMS)


def test_refusals_at_many_points_are_told_once() -> None:
    grid = {"fast": [3, 5], "slow": [10, 20]}
    for workers in (1, 2):
        with pytest.warns(OrdersRefused, match=r"at 4 of 4 points; the first: \d+ of \d+ orders were refused") as told:
            sweep(
                MovingAverageCross,
                grid,
                walk(60),
                parameters={"limits": {"max_order_qty": 0.5}},
                workers=workers,
                progress=False,
                **TERMS,
            )
        assert len(told) == 1
