"""Bars of regular sessions: the newest so many, in one page or in several; and pages of what changes meanwhile."""

import asyncio
import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from memory_service import services_over
from plain_rows import batch_of, tables_of

from api.answers.pages import Reading
from api.answers.pages import read as read_rows
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
    prices = dict.fromkeys(("open", "high", "low", "close", "volume", "vwap", "trades"), 1.0)
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


@pytest.mark.parametrize("last", [None, 8])
def test_pages_backwards_pass_over_no_bar_that_is_revised_meanwhile(last: int | None) -> None:
    syms = [f"S{i}" for i in range(9)]
    prices = dict.fromkeys(("open", "high", "low", "close", "volume", "vwap", "trades"), 1.0)

    def bar(sym: str, minute: int, **more: float) -> dict[str, Any]:
        named = {"time": OPENED + minute * MINUTE, "sym": sym, "interval": "1m", "source": "x"}
        return {**named, **prices, **more}

    tables = tables_of(bars=[[bar(sym, minute)] for minute in range(2) for sym in syms])
    services, found, cursor = services_over(tables), [], None
    for revised in (["S0", "S8"], ["S1"], ["S2", "S7"], *[[]] * 20):
        reading = Reading("bars", newest=last, descending=True, page=Page(2, cursor))
        rows, _, cursor = asyncio.run(read_rows(services, reading))
        found += [(at, sym) for at, sym in zip(*(rows.column(n).to_pylist() for n in ("time", "sym")), strict=True)]
        if cursor is None:
            break
        if revised:
            tables["bars"].append(batch_of("bars", [bar(sym, 1, high=2.0) for sym in revised], 100 + len(found)))
    assert cursor is None
    assert [at for at, _ in found] == sorted((at for at, _ in found), reverse=True)
    expected = {(OPENED + minute * MINUTE, sym) for minute in range(2) for sym in syms}
    assert last is not None or {(int(at.value), sym) for at, sym in found} == expected, found
    assert last is None or 0 < len(found) <= last
