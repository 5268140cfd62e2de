"""The shipped strategies: TradingView's own lists, the definitions of the others, and that none looks ahead."""

import tradingview_lists

from trading import backtest
from trading.strategies.keltner import KeltnerChannel
from trading.strategies.rsi import RsiReversal


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
