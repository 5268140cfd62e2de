"""Limits as they are told: a body checked as the trader does it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]


class LimitsBody(BaseModel):
    """Limits to be told, of an account or of a strategy; those that are not named stay, null is none."""

    model_config = ConfigDict(extra="forbid")

    account: str | None = Field(None, description="one of [[accounts]]; the first, if no strategy is named")
    strategy: str | None = Field(None, min_length=1, description="instead of an account")
    max_order_qty: Positive | None = None
    max_order_value: Positive | None = None
    max_position_value: Positive | None = None
    max_gross_value: Positive | None = None
    max_open_orders: Count | None = None
    max_orders_per_minute: Count | None = None
    max_daily_loss: Positive | None = None
    max_drawdown: Annotated[float, Field(gt=0, lt=1)] | None = None
    price_band: Positive | None = None
    stale_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0
    market_hours: bool = False
    long_only: bool = False
    symbols: list[str] = []
    flatten_on_halt: bool = False

    @property
    def told(self) -> dict[str, Any]:
        """The limits that the body names."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"account", "strategy"}}
