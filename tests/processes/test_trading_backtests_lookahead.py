"""The look-ahead check finds a planted peek, and passes the shipped strategies."""

import numpy as np
import pandas as pd
import pytest
from made_up_bars import walk

from trading import Strategy, check_look_ahead
from trading.backtests.lookahead import check_warm_up
from trading.strategies.bollinger import BollingerBands
from trading.strategies.channel_breakout import ChannelBreakout
from trading.strategies.conditions import Conditions
from trading.strategies.frame import frame_strategy
from trading.strategies.keltner import KeltnerChannel
from trading.strategies.macd import MacdCross
from trading.strategies.moving_average_cross import MovingAverageCross
from trading.strategies.rsi import RsiReversal
from trading.strategies.supertrend import SupertrendTurn
from trading.strategies.ut_bot import UTBot

TERMS = {"sym": "X", "interval": "1m", "cuts": 4}


class Peeks(Strategy):
    """Takes the next close from behind the engine's back."""

    def on_bar(self, bar):
        known = self._desk._known.window(bar.sym)
        at = int(np.searchsorted(known.time, bar.time)) + 1
        if at < len(known.time):
            self.enter("long" if known.close[at] > bar.close else "short", 1)


def test_a_planted_peek_is_found() -> None:
    found = check_look_ahead(Peeks, walk(80), **TERMS)
    assert not found.passed
    assert {difference.how for difference in found.differences} == {"cut", "shifted"}
    assert "it decided" in str(found)


def test_a_peek_into_the_frame_of_the_notebook_is_found_and_the_frame_is_put_back() -> None:
    frame = walk(80)
    before = frame.copy()

    class Reads(Strategy):
        def on_bar(self, bar):
            later = frame["close"][frame["time"] > pd.Timestamp(bar.time, tz="UTC")]
            if len(later):
                self.enter("long" if later.iloc[0] > bar.close else "short", 1)

    found = check_look_ahead(Reads, frame, **TERMS)
    assert {difference.how for difference in found.differences} == {"shifted"}
    pd.testing.assert_frame_equal(frame, before)


def averages(frame: pd.DataFrame) -> pd.DataFrame:
    """Hold while the fast mean is above the slow one."""
    fast, slow = frame["close"].rolling(3).mean(), frame["close"].rolling(9).mean()
    return pd.DataFrame({"long_entry": fast > slow, "long_exit": fast < slow, "fast": fast})


SHORT = {
    "definition": {"signals": [{"action": "entry", "side": "long", "all": [{"left": "close", "operator": "rising"}]}]}
}


@pytest.mark.parametrize(
    ("strategy", "parameters"),
    [
        (MovingAverageCross, {"fast": 3, "slow": 9}),
        (RsiReversal, {"period": 5}),
        (MacdCross, {"fast": 3, "slow": 6, "signal": 3}),
        (BollingerBands, {"period": 6}),
        (KeltnerChannel, {"period": 6, "multiplier": 0.5}),
        (ChannelBreakout, {}),
        (SupertrendTurn, {"period": 4, "multiplier": 1.0}),
        (UTBot, {"period": 4}),
        (Conditions, SHORT),
        (frame_strategy(averages), {}),
    ],
)
def test_the_shipped_strategies_pass_and_trade(strategy: type, parameters: dict) -> None:
    found = check_look_ahead(strategy, walk(80), parameters=parameters, **TERMS)
    assert found.passed, str(found)
    assert found.cuts == 4


def test_decisions_that_hang_on_the_warm_up_are_reported() -> None:
    class Counts(Strategy):
        seen = 0

        def on_bar(self, bar):
            self.seen += 1
            if self.seen % 10 == 0:
                self.buy(1)

    frame = walk(60)
    terms = {"sym": "X", "interval": "1m", "start": "2024-03-01 00:40"}
    assert "of warm-up it decided" in check_warm_up(Counts, frame, 14, **terms)[0]
    assert check_warm_up(ChannelBreakout, frame, 14, **terms) == []
