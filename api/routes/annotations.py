"""Annotations: those there are, now or as of then, one with its history, and drawing, changing, deleting them.

What a person may draw is in plant.control.drawn, what becomes of two writers in plant.control.annotations; here it is
asked for and answered.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access.audit import KEPT_NS
from api.access.changes import seen_version, write
from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import Problem, invalid
from api.answers.rows import answered, json_answer
from api.answers.terms import PAGE, End, Paged, Start, Syms, Wanted, interval_in, time_of
from api.answers.times import told_time
from api.services import caller_of, change_of, services_of
from plant.client.arguments import moment_of
from plant.control.annotations import (
    LOOK_AGAIN_S,
    AutomaticAnnotation,
    NoAnnotation,
    OvertakenAnnotation,
    deleted,
    outcome,
    there,
    updated,
)
from plant.control.drawn import BadAnnotation, drawn_columns
from plant.errors import QueryError
from plant.query.questions import Select
from plant.rows.arrow import arrow_column, columns_from_arrow
from plant.rows.columns import Columns, taken
from plant.rows.schema import META_COLUMNS
from plant.rows.tables import schema_of
from plant.state.annotations import AUTO, Annotations, history_of, selected, state_of
from plant.state.newest import Row, rows_of_columns

router = APIRouter(route_class=GateRoute, tags=["annotations"])

ANSWERED_S = 5.0
"""Longest an acknowledged row may take to be answered."""

Kind = Literal["level", "zone", "line", "flag", "pivot", "marker", "text"]
State = Literal["active", "tested", "broken", "expired", "forming", "confirmed", "failed"]
Price = Annotated[float | None, Query(description="price")]
Seq = Annotated[int | None, Query(ge=0, lt=2**63, description="as of this seq: what the plant knew")]
Intervals = Annotated[list[str] | None, Query(description="bars they are of; those for all, too")]
At = Annotated[str | None, Query(description="as of this moment: what could be known then")]

TABLE = schema_of()["annotations"]
NAMES = (*TABLE.names, *META_COLUMNS)
TIMES = frozenset(("time", "received", *TABLE.times))


class Style(BaseModel):
    """How an annotation looks."""

    model_config = ConfigDict(extra="allow")

    colour: Any = Field(None, description="#rrggbb, or a name of CSS 2.1")
    width: Any = Field(None, description="px, at most 20")
    opacity: Any = Field(None, description="0 to 1")


class Change(BaseModel):
    """What is to be otherwise of an annotation; what is not told stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    interval: str | None = Field(None, description="bars it is for; null: all")
    start_at: str | int | None = Field(None, description="in the market")
    end_at: str | int | None = Field(None, description="in the market; null: open")
    price: float | None = Field(None, description="of a level, text, marker; of a line at start_at")
    price_end: float | None = Field(None, description="of a line at end_at")
    top: float | None = Field(None, description="of a zone")
    bottom: float | None = Field(None, description="of a zone")
    text: str | None = None
    style: Style | str | None = Field(None, description="an object, or its JSON as answers have it")


class Drawing(Change):
    """An annotation to be drawn: each kind has its own prices, and no others."""

    sym: str
    kind: str = Field(description="level, zone, line, text or marker")


@router.get("/api/v1/annotations", **declared(rows=True))
@need("read")
async def annotations(
    request: Request,
    form: Wanted,
    page: Paged,
    sym: Syms = None,
    interval: Intervals = None,
    kind: Annotated[list[Kind] | None, Query()] = None,
    state: Annotated[list[State] | None, Query()] = None,
    low: Price = None,
    high: Price = None,
    start: Start = None,
    end: End = None,
    at: At = None,
    as_of_seq: Seq = None,
) -> Response:
    """Return the annotations there are, or were; oldest change first."""
    begin, until, when = time_of(request, "start", start), time_of(request, "end", end), time_of(request, "at", at)
    of = None if interval is None else [interval_in(each) for each in interval]
    cut, behind = _cursor(page.cursor)
    events, seq = await _events(request, sym=tuple(sym) if sym else None)
    as_of = cut if cut is not None else as_of_seq
    rows = state_of(events, when, as_of, _whole(request))
    rows = selected(rows, interval=of, kind=kind, state=state, low=low, high=high, start=begin, end=until)
    known = seq if as_of is None else min(as_of, seq)
    rows, next_ = _paged(rows, known, behind, page.limit or PAGE)
    return await answered("annotations", _arrow(rows), known, form, next_)


@router.get("/api/v1/annotations/events", **declared(rows=True))
@need("read")
async def events(
    request: Request,
    form: Wanted,
    page: Paged,
    sym: Syms = None,
    interval: Intervals = None,
    kind: Annotated[list[Kind] | None, Query()] = None,
    start: Start = None,
    end: End = None,
    as_of_seq: Seq = None,
) -> Response:
    """Return the raw rows of `annotations`, also those that count for nothing; oldest first."""
    begin, until = time_of(request, "start", start), time_of(request, "end", end)
    cut, behind = _cursor(page.cursor)
    found, seq = await _events(request, sym=tuple(sym) if sym else None, start=begin, end=until)
    as_of = cut if cut is not None else as_of_seq
    known = seq if as_of is None else min(as_of, seq)
    of = None if interval is None else [interval_in(each) for each in interval]
    rows = selected(taken(found, found["seq"] <= known), interval=of, kind=kind)
    rows, next_ = _paged(rows, known, behind, page.limit or PAGE)
    return await answered("annotations", _arrow(rows), known, form, next_)


@router.get("/api/v1/annotations/{id:path}", **declared())
@need("read")
async def annotation(request: Request, id: str, form: Wanted) -> Response:
    """Return one annotation, with its history: all versions that count, oldest first."""
    found, _ = await _events(request, where=(("id", "==", id),))
    history = history_of(found, id, _whole(request))
    rows = [_plain(row, form.times) for row in rows_of_columns(history, TABLE.times)]
    if not rows or rows[-1]["action"] == "delete":
        gone = f": it was deleted by {rows[-1]['source']}" if rows else ""
        raise Problem("not_found", f"there is no annotation {id!r}{gone}")
    return json_answer({**rows[-1], "history": rows}, headers=_etag(rows[-1]))


@router.post("/api/v1/annotations", **declared(body=True, status=201))
@need("trade")
async def draw(request: Request, body: Drawing, form: Wanted) -> Response:
    """Draw an annotation."""
    with _problems():
        columns = drawn_columns(_fields(request, body))
    now = time.time_ns()
    known = await _drawn_lately(request, columns["sym"], now)
    name = change_of(request).fresh_id(known)
    fold = (await _fold(request, name))[0] if name in known else Annotations()
    if name in fold:  # drawn by an attempt of which nobody heard more
        change_of(request).subject = name
        return _answer(fold[name], form.times, 201)
    row = fold.changed(name, "create", caller_of(request).who, now, **columns)
    return await _written(request, fold, row, form.times, 201)


@router.patch("/api/v1/annotations/{id:path}", **declared(body=True, also=(412, 428)))
@need("trade")
async def change(request: Request, id: str, body: Change, form: Wanted) -> Response:
    """Change an annotation that somebody drew."""
    fold, earlier = await _fold(request, id)
    if earlier is not None:
        return _answer(earlier, form.times)
    with _problems():
        there(fold, id)
        seen = None if fold[id]["source"] == AUTO else seen_version(request)
        row = updated(fold, id, _fields(request, body), caller_of(request).who, seen, time.time_ns())
    return await _written(request, fold, row, form.times)


@router.delete("/api/v1/annotations/{id:path}", **declared(body=True, also=(412, 428)))
@need("trade")
async def delete(request: Request, id: str, form: Wanted) -> Response:
    """Delete an annotation; what the plant found is not found again."""
    fold, earlier = await _fold(request, id)
    if earlier is not None:
        return _answer(earlier, form.times)
    with _problems():
        there(fold, id)
        row = deleted(fold, id, caller_of(request).who, seen_version(request), time.time_ns())
    return await _written(request, fold, row, form.times)


async def _events(request: Request, **terms: Any) -> tuple[Columns, int]:
    """Return rows of `annotations` in the order of the journal, and up to which seq everything is in them."""
    found, seq = await services_of(request).ask(Select("annotations", columns=NAMES, **terms))
    columns = columns_from_arrow(found, TABLE, NAMES)
    return taken(columns, np.lexsort((columns["seq_row"], columns["seq"]))), seq


def _paged(rows: Columns, known: int, behind: tuple[int, int] | None, limit: int) -> tuple[Columns, str | None]:
    """Return the rows of a page, and the cursor of the next one: as of which seq, and behind which row."""
    if behind is not None:
        later = (rows["seq"] > behind[0]) | ((rows["seq"] == behind[0]) & (rows["seq_row"] > behind[1]))
        rows = taken(rows, later)
    page = taken(rows, slice(limit))
    if len(rows["seq"]) <= limit:
        return page, None
    return page, f"{known}-{page['seq'][-1]}-{page['seq_row'][-1]}"


def _arrow(rows: Columns) -> pa.Table:
    return pa.table({name: arrow_column(rows[name], name in TIMES) for name in NAMES})


def _plain(row: Row, times: str) -> Row:
    """Return a row as JSON has it."""
    return {n: told_time(row[n], times) if n in TIMES else row[n] for n in NAMES if n in row}


async def _drawn_lately(request: Request, sym: str, now: int) -> list[str]:
    """Return ids among which is that of what a change drew, if it is a repeat."""
    change = change_of(request)
    if not change.asked.idempotency_key:
        return []
    question = Select("annotations", (sym,), now - KEPT_NS, columns=("id",), where=(("action", "==", "create"),))
    found, _ = await services_of(request).ask(question)
    told = [change.earlier["subject"]] if change.earlier is not None else []
    return [*told, *found.column("id").to_pylist()]


async def _fold(request: Request, name: str) -> tuple[Annotations, Row | None]:
    """Return the fold of one id, and the row that an earlier attempt of this change wrote, if it did."""
    found, _ = await _events(request, where=(("id", "==", name),))
    fold = Annotations(_whole(request))
    rows = fold.take(found)
    earlier = change_of(request).earlier
    wrote = earlier["written_seq"] if earlier is not None else 0
    return fold, next((row for row in rows if row["seq"] == wrote), None) if wrote else None


async def _written(request: Request, fold: Annotations, row: Row, times: str, status: int = 200) -> Response:
    """Write a row, see that it counts, and answer it as the plant has it."""
    seq = await write(request, "annotations", row, subject=row["id"])
    deadline = time.monotonic() + ANSWERED_S
    with _problems():
        while (found := outcome(fold, row, seq)) is None:
            if time.monotonic() > deadline:
                raise Problem("not_acknowledged", f"{row['id']} is in the journal at seq {seq}, but not answered yet")
            await asyncio.sleep(LOOK_AGAIN_S)
            fold.take((await _events(request, where=(("id", "==", row["id"]),)))[0])
    return _answer(found, times, status)


def _answer(row: Row, times: str, status: int = 200) -> Response:
    headers = _etag(row) | ({"Location": f"/api/v1/annotations/{row['id']}"} if status == 201 else {})
    return json_answer(_plain(row, times), status, headers)


def _etag(row: Row) -> dict[str, str]:
    return {"ETag": f'"{row["version"]}"'}


@contextmanager
def _problems() -> Iterator[None]:
    """Answer with the problem that each error of drawing is."""
    try:
        yield
    except BadAnnotation as error:
        places = [{"place": place, "detail": sentence} for place, sentence in error.faults]
        raise Problem("invalid", str(error), errors=places) from None
    except NoAnnotation as error:
        raise Problem("not_found", str(error)) from None
    except AutomaticAnnotation as error:
        raise Problem("automatic", str(error)) from None
    except OvertakenAnnotation as error:
        raise Problem("version_conflict", str(error)) from None


def _fields(request: Request, body: Change) -> dict[str, Any]:
    """Return what a body tells, times as ns."""
    told = body.model_dump(exclude_unset=True)
    for name in ("start_at", "end_at"):
        if told.get(name) is not None:
            try:
                told[name] = moment_of(told[name], services_of(request).settings.zone)
            except QueryError as error:
                raise invalid(f"$.{name}", str(error), found=told[name]) from None
    return told


def _whole(request: Request) -> bool:
    return not services_of(request).settings.hdb.keep_days


def _cursor(text: str | None) -> tuple[int | None, tuple[int, int] | None]:
    """Return as of which seq the pages are, and behind which row the next one begins."""
    if text is None:
        return None, None
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
        raise invalid("?cursor", "expected `next` of the page before", found=text)
    cut, seq, row = map(int, parts)
    return cut, (seq, row)
