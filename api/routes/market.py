"""Rows of tables."""

from fastapi import APIRouter, Request, Response

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.rows import row_answer
from api.answers.terms import Sym, Wanted
from api.services import services_of
from plant.query.questions import Select

router = APIRouter(route_class=GateRoute, tags=["market"])


@router.get("/api/v1/trades", **declared(rows=True))
@need("read")
async def trades(request: Request, form: Wanted, sym: Sym) -> Response:
    """Return the newest trades of a symbol."""
    found, seq = await services_of(request).ask(Select("trades", (sym,), last=100))
    return row_answer("trades", found, seq, form)
