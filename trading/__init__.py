"""Trading: strategies, backtests, paper and live orders.

from trading import Atr, Strategy, backtest, param
import trading
db = trading.connect()

What is imported of it is loaded when it is asked for: the trader needs no backtests, who asks it needs neither.
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


def connect(address: str | None = None, **options: Any) -> Any:
    """Return a connection to the trader at `address` ("127.0.0.1:5012"; default: as in plant.toml).

    It is a trading.connection.TradingConnection, which also has `classes()`.

    options: port=5012 (of plant.toml's host), frames="pandas"|"arrow"|"polars"|"numpy", timeout_s=10.0,
    warn_unknown=True (of symbols that no row has), config="plant.toml". Raises Unavailable if it does not answer.
    """
    from plant.client.connect import connect_to
    from trading.connection import TradingConnection

    return connect_to("trading", address, kind=TradingConnection, **options)


async def connect_async(address: str | None = None, **options: Any) -> Any:
    """Return a connection to the trader whose questions are awaited; the terms are those of `connect`."""
    from plant.client.aio import connect_async_to

    return await connect_async_to("trading", address, **options)
