"""What plant.toml may say of a Finazon feed. The key is no setting: it is in the environment, as FINAZON_API_KEY."""

from typing import Literal

from pydantic import Field

from feedhandler.settings import FeedSettings, Symbols
from feedhandler.venue.settings import RestAddress, WebSocketAddress


class FinazonFeedSettings(FeedSettings):
    """[[feeds]] kind = "finazon": bars over Finazon's WebSocket; the key is in FINAZON_API_KEY."""

    symbols: Symbols = Field(("AAPL", "TSLA"), description="tickers to subscribe to")
    dataset: str = Field("us_stocks_essential", description='the venue\'s code, or "sip_non_pro", ...')
    frequency: Literal["1s", "10s", "1m"] = Field("10s", description="how often a bar is pushed")
    url: WebSocketAddress = Field("wss://ws.finazon.io/v1", description="the WebSocket")
    rest_url: RestAddress = Field("https://api.finazon.io/latest", description="where bars of the past are fetched")
    heartbeat_s: float = Field(
        30.0, gt=0, description="seconds between heartbeats; a ping unanswered for 10 s ends the connection"
    )
    backfill: bool = Field(True, description="fetch closed bars since midnight in New York, and those of a reconnect")
