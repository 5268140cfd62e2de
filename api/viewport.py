"""All that a chart shows, as of one seq: bars, annotations in force, signals and fills."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from api.answers.problems import Problem
from api.answers.rows import plain_rows
from api.answers.terms import LARGEST_PAGE, Page
from api.reading import Bars, bars_of
from api.services import Services
from plant.query.questions import Select, Sql

_ANNOTATIONS_IN_FORCE = """
    select * exclude (seq, seq_row) from (select * from annotations where sym = '{sym}' {as_of}
    qualify row_number() over (partition by id order by seq desc, version desc) = 1)
    where action <> 'delete'
"""


@dataclass(frozen=True)
class Seen:
    """What is looked at: bars of a symbol and interval of [start, end), else the newest `last`; prices [low, high]."""

    sym: str
    interval: str
    start: int | None = None
    end: int | None = None
    low: float | None = None
    high: float | None = None
    last: int = 500
    session: str = "regular"


async def viewport_of(services: Services, seen: Seen, times: str = "rfc3339") -> dict[str, Any]:
    """Return {"sym", "interval", "seq", "bars", "annotations", "signals", "fills"}, times told as `times` says.

    Rows that came after the least seq of the four answers are left out; a bar that was revised since is there as it is
    now. Annotations that lie wholly outside the times and prices are left out.
    """
    last = seen.last if seen.start is None else None
    asked = Bars(seen.sym, seen.interval, seen.start, seen.end, last, seen.session, page=Page(LARGEST_PAGE, None))
    bars, seq, more = await bars_of(services, asked)
    if more is not None:
        raise Problem("query_limit", f"more than {LARGEST_PAGE:,} bars of {seen.interval}; ask for a shorter range")
    start = seen.start
    if start is None and bars.num_rows:
        start = int(bars.column("time").cast(pa.int64())[0].as_py())
    of_interval = (("interval", "==", seen.interval),)
    (drawn, at), (signals, of_signals), (fills, of_fills) = await asyncio.gather(
        services.ask(_in_force(seen.sym)),
        services.ask(_events(services, "signals", seen, start, of_interval)),
        services.ask(_events(services, "fills", seen, start, ())),
    )
    cut = min(seq, at, of_signals, of_fills)
    if at > cut:
        drawn, _ = await services.ask(_in_force(seen.sym, cut))
    return {
        "sym": seen.sym,
        "interval": seen.interval,
        "seq": cut,
        "bars": plain_rows(bars, times),
        "annotations": plain_rows(_within(drawn, seen, start), times),
        "signals": plain_rows(_known(signals, cut), times),
        "fills": plain_rows(_known(fills, cut), times),
    }


def with_ns(rows: pa.Table, *times: str) -> list[dict[str, Any]]:
    """Return rows as dicts, these columns of times as ints of ns, other times left out."""
    for name in times:
        rows = rows.set_column(rows.column_names.index(name), name, rows.column(name).cast(pa.int64()))
    stamps = {field.name for field in rows.schema if pa.types.is_timestamp(field.type)}
    return list(rows.select([name for name in rows.column_names if name not in stamps]).to_pylist())


def _in_force(sym: str, seq: int | None = None) -> Sql:
    """Return the question for the annotations of a symbol, as they were at a seq."""
    as_of = "" if seq is None else f"and seq <= {seq}"
    return Sql(_ANNOTATIONS_IN_FORCE.format(sym=sym.replace("'", "''"), as_of=as_of))


def _events(services: Services, table: str, seen: Seen, start: int | None, where: Any) -> Select:
    return Select(table, (seen.sym,), start, seen.end, (*services.schema[table].names, "seq"), where)


def _known(rows: pa.Table, seq: int) -> pa.Table:
    """Return the rows that came up to a seq."""
    return rows.filter(pc.less_equal(rows.column("seq"), seq)).drop_columns(["seq"])


def _within(rows: pa.Table, seen: Seen, start: int | None) -> pa.Table:
    """Return annotations that reach into a range of times and prices."""
    keep = []
    for row in with_ns(rows, "start_at", "end_at"):
        prices = [row[name] for name in ("price", "price_end", "top", "bottom")]
        prices = [price for price in prices if price is not None and price == price]
        begins, ends = row["start_at"], row["end_at"]
        later = seen.end is not None and begins is not None and begins >= seen.end
        earlier = start is not None and ends is not None and ends < start
        below = seen.low is not None and bool(prices) and max(prices) < seen.low
        above = seen.high is not None and bool(prices) and min(prices) > seen.high
        keep.append(not (later or earlier or below or above))
    return rows.filter(pa.array(keep, pa.bool_()))
