"""What plant.toml may say of a Polygon feed. The key is no setting: it is in the environment, as MASSIVE_API_KEY."""

from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from feedhandler.settings import Symbols
from feedhandler.venue.settings import RestAddress, VenueSettings, WebSocketAddress, with_bars

CODES: dict[str, dict[str, str]] = {
    "crypto": {"trades": "XT", "quotes": "XQ", "1s": "XAS", "1m": "XA"},
    "forex": {"quotes": "C", "1s": "CAS", "1m": "CA"},
    "indices": {"1s": "A", "1m": "AM"},
    "": {"trades": "T", "quotes": "Q", "1s": "A", "1m": "AM"},
}
"""What the venue calls our channels, bars by their interval, in each cluster; "": in all others."""

_OURS = {"T": "trades", "XT": "trades", "Q": "quotes", "XQ": "quotes", "C": "quotes"}
_BARS = {"A": "1s", "XAS": "1s", "CAS": "1s", "AM": "1m", "XA": "1m", "CA": "1m"}


class PolygonFeedSettings(VenueSettings):
    """[[feeds]] kind = "polygon": trades, quotes and bars of Massive; the key is in MASSIVE_API_KEY."""

    symbols: Symbols = Field(("AAPL",), description='as the venue writes them: AAPL, "BTC-USD", "EUR/USD", "I:SPX"')
    channels: tuple[str, ...] = Field(
        ("bars",), min_length=1, description="some of trades, quotes, bars, as far as the plan has them"
    )
    interval: str = Field("1m", description="length of the bars, 1s or 1m; the plant makes larger ones")
    url: WebSocketAddress = Field(
        "wss://socket.massive.com/stocks",
        description="the WebSocket, real time; wss://delayed.massive.com/stocks is 15 minutes late; its path is the "
        "cluster: stocks, options, futures, indices, forex, crypto",
    )
    rest_url: RestAddress = Field("https://api.massive.com", description="where the past is fetched")

    @property
    def cluster(self) -> str:
        """The kind of market: the first part of the path of `url`; stocks if it has none."""
        return urlsplit(self.url).path.strip("/").split("/")[0] or "stocks"

    @property
    def codes(self) -> dict[str, str]:
        """What the venue calls each of `channels`."""
        known = CODES.get(self.cluster, CODES[""])
        return {channel: known[self.interval if channel == "bars" else channel] for channel in self.channels}

    @model_validator(mode="before")
    @classmethod
    def _codes_of_bars(cls, keys: Any) -> Any:
        """Take the venue's own names of bars, which say their length."""
        return with_bars(keys, _BARS)

    @field_validator("channels")
    @classmethod
    def _known(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        named = tuple(dict.fromkeys(_OURS.get(channel, channel) for channel in channels))
        if unknown := [channel for channel in named if channel not in ("trades", "quotes", "bars")]:
            raise ValueError(f"expected some of trades, quotes, bars, found {unknown[0]!r}")
        return named

    @model_validator(mode="after")
    def _there_are_such(self) -> Self:
        known = CODES.get(self.cluster, CODES[""])
        if self.interval not in ("1s", "1m"):
            raise ValueError(f"interval: expected 1s or 1m, which the venue sends, found {self.interval!r}")
        if missing := [channel for channel in self.channels if channel != "bars" and channel not in known]:
            raise ValueError(f"channels: {self.cluster} has no {missing[0]}")
        return self
