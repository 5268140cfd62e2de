"""What plant.toml may say of a feed of an exchange by CCXT. Market data needs no key."""

from pydantic import Field, field_validator

from feedhandler.settings import Symbols
from feedhandler.venue.settings import VenueSettings

CHANNELS = ("trades", "quotes", "bars")


class CcxtFeedSettings(VenueSettings):
    """[[feeds]] kind = "ccxt": trades, quotes and bars of an exchange that CCXT knows; no key."""

    exchange: str = Field("binance", description="CCXT's name of the exchange, e.g. kraken, coinbase, okx")
    symbols: Symbols = Field(("BTC/USDT",), description="as CCXT writes them: BTC/USDT, of a perpetual BTC/USDT:USDT")
    channels: tuple[str, ...] = Field(("bars",), min_length=1, description=f"some of {', '.join(CHANNELS)}")
    interval: str = Field("1m", description="length of the bars, one that the exchange has")
    url: str = Field("", max_length=0, description="not to be given: CCXT knows the exchange's address")
    rest_url: str = Field("", max_length=0, description="not to be given either")
    most_waiting: int = Field(100_000, gt=0, description="rows that wait at most; then the exchange is not listened to")

    @field_validator("channels")
    @classmethod
    def _known(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [channel for channel in channels if channel not in CHANNELS]:
            raise ValueError(f"expected some of {', '.join(CHANNELS)}, found {unknown[0]!r}")
        return tuple(dict.fromkeys(channels))

    @field_validator("record")
    @classmethod
    def _no_frames(cls, record: bool) -> bool:
        if record:
            raise ValueError("CCXT hands out no frames, so that none can be kept; expected false")
        return record
