"""What plant.toml may say of a Tradier feed. The key is no setting: it is in the environment, as TRADIER_API_KEY."""

from pydantic import Field, field_validator

from feedhandler.settings import Symbols
from feedhandler.tradier.messages import FILTERS
from feedhandler.venue.settings import RestAddress, VenueSettings, WebSocketAddress


class TradierFeedSettings(VenueSettings):
    """[[feeds]] kind = "tradier": prints and quotes of US stocks and options; the token is in TRADIER_API_KEY."""

    symbols: Symbols = Field(("SPY",), description="stocks, and options by their OCC symbols")
    channels: tuple[str, ...] = Field(
        ("trades",), min_length=1, description="trades, quotes; the venue sends no bars, the plant makes them"
    )
    interval: str = Field("1m", description="length of the bars that are fetched of the past: 1m, 5m, 15m")
    url: WebSocketAddress = Field("wss://ws.tradier.com/v1/markets/events", description="the WebSocket")
    rest_url: RestAddress = Field(
        "https://api.tradier.com/v1", description="where a session is asked for, and the past; not the sandbox's"
    )

    @field_validator("channels")
    @classmethod
    def _known(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        ours = {venue: name for name, venue in FILTERS.items()}
        named = tuple(dict.fromkeys(ours.get(channel, channel) for channel in channels))
        if unknown := [channel for channel in named if channel not in FILTERS]:
            more = "; of the same prints it sends only timesale is counted" if unknown[0] in ("trade", "tradex") else ""
            raise ValueError(f"expected some of {', '.join(FILTERS)}, found {unknown[0]!r}{more}")
        return named
