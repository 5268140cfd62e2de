"""What plant.toml says of trading: [trading], [[accounts]] and [[instruments]]. What a broker asks for its accounts
(keys, secrets) never stands here: it comes from the environment."""

import datetime as dt
import math
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from plant.errors import BadRows
from plant.rows.schema import EARLIEST, LATEST, UNKNOWN_TIME
from plant.rows.times import nanoseconds
from plant.runtime.sections import AnsweringSettings, Port

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TradingSettings(AnsweringSettings):
    """[trading]"""

    port: Port = 5012
    strategies: str = Field("strategies", description="folder of strategies of your own; relative to plant.toml")
    live: bool = Field(False, description="whether real orders may be given; a strategy must say so as well")
    reconcile_s: float = Field(60.0, gt=0, description="seconds between comparisons with a broker")
    backtest_memory_mb: int = Field(4096, ge=64, description="memory of a backtest or replay at most, MiB")
    backtest_cpu_s: float = Field(3600.0, gt=0, le=1e9, description="its CPU time at most, s")


class LimitsSection(BaseModel):
    """`limits` of one of [[accounts]]: what its orders must keep; a limit that is not given is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_order_qty: Positive | None = Field(None, description="units of one order")
    max_order_value: Positive | None = Field(None, description="value of one order, account currency")
    max_position_value: Positive | None = Field(None, description="value of what is held of one symbol")
    max_gross_value: Positive | None = Field(None, description="of all that is held, long and short, both positive")
    max_open_orders: Annotated[int, Field(gt=0)] | None = None
    max_orders_per_minute: Annotated[int, Field(gt=0)] | None = Field(
        None, description="of all its strategies together; each has its own limit, 10 if it says none"
    )
    max_daily_loss: Positive | None = Field(None, description="from the session's first equity; halts")
    max_drawdown: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="from the greatest equity, 0.1 is 10 %; halts"
    )
    price_band: Positive = Field(0.1, description="a limit or stop at most so far from the last price, 0.1 is 10 %")
    stale_s: NotNegative = Field(60.0, description="no order on a price that is older, within a session; 0: any age")
    market_hours: bool = Field(False, description="no order outside of the session")
    long_only: bool = False
    symbols: tuple[str, ...] = Field((), description="that may be traded; empty: all")
    flatten_on_halt: bool = Field(False, description="whether positions are closed when it halts")


class AccountSection(BaseModel):
    """One of [[accounts]]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("paper", pattern=r"^[a-z0-9-]{1,9}$", description="at most 9 of a-z, 0-9 and -")
    broker: Literal["paper", "alpaca", "binance"] = "paper"
    mode: Literal["paper", "live"] = "paper"
    currency: str = Field("USD", min_length=1)
    capital: Positive = Field(1e6, description="what it begins with, if its broker is paper")
    fills: str | dict[str, Any] = Field("careful", description="how paper fills: careful, tradingview, or a table")
    fills_on: Literal["", "quotes", "trades", "bars"] = Field(
        "", description="empty: quotes where the symbol has them, else trades, else bars"
    )
    limits: LimitsSection = LimitsSection()
    url: str = Field("", description="of a server that speaks as the broker does; empty: the broker's own")
    stream_url: str = Field("", description="of its order socket; empty: the broker's own, or beside url")

    @field_validator("url", "stream_url")
    @classmethod
    def _an_address(cls, value: str, info: ValidationInfo) -> str:
        schemes = ("http", "https") if info.field_name == "url" else ("ws", "wss")
        address = urlsplit(value)
        if value and (address.scheme not in schemes or not address.hostname):
            raise ValueError(f"expected an address that begins with {' or '.join(f'{s}://' for s in schemes)}")
        if value and address.scheme in ("http", "ws") and address.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError(f"keys would go to {address.hostname} in the clear; expected {schemes[1]}://")
        return value

    @field_validator("fills")
    @classmethod
    def _a_preset(cls, value: str | dict[str, Any]) -> str | dict[str, Any]:
        if isinstance(value, str) and value not in ("careful", "tradingview"):
            raise ValueError("expected careful, tradingview, or a table of how fills are made")
        return value

    @model_validator(mode="after")
    def _another_server_has_both(self) -> Self:
        if self.broker == "binance" and bool(self.url) != bool(self.stream_url):
            raise ValueError("url and stream_url of binance are of two servers: give both, or none")
        return self

    @model_validator(mode="after")
    def _live_by_a_broker(self) -> Self:
        if self.mode == "live" and self.broker == "paper":
            raise ValueError('mode = "live" needs a broker, alpaca or binance; found broker = "paper"')
        if self.mode == "live" and not self.limits.stale_s:
            raise ValueError('limits.stale_s = 0 (a price of any age) is refused with mode = "live"')
        return self


PAPER_ACCOUNT = AccountSection()
"""The account there is if [[accounts]] names none."""


class InstrumentSection(BaseModel):
    """One of [[instruments]]: a symbol, or a pattern of symbols, and columns of the table `instruments`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sym: str = Field(min_length=1, description='a symbol, or a pattern: "BTC/*"')
    since: int = Field(UNKNOWN_TIME, description="from when on, ISO 8601; always, if it is not given")
    currency: str = Field("USD", min_length=1)
    asset_class: str = ""
    tick: Positive = 0.01
    lot: Positive = 1.0
    multiplier: Positive = 1.0
    min_notional: NotNegative | None = None
    maker_bps: float = Field(0.0, allow_inf_nan=False)
    taker_bps: NotNegative = 0.0
    fee_per_unit: NotNegative = 0.0
    calendar: str = ""
    shortable: bool = True
    source: str = Field("plant.toml", min_length=1)

    @field_validator("since", mode="before")
    @classmethod
    def _a_time(cls, value: Any) -> int:
        try:
            found = nanoseconds(value, dt.UTC)
        except BadRows as error:
            raise ValueError(str(error)) from None
        if found != UNKNOWN_TIME and not EARLIEST <= found < LATEST:
            raise ValueError("expected a time between 1970 and 2100")
        return found

    @property
    def name(self) -> str:
        """What tells it from others: its sym, and from when on it is so."""
        if self.since == UNKNOWN_TIME:
            return self.sym
        return f"{self.sym} since {dt.datetime.fromtimestamp(self.since // 10**9, dt.UTC).isoformat()}"

    @property
    def row(self) -> dict[str, Any]:
        """The row of `instruments` that it becomes, without its `time`."""
        least = math.nan if self.min_notional is None else self.min_notional
        return self.model_dump() | {"shortable": int(self.shortable), "min_notional": least}
