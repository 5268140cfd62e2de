"""Orders by hand: what is asked for as a command, and what became of it."""

import asyncio
import time
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.answers.problems import Problem, invalid
from api.desk.desk import BECOME_S, LOOK_S, Desk, threaded
from plant.errors import SettingsError
from plant.runtime.trading import AccountSection
from plant.state.commands import terms_of
from plant.state.newest import Row
from plant.state.orders import FINAL

CANCELLING_S = 1.0
"""Longest a cancel is waited for, once the broker is asked."""

NAMES = {"time_in_force": "tif", "limit_price": "limit", "stop_price": "stop"}


class OrderBody(BaseModel):
    """An order as it is asked for. Prices are in quote currency, qty in units or as a share: "15% equity"."""

    model_config = ConfigDict(extra="forbid")

    sym: str = Field(min_length=1, max_length=100)
    side: str = Field(description="buy or sell")
    qty: float | str | None = Field(None, description='units, or a share: "15% equity"')
    notional: float | None = Field(None, description="instead of qty: quote currency")
    type: str | None = Field(None, description="market, limit, stop or stop_limit; made of the prices if not told")
    limit_price: float | None = None
    stop_price: float | None = None
    trail: float | None = Field(None, description="distance of a trailing stop, quote currency")
    time_in_force: str | None = Field(None, description="day, gtc, ioc or fok; day if not told")
    take_profit: float | None = Field(None, description="price that closes it with a profit, once it is filled")
    stop_loss: float | None = Field(None, description="price that closes it with a loss, once it is filled")
    client_order_id: str | None = Field(None, max_length=64)
    tag: str | None = Field(None, max_length=64)
    account: str | None = Field(None, description="one of [[accounts]]; the first if not told")

    def arguments(self, account: str) -> dict[str, Any]:
        """Return the arguments of the command `order`. Raises Problem invalid for what no order can be."""
        told = {name: value for name, value in self.model_dump().items() if value is not None}
        del told["sym"]
        if told.get("time_in_force") not in (None, "day", "gtc", "ioc", "fok"):
            raise invalid(
                "$.time_in_force", f"expected day, gtc, ioc or fok, found {told['time_in_force']!r}",
                expected=["day", "gtc", "ioc", "fok"], found=told["time_in_force"],
            )  # fmt: skip
        for name, value in told.items():
            if isinstance(value, float) and not value > 0:
                raise invalid(f"$.{name}", f"must be more than 0, found {value:g}", found=value)
        told["account"] = account
        try:
            terms_of(told)
        except SettingsError as error:
            text = str(error).partition(": ")[2]
            place = next((f"$.{name}" for name in self.model_fields_set if text.startswith(NAMES.get(name, name))), "$")
            raise invalid(place, text) from None
        return told


def run_of_hand(account: str) -> str:
    """Return the run of an account's orders by hand."""
    return f"manual-{account}"


async def order_that_became(desk: Desk, account: AccountSection, command: str, seq: int) -> Row:
    """Return the first row of the order that a command became.

    command, seq   of the row of `commands`

    Raises Problem refused with the rule's name if risk refuses it, or if the trader says that it is none, and
    not_acknowledged if the trader says nothing for 5 s.
    """
    deadline = time.monotonic() + BECOME_S
    of_run = ("run", "==", run_of_hand(account.name))
    while True:
        rows = await threaded(desk.read, desk.today, "orders", None, where=[of_run, ("cause_seq", "==", seq)])
        mine = [row for row in rows if row["order_id"] == rows[0]["order_id"]]
        if mine:
            if mine[-1]["state"] == "refused":
                raise await _refusal(desk, mine[-1])
            if mine[-1]["state"] != "created" or mine[-1]["parent"]:
                return mine[0]
        events = await threaded(desk.read, desk.today, "strategy_events", None, where=[of_run, ("seq", ">", seq)])
        said = next((row["detail"] for row in events if row["detail"].endswith(f"(command {command})")), None)
        if said is not None:
            raise Problem("refused", said.rpartition(" (")[0], rule="order")
        if time.monotonic() > deadline:
            if mine:
                return mine[0]
            raise Problem(
                "not_acknowledged",
                f"the order is in the journal at seq {seq:,}, but the trader has not taken it within {BECOME_S:g} s; "
                "GET orders tells what becomes of it, and a repeat with the same Idempotency-Key gives no second one",
                seq=seq,
            )
        await asyncio.sleep(LOOK_S)


async def order_after_cancel(desk: Desk, order_id: str, seq: int) -> Row:
    """Return the newest row of an order that is asked to be cancelled: done, or being cancelled for a second.

    Raises Problem not_acknowledged if the trader says nothing for 5 s.
    """
    began = time.monotonic()
    while True:
        seen = await desk.look(seq)
        row, waited = seen.orders[order_id], time.monotonic() - began
        if row["state"] in FINAL or (row["state"] == "cancelling" and waited > CANCELLING_S):
            return row
        if waited > BECOME_S:
            raise Problem(
                "not_acknowledged",
                f"the cancel is in the journal at seq {seq:,}, but order {order_id} is still {row['state']} after "
                f"{BECOME_S:g} s",
                seq=seq,
            )
        await asyncio.sleep(LOOK_S)


async def _refusal(desk: Desk, row: Row) -> Problem:
    where = [("order_id", "==", row["order_id"])]
    events = await threaded(desk.read, desk.today, "risk_events", None, where=where)
    told = events[-1]["rule"] if events else row["reason"].removeprefix("risk: ")
    rule = told.partition(" ")[0]  # without why it was halted
    more: dict[str, Any] = {"rule": rule, "order_id": row["order_id"]}
    for name, said in (("bound", "expected"), ("value", "found")):
        if events and events[-1][name] == events[-1][name]:
            more[said] = events[-1][name]
    return Problem("refused", row["reason"], **more)
