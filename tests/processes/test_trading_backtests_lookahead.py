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


FUTURE: pd.Series | None = None


class OfTheModule(Strategy):
    """Reads, by a helper, the next close that somebody computed beforehand: no cut and no shift can change that."""

    def on_bar(self, bar):
        following = next_close(bar.time)
        if following == following:
            self.enter("long" if following > bar.close else "short", 1)


def next_close(time: int) -> float:
    return float(FUTURE.get(pd.Timestamp(time, tz="UTC"), np.nan))


class OfTheClass(Strategy):
    """Looks up the next close in an array that its class has."""

    closes: np.ndarray
    at = 0

    def on_bar(self, bar):
        self.at += 1
        if self.at < len(self.closes):
            self.enter("long" if self.closes[self.at] > bar.close else "short", 1)


def test_a_peek_into_an_array_of_the_class_is_found() -> None:
    frame = walk(80)
    OfTheClass.closes = frame["close"].to_numpy(copy=True)
    found = check_look_ahead(OfTheClass, frame, **TERMS)
    assert {difference.how for difference in found.differences} == {"shifted"}
    assert found.unproved == ("it can reach OfTheClass.closes, a ndarray of 80 rows",)
    assert OfTheClass.closes.tolist() == frame["close"].tolist()


def test_what_was_computed_of_later_bars_before_is_not_proved() -> None:
    global FUTURE
    frame = walk(80)
    FUTURE = frame.set_index("time")["close"].shift(-1)
    before = FUTURE.copy()
    found = check_look_ahead(OfTheModule, frame, **TERMS)
    assert not found.passed
    assert "not proved free of look-ahead: it can reach FUTURE, a Series of 80 rows" in str(found)
    pd.testing.assert_series_equal(FUTURE, before)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npy"])
def test_a_peek_into_a_file_is_found(tmp_path, suffix: str) -> None:
    frame, file = walk(80), tmp_path / f"prices.{suffix}"
    if suffix == "npy":
        np.save(file, frame["close"].to_numpy())
    else:
        getattr(frame, f"to_{suffix}")(file, index=False)

    class Reads(Strategy):
        def start(self):
            self.closes = np.load(file) if suffix == "npy" else getattr(pd, f"read_{suffix}")(file)["close"].to_numpy()
            self.at = 0

        def on_bar(self, bar):
            self.at += 1
            if self.at < len(self.closes):
                self.enter("long" if self.closes[self.at] > bar.close else "short", 1)

    found = check_look_ahead(Reads, frame, **TERMS)
    assert not found.passed
    assert ("it calls pyarrow.parquet" if suffix == "parquet" else f"it reads {file}") in str(found)


def later_close(frame: pd.DataFrame) -> pd.DataFrame:
    """Hold where the next close is higher."""
    return pd.DataFrame({"long_entry": frame["close"].shift(-1) > frame["close"], "long_exit": False})


def centred(frame: pd.DataFrame) -> pd.DataFrame:
    """Hold above a mean around each bar."""
    mean = frame["close"].rolling(5, center=True, min_periods=1).mean()
    return pd.DataFrame({"long_entry": frame["close"] > mean, "long_exit": frame["close"] < mean, "mean": mean})


def of_all_bars(frame: pd.DataFrame) -> pd.DataFrame:
    """Hold below the mean of the whole frame."""
    mean = frame["close"].mean()
    return pd.DataFrame({"long_entry": frame["close"] < mean, "long_exit": frame["close"] > mean})


@pytest.mark.parametrize("function", [later_close, centred, of_all_bars])
def test_a_function_of_a_frame_whose_rows_change_with_later_bars_is_found(function) -> None:
    found = check_look_ahead(frame_strategy(function), walk(40), **TERMS)
    assert not found.passed
    assert "it decided" in str(found)


def test_peeks_on_ticks_and_in_the_order_of_the_journal_are_found() -> None:
    """The engine gives out nothing of what comes later, so the peek is behind its back."""
    frame = walk(40)
    at = frame["time"] + pd.Timedelta(30, "s")
    trades = pd.DataFrame({"time": at, "price": frame["close"], "size": 50.0, "seq": 2 * np.arange(40) + 1})
    closes = frame.assign(market_time=frame["time"], time=frame["time"] + pd.Timedelta(60, "s"))
    seen = closes.assign(seq=2 * np.arange(40) + 2, seq_row=0, received=closes["time"])
    trades = trades.assign(seq_row=0, received=at)

    class Honest(Strategy):
        last = 0.0

        def on_trade(self, trade):
            self.last = self.plot("last", trade.price)

        def on_bar(self, bar):
            self.enter("long" if bar.close > self.last else "short", 1)

    class Waits(Honest):
        def on_trade(self, trade):
            known = self._desk._known.window("X")
            at = int(np.searchsorted(known.time, trade.time))
            self.enter("long" if known.close[min(at, len(known.close) - 1)] > trade.price + 1e-9 else "short", 1)

    terms = {**TERMS, "trades": trades, "fills_on": "trades"}
    for rows, more in ((frame, {}), (seen, {"as_seen": True})):
        assert check_look_ahead(Honest, rows, **terms, **more).passed
        assert not check_look_ahead(Waits, rows, **terms, **more).passed


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
