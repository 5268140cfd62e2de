"""Indicators: which there are, and their values, declared or not."""

import json
from typing import Annotated, Any, Self

import pyarrow as pa
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.access.gate import GateRoute, need
from api.answers.declared import declared, listed
from api.answers.pages import check_symbols
from api.answers.problems import Problem, invalid
from api.answers.rows import beside, json_answer, plain_columns, seq_header
from api.answers.terms import INTERVAL, LARGEST_PAGE, PAGE, End, Start, Sym, Wanted, interval_in, time_of
from api.services import services_of
from plant.errors import QueryError, SettingsError, UnknownColumn, nearest_names
from plant.indicators.bars import CHOSEN, OF_A_BAR, Bar
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import Declaration, declaration_of
from plant.indicators.scalar import Scalar
from plant.query.questions import Calculate, Select

router = APIRouter(route_class=GateRoute, tags=["indicators"])

NAMED = ("time", "sym", "interval")
BAR_COLUMNS = ("open", "high", "low", "close", "volume")


@router.get("/api/v1/indicators", **declared(schema=listed()))
@need("read")
async def indicators(request: Request) -> Response:
    """List the kinds of indicators: parameters with their bounds, inputs, outputs, pane, warm-up."""
    return json_answer([kind.data() for kind in CATALOGUE.values()])


FEW_VALUES = 5_000
"""More are written in a thread."""

MOST_BARS = 20_000
"""Bars that a request may bring with it."""


@router.get("/api/v1/indicators/values", **declared())
@need("read")
async def values(
    request: Request,
    form: Wanted,
    sym: Sym,
    interval: Annotated[str, Query(max_length=20, pattern=INTERVAL)] = "1m",
    names: Annotated[list[str] | None, Query(description="declared indicators; with commas, or several times")] = None,
    last: Annotated[int | None, Query(ge=0, le=LARGEST_PAGE, description="the newest so many")] = None,
    start: Start = None,
    end: End = None,
) -> Response:
    """Return values of indicators that are declared in plant.toml: a list for each, null while it warms up."""
    services, length = services_of(request), interval_in(interval)
    table = services.schema["indicators"]
    wanted = [each.strip() for text in names or () for each in text.split(",") if each.strip()]
    for name in wanted:
        if name not in table.names:
            raise UnknownColumn.named(name, "indicators", table.names)
    own = [name for name in table.names if name not in (*NAMED, *BAR_COLUMNS)]
    columns = (*NAMED, *dict.fromkeys(wanted or own))
    times = time_of(request, "start", start), time_of(request, "end", end)
    most = last if last is not None else LARGEST_PAGE + 1 if start is not None else PAGE
    where = (("interval", "==", length),)
    found, seq = await services.ask(Select("indicators", (sym,), *times, columns, where, last=most))
    if not found.num_rows:
        await check_symbols(services, "bars", (sym,))
    if found.num_rows > LARGEST_PAGE:
        raise Problem(
            "query_limit", f"more than {LARGEST_PAGE:,} rows from then on; ask for a shorter range, or for last"
        )
    return await _answered({"sym": sym, "interval": length, "seq": seq}, found, form.times)


class BarRange(BaseModel):
    """Bars of the plant."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sym: str = Field(min_length=1, max_length=200)
    interval: str = Field("1m", max_length=20, pattern=INTERVAL)
    start: str | None = None
    end: str | None = None
    last: int | None = Field(None, ge=0, le=LARGEST_PAGE)


class GivenBar(BaseModel):
    """A bar that the request brings with it; what it has besides is passed over."""

    model_config = ConfigDict(extra="ignore")

    time: str | int
    open: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    low: float = Field(allow_inf_nan=False)
    close: float = Field(allow_inf_nan=False)
    volume: float = Field(0.0, allow_inf_nan=False)


class CalculateBody(BaseModel):
    """An indicator of the catalogue, and bars: of the plant (sym, interval, ...; also as `bars`), or brought along."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=100)
    parameters: dict[str, int | float | str | bool] = Field(default_factory=dict, max_length=50)
    bars: BarRange | Annotated[list[GivenBar], Field(min_length=1, max_length=MOST_BARS)] | None = None
    sym: str | None = Field(None, min_length=1, max_length=200)
    interval: str | None = Field(None, max_length=20, pattern=INTERVAL)
    start: str | None = None
    end: str | None = None
    last: int | None = Field(None, ge=0, le=LARGEST_PAGE)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.bars is None) == (self.sym is None):
            raise ValueError("give bars, or sym and interval")
        if self.bars is not None and self.model_fields_set & {"interval", "start", "end", "last"}:
            raise ValueError("interval, start, end and last are of sym; bars have their own")
        return self

    @property
    def asked(self) -> BarRange:
        """Which bars of the plant are meant."""
        if isinstance(self.bars, BarRange):
            return self.bars
        return BarRange(
            sym=self.sym or "", interval=self.interval or "1m", start=self.start, end=self.end, last=self.last
        )


@router.post("/api/v1/indicators/calculate", **declared(body=True))
@need("read", reads=True)
async def calculate(request: Request, form: Wanted, body: CalculateBody) -> Response:
    """Compute an indicator that need not be declared: a list for each of its outputs, null while it warms up."""
    if body.name not in CATALOGUE:
        near = nearest_names(body.name, CATALOGUE, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise invalid("$.name", f"there is no indicator {body.name!r}{hint}; GET /api/v1/indicators lists them")
    if unknown := {"name", "kind", "outputs", "intervals", "symbols"} & body.parameters.keys():
        raise invalid("$.parameters", f"no parameter is called {min(unknown)!r}")
    if isinstance(body.bars, list):
        return await _of_given(request, body.name, body.parameters, body.bars)
    services, bars = services_of(request), body.asked
    times = time_of(request, "start", bars.start), time_of(request, "end", bars.end)
    last = bars.last if bars.last is not None or bars.start is not None else 500
    interval = interval_in(bars.interval, "interval")
    question = Calculate(body.name, (bars.sym,), interval, json.dumps(body.parameters), *times, last)
    try:
        found, seq = await services.ask_processor(question)
    except QueryError:
        await check_symbols(services, "bars", (bars.sym,))
        raise
    if found.num_rows > LARGEST_PAGE:
        raise Problem("query_limit", f"{found.num_rows:,} bars, at most {LARGEST_PAGE:,} are answered; ask for fewer")
    told = {"name": body.name, "sym": bars.sym, "interval": interval, "seq": seq}
    return await _answered(told, found, form.times)


async def _of_given(request: Request, name: str, parameters: dict[str, Any], given: list[GivenBar]) -> Response:
    """Compute an indicator over bars that the request brings with it, which are not the plant's."""
    one = declaration_over_bars(name, parameters)
    indicator = Scalar(one)

    def computed() -> Response:
        times = [time_of(request, f"bars[{i}].time", str(bar.time)) or 0 for i, bar in enumerate(given)]
        if times != sorted(set(times)):
            raise invalid("$.bars", "must be in the order of their times, each once")
        rows = []
        for time, bar in zip(times, given, strict=True):
            value = indicator.update(Bar(time, bar.open, bar.high, bar.low, bar.close, bar.volume))
            rows.append(value if isinstance(value, tuple) else (value,))
        outputs = dict(zip(one.columns, map(list, zip(*rows, strict=True)), strict=True))
        return json_answer({"name": name, "time": [bar.time for bar in given], "outputs": outputs})

    return await beside(computed)


def declaration_over_bars(name: str, parameters: dict[str, Any]) -> Declaration:
    """Return an indicator of the catalogue that takes in nothing but bars. Raises Problem invalid.

    Its outputs are called as those that the processor computes: after the kind, in small letters.
    """
    try:
        one = declaration_of({**parameters, "name": name.lower(), "kind": name}, "calculate")
    except SettingsError as error:
        raise invalid("$.parameters", str(error)) from None
    for column in one.inputs:
        if column not in OF_A_BAR:
            near = nearest_names(column, CHOSEN, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise invalid("$.parameters", f"no bar has a column {column!r}{hint}; inputs are {', '.join(CHOSEN)}")
    return one


async def _answered(told: dict[str, Any], found: pa.Table, times: str) -> Response:
    """Return a list for each output; many values are written in a thread, so that no other request waits for them."""
    return await beside(_answer, told, found, times, many=found.num_rows * found.num_columns > FEW_VALUES)


def _answer(told: dict[str, Any], found: pa.Table, times: str) -> Response:
    columns = plain_columns(found, times)
    outputs = {name: column for name, column in columns.items() if name not in NAMED}
    return json_answer({**told, "time": columns["time"], "outputs": outputs}, headers=seq_header(told["seq"]))
