"""What strategies did and earned: their orders, their round trips, their metrics."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import Problem
from api.answers.rows import answered, json_answer
from api.answers.terms import Paged, Wanted
from api.desk.desk import Desk, desk_of
from api.desk.earned import performance_of
from api.desk.objects import arrow_of, newest_first
from api.services import services_of
from plant.control.books import Seen
from plant.control.writing import told_nearest
from plant.state.newest import Row

router = APIRouter(route_class=GateRoute, tags=["strategies"])

Run = Annotated[str | None, Query(description="only of this run; also one of a backtest")]
PAGE = 1000


@router.get("/api/v1/performance", **declared())
@need("read")
async def performance(request: Request) -> Response:
    """Return the metrics of every strategy, and the total: those of each account's equity."""
    desk = desk_of(services_of(request))
    seen = await desk.look()
    rows = await desk.rows("metrics", [*seen.strategies, *(each.name for each in desk.settings.accounts)])
    of: dict[str, list[Row]] = {}
    for row in rows:
        of.setdefault(row["sym"], []).append(row)
    strategies = [{"id": name, **_told(of.get(name, []), seen)} for name in sorted(seen.strategies)]
    total = [{"account": each.name, "currency": each.currency, **_told(of.get(each.name, []), seen)}
             for each in desk.settings.accounts]  # fmt: skip
    return json_answer({"seq": seen.seq, "strategies": strategies, "total": total})


@router.get("/api/v1/strategies/{id}/performance", **declared())
@need("read")
async def strategy_performance(request: Request, id: str) -> Response:
    """Return the metrics of a strategy, of its newest run that has any; null where there is nothing."""
    desk = desk_of(services_of(request))
    seen = await _known(desk, id)
    return json_answer({"id": id, "seq": seen.seq, **_told(await desk.rows("metrics", [id]), seen)})


@router.get("/api/v1/strategies/{id}/signals", **declared(rows=True))
@need("read")
async def strategy_signals(request: Request, id: str, form: Wanted, page: Paged, run: Run = None) -> Response:
    """Return what a strategy decided: the orders that it made, newest first; `tag` is the signal's id."""
    desk = desk_of(services_of(request))
    seen = await _known(desk, id)
    if run is None:
        rows = [row for row in seen.orders.values() if row["strategy"] == id]
    else:
        found = await desk.rows("orders", None, where=[("strategy", "==", id), ("run", "==", run)])
        rows = list({row["order_id"]: row for row in found}.values())
    return await _answer(desk, "orders", rows, seen, form, page)


@router.get("/api/v1/strategies/{id}/trades", **declared(rows=True))
@need("read")
async def strategy_trades(request: Request, id: str, form: Wanted, page: Paged, run: Run = None) -> Response:
    """Return the round trips of a strategy's runs, newest first."""
    desk = desk_of(services_of(request))
    seen = await _known(desk, id)
    found = await desk.rows("round_trips", None, where=[("strategy", "==", id), *([("run", "==", run)] if run else [])])
    if run is None:
        found = [row for row in found if row["run"] in seen.followed]
    rows = list({(row["run"], row["number"]): row for row in found}.values())
    return await _answer(desk, "round_trips", rows, seen, form, page)


async def _known(desk: Desk, name: str) -> Seen:
    seen = await desk.look()
    if name not in seen.strategies:
        await desk.strategy(name)  # one that was deleted still has what it did
        if name not in seen.strategies and not any(run["sym"] == name for run in seen.runs.values()):
            raise Problem("not_found", f"there is no strategy {name!r}{told_nearest(name, seen.strategies)}")
    return seen


def _told(rows: list[Row], seen: Seen) -> dict[str, Any]:
    return performance_of(rows, seen.followed)


async def _answer(desk: Desk, table: str, rows: list[Row], seen: Seen, form: Any, page: Any) -> Response:
    shown, following = newest_first(rows, page.limit or PAGE, page.cursor, seen.seq)
    return await answered(table, arrow_of(shown, desk.settings.table_schema[table]), seen.seq, form, following)
