"""Rows of a table, a page at a time, all pages one consistent cut: rows that came after the first page are left out.

The cursor says behind which row the next page begins, and up to which seq rows are given. In a table with a key a row
may be revised meanwhile: then it is there with its newest revision, or comes once more. So that none is passed over,
rows of one time stand in the order in which they came also where the newest time is first: a revision stands later.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from api.answers.problems import Problem, invalid
from api.answers.terms import PAGE, Page
from api.services import Services
from plant.errors import nearest_names
from plant.query.questions import Last, Select, Where
from plant.query.view import known_columns

MARKET = ("bars", "trades", "quotes", "indicators")
"""Tables of which a symbol without any row is a mistake; elsewhere nothing may have happened yet."""


@dataclass(frozen=True)
class Reading:
    """Which rows: as Select has it, `newest` ones of them, newest first or last, as of a seq, and which page."""

    table: str
    sym: tuple[str, ...] | None = None
    start: int | None = None
    end: int | None = None
    columns: tuple[str, ...] | None = None
    where: Where = ()
    newest: int | None = None
    descending: bool = False
    as_of_seq: int | None = None
    page: Page = field(default_factory=lambda: Page(None, None))

    @property
    def mark(self) -> str:
        """A few characters by which a cursor is known to be of this question."""
        terms = (self.table, self.sym, self.start, self.end, self.columns, self.where, self.newest, self.descending)
        return hashlib.sha256(repr((*terms, self.as_of_seq)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Cursor:
    """Where a page begins: behind the row at (time, seq, seq_row); rows up to `cut`; `left` of them, -1: all."""

    time: int
    seq: int
    seq_row: int
    cut: int
    left: int

    def text(self, mark: str) -> str:
        """Return it as it goes out."""
        fields = [mark, self.time, self.seq, self.seq_row, self.cut, self.left]
        return base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode().rstrip("=")


def cursor_of(text: str, mark: str) -> Cursor:
    """Return the cursor in a text. Raises Problem invalid for one that is none, or of another question."""
    try:
        found, *numbers = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        if len(numbers) != 5 or not all(type(each) is int and abs(each) < 2**63 for each in numbers):
            raise ValueError
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise invalid("?cursor", "expected `next` of the page before", found=text[:100]) from None
    if found != mark:
        raise invalid("?cursor", "it is of another question: send the same parameters with it", found=text[:100])
    return Cursor(*numbers)


async def read(services: Services, reading: Reading) -> tuple[pa.Table, int, str | None]:
    """Return a page of rows, up to which seq everything is in it, and the cursor of the next page.

    Raises Problem, UnknownTable, UnknownColumn, and what the plant answers.
    """
    table = services.schema[reading.table]
    names = known_columns(table, reading.columns)
    at = cursor_of(reading.page.cursor, reading.mark) if reading.page.cursor else None
    limit = reading.page.limit or max(PAGE, reading.newest or 0)
    cut = at.cut if at else reading.as_of_seq
    left = at.left if at else -1 if reading.newest is None else reading.newest
    most = limit if left < 0 else min(limit, left)
    history = None
    if reading.as_of_seq is not None:
        history = await _as_of(services, reading)
    where = reading.where if table.key or cut is None else (*reading.where, ("seq", "<=", cut))
    asked = (*dict.fromkeys((*names, "time", "seq", "seq_row")),)
    # The first page of the newest n begins with the oldest of them; any other is known to be the last by one more row.
    wanted = left if at is None and left >= 0 else most + (left < 0 or left > most)
    found, seq = await _rows(services, reading, asked, where, at, wanted, history)
    cut = seq if cut is None else cut
    found = found if left < 0 else found.slice(0, left)
    ends = bool(found.num_rows <= most)
    found = found.slice(0, most)
    if reading.sym and not found.num_rows and at is None:
        await check_symbols(services, reading.table, reading.sym)
    next_ = None
    if not ends and found.num_rows:
        last = found.slice(found.num_rows - 1)
        time, seq, seq_row = (int(last.column(name).cast(pa.int64())[0].as_py()) for name in ("time", "seq", "seq_row"))
        next_ = Cursor(time, seq, seq_row, cut, -1 if left < 0 else left - most).text(reading.mark)
    return found.select(list(names)), cut, next_


async def check_symbols(services: Services, table: str, syms: tuple[str, ...]) -> None:
    """Raise Problem unknown_symbol for one that no row of a table of the market has."""
    if table not in MARKET:
        return
    for sym in syms:
        if not (await services.ask(Last(table, (sym,), columns=("sym",))))[0].num_rows:
            found, _ = await services.ask(Last(table, columns=("sym",)))
            known = found.column("sym").to_pylist()
            near = nearest_names(sym, known, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise Problem("unknown_symbol", f"{table} has no symbol {sym!r}{hint}", found=sym)


async def _as_of(services: Services, reading: Reading) -> int | None:
    """Return the seq to ask history as of, None if the rows themselves tell. Raises Problem invalid."""
    seq = reading.as_of_seq or 0
    if not services.schema[reading.table].key:
        known = services.live.seq
        if seq > known:  # the rdb may be further
            _, known = await services.ask(Select(reading.table, columns=("time",), last=0))
        if seq > known:
            raise invalid("?as_of_seq", f"the plant has come to seq {known:,}", found=seq)
        return None
    ends, _ = await services.ask(Select("days", columns=("state", "last_seq")))
    days = {row["last_seq"] for row in ends.to_pylist() if row["state"] == "closed"}
    if seq not in days:
        told = ", ".join(map(str, sorted(days)[-5:])) or "there is none yet"
        raise invalid(
            "?as_of_seq",
            f"{reading.table} has a key, so what it was is known only as of the end of a day (seq: {told})",
            found=seq,
        )
    return seq


async def _rows(
    services: Services,
    reading: Reading,
    names: tuple[str, ...],
    where: Where,
    at: Cursor | None,
    most: int,
    history: int | None,
) -> tuple[pa.Table, int]:
    """Return at least `most` rows behind the cursor, if there are, in the order wanted; and the seq of the answer."""
    start, end, count = reading.start, reading.end, most
    if at is not None and reading.descending:
        end = at.time + 1 if end is None else min(end, at.time + 1)
    elif at is not None:
        start = at.time if start is None else max(start, at.time)
    newest = reading.descending or (at is None and reading.newest is not None)
    rising = bool(services.schema[reading.table].key)  # rows of one time, if the newest time is first
    while True:
        bound = {"last": count} if newest else {"first": count}
        question = Select(reading.table, reading.sym, start, end, names, where, as_of=history, **bound)
        found, seq = await services.ask(question)
        cut_off = found.num_rows >= count
        behind = found if at is None else found.filter(pa.array(_behind(found, at, reading.descending, rising)))
        if reading.descending and rising and cut_off and found.num_rows:
            behind = behind.filter(pc.greater(behind.column("time"), found.column("time")[0]))  # of that there are more
        if behind.num_rows >= most or not cut_off:
            break
        count = max(4 * count, 4)  # so many rows of the cursor's time were given before
    if reading.descending:
        time, seq_, seq_row = _places(behind)
        order = (seq_row, seq_) if rising else (-seq_row, -seq_)
        behind = behind.take(pa.array(np.lexsort((*order, -time))))
    return behind, seq


def _behind(rows: pa.Table, at: Cursor, descending: bool, rising: bool) -> np.ndarray:
    """Return which rows come behind a cursor, bool[n]; `rising`: rows of one time rise also where times fall."""
    time, seq, seq_row = _places(rows)
    earlier = (seq < at.seq) | ((seq == at.seq) & (seq_row < at.seq_row))
    later = (seq > at.seq) | ((seq == at.seq) & (seq_row > at.seq_row))
    if descending:
        return (time < at.time) | ((time == at.time) & (later if rising else earlier))
    return (time > at.time) | ((time == at.time) & later)


def _places(rows: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return time, seq and seq_row of rows, int64[n]."""
    time, seq, seq_row = (rows.column(name).cast(pa.int64()).to_numpy() for name in ("time", "seq", "seq_row"))
    return time, seq, seq_row
