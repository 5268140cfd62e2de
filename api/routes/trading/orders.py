"""Orders: given, cancelled, and what there is of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.access.changes import write
from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import Problem
from api.answers.rows import answered, json_answer
from api.answers.terms import Paged, Syms, Wanted
from api.desk.desk import Desk, desk_of
from api.desk.objects import arrow_of, newest_first, object_of
from api.desk.orders import OrderBody, order_after_cancel, order_that_became
from api.desk.sizing import SizeBody, sized
from api.services import caller_of, change_of, services_of
from plant.control.writing import command_row, told_nearest
from plant.rows.tables import schema_of
from plant.state.newest import Row
from plant.state.orders import FINAL

router = APIRouter(route_class=GateRoute, tags=["orders"])

PAGE = 1000
ORDER_TIMES, FILL_TIMES = schema_of()["orders"].times, schema_of()["fills"].times

Account = Annotated[str | None, Query(description="only of one of [[accounts]]")]


@router.get("/api/v1/orders", **declared(rows=True))
@need("read")
async def orders(
    request: Request,
    form: Wanted,
    page: Paged,
    sym: Syms = None,
    account: Account = None,
    strategy: Annotated[str | None, Query()] = None,
    state: Annotated[list[str] | None, Query(description='"open", or states; all if not told')] = None,
) -> Response:
    """Return orders, the newest row of each, newest first; those of backtests are not among them."""
    desk = desk_of(services_of(request))
    told = None if account is None else desk.account(account, "?account").name
    seen = await desk.look()
    states = set(state or ())
    rows = [
        row
        for row in seen.orders.values()
        if (not sym or row["sym"] in sym)
        and told in (None, row["account"])
        and strategy in (None, row["strategy"])
        and (not states or row["state"] in states or ("open" in states and row["state"] not in FINAL))
    ]
    shown, following = newest_first(rows, page.limit or PAGE, page.cursor, seen.seq)
    return await answered("orders", arrow_of(shown, desk.settings.table_schema["orders"]), seen.seq, form, following)


@router.post("/api/v1/orders", **declared(status=201, body=True))
@need("trade", order=True)
async def order(request: Request, body: OrderBody) -> Response:
    """Give an order by hand; its run is manual-<account>. The answer is the first row of the order."""
    desk = desk_of(services_of(request))
    account = desk.account(body.account, "$.account")
    if account.mode == "live":
        caller_of(request).need_key(f"an order on the live account {account.name}")
    arguments = body.arguments(account.name)
    name, seq = await given(request, body.sym, "order", arguments)
    row = await order_that_became(desk, account, name, seq)
    change_of(request).subject = row["order_id"]
    return json_answer(object_of(row, ORDER_TIMES), 201, {"Location": f"/api/v1/orders/{row['order_id']}"})


@router.post("/api/v1/orders/size", **declared(body=True))
@need("read", reads=True)
async def size(request: Request, body: SizeBody) -> Response:
    """Return how much to buy or sell, so that the stop costs no more than `risk`."""
    desk = desk_of(services_of(request))
    return json_answer(await sized(desk, body, await desk.look()))


@router.delete("/api/v1/orders", **declared(also=(409, 413, 415)))
@need("trade", order=True)
async def cancel_all(request: Request, sym: Syms = None, account: Account = None) -> Response:
    """Ask to cancel all open orders, or those of some symbols or of an account; `orders` are their ids."""
    desk = desk_of(services_of(request))
    told = None if account is None else desk.account(account, "?account").name
    seen = await desk.look()
    rows = [row for row in seen.orders.values() if row["state"] not in FINAL
            and (not sym or row["sym"] in sym) and told in (None, row["account"])]  # fmt: skip
    _may_touch(request, desk, rows)
    who, seq = caller_of(request).who, seen.seq
    commands = [command_row(row["sym"], "cancel", {"order_id": row["order_id"]}, who) for row in rows]
    if commands:  # one write, so that all are asked for or none
        seq = await write(request, "commands", commands)
    return json_answer({"orders": sorted(row["order_id"] for row in rows), "seq": seq})


@router.get("/api/v1/orders/{id}", **declared())
@need("read")
async def order_by_id(request: Request, id: str) -> Response:
    """Return an order as it is now, with its transitions and fills."""
    desk = desk_of(services_of(request))
    seen = await desk.look()
    rows = await desk.rows("orders", None, where=[("order_id", "==", id)])
    if not rows:
        raise _no_order(id, list(seen.orders))
    fills = {row["fill_id"]: row for row in await desk.rows("fills", None, where=[("order_id", "==", id)])}
    rows.sort(key=lambda row: (row["seq"], row["n"]))
    told = {"transitions": [object_of(row, ORDER_TIMES) for row in rows]}
    told["fills"] = [object_of(row, FILL_TIMES) for row in fills.values()]
    return json_answer(object_of(rows[-1], ORDER_TIMES) | told | {"seq": max(seen.seq, rows[-1]["seq"])})


@router.delete("/api/v1/orders/{id}", **declared(also=(409, 413, 415)))
@need("trade", order=True)
async def cancel(request: Request, id: str) -> Response:
    """Cancel an order of any run, and return it: done, or being cancelled."""
    desk, change = desk_of(services_of(request)), change_of(request)
    seen = await desk.look()
    row = seen.orders.get(id)
    if row is None:
        raise _no_order(id, list(seen.orders))
    repeated = change.earlier is not None and bool(change.earlier["written_seq"])
    if row["state"] in FINAL and not repeated:
        raise Problem("wrong_state", f"order {id} is {row['state']} already", found=row["state"])
    _may_touch(request, desk, [row])
    _, seq = await given(request, row["sym"], "cancel", {"order_id": id})
    return json_answer(object_of(await order_after_cancel(desk, id, seq), ORDER_TIMES))


async def given(request: Request, sym: str, command: str, arguments: dict[str, Any]) -> tuple[str, int]:
    """Write a row of `commands`; return its id, which is the same in a repeat, and its seq."""
    name = f"{change_of(request).chance:064x}"[:12]
    row = command_row(sym, command, arguments, caller_of(request).who, name)
    return name, await write(request, "commands", row, change_of(request).subject)


def _may_touch(request: Request, desk: Desk, rows: list[Row]) -> None:
    """Raise Problem unauthenticated if one of the orders is of a live account, and the caller has no key."""
    live = {each.name for each in desk.settings.accounts if each.mode == "live"}
    for row in rows:
        if row["account"] in live:
            caller_of(request).need_key(f"the live account {row['account']}")


def _no_order(id: str, known: list[str]) -> Problem:
    return Problem("not_found", f"there is no order {id!r}{told_nearest(id, known)}", found=id)
