"""What plant.toml may say of a Databento feed. The key is no setting: the environment has it, as DATABENTO_API_KEY."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from feedhandler.databento.records import BARS
from feedhandler.settings import Symbols
from feedhandler.venue.settings import VenueSettings, with_bars

CHANNELS = ("trades", "quotes", "bars", "statuses")


class DatabentoFeedSettings(VenueSettings):
    """[[feeds]] kind = "databento": trades, quotes, bars of a dataset; the key is in DATABENTO_API_KEY."""

    dataset: str = Field(description='the venue\'s code, e.g. "EQUS.MINI", "XNAS.ITCH", "GLBX.MDP3"')
    symbols: Symbols = Field(("AAPL",), description='raw symbols, or what stype_in says; "ALL_SYMBOLS" for all')
    channels: tuple[str, ...] = Field(
        ("trades",), min_length=1, description=f"some of {', '.join(CHANNELS)}; quotes are mbp-1"
    )
    interval: str = Field("1m", description="length of the bars: 1s, 1m, 1h")
    stype_in: Literal["raw_symbol", "continuous", "parent"] = Field("raw_symbol", description="what `symbols` are")
    url: str = Field("", description="host:port of the gateway; empty: the dataset's own")
    rest_url: str = Field("", max_length=0, description="not to be given: what was missed is replayed by the gateway")
    heartbeat_s: float = Field(30.0, ge=5, le=1800, description="the gateway says so often that it is there")

    @property
    def schemas(self) -> dict[str, str]:
        """What the venue calls our channels."""
        return {"trades": "trades", "quotes": "mbp-1", "bars": f"ohlcv-{self.interval}", "statuses": "status"}

    @model_validator(mode="before")
    @classmethod
    def _names_of_bars(cls, keys: Any) -> Any:
        """Take the venue's own names of bars, which say their length."""
        return with_bars(keys, {f"ohlcv-{interval}": interval for interval in BARS.values()})

    @field_validator("channels")
    @classmethod
    def _known(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        channels = tuple({"mbp-1": "quotes", "status": "statuses"}.get(channel, channel) for channel in channels)
        if unknown := [channel for channel in channels if channel not in CHANNELS]:
            raise ValueError(f"expected some of {', '.join(CHANNELS)}, found {unknown[0]!r}")
        return tuple(dict.fromkeys(channels))

    @model_validator(mode="after")
    def _has_bars(self) -> Self:
        if self.interval not in BARS.values():
            raise ValueError(f"interval: expected one of {', '.join(BARS.values())}, found {self.interval!r}")
        host, colon, port = self.url.rpartition(":")
        if self.url and not (host and colon and port.isdigit()):
            raise ValueError(f"url: expected host:port, found {self.url!r}")
        return self
