"""Rows of tables: any by name, SQL over them, trades, quotes, and the newest row of each symbol."""

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access.caller import SECRET_TABLES
from api.access.gate import GateRoute, need
from api.answers.conditions import columns_of, where_of
from api.answers.declared import declared, listed
from api.answers.pages import Reading, check_symbols, read
from api.answers.problems import Problem
from api.answers.rows import answered, json_answer, seq_header
from api.answers.terms import LARGEST_PAGE, PAGE, End, Last, Paged, Start, Syms, Wanted, time_of
from api.answers.times import told_time
from api.services import caller_of, services_of
from plant.query import questions
from plant.rows.schema import Table

router = APIRouter(route_class=GateRoute, tags=["market"])

SEVERAL = "may be given several times"
Columns = Annotated[list[str] | None, Query(description=f"only these; with commas between, or {SEVERAL}")]
Conditions = Annotated[list[str] | None, Query(description=f"a condition, e.g. price>190; {SEVERAL}: all hold")]
AsOf = Annotated[int | None, Query(ge=0, lt=2**63, description="only what the plant knew at this seq")]
Order = Annotated[Literal["asc", "desc"], Query(description="by time, then as they came")]

_SECRET = re.compile(
    rf"\b({'|'.join(SECRET_TABLES)}|show|describe|summarize|information_schema|duckdb_\w+|pg_\w+|sqlite_\w+)\b",
    re.IGNORECASE,
)
"""What the plant's SQL shows these tables for: their names, and what is about all tables."""


@router.get("/api/v1/tables", **declared(schema=listed()))
@need("read")
async def tables(request: Request, form: Wanted) -> Response:
    """List the tables: what each is declared as, its rows, first and last time."""
    services, admin = services_of(request), caller_of(request).may("admin")
    found, seq = await services.ask(questions.Tables())
    extents = {row["table"]: row for row in found.set_column(2, "first", found.column("first").cast("int64"))
               .set_column(3, "last", found.column("last").cast("int64")).to_pylist()}  # fmt: skip
    told = []
    for name, table in services.schema.items():
        extent = extents.get(name, {}) if admin or name not in SECRET_TABLES else {}
        times = {each: told_time(extent.get(each), form.times) for each in ("first", "last")}
        told.append({**_declaration(table), "rows": extent.get("rows"), **times})
    return json_answer(told, headers=seq_header(seq))


@router.get("/api/v1/tables/{table}", **declared(rows=True))
@need("read")
async def table(
    request: Request,
    table: str,
    form: Wanted,
    page: Paged,
    sym: Syms = None,
    start: Start = None,
    end: End = None,
    last: Last = None,
    columns: Columns = None,
    where: Conditions = None,
    order: Order = "asc",
    as_of_seq: AsOf = None,
) -> Response:
    """Return rows of a table, in order of time."""
    caller_of(request).need_table(table)
    declared_ = services_of(request).schema[table]
    reading = Reading(
        table,
        tuple(sym) if sym else None,
        time_of(request, "start", start),
        time_of(request, "end", end),
        columns_of(declared_, columns),
        where_of(request, declared_, where),
        last,
        order == "desc",
        as_of_seq,
        page,
    )
    found, seq, next_ = await read(services_of(request), reading)
    return await answered(table, found, seq, form, next_)


class SqlBody(BaseModel):
    """A SELECT."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sql: str = Field(min_length=1, max_length=100_000, description="one SELECT, in DuckDB's dialect")
    limit: int = Field(PAGE, ge=1, le=LARGEST_PAGE, description="rows at most")


@router.post("/api/v1/sql", **declared(rows=True, body=True))
@need("read", reads=True)
async def sql(request: Request, form: Wanted, body: SqlBody) -> Response:
    """Answer a SELECT over the tables; it only reads, within the plant's limits."""
    if not caller_of(request).may("admin") and (barred := _SECRET.search(body.sql)):
        raise Problem(
            "forbidden",
            f"{barred[0]!r} in SQL is for keys of role admin, since it may show {' and '.join(SECRET_TABLES)}; "
            "GET /api/v1/tables lists the tables",
        )
    found, seq = await services_of(request).ask(questions.Sql(body.sql))
    more = {"truncated": True} if found.num_rows > body.limit else {}
    return await answered("sql", found.slice(0, body.limit), seq, form, None, more)


async def _events(
    request: Request, name: str, form: Any, page: Any, sym: Any, start: Any, end: Any, last: Any, **more: Any
) -> Response:
    services = services_of(request)
    terms = tuple(sym) if sym else None, time_of(request, "start", start), time_of(request, "end", end)
    where = where_of(request, services.schema[name], more.pop("where"))
    reading = Reading(name, *terms, where=where, newest=last, page=page, **more)
    found, seq, next_ = await read(services, reading)
    return await answered(name, found, seq, form, next_)


@router.get("/api/v1/trades", **declared(rows=True))
@need("read")
async def trades(
    request: Request,
    form: Wanted,
    page: Paged,
    sym: Syms = None,
    start: Start = None,
    end: End = None,
    last: Last = None,
    where: Conditions = None,
    as_of_seq: AsOf = None,
) -> Response:
    """Return trades."""
    return await _events(request, "trades", form, page, sym, start, end, last, where=where, as_of_seq=as_of_seq)


@router.get("/api/v1/quotes", **declared(rows=True))
@need("read")
async def quotes(
    request: Request,
    form: Wanted,
    page: Paged,
    sym: Syms = None,
    start: Start = None,
    end: End = None,
    last: Last = None,
    where: Conditions = None,
    as_of_seq: AsOf = None,
) -> Response:
    """Return quotes."""
    return await _events(request, "quotes", form, page, sym, start, end, last, where=where, as_of_seq=as_of_seq)


@router.get("/api/v1/last", **declared(rows=True))
@need("read")
async def last(
    request: Request,
    form: Wanted,
    table: Annotated[str, Query(description="of which the newest row of each symbol is wanted")] = "trades",
    sym: Syms = None,
    at: Annotated[str | None, Query(description="the newest at or before this time")] = None,
    columns: Columns = None,
    where: Conditions = None,
) -> Response:
    """Return the newest row of each symbol."""
    caller_of(request).need_table(table)
    services, syms = services_of(request), tuple(sym) if sym else None
    declared_ = services.schema[table]
    names = columns_of(declared_, columns)
    moment = time_of(request, "at", at)
    question = questions.Last(table, syms, moment, names, where_of(request, declared_, where))
    found, seq = await services.ask(question)
    if syms and not found.num_rows:
        await check_symbols(services, table, syms)
    return await answered(table, found, seq, form)


def _declaration(table: Table) -> dict[str, Any]:
    columns = [{"name": each.name, "kind": each.kind, "meaning": each.meaning} for each in table.columns]
    return {"name": table.name, "key": list(table.key), "columns": columns}
