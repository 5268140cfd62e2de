"""Candles: bars of any interval, which there are, symbols, and all that a chart shows in one consistent cut."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from api.access.gate import GateRoute, need
from api.answers.declared import declared, listed
from api.answers.pages import check_symbols
from api.answers.problems import invalid
from api.answers.rows import answered, json_answer, seq_header
from api.answers.terms import INTERVAL, LARGEST_PAGE, End, Paged, Start, Sym, Wanted, interval_in, time_of
from api.answers.times import told_time
from api.reading import Bars, bars_of, intervals_of
from api.services import Services, services_of
from api.viewport import Seen, viewport_of, with_ns
from plant.query.questions import Sql
from plant.rows.tables_candles import BUILT

router = APIRouter(route_class=GateRoute, tags=["candles"])

Interval = Annotated[
    str, Query(max_length=20, pattern=INTERVAL, description="2m, 5m, 15m, 1h, 1d ...: any multiple of 1m, 1w, 1M")
]
SESSION = Annotated[Literal["regular", "extended"], Query(description="of symbols with a calendar")]

ON_REQUEST = ("3m", "10m", "30m", "2h", "4h", "1w", "1M")
"""Some of those that can be made; others can be, too."""

MARKET = ("bars", "trades", "quotes")


@router.get("/api/v1/bars", **declared(rows=True))
@need("read")
async def bars(
    request: Request,
    form: Wanted,
    page: Paged,
    sym: Sym,
    interval: Interval = "1m",
    start: Start = None,
    end: End = None,
    last: Annotated[
        int | None, Query(ge=0, le=LARGEST_PAGE, description="the newest so many; 500 without start")
    ] = None,
    session: SESSION = "regular",
    empty: Annotated[Literal["skip", "fill"], Query(description="fill: a bar also where nothing was traded")] = "skip",
    source: Annotated[str, Query(max_length=100, description="only rows of this source")] = "",
    as_of_seq: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> Response:
    """Return bars, and whether each is closed."""
    if last is None and start is None and page.cursor is None and page.limit is None:
        last = 500
    times = time_of(request, "start", start), time_of(request, "end", end)
    asked = Bars(sym, interval_in(interval), *times, last, session, empty, source, as_of_seq, page)
    found, seq, next_ = await bars_of(services_of(request), asked)
    return await answered("bars", found, seq, form, next_)


@router.get("/api/v1/symbols", **declared(schema=listed()))
@need("read")
async def symbols(request: Request, form: Wanted) -> Response:
    """List the symbols that have bars, trades or quotes: in which tables, since when, on which exchange."""
    services = services_of(request)
    own = [name for name, table in services.schema.items() if name in MARKET or name in _own(services)]
    union = " union all ".join(
        f"select '{name}' as tbl, sym, min(time) as first, max(time) as last from {name} group by sym" for name in own
    )
    found, seq = await services.ask(Sql(union))
    sources, _ = await services.ask(Sql("select sym, any_value(source) as source from bars group by sym"))
    source_of = {row["sym"]: str(row["source"] or "").removeprefix(BUILT) for row in sources.to_pylist()}
    told: dict[str, dict[str, Any]] = {}
    for row in with_ns(found, "first", "last"):
        each = told.setdefault(
            row["sym"], {"sym": row["sym"], "tables": [], "first": row["first"], "last": row["last"]}
        )
        each["tables"].append(row["tbl"])
        each["first"], each["last"] = min(each["first"], row["first"]), max(each["last"], row["last"])
    for sym, each in told.items():
        code = services.settings.calendars.code(sym, source_of.get(sym, ""))
        each["first"], each["last"] = told_time(each["first"], form.times), told_time(each["last"], form.times)
        each["exchange"] = code or None
        each["time_zone"] = services.settings.calendars.sessions(code).zone if code else "UTC"
    return json_answer([told[sym] for sym in sorted(told)], headers=seq_header(seq))


@router.get("/api/v1/intervals", **declared())
@need("read")
async def intervals(request: Request, sym: Sym) -> Response:
    """List the intervals that a symbol has bars of, and some that can be made of them."""
    services = services_of(request)
    stored = await intervals_of(services, sym)
    if not stored:
        await check_symbols(services, "bars", (sym,))
    made = [
        each
        for each in ON_REQUEST
        if each not in stored and ("1m" in stored or (each in ("1w", "1M") and "1d" in stored))
    ]
    return json_answer({"sym": sym, "stored": stored, "on_request": made})


@router.get("/api/v1/viewport", **declared())
@need("read")
async def viewport(
    request: Request,
    form: Wanted,
    sym: Sym,
    interval: Interval = "5m",
    start: Start = None,
    end: End = None,
    low: Annotated[float | None, Query(allow_inf_nan=False, description="least price that is seen")] = None,
    high: Annotated[float | None, Query(allow_inf_nan=False, description="highest price that is seen")] = None,
    last: Annotated[int, Query(ge=0, le=LARGEST_PAGE, description="bars, without start")] = 500,
    session: SESSION = "regular",
) -> Response:
    """Return all that a chart shows, as of one seq: bars, annotations in force, signals, fills."""
    if low is not None and high is not None and low > high:
        raise invalid("?low", "must not be above high", found=low)
    times = time_of(request, "start", start), time_of(request, "end", end)
    seen = Seen(sym, interval_in(interval), *times, low, high, last, session)
    return json_answer(await viewport_of(services_of(request), seen, form.times))


def _own(services: Services) -> frozenset[str]:
    return frozenset(str(each.get("name", "")) for each in services.settings.tables)
