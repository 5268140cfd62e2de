"""How much to buy or sell, so that a stop costs no more than is risked: from the newest price there is."""

import math
import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.answers.problems import Problem, invalid
from api.desk.desk import Desk, threaded
from plant.control.books import Seen
from plant.errors import QueryError
from plant.state.newest import Row
from plant.state.sizes import size_of

PRICES = (("quotes", ("bid", "ask")), ("trades", ("price",)), ("bars", ("close",)))
"""Where prices are from, and which columns they are the mean of."""


class SizeBody(BaseModel):
    """What may be lost, and where the stop is. The entry is the newest price, if it is not told."""

    model_config = ConfigDict(extra="forbid")

    sym: str = Field(min_length=1, max_length=100)
    side: Literal["buy", "sell"]
    risk: float = Field(gt=0, allow_inf_nan=False, description="money, account currency")
    stop: float = Field(gt=0, allow_inf_nan=False, description="price of the stop, quote currency")
    entry: float | None = Field(None, gt=0, allow_inf_nan=False, description="price; the newest if not told")


async def sized(desk: Desk, body: SizeBody, seen: Seen) -> dict[str, Any]:
    """Return qty, entry and risk_per_unit, and what they were made of.

    Raises Problem unknown_symbol without a price, and invalid if there is no such quantity.
    """
    entry, source = (body.entry, "told") if body.entry is not None else await threaded(_newest_price, desk, body.sym)
    row: Row | None = seen.instruments.at(body.sym, time.time_ns())
    lot, multiplier = (1.0, 1.0) if row is None else (row["lot"], row["multiplier"])
    try:
        found = size_of(body.side, body.risk, entry, body.stop, lot, multiplier)
    except QueryError as error:
        place = "$.stop" if "stop" in str(error) else "$.risk"
        raise invalid(place, str(error), entry=entry) from None
    told = {"qty": found.qty, "entry": entry, "risk_per_unit": found.risk_per_unit, "risk": found.risk}
    return {"sym": body.sym, "side": body.side, **told, "lot": lot, "multiplier": multiplier, "priced_by": source}


def _newest_price(desk: Desk, sym: str) -> tuple[float, str]:
    newest: tuple[int, int, float, str] | None = None
    for table, names in PRICES:
        columns = [*names, "seq", "seq_row"]
        found = desk.whole.last(table, sym, columns=columns, frames="arrow").to_pylist()
        for row in found:
            price = math.fsum(row[name] if row[name] is not None else math.nan for name in names) / len(names)
            if math.isfinite(price) and price > 0 and (newest is None or (row["seq"], row["seq_row"]) > newest[:2]):
                newest = row["seq"], row["seq_row"], price, table
    if newest is None:
        raise Problem("unknown_symbol", f"there is no price of {sym!r}; tell `entry`", found=sym)
    return newest[2], newest[3]
