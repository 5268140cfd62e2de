"""Bars of any interval: stored ones from the table, others made by the processor."""

import time
from dataclasses import dataclass, field

import pyarrow as pa

from api.answers.candles import closed, filled, regular, sessions_of
from api.answers.pages import Reading, check_symbols, read
from api.answers.problems import Problem
from api.answers.terms import Page
from api.services import Services
from plant.errors import QueryError
from plant.query.questions import Candles, Select, Sql
from plant.rows.intervals import interval_name, interval_ns

MORE = 4
"""So many more bars are read at a time where some of them do not count."""


@dataclass(frozen=True)
class Bars:
    """Which bars: of one symbol and interval, [start, end), the newest `last`, of a session, of a source."""

    sym: str
    interval: str
    start: int | None = None
    end: int | None = None
    last: int | None = None
    session: str = "regular"
    empty: str = "skip"
    source: str = ""
    as_of_seq: int | None = None
    page: Page = field(default_factory=lambda: Page(None, None))


async def intervals_of(services: Services, sym: str) -> list[str]:
    """Return the intervals that a symbol has bars of, the shortest first."""
    name = sym.replace("'", "''")
    found, _ = await services.ask(Sql(f"select distinct interval from bars where sym = '{name}'"))
    return sorted((str(each) for each in found.column(0).to_pylist()), key=_length)


async def bars_of(services: Services, asked: Bars) -> tuple[pa.Table, int, str | None]:
    """Return bars with the column `closed`, up to which seq everything is in them, and the next page's cursor.

    Raises Problem unknown_symbol, and invalid for an interval that cannot be made.
    """
    found, seq, next_ = await _stored(services, asked)
    if not found.num_rows and not await _has(services, asked):
        if asked.as_of_seq is not None or asked.source:
            raise Problem(
                "invalid",
                f"?interval: {asked.sym} has no stored bars of {asked.interval}, which as_of_seq and source are about",
            )
        found, seq, next_ = await _made(services, asked)
    calendars = services.settings.calendars
    sessions = sessions_of(calendars, asked.sym, found)
    if asked.empty == "fill":
        found = filled(found, asked.interval, sessions, asked.session)
    grace_s = services.settings.processor.grace_s
    told = closed(found, asked.interval, sessions, grace_s, time.time_ns())
    return found.append_column("closed", pa.array(told)), seq, next_


async def _has(services: Services, asked: Bars) -> bool:
    question = Select("bars", (asked.sym,), columns=("time",), where=(("interval", "==", asked.interval),), last=1)
    found, _ = await services.ask(question)
    if found.num_rows:
        return True
    await check_symbols(services, "bars", (asked.sym,))
    return False


async def _stored(services: Services, asked: Bars) -> tuple[pa.Table, int, str | None]:
    where: tuple[tuple[str, str, str], ...] = (("interval", "==", asked.interval),)
    if asked.source:
        where = (*where, ("source", "==", asked.source))
    intraday = asked.session == "regular" and asked.interval[-1] in "smh"
    wanted = asked.last
    count = wanted
    while True:
        reading = Reading(
            "bars", (asked.sym,), asked.start, asked.end, None, where, count, as_of_seq=asked.as_of_seq, page=asked.page
        )
        found, seq, next_ = await read(services, reading)
        if not intraday:
            return found, seq, next_
        kept = regular(found, asked.interval, sessions_of(services.settings.calendars, asked.sym, found))
        everything = count is None or found.num_rows < count or kept.num_rows == found.num_rows
        if everything or wanted is None or count is None or kept.num_rows >= wanted or asked.page.cursor:
            return kept.slice(max(kept.num_rows - wanted, 0)) if wanted is not None and not next_ else kept, seq, next_
        if count >= 50_000:
            return kept, seq, next_
        count = min(count * MORE, 50_000)


async def _made(services: Services, asked: Bars) -> tuple[pa.Table, int, str | None]:
    """Return bars that the processor makes."""
    if asked.page.cursor:
        raise Problem("invalid", f"?cursor: bars of {asked.interval} are made on request, in one page")
    last = asked.last
    if last is None and asked.start is None:
        last = asked.page.limit or 1000
    found, seq = await services.ask_processor(
        Candles((asked.sym,), asked.interval, asked.start, asked.end, last, asked.session)
    )
    return found, seq, None


def _length(name: str) -> int:
    try:
        return interval_ns(interval_name(name))
    except QueryError:
        return 2**62
