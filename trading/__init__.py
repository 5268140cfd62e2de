"""Trading: strategies, backtests, paper and live orders.

from trading import Atr, Strategy, backtest, param

What is imported of it is loaded when it is asked for: the trader needs no backtests.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_WHERE = {
    "Bar": "trading.events",
    "Instrument": "trading.instruments",
    "Strategy": "trading.strategy",
    "backtest": "trading.backtests.backtest",
    "check_look_ahead": "trading.backtests.lookahead",
    "param": "trading.parameters",
    "sweep": "trading.backtests.sweep",
}
"""Where what is not an indicator is defined."""

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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_WHERE.get(name, "trading.desk.indicators")), name)
    globals()[name] = found
    return found
