"""What plant.toml may say of a Binance feed. Market data needs no key."""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from feedhandler.binance.messages import INTERVALS
from feedhandler.settings import Symbols
from feedhandler.venue.settings import RestAddress, VenueSettings, WebSocketAddress, with_bars

CHANNELS = {"trades": "trade", "aggTrades": "aggTrade", "quotes": "bookTicker", "bars": "kline"}
"""Our channels, and what Binance calls their streams; its own names are taken as well."""


class BinanceFeedSettings(VenueSettings):
    """[[feeds]] kind = "binance": trades, best bid and ask, klines; no key."""

    symbols: Symbols = Field(("BTCUSDT",), description="as Binance writes them, in upper case")
    channels: tuple[str, ...] = Field(
        ("trades", "bars"), min_length=1, description=f"some of {', '.join(CHANNELS)}; aggTrades in the place of trades"
    )
    interval: str = Field("1m", description=f"length of the bars: {', '.join(INTERVALS)}")
    url: WebSocketAddress = Field(
        "wss://stream.binance.com:9443",
        description="the WebSocket; wss://data-stream.binance.vision has market data only, and "
        "wss://stream.binance.us:9443 is another venue",
    )
    rest_url: RestAddress = Field(
        "https://api.binance.com", description="where the past is fetched, or https://data-api.binance.vision"
    )
    unique_trade_ids: bool = Field(True, description="Binance numbers the trades of a symbol 1, 2, 3")

    @model_validator(mode="before")
    @classmethod
    def _names_of_klines(cls, keys: Any) -> Any:
        """Take the venue's own names of bars, which say their length."""
        return with_bars(keys, {f"kline_{interval}": interval for interval in INTERVALS})

    @field_validator("symbols")
    @classmethod
    def _upper(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for sym in symbols:
            if sym != sym.upper() or sym.strip() != sym:
                raise ValueError(f"expected a symbol in upper case, such as BTCUSDT, found {sym!r}")
        return symbols

    @field_validator("channels")
    @classmethod
    def _known(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        ours = {venue: name for name, venue in CHANNELS.items()}
        named = tuple(dict.fromkeys(ours.get(channel, channel) for channel in channels))
        if unknown := [channel for channel in named if channel not in CHANNELS]:
            raise ValueError(f"expected some of {', '.join(CHANNELS)}, found {unknown[0]!r}")
        if {"trades", "aggTrades"} <= {*named}:
            raise ValueError("expected trades or aggTrades, found both: each trade would be counted twice")
        return named

    @model_validator(mode="after")
    def _has_klines(self) -> Self:
        if self.interval not in INTERVALS:
            raise ValueError(f"interval: expected one of {', '.join(INTERVALS)}, found {self.interval!r}")
        return self
