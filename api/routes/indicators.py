"""Indicators: which there are, and their values, declared or not."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.pages import check_symbols
from api.answers.problems import Problem, invalid
from api.answers.rows import json_answer, plain_columns, row_answer
from api.answers.terms import LARGEST_PAGE, PAGE, End, Start, Sym, Wanted, interval_in, time_of
from api.services import services_of
from plant.errors import UnknownColumn, nearest_names
from plant.indicators.catalogue import CATALOGUE
from plant.query.questions import Calculate, Select

router = APIRouter(route_class=GateRoute, tags=["indicators"])

OF_A_BAR = ("time", "sym", "interval")

_LIST: dict[str, Any] = {"type": "array", "items": {"type": "object", "required": ["name", "parameters", "outputs"]}}


@router.get("/api/v1/indicators", **declared(schema=_LIST))
@need("read")
async def indicators(request: Request) -> Response:
    """List the kinds of indicators: parameters with their bounds, inputs, outputs, pane, warm-up."""
    return json_answer([kind.data() for kind in CATALOGUE.values()])


@router.get("/api/v1/indicators/values", **declared(rows=True))
@need("read")
async def values(
    request: Request,
    form: Wanted,
    sym: Sym,
    interval: Annotated[str, Query(max_length=20)] = "1m",
    names: Annotated[list[str] | None, Query(description="declared indicators; with commas, or several times")] = None,
    last: Annotated[int | None, Query(ge=0, le=LARGEST_PAGE, description="the newest so many")] = None,
    start: Start = None,
    end: End = None,
) -> Response:
    """Return values of indicators that are declared in plant.toml, null while they warm up."""
    services, length = services_of(request), interval_in(interval)
    table = services.schema["indicators"]
    wanted = [each.strip() for text in names or () for each in text.split(",") if each.strip()]
    for name in wanted:
        if name not in table.names:
            raise UnknownColumn.named(name, "indicators", table.names)
    columns = (*OF_A_BAR, *dict.fromkeys(wanted)) if wanted else table.names
    times = time_of(request, "start", start), time_of(request, "end", end)
    most = last if last is not None else LARGEST_PAGE if start is not None else PAGE
    where = (("interval", "==", length),)
    found, seq = await services.ask(Select("indicators", (sym,), *times, columns, where, last=most))
    if not found.num_rows:
        await check_symbols(services, "bars", (sym,))
    return row_answer("indicators", found, seq, form)


class BarRange(BaseModel):
    """Which bars an indicator is computed over."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sym: str = Field(min_length=1, max_length=200)
    interval: str = Field("1m", max_length=20)
    start: str | None = None
    end: str | None = None
    last: int | None = Field(None, ge=0, le=LARGEST_PAGE)


class CalculateBody(BaseModel):
    """An indicator of the catalogue, and bars: of the plant, by symbol and interval."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=100)
    parameters: dict[str, int | float | str | bool] = Field(default_factory=dict, max_length=50)
    bars: BarRange


@router.post("/api/v1/indicators/calculate", **declared(body=True))
@need("read", reads=True)
async def calculate(request: Request, form: Wanted, body: CalculateBody) -> Response:
    """Compute an indicator that need not be declared: one list for each of its outputs, null while it warms up."""
    services, bars = services_of(request), body.bars
    if body.name not in CATALOGUE:
        near = nearest_names(body.name, CATALOGUE, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise invalid("$.name", f"there is no indicator {body.name!r}{hint}; GET /api/v1/indicators lists them")
    if unknown := {"name", "kind"} & body.parameters.keys():
        raise invalid("$.parameters", f"no parameter is called {min(unknown)!r}")
    times = time_of(request, "start", bars.start), time_of(request, "end", bars.end)
    last = bars.last if bars.last is not None or bars.start is not None else 500
    interval = interval_in(bars.interval, "interval")
    question = Calculate(body.name, (bars.sym,), interval, json.dumps(body.parameters), *times, last)
    try:
        found, seq = await services.ask_processor(question)
    except Exception:
        await check_symbols(services, "bars", (bars.sym,))
        raise
    if found.num_rows > LARGEST_PAGE:
        raise Problem("query_limit", f"{found.num_rows:,} bars, at most {LARGEST_PAGE:,} are answered; ask for fewer")
    columns = plain_columns(found, form.times)
    outputs = {name: column for name, column in columns.items() if name not in OF_A_BAR}
    told = {"name": body.name, "sym": bars.sym, "interval": interval, "seq": seq}
    return json_answer({**told, "time": columns["time"], "outputs": outputs})
