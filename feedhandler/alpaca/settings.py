"""What plant.toml may say of an Alpaca feed. Keys are in the environment: ALPACA_API_KEY and ALPACA_API_SECRET."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from feedhandler.alpaca.messages import CHANNELS
from feedhandler.settings import Symbols
from feedhandler.venue.settings import RestAddress, VenueSettings, WebSocketAddress

_LENGTHS = {"bars": "1m", "updatedBars": "1m", "dailyBars": "1d"}
_IN_SNAKE_CASE = {"updated_bars": "updatedBars", "daily_bars": "dailyBars"}


class AlpacaFeedSettings(VenueSettings):
    """[[feeds]] kind = "alpaca": trades, quotes and bars of US stocks; keys in ALPACA_API_KEY and ALPACA_API_SECRET."""

    symbols: Symbols = Field(("AAPL",), description='as the venue writes them, or "*" for all')
    channels: tuple[str, ...] = Field(
        ("bars", "updatedBars"),
        min_length=1,
        description=f"some of {', '.join(CHANNELS)}; corrections and cancels come with trades",
    )
    interval: str = Field("1m", description="length of the bars: 1m; the plant makes larger ones")
    url: WebSocketAddress = Field(
        "wss://stream.data.alpaca.markets/v2/iex",
        description="the WebSocket; its last part is the feed: iex is free, sip has all exchanges, delayed_sip is 15 "
        "minutes late, test has FAKEPACA alone",
    )
    rest_url: RestAddress = Field("https://data.alpaca.markets", description="where the past is fetched")

    @property
    def feed(self) -> str:
        """The feed: the last part of the path of `url`; iex if it has none."""
        return urlsplit(self.url).path.strip("/").rpartition("/")[2] or "iex"

    @property
    def bar_intervals(self) -> tuple[str, ...]:
        """1m of bars and updatedBars, 1d of dailyBars."""
        return tuple(dict.fromkeys(_LENGTHS[channel] for channel in self.channels if channel in _LENGTHS))

    @field_validator("channels")
    @classmethod
    def _known(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        channels = tuple(_IN_SNAKE_CASE.get(channel, channel) for channel in channels)
        if unknown := [channel for channel in channels if channel not in CHANNELS]:
            raise ValueError(f"expected some of {', '.join(CHANNELS)}, found {unknown[0]!r}")
        return tuple(dict.fromkeys(channels))

    @model_validator(mode="after")
    def _minutes(self) -> Self:
        if self.interval != "1m":
            raise ValueError(f"interval: expected 1m, which the venue sends, found {self.interval!r}")
        return self
