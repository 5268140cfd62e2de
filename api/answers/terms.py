"""What requests have in common, as FastAPI's dependencies: the form of an answer, its page, symbols, times."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Header, Query, Request

from api.answers.problems import invalid
from api.answers.rows import JSON, MEDIA, Form
from plant.client.arguments import moment_of
from plant.errors import QueryError
from plant.rows.intervals import interval_name

PAGE, LARGEST_PAGE = 1_000, 50_000

Syms = Annotated[list[str] | None, Query(description="symbol; may be given several times")]
Sym = Annotated[str, Query(min_length=1, max_length=200, description="symbol")]
MOMENT = r"^([+-]?\d|now|today|yesterday)"
"""How a time begins: 2026-11-20T14:30:00Z, 2026-11-20, 09:30, -5m, today."""

INTERVAL = r"^\s*\d{0,9}\s*[A-Za-z]+\s*$"

_FROM, _UNTIL = "from then on: 2026-11-20T14:30:00Z, 2026-11-20, 09:30 (today)", "up to then, which is not included"

Start = Annotated[str | None, Query(max_length=60, pattern=MOMENT, description=_FROM)]
End = Annotated[str | None, Query(max_length=60, pattern=MOMENT, description=_UNTIL)]
Last = Annotated[int | None, Query(ge=0, le=LARGEST_PAGE, description="the newest so many")]


def form_of(
    accept: Annotated[str, Header(description=f"one of {', '.join(MEDIA)}")] = JSON,
    times: Annotated[Literal["rfc3339", "ms", "ns"], Query(description="how times are told; ns are texts")] = "rfc3339",
    layout: Annotated[Literal["rows", "columns"], Query(description="of JSON")] = "rows",
) -> Form:
    """Return the form in which rows are wanted; what Accept does not have of ours is JSON."""
    wanted = [each.partition(";")[0].strip().lower() for each in accept.split(",")]
    media = next((each for each in wanted if each in MEDIA), JSON)
    return Form(media, times, layout)


Wanted = Annotated[Form, Depends(form_of)]


@dataclass(frozen=True)
class Page:
    """Which part of an answer: `limit` rows at most, behind `cursor`; `limit` None: as many as usual."""

    limit: int | None
    cursor: str | None


def page_of(
    limit: Annotated[
        int | None, Query(ge=1, le=LARGEST_PAGE, description=f"rows of a page; {PAGE} if not told")
    ] = None,
    cursor: Annotated[str | None, Query(max_length=500, description="`next` of the page before")] = None,
) -> Page:
    """Return the page that is wanted."""
    return Page(limit, cursor)


Paged = Annotated[Page, Depends(page_of)]


def time_of(request: Request, name: str, text: str | None) -> int | None:
    """Return the time in a parameter called `name`, ns since 1970 UTC; without a zone it is in the plant's."""
    if text is None:
        return None
    try:
        return moment_of(text, request.app.state.services.settings.zone)
    except QueryError as error:
        raise invalid(f"?{name}", str(error), found=text) from None


def interval_in(text: str, name: str = "interval") -> str:
    """Return the one name of an interval that a parameter has."""
    try:
        return interval_name(text)
    except QueryError as error:
        raise invalid(f"?{name}", str(error), found=text) from None
