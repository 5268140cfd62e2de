"""Bars of any interval: stored ones from the table, others made by the processor."""

import time
from dataclasses import dataclass, field, replace

import pyarrow as pa

from api.answers.candles import closed, filled, regular, sessions_of
from api.answers.pages import Cursor, Reading, check_symbols, read
from api.answers.problems import Problem
from api.answers.terms import LARGEST_PAGE, Page
from api.services import Services
from plant.errors import QueryError
from plant.query.questions import Candles, Select, Sql
from plant.rows.intervals import interval_name, interval_ns

MORE = 4
"""So many more bars are read at a time where some of them do not count."""

_PLACE = ("seq", "seq_row")


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
    span = asked.start, asked.end, None
    reading = Reading("bars", (asked.sym,), *span, where, asked.last, as_of_seq=asked.as_of_seq, page=asked.page)
    if asked.session != "regular" or asked.interval[-1] not in "smh":
        return await read(services, reading)
    if asked.last is not None and not asked.page.cursor:
        return await _newest_regular(services, asked, reading, asked.last)
    found, seq, next_ = await read(services, reading)
    return _regular(services, asked, found), seq, next_


async def _newest_regular(
    services: Services, asked: Bars, reading: Reading, wanted: int
) -> tuple[pa.Table, int, str | None]:
    """Return the first page of the newest bars of regular sessions: so many bars are read as it needs."""
    names = services.schema["bars"].names
    whole = replace(reading, columns=(*names, *_PLACE), page=Page(LARGEST_PAGE, None))
    count = wanted
    while True:
        found, seq, _ = await read(services, replace(whole, newest=count))
        kept = _regular(services, asked, found)
        if found.num_rows < count or kept.num_rows >= wanted or count >= LARGEST_PAGE:
            break
        count = min(count * MORE, LARGEST_PAGE)
    kept = kept.slice(max(kept.num_rows - wanted, 0))
    limit, next_ = asked.page.limit, None
    if limit is not None and kept.num_rows > limit:  # from there on all that there are, as there may be more by then
        kept = kept.slice(0, limit)
        time_, at, row = (int(kept.column(name).cast(pa.int64())[limit - 1].as_py()) for name in ("time", *_PLACE))
        next_ = Cursor(time_, at, row, seq, -1).text(reading.mark)
    return kept.select(list(names)), seq, next_


def _regular(services: Services, asked: Bars, found: pa.Table) -> pa.Table:
    return regular(found, asked.interval, sessions_of(services.settings.calendars, asked.sym, found))


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
