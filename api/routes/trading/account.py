"""Money: accounts as they stand, fills, and what was earned by day, symbol or strategy."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.rows import answered, json_answer
from api.answers.terms import End, Paged, Start, Syms, Wanted, time_of
from api.desk.desk import desk_of
from api.desk.earned import account_object
from api.desk.objects import arrow_of, newest_first
from api.routes.trading.orders import FILL_TIMES, PAGE, Account
from api.services import services_of
from plant.control.books import Seen
from plant.rows.columns import taken
from plant.rows.ordering import newest
from plant.state.earnings import earned, holdings
from plant.state.newest import Row, rows_of_columns

router = APIRouter(route_class=GateRoute, tags=["orders"])


@router.get("/api/v1/account", **declared())
@need("read")
async def accounts(request: Request, account: Account = None) -> Response:
    """Return the accounts of plant.toml as they stand; null where nothing is known yet."""
    desk = desk_of(services_of(request))
    chosen = desk.settings.accounts if account is None else (desk.account(account, "?account"),)
    seen = await desk.look()
    found = [account_object(each, seen.equity.get(each.name), desk.halt(seen, each)) for each in chosen]
    return json_answer({"seq": seen.seq, "accounts": found})


@router.get("/api/v1/fills", **declared(rows=True))
@need("read")
async def fills(
    request: Request,
    form: Wanted,
    page: Paged,
    sym: Syms = None,
    account: Account = None,
    strategy: Annotated[str | None, Query()] = None,
    order_id: Annotated[str | None, Query()] = None,
    start: Start = None,
    end: End = None,
) -> Response:
    """Return fills, newest first, [start, end) by their time in the market; those of backtests are not among them."""
    desk = desk_of(services_of(request))
    first, last = time_of(request, "start", start), time_of(request, "end", end)
    told = None if account is None else desk.account(account, "?account").name
    seen = await desk.look()
    rows = [
        row
        for row in _fills(seen)
        if (not sym or row["sym"] in sym)
        and told in (None, row["account"])
        and strategy in (None, row["strategy"])
        and order_id in (None, row["order_id"])
        and (first is None or _when(row) >= first)
        and (last is None or _when(row) < last)
    ]
    shown, following = newest_first(rows, page.limit or PAGE, page.cursor, seen.seq)
    return await answered("fills", arrow_of(shown, desk.settings.table_schema["fills"]), seen.seq, form, following)


@router.get("/api/v1/pnl", **declared())
@need("read")
async def pnl(
    request: Request,
    by: Annotated[Literal["day", "sym", "strategy"], Query(description="what is summed")] = "day",
    account: Annotated[str | None, Query(description="one of [[accounts]]; the first if not told")] = None,
) -> Response:
    """Return what an account earned: realised, unrealised (null by day: it belongs to none), commission, and net."""
    desk = desk_of(services_of(request))
    chosen = desk.account(account, "?account")
    seen = await desk.look()
    rows: list[dict[str, Any]] = []
    if seen.fills:
        mine = seen.fills["account"] == chosen.name
        held = holdings(seen.positions, chosen.name, {row["run"] for row in seen.positions})
        for each in earned(taken(seen.fills, mine), held, by, desk.settings.zone):
            told = each._asdict()
            rows.append({by: told.pop("name"), **told, "net": each.net})
    return json_answer({"account": chosen.name, "currency": chosen.currency, "by": by, "seq": seen.seq, "rows": rows})


def _fills(seen: Seen) -> list[Row]:
    if not seen.fills or not len(seen.fills["seq"]):
        return []
    return rows_of_columns(taken(seen.fills, newest(seen.fills, ("fill_id",), ("seq", "seq_row"))), FILL_TIMES)


def _when(row: Row) -> int:
    found: int = row["time"] if row["market_time"] is None else row["market_time"]
    return found
