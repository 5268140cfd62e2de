"""What plant.toml may say of the feed of any venue, and the keys that are in the environment.

class KrakenSettings(VenueSettings):
    \"\"\"[[feeds]] kind = "kraken": trades and quotes; no key.\"\"\"

    symbols: Symbols = Field(("BTC/USD",), description="pairs as Kraken writes them")
    url: WebSocketAddress = Field("wss://ws.kraken.com/v2", description="the WebSocket")
"""

import os
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

from feedhandler.settings import FeedSettings, Symbols
from plant.rows.intervals import interval_name
from plant.transport.secret import Secret


def _address(*schemes: str) -> AfterValidator:
    """Return the check that an address has one of these schemes, and a host."""

    def check(address: str) -> str:
        try:
            parts = urlsplit(address)
            valid = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number
            valid = False
        if not valid:
            raise ValueError(f"expected {' or '.join(f'{each}://host/...' for each in schemes)}")
        return address

    return AfterValidator(check)


WebSocketAddress = Annotated[str, _address("wss", "ws")]
"""wss://host/path, or ws:// for a server of this machine."""

RestAddress = Annotated[str, _address("https", "http")]
"""https://host/path, or http:// for a server of this machine."""


class VenueSettings(FeedSettings):
    """The keys of [[feeds]] that every venue has; frozen."""

    symbols: Symbols = Field(description="as the venue writes them, or as `names` maps them")
    channels: tuple[str, ...] = Field(("trades",), min_length=1, description="what of each symbol: trades, bars, ...")
    interval: str = Field("1m", description="length of the bars")
    url: WebSocketAddress = Field(description="the WebSocket")
    rest_url: RestAddress = Field("", description="where the past is fetched, of a venue that has one")
    names: dict[str, str] = Field({}, description='our symbol to the venue\'s, e.g. {"BTC/USD" = "XBTUSD"}')
    backfill: bool = Field(True, description="fetch what was missed while there was no connection")
    catch_up_h: float = Field(
        24.0, ge=0, description="at a start fetch what came since the newest row in the plant, so many hours at most"
    )
    record: bool = Field(False, description="keep every frame as it came, in <data>/frames/<name>/")
    record_mb: int = Field(1024, gt=0, description="of those the newest so many, MiB on disk")
    heartbeat_s: float = Field(
        20.0, gt=0, description="seconds between pings; one unanswered for 10 s ends the connection"
    )
    silence_s: float = Field(
        0.0, ge=0, description="without data for so long while the calendar is open: stale, twice as long: connect anew"
    )

    @property
    def bar_intervals(self) -> tuple[str, ...]:
        """Lengths of the bars that `channels` give; of a venue whose channels have one each, all of them."""
        return (self.interval,)

    @field_validator("interval")
    @classmethod
    def _named(cls, value: str) -> str:
        return interval_name(value)

    @field_validator("names")
    @classmethod
    def _one_to_one(cls, names: dict[str, str]) -> dict[str, str]:
        if len(set(names.values())) != len(names):
            raise ValueError("expected a venue's symbol for each of ours, found one for two")
        return names


def with_bars(keys: Any, lengths: Mapping[str, str]) -> Any:
    """Return the keys of a feed with "bars" for channels by which a venue names bars of a length, and that `interval`.

    >>> with_bars({"channels": ["kline_5m", "trade"]}, {"kline_5m": "5m"})
    {'channels': ['bars', 'trade'], 'interval': '5m'}
    """
    channels = keys.get("channels") if isinstance(keys, dict) else None
    if not isinstance(channels, list | tuple):
        return keys
    found = list(dict.fromkeys(lengths[name] for name in channels if isinstance(name, str) and name in lengths))
    if not found:
        return keys
    if len(found) > 1 or keys.get("interval", found[0]) != found[0]:
        told = ", ".join(dict.fromkeys([*found, str(keys.get("interval", found[0]))]))
        raise ValueError(f"expected bars of one length, found {told}; another feed may have the others")
    named = ["bars" if isinstance(name, str) and name in lengths else name for name in channels]
    return {**keys, "channels": named, "interval": found[0]}


def keys_of(variables: tuple[str, ...], page: str, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return what the environment has under these names. Raises ValueError, naming those it lacks and the page.

    >>> keys_of(("ALPACA_API_KEY", "ALPACA_API_SECRET"), "docs/feeds.md#alpaca", {"ALPACA_API_KEY": "k"})
    Traceback (most recent call last):
    ValueError: the environment has no ALPACA_API_SECRET; docs/feeds.md#alpaca says where it comes from
    """
    found = os.environ if environment is None else environment
    if missing := [name for name in variables if not found.get(name)]:
        raise ValueError(f"the environment has no {' and no '.join(missing)}; {page} says where it comes from")
    return tuple(found[name] for name in variables)


def secret_of(keys: tuple[str, ...]) -> Secret:
    """Return keys as one secret: the first can be revealed, all are redacted."""
    return Secret(*keys) if keys else Secret("")
