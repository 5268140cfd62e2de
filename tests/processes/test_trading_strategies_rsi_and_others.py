"""The shipped strategies: TradingView's own lists, the definitions of the others, and that none looks ahead."""

import numpy as np
import tradingview_lists
from made_up_bars import walk, written

from trading import backtest
from trading.strategies.keltner import KeltnerChannel
from trading.strategies.rsi import RsiReversal
from trading.strategies.supertrend import SupertrendTurn
from trading.strategies.ut_bot import UTBot


def run_on_the_recorded_bars(strategy: type, **parameters: object):
    return backtest(
        strategy,
        bars=tradingview_lists.bars(),
        sym="EURUSD",
        interval="1h",
        tick=1e-5,
        fills="tradingview",
        parameters=parameters,
    )


def test_rsi_trades_as_tradingview_lists_it() -> None:
    result = run_on_the_recorded_bars(RsiReversal)
    tradingview_lists.hold(result.round_trips, tradingview_lists.trades("rsi_trades.csv"), -4210)
    assert result.round_trips["open"].tolist() == [False] * 193 + [True]


def test_keltner_trades_as_tradingview_lists_it() -> None:
    result = run_on_the_recorded_bars(KeltnerChannel)
    tradingview_lists.hold(result.round_trips, tradingview_lists.trades("keltnerchannel_trades.csv"), 420)


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
