"""The rows of a past day once more, in order of time, into another plant (`plant replay`).

What is published is what the history (and today's memory) answers: of a table with a key, the newest revisions. Rows
of all tables come in the order of their own `time`, which they keep; those of one time in the order they first came. At
speed 60 an hour takes a minute, pauses included.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from plant.errors import Refused
from plant.intake.forms import columns_of
from plant.rows.columns import Columns, compacted, taken
from plant.rows.evolution import without_nulls
from plant.rows.schema import Schema
from plant.rows.tables_candles import BUILT
from plant.rows.tables_service import SERVICE_TABLES
from plant.rows.tables_trading import TRADING_TABLES
from plant.rows.times import SLICE_ROWS, time_slices
from plant.runtime.settings import Settings
from plant.stream.publisher import Publisher

OF_THE_PLANT = (
    "indicators",
    "signals",
    "bar_closes",
    "heartbeats",
    "rejects",
    "gaps",
    "days",
    "amendments",
    "imports",
    "queries",
    "alerts",
    "plots",
    "annotations",
)
"""Tables the plant fills itself, and would again: replayed only if they are named, as bars are that it made."""

NEVER = (
    "days",
    "amendments",
    "imports",
    *(t.name for t in (*TRADING_TABLES, *SERVICE_TABLES) if t.name not in OF_THE_PLANT),
)
"""Tables whose rows are orders, or what became of them: in another plant they would end its days, amend its rows, start
strategies, be taken for positions that it has, or let people in."""

PUBLISH_ROWS = 2_000

Rows = tuple[str, Columns]
"""A table, and rows of it that follow on one another."""


def replayable_tables(schema: Schema, asked: Sequence[str] = ()) -> list[str]:
    """Return the tables to be replayed: those asked for, or all fed from outside. Raises Refused, UnknownTable."""
    for name in asked:
        schema[name]
        if name in NEVER:
            raise Refused(f"rows of {name} are not replayed: they would take effect in the plant they come to")
    return list(asked) or [name for name in schema if name not in OF_THE_PLANT and name not in NEVER]


def refuse_same(one: Settings, other: Settings) -> None:
    """Raise Refused if two plants are one: a replay into the plant it is read from would double its rows."""
    ports = [{s.tickerplant.ingest_port, s.tickerplant.journal_port} - {0} for s in (one, other)]
    same_place = one.plant.host == other.plant.host and ports[0] & ports[1]
    if same_place or one.plant.data.resolve() == other.plant.data.resolve():
        what = "the same data folder" if not same_place else "the same ports"
        raise Refused(
            f"--into names the plant that is read ({what}): its rows would be there twice; "
            "give the plant.toml of another one, with other ports and another data folder"
        )


def rows_of(
    db: Any,
    schema: Schema,
    tables: Sequence[str],
    sym: Any,
    start: int,
    end: int,
    most: int = SLICE_ROWS,
    built: bool = True,
) -> Iterator[Rows]:
    """Yield the rows of some tables with start <= time < end, in order of time, then of seq; about `most` in memory.

    Without `built`, bars that the plant made are left out.
    """

    def count(first: int, last: int) -> int:
        return sum(db.count(name, sym, first, last) for name in tables)

    for first, last in time_slices(count, start, end, most):
        yield from _merged(db, schema, tables, sym, first, last, built)


def play(rows: Iterator[Rows], speed: float, emit: Callable[[str, Columns], None], skip: int = 0) -> None:
    """Hand rows to `emit`, at `speed` times their own pace; 0: as fast as it goes. The first `skip` are passed over."""
    begun: tuple[float, int] | None = None  # (now, time of the row then)
    for name, columns in rows:
        count = len(columns["time"])
        if skip >= count:
            skip -= count
            continue
        if skip:
            columns, skip = taken(columns, slice(skip, None)), 0
        if not speed:
            emit(name, columns)
            continue
        times, at = columns["time"], 0
        begun = begun or (time.monotonic(), int(times[0]))
        while at < len(times):
            reached = begun[1] + int((time.monotonic() - begun[0]) * speed * 1e9)
            due = int(np.searchsorted(times, reached, side="right"))
            if due > at:
                emit(name, taken(columns, slice(at, due)))
                at = due
            else:
                time.sleep(min((int(times[at]) - reached) / speed / 1e9, 0.25))


def publish_replay(
    feed: Publisher, rows: Iterator[Rows], speed: float, progress: Callable[[int], None] = lambda done: None
) -> int:
    """Publish rows, from behind those that an earlier replay of the same name published; return how many now.

    Returns when everything is in the journal of the plant it went to.
    """
    before = done = feed.wait_connected()

    def emit(name: str, columns: Columns) -> None:
        nonlocal done
        for start in range(0, len(columns["time"]), PUBLISH_ROWS):
            some = compacted(taken(columns, slice(start, start + PUBLISH_ROWS)))
            feed.publish(name, some)
            done += len(some["time"])
            progress(done)

    play(rows, speed, emit, skip=before)
    feed.flush(120.0)
    return done - before


def _merged(
    db: Any, schema: Schema, tables: Sequence[str], sym: Any, start: int, end: int, built: bool
) -> Iterator[Rows]:
    """Yield rows of [start, end) as runs of one table each."""
    held: list[tuple[str, Columns]] = []
    times, seqs, whose = [], [], []
    for name in tables:
        table = schema[name]
        found = db.select(name, sym, start, end, columns=[*table.names, "seq"], frames="arrow")
        if found.num_rows:
            columns = columns_of(table, {n: without_nulls(found.column(n), table.column(n)) for n in table.names})
            came = found.column("seq").to_numpy()
            if name == "bars" and not built:
                own = np.array([source.startswith(BUILT) for source in columns["source"].names], dtype=bool)
                kept = ~own[columns["source"].codes]
                columns, came = taken(columns, kept), came[kept]
            whose.append(np.full(len(came), len(held)))
            held.append((name, columns))
            times.append(columns["time"])
            seqs.append(came)
    if not held:
        return
    of = np.concatenate(whose)
    of = of[np.lexsort((np.concatenate(seqs), np.concatenate(times)))]
    edges = np.flatnonzero(np.diff(of, prepend=-1, append=-1))
    reached = [0] * len(held)
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        name, columns = held[of[first]]
        at = reached[of[first]]
        reached[of[first]] = at + last - first
        yield name, taken(columns, slice(at, at + last - first))
