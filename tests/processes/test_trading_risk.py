"""Risk: every bound refuses with its name, orders that reduce pass, losses halt until somebody resumes."""

import pytest
from made_up_bars import written

from plant.errors import SettingsError
from trading import Strategy, backtest
from trading.risk import Limits, limits_of

pytestmark = pytest.mark.filterwarnings("ignore::trading.backtests.refusals.OrdersRefused")

FLAT = (100.0, 101.0, 99.0, 100.0)


def run(steps: dict[int, object], *bars: tuple, **limits: object):
    class Steps(Strategy):
        at = 0

        def on_bar(self, bar):
            self.at += 1
            if self.at in steps:
                steps[self.at](self)

    frame = written(*(bars or [FLAT] * 6))
    return backtest(Steps, frame, sym="X", interval="1m", tick=1, fills="tradingview", limits=limits, capital=10_000)


def rules(result) -> list[str]:
    return result.risk_events["rule"].tolist()


@pytest.mark.parametrize(
    ("limits", "ask"),
    [
        ({"max_order_qty": 4}, lambda s: s.buy(5)),
        ({"max_order_value": 499}, lambda s: s.buy(5)),
        ({"max_position_value": 499}, lambda s: s.buy(5)),
        ({"max_gross_value": 499}, lambda s: s.sell(5)),
        ({"max_open_orders": 1}, lambda s: (s.buy(1, limit=95), s.buy(1, limit=95))),
        ({"max_orders_per_minute": 2}, lambda s: (s.buy(1), s.buy(1), s.buy(1))),
        ({"price_band": 0.1}, lambda s: s.buy(1, limit=89)),
    ],
)
def test_each_bound_refuses_by_its_name(limits: dict, ask) -> None:
    result = run({1: ask}, **limits)
    assert rules(result) == list(limits)
    refused = result.orders[result.orders["state"] == "refused"]
    assert len(refused) == 1
    assert next(iter(limits)) in refused["reason"].iloc[0]


def test_the_defaults_are_ten_orders_a_minute_and_a_band_of_ten_percent() -> None:
    result = run({1: lambda s: [s.buy(1) for _ in range(11)] + [s.buy(1, stop=111)]})
    assert rules(result) == ["max_orders_per_minute", "price_band"]


def test_shorts_and_symbols_that_are_not_allowed_are_refused() -> None:
    assert "long_only" in rules(run({1: lambda s: s.sell(1)}, long_only=True))[0]
    assert "symbols" in rules(run({1: lambda s: s.buy(1)}, symbols=["Y"]))[0]


def test_an_order_that_reduces_the_position_passes() -> None:
    result = run(
        {1: lambda s: s.buy(4), 3: lambda s: s.sell(3), 5: lambda s: s.close()}, max_order_qty=4, max_order_value=400
    )
    assert result.fills["position_after"].tolist() == [4, 1, 0]
    limits = {"max_orders_per_minute": 1}
    assert run({1: lambda s: s.buy(2), 2: lambda s: s.close()}, **limits).fills["position_after"].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("limits", "steps", "held"),
    [
        ({"max_position_value": 599}, {1: lambda s: [s.buy(4), s.buy(4), s.buy(1)]}, [4, 5]),
        ({"max_gross_value": 599}, {1: lambda s: [s.sell(3), s.sell(3), s.sell(2)]}, [-3, -5]),
        ({"max_position_value": 599}, {1: lambda s: [s.enter("long", 4, id="a"), s.enter("long", 4, id="b")]}, [4]),
        ({"max_position_value": 599}, {1: lambda s: [s.buy(4, oco="o"), s.buy(4, limit=95, oco="o")]}, [4]),
        ({"long_only": True}, {1: lambda s: s.buy(4), 3: lambda s: [s.sell(3), s.sell(1), s.sell(3)]}, [4, 1, 0]),
        ({"max_order_qty": 4}, {1: lambda s: s.buy(4), 3: lambda s: [s.sell(2), s.sell(5), s.sell(2)]}, [4, 2, 0]),
    ],
)
def test_a_bound_holds_for_all_orders_that_are_open_and_not_for_each_alone(
    limits: dict, steps: dict, held: list[int]
) -> None:
    result = run(steps, **limits)
    assert result.fills["position_after"].tolist() == held


def test_what_would_turn_a_position_with_what_is_open_does_not_only_reduce() -> None:
    result = run({1: lambda s: s.buy(2), 3: lambda s: [s.sell(2), s.sell(3)]}, max_position_value=250)
    assert rules(result) == ["max_position_value"]
    assert result.fills["position_after"].tolist() == [2, 0]


def test_a_symbol_without_a_price_yet_has_no_value_that_a_bound_could_hold() -> None:
    class Other(Strategy):
        def on_bar(self, bar):
            if bar.sym == "X":
                self.buy(5, sym="Y")
                self.buy(5, sym="Y", limit=1e6)

    bars = {"X": written(FLAT, FLAT), "Y": written(FLAT, FLAT, FLAT).iloc[2:]}
    terms = {"interval": "1m", "tick": 1, "fills": "tradingview"}
    for rule in ("max_order_value", "max_position_value", "max_gross_value"):
        limits = {rule: 1, "stale_s": 0, "price_band": None}
        result = backtest(Other, bars, **terms, limits=limits)
        assert [name.split(":")[0] for name in rules(result)] == [rule] * 4
        assert "no price of Y is known yet" in result.orders["reason"].iloc[-1]
    result = backtest(Other, bars, **terms, limits={"stale_s": 0})
    assert [name.split(":")[0] for name in rules(result)] == ["price_band"] * 2


def test_a_loss_halts_cancels_and_refuses_and_keeps_the_position() -> None:
    falls = [FLAT, FLAT, (100, 100, 80, 80), (80, 81, 79, 80), (80, 81, 79, 80)]
    steps = {1: lambda s: (s.buy(10), s.buy(1, limit=92, tif="gtc")), 3: lambda s: s.buy(1), 4: lambda s: s.buy(1)}
    result = run(steps, *falls, max_daily_loss=150)
    assert rules(result)[0] == "max_daily_loss"
    assert result.risk_events["action"].tolist() == ["halted", "refused", "refused"]
    assert result.positions["qty"].iloc[-1] == 11, "the limit at 92 was filled on the way down"


def test_a_drawdown_halts_and_may_flatten() -> None:
    falls = [FLAT, FLAT, (100, 100, 80, 80), (80, 81, 79, 80), (80, 81, 79, 80)]
    result = run({1: lambda s: s.buy(50)}, *falls, max_drawdown=0.05, flatten_on_halt=True)
    assert rules(result) == ["max_drawdown"]
    assert result.fills[["side", "qty", "price"]].values.tolist() == [["buy", 50, 100], ["sell", 50, 80]]


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), True, "1"])
def test_bounds_that_are_no_numbers_are_refused(bad: object) -> None:
    with pytest.raises(SettingsError, match="max_order_qty"):
        limits_of({"max_order_qty": bad})
    assert Limits(stale_s=0).stale_s == 0
    with pytest.raises(SettingsError, match="stale_s"):
        Limits(stale_s=-1)
