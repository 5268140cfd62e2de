"""Trading: strategies, backtests, paper and live orders.

from trading import Atr, Strategy, param, backtest
"""

from trading.backtests.backtest import backtest
from trading.backtests.lookahead import check_look_ahead
from trading.backtests.sweep import sweep
from trading.desk.indicators import (
    Adx,
    Atr,
    Bollinger,
    Cci,
    Donchian,
    Ema,
    HeikinAshi,
    Ichimoku,
    Keltner,
    Macd,
    Mfi,
    Obv,
    Psar,
    Rma,
    Roc,
    Rsi,
    Sma,
    Stdev,
    Stochastic,
    Supertrend,
    TrueRange,
    UtBot,
    VolumeSma,
    Vwap,
    WilliamsR,
    Wma,
    indicator,
)
from trading.events import Bar
from trading.instruments import Instrument
from trading.parameters import param
from trading.strategy import Strategy

__all__ = [
    "Adx",
    "Atr",
    "Bar",
    "Bollinger",
    "Cci",
    "Donchian",
    "Ema",
    "HeikinAshi",
    "Ichimoku",
    "Instrument",
    "Keltner",
    "Macd",
    "Mfi",
    "Obv",
    "Psar",
    "Rma",
    "Roc",
    "Rsi",
    "Sma",
    "Stdev",
    "Stochastic",
    "Strategy",
    "Supertrend",
    "TrueRange",
    "UtBot",
    "VolumeSma",
    "Vwap",
    "WilliamsR",
    "Wma",
    "backtest",
    "check_look_ahead",
    "indicator",
    "param",
    "sweep",
]
