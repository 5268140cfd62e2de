"""Bars of regular sessions: the newest so many, whatever lies between them, in one page or in several."""

import asyncio
import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from memory_service import services_over
from plain_rows import tables_of

from api.answers.terms import Page
from api.reading import Bars, bars_of
from plant.calendars.assignment import Calendars

MINUTE = 60 * 10**9
OPENED = int(dt.datetime(2026, 11, 20, 9, 30, tzinfo=ZoneInfo("America/New_York")).timestamp()) * 10**9
BEFORE, WITHIN, BEHIND = 300, 390, 240
"""Bars of a day: of the pre-market, of the session, and after it."""


@pytest.fixture(scope="module")
def services() -> Any:
    times = [OPENED + minute * MINUTE for minute in range(-BEFORE, WITHIN + BEHIND)]
    prices = {name: 1.0 for name in ("open", "high", "low", "close", "volume", "vwap", "trades")}
    rows = [{"time": at, "sym": "AAPL", "interval": "1m", "source": "x", **prices} for at in times]
    return services_over(tables_of(bars=[rows]), Calendars({"XNYS": ("AAPL",)}, {}))


def read(services: Any, last: int, limit: int | None, cursor: str | None = None) -> tuple[list[int], str | None]:
    """Return which minutes of the session the bars of a page are of, and the cursor of the next page."""
    asked = Bars("AAPL", "1m", last=last, page=Page(limit, cursor))
    found, seq, next_ = asyncio.run(bars_of(services, asked))
    assert seq == 1000
    assert found.column_names == [*services.schema["bars"].names, "closed"]
    times = found.column("time").cast("int64").to_pylist()
    return [(at - OPENED) // MINUTE for at in times], next_


@pytest.mark.parametrize("limit", [None, 50, 60, 1000, 50_000])
def test_the_newest_bars_of_sessions_are_those_however_many_may_be_in_a_page(services: Any, limit: int | None) -> None:
    assert read(services, 50, limit) == ([*range(WITHIN - 50, WITHIN)], None)


def test_pages_of_them_have_each_once(services: Any) -> None:
    found, cursor = read(services, 50, 20)
    while cursor is not None:
        more, cursor = read(services, 50, 20, cursor)
        found += more
    assert found == [*range(WITHIN - 50, WITHIN)]


def test_all_there_are_of_a_day_may_be_asked_for(services: Any) -> None:
    assert read(services, 5000, None)[0] == [*range(WITHIN)]
