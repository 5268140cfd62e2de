"""Positions: what is held, and how it is closed."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import Problem
from api.answers.rows import answered, json_answer
from api.answers.terms import Syms, Wanted
from api.desk.desk import Desk, desk_of
from api.desk.objects import arrow_of, object_of
from api.routes.trading.orders import Account, given
from api.services import caller_of, change_of, services_of
from plant.control.books import Seen
from plant.control.writing import told_nearest
from plant.rows.tables import schema_of
from plant.runtime.trading import AccountSection
from plant.state.earnings import holdings
from plant.state.newest import Row

router = APIRouter(route_class=GateRoute, tags=["orders"])

TIMES = schema_of()["positions"].times


class CloseBody(BaseModel):
    """Whose positions are closed."""

    model_config = ConfigDict(extra="forbid")

    account: str | None = Field(None, description="one of [[accounts]]; the first if not told")


@router.get("/api/v1/positions", **declared(rows=True))
@need("read")
async def positions(
    request: Request,
    form: Wanted,
    sym: Syms = None,
    account: Account = None,
    strategy: Annotated[str | None, Query()] = None,
) -> Response:
    """Return what is held, by strategy and symbol; what was sold again is not held."""
    desk = desk_of(services_of(request))
    accounts = desk.settings.accounts if account is None else (desk.account(account, "?account"),)
    seen = await desk.look()
    rows = [row for each in accounts for row in _held(seen, each)
            if (not sym or row["sym"] in sym) and strategy in (None, row["strategy"])]  # fmt: skip
    return await answered("positions", arrow_of(rows, desk.settings.table_schema["positions"]), seen.seq, form)


@router.post("/api/v1/positions/close", **declared(status=202, body=True))
@need("trade", order=True)
async def close_all(request: Request, body: Annotated[CloseBody, Body()] = CloseBody()) -> Response:  # noqa: B008
    """Have all positions of an account closed at the market; the answer has those that are."""
    desk = desk_of(services_of(request))
    account = _account(request, desk, body)
    held = _held(await desk.look(), account)
    _, seq = await given(request, account.name, "flatten", {"account": account.name})
    return _closing(account, held, seq)


@router.post("/api/v1/positions/{sym:path}/close", **declared(status=202, body=True))
@need("trade", order=True)
async def close(request: Request, sym: str, body: Annotated[CloseBody, Body()] = CloseBody()) -> Response:  # noqa: B008
    """Have the position in a symbol closed at the market; the answer has what is held of it."""
    desk, change = desk_of(services_of(request)), change_of(request)
    account = _account(request, desk, body)
    held = _held(await desk.look(), account)
    mine = [row for row in held if row["sym"] == sym]
    if not mine and (change.earlier is None or not change.earlier["written_seq"]):
        known = sorted({row["sym"] for row in held})
        told = f"it holds {', '.join(known)}" if known else "it holds nothing"
        raise Problem("not_found", f"{account.name} holds no {sym!r}{told_nearest(sym, known)}; {told}", found=sym)
    _, seq = await given(request, sym, "flatten", {"account": account.name})
    return _closing(account, mine, seq)


def _account(request: Request, desk: Desk, body: CloseBody) -> AccountSection:
    account = desk.account(body.account, "$.account")
    if account.mode == "live":
        caller_of(request).need_key(f"the live account {account.name}")
    return account


def _held(seen: Seen, account: AccountSection) -> list[Row]:
    runs = {row["run"] for row in seen.positions}  # those of backtests are not among them
    return holdings(seen.positions, account.name, runs)


def _closing(account: AccountSection, rows: list[Row], seq: int) -> Response:
    told = {"account": account.name, "positions": [object_of(row, TIMES) for row in rows], "seq": seq}
    return json_answer(told, 202)
