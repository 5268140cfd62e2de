"""The shipped strategies: TradingView's own lists, the definitions of the others, and that none looks ahead."""

from collections.abc import Callable

import numpy as np
import plain_lists
import pytest
import tradingview_lists
from made_up_bars import walk, written

from trading import backtest
from trading.backtests.result import Result
from trading.strategies.bollinger import BollingerBands
from trading.strategies.channel_breakout import ChannelBreakout
from trading.strategies.keltner import KeltnerChannel
from trading.strategies.macd import MacdCross
from trading.strategies.rsi import RsiReversal
from trading.strategies.supertrend import SupertrendTurn
from trading.strategies.ut_bot import UTBot


def run_on_the_recorded_bars(strategy: type, fills: object = "tradingview", lot: float = 1.0):
    bars = tradingview_lists.bars()
    return backtest(strategy, bars=bars, sym="EURUSD", interval="1h", tick=1e-5, lot=lot, fills=fills)


def test_rsi_trades_as_tradingview_lists_it() -> None:
    result = run_on_the_recorded_bars(RsiReversal)
    tradingview_lists.hold(result.round_trips, tradingview_lists.trades("rsi_trades.csv"), -4210)
    assert result.round_trips["open"].tolist() == [False] * 193 + [True]


def test_keltner_trades_as_tradingview_lists_it() -> None:
    result = run_on_the_recorded_bars(KeltnerChannel)
    tradingview_lists.hold(result.round_trips, tradingview_lists.trades("keltnerchannel_trades.csv"), 420)


def hold_to_the_plain_list(result: Result, listed: list[plain_lists.PlainTrade], lots: int = 1) -> None:
    """Assert that round trips are those of a list in every column: prices in ticks, money in ticks times lots."""
    trips, ticks = result.round_trips, plain_lists.TICKS
    assert len(trips) == len(listed)
    ours = {name: trips[name].tolist() for name in ("side", "entry_at", "entry_tag", "exit_at", "exit_tag", "open")}
    for name, factor in (("entry_price", ticks), ("exit_price", ticks), ("qty", lots), ("profit", ticks * lots)):
        ours[name] = (trips[name] * factor).round().astype(int).tolist()
    theirs = {
        "side": [("short", "long")[trade.sign > 0] for trade in listed],
        "open": [False] * (len(listed) - 1) + [True],
        **{name: [getattr(t, name) for t in listed] for name in ("entry_at", "entry_tag", "exit_at", "exit_tag")},
        "entry_price": [trade.entry for trade in listed],
        "exit_price": [trade.exit for trade in listed],
        **{name: [getattr(trade, name) for trade in listed] for name in ("qty", "profit")},
    }
    for name, values in theirs.items():
        assert ours[name] == values, (
            f"{name} of trade {[a == b for a, b in zip(ours[name], values, strict=True)].index(False) + 1}"
        )
    entry = np.array(theirs["entry_price"])
    away = {"run_up": [t.best for t in listed], "drawdown": [t.worst for t in listed]}
    away["profit_pct"] = [t.sign * (t.exit - t.entry) for t in listed]
    for name, ticks_away in away.items():
        np.testing.assert_allclose(trips[name], 100 * np.array(ticks_away) / entry, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("strategy", "listed", "count"),
    [
        (MacdCross, plain_lists.macd_trades, 1808),
        (BollingerBands, plain_lists.bollinger_trades, 579),
        (ChannelBreakout, plain_lists.channel_trades, 2946),
    ],
)
def test_the_lists_of_the_others_are_those_of_their_definitions(strategy: type, listed: Callable, count: int) -> None:
    wanted = listed(plain_lists.read(tradingview_lists.bars()))
    assert len(wanted) == count
    hold_to_the_plain_list(run_on_the_recorded_bars(strategy), wanted)


@pytest.mark.parametrize(("sized_at", "lots"), [("fill", 1), ("order", 10)])
def test_supertrend_is_sized_at_its_fill_or_as_tradingview_does_at_the_close_before(sized_at: str, lots: int) -> None:
    wanted = plain_lists.supertrend_trades(plain_lists.read(tradingview_lists.bars()), sized_at, lots)
    assert len(wanted) == 602
    fills = {"preset": "tradingview", "sized_at": sized_at}
    hold_to_the_plain_list(run_on_the_recorded_bars(SupertrendTurn, fills=fills, lot=1 / lots), wanted, lots)


def test_ut_bot_has_the_stops_and_signals_of_its_card() -> None:
    """c = 3, a = 1: the vector that was computed from the script's rules; SELL on bar 5, BUY on 8, SELL on 12."""
    high = [10, 11, 12, 13, 12.5, 11.5, 10.5, 10, 11.5, 13, 14, 13.5, 12, 11]
    low = [9, 9.8, 10.8, 11.9, 11.2, 10.1, 9.4, 9, 9.8, 11.4, 12.8, 12.1, 10.6, 9.9]
    close = [9.5, 10.8, 11.8, 12.2, 11.4, 10.3, 9.6, 9.9, 11.3, 12.8, 13.6, 12.3, 10.9, 10.2]
    stops = [10.5667, 10.9778, 10.9778, 11.5988, 10.8325, 10.8325, 9.9633, 11.3422, 12.2281, 12.2281, 12.4097, 11.5731]
    bars = written(*zip(close, high, low, close, strict=True))
    result = backtest(
        UTBot, bars, sym="X", interval="1m", tick=0.0001, fills="tradingview", parameters={"key": 1.0, "period": 3}
    )
    np.testing.assert_allclose(result.plots["value"], stops, atol=6e-5)
    made = result.orders[result.orders["n"] == 1]
    assert made["side"].tolist() == ["sell", "buy", "sell"]
    assert made["market_time"].dt.minute.tolist() == [5, 8, 12]


def test_supertrend_is_a_share_of_the_equity_and_turns_with_its_direction() -> None:
    result = backtest(
        SupertrendTurn,
        walk(400),
        sym="X",
        interval="1m",
        fills="tradingview",
        parameters={"period": 5, "multiplier": 1.5},
    )
    trips = result.round_trips
    assert len(trips) > 5
    assert trips["side"].tolist() == [
        ("long", "short")[(trips["side"][0] == "short") ^ (i % 2)] for i in range(len(trips))
    ]
    equity = 1e6 + trips["profit"].cumsum().shift(fill_value=0.0)
    assert trips["qty"].tolist() == np.floor(0.15 * equity / trips["entry_price"]).tolist()
