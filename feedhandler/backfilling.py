"""History from a venue's REST into the plant (`plant backfill`): planned by day, fetched, compared, published.

The rows go the way of all rows, as those of `plant import` do (plant/transfer/importing.py): through the tickerplant,
to the days of their own time. A day of a table is a part of its own: a row of `imports` says when it is there as a
whole, and it is not asked for again. One that was interrupted goes on where it was. What the plant has already is left
out: a trade of the same source and id, a bar with the same values.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from feedhandler.feed import NS_PER_DAY
from feedhandler.kinds import checked
from feedhandler.venue.columns import batches, tables_of_channels
from feedhandler.venue.dialogue import History, Hole
from feedhandler.venue.events import OtherRow, Row
from feedhandler.venue.feed import VenueFeed
from feedhandler.venue.healing import Healing
from feedhandler.venue.rest import Answer, Rest
from feedhandler.venue.settings import VenueSettings, keys_of, secret_of
from feedhandler.venue.token_bucket import TokenBucket
from plant.errors import SettingsError
from plant.intake.forms import columns_of
from plant.progress import Progress, quietly
from plant.rows.arrow import arrow_column
from plant.rows.columns import taken
from plant.rows.intervals import interval_ns
from plant.rows.schema import Table
from plant.runtime.sections import FeedSection
from plant.transfer.doubles import contents_of, doubled_within, identities
from plant.transfer.importing import TABLE, FileRows, compare


class Part(NamedTuple):
    """A day, or less, of one table; `title` tells it from all others, in `imports.file`."""

    hole: Hole
    title: str


class Fetching(Protocol):
    """A venue's past, whoever asks for it: `VenueFeed`s by REST, others by the venue's own client."""

    settings: VenueSettings

    def has(self, hole: Hole) -> bool:
        """Return whether the venue has a past of such rows."""

    def fetch(
        self, hole: Hole, progress: Progress = quietly, sleep: Callable[[float], None] = time.sleep
    ) -> tuple[list[Row], str]:
        """Return the rows of a hole, and why some are missing, "" if none are; takes as long as the venue wants."""

    def close(self) -> None:
        """Let go of connections and threads."""


class Venue:
    """The past of a feed with a `History`."""

    def __init__(self, settings: VenueSettings, history: History, rest: Rest) -> None:
        self.settings = settings
        self._history, self._rest = history, rest

    def has(self, hole: Hole) -> bool:
        return self._history.request(hole) is not None

    def fetch(
        self, hole: Hole, progress: Progress = quietly, sleep: Callable[[float], None] = time.sleep
    ) -> tuple[list[Row], str]:
        return fetched(self._history, self._rest.wait, hole, progress, sleep)

    def close(self) -> None:
        self._rest.close()


def venue_of(section: FeedSection, file: Path) -> Fetching:
    """Return the past of a [[feeds]] of the plant.toml `file`. Raises SettingsError if it has none, or no key.

    A kind that is no `VenueFeed` gives it by its `past_of(settings)`.
    """
    made_of, settings = checked(section, file)
    try:
        if hasattr(made_of, "past_of"):
            found: Fetching = made_of.past_of(settings)
            return found
        if not issubclass(made_of, VenueFeed) or made_of.history is None or not isinstance(settings, VenueSettings):
            raise SettingsError(f"feed {section.label!r}: kind {section.kind!r} has no past that can be asked for")
        keys = keys_of(made_of.key_variables, made_of.page)
    except ValueError as error:
        raise SettingsError(f"feed {section.label!r}: {error}") from None
    return Venue(settings, made_of.history(settings, keys), Rest(settings.rest_url, secret_of(keys)))


def series_of(venue: Fetching, tables: Sequence[str] = (), interval: str = "") -> list[tuple[str, str]]:
    """Return tables, without any those of the feed's channels, each with the lengths of its bars, "" of other rows."""
    intervals = (interval,) if interval else venue.settings.bar_intervals or (venue.settings.interval,)
    found = tables or tables_of_channels(venue.settings.channels)
    return [(table, of) for table in found for of in (intervals if table == "bars" else ("",))]


def parts_of(
    venue: Fetching, series: Sequence[tuple[str, str]], sym: str, start: int, end: int, now_ns: int
) -> list[Part]:
    """Return the parts of [start, end), UTC ns, oldest first; `sym` is ours.

    A bar belongs to the day in which it starts, wherever it ends; one that is not over at `now_ns` to none.
    """
    found = []
    for begin in range(start - start % NS_PER_DAY, end, NS_PER_DAY):
        first, last = max(begin, start), min(begin + NS_PER_DAY, end)
        for table, of in series:
            until = min(last - 1 + interval_ns(of), max(now_ns, last)) if of else last
            hole = Hole(table, venue.settings.names.get(sym, sym), of, first, until)
            what = " ".join(filter(None, (venue.settings.name, table, of, quote(sym, safe=""))))
            found.append(Part(hole, f"{what} {_stamp(first)} to {_stamp(last)}"))
    return found


def fetched(
    history: History,
    ask: Callable[[Any], Answer],
    hole: Hole,
    progress: Progress = quietly,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[Row], str]:
    """Return the rows of a hole, page by page, and why some are missing, "" if none are."""
    bucket = TokenBucket(*history.limit)
    healing = Healing(history, bucket)
    healing.add([hole], clock() - history.lag_s)
    rows: list[Row] = []
    while True:
        request, without = healing.request(clock())
        if without:
            return rows, without[0].lost
        if request is None:
            sleep(min(max(healing.wait_s(clock()), 0.01), 1.0))
            continue
        found = healing.take(ask(request), clock())
        if found is not None:
            rows += found.rows
            progress(len(rows), None)
            if found.done:
                return rows, found.lost


def as_file(part: Part, rows: Sequence[Row], table: Table, settings: VenueSettings) -> FileRows:
    """Return the rows of a part as a file of rows, in order of time, those that are there twice marked."""
    ours = {venues: ours for ours, venues in settings.names.items()}
    found = [row for row in rows if not isinstance(row, OtherRow)]
    given = batches(found, settings.name, ours)
    columns = columns_of(table, given[0][1] if given else {name: [] for name in table.names})
    columns = taken(columns, np.argsort(columns["time"], kind="stable"))
    arrow = pa.table({name: arrow_column(column, name in table.times) for name, column in columns.items()})
    identity = identities(table, arrow)
    contents = contents_of(table, arrow, identity)
    replaced, same = doubled_within(table, identity, contents)
    digest = hashlib.blake2b(part.title.encode() + contents.tobytes(), digest_size=8).hexdigest()
    nothing = np.zeros(len(identity), dtype=bool)
    return FileRows(
        path=Path(part.title), name=f"import-{digest}", table=table, columns=columns,
        lines=np.arange(1, len(identity) + 1), unit="row", identity=identity, contents=contents,
        replaced=replaced, same=same, revising=nothing.copy(), earlier=nothing.copy(),
        rejected=0, reasons=[], where={}, assumed=(),
    )  # fmt: skip


def compare_with(db: Any, file: FileRows, source: str, progress: Progress = quietly) -> None:
    """Find out which rows the plant has: trades with ids by them, all others as `plant import` does.

    At some venues an id is one trade's of its exchange only; rows from before there was that column lack it.
    """
    if file.table.name != "trades" or not len(file) or "" in file.columns["trade_id"].tolist():
        compare(db, file, progress=progress)
        return
    times = file.columns["time"]
    held = db.select(
        "trades", file.syms, int(times[0]), int(times[-1]) + 1, columns=["exchange", "trade_id"],
        where=[("source", "==", source)], frames="arrow",
    )  # fmt: skip
    exchanges = (exchange or "" for exchange in held.column("exchange").to_pylist())  # null in files without it
    there = {*zip(exchanges, held.column("trade_id").to_pylist(), strict=True)}
    ids = [*zip(file.columns["exchange"].tolist(), file.columns["trade_id"].tolist(), strict=True)]
    has = (each in there or ("", each[1]) in there for each in ids)
    file.same |= np.fromiter(has, bool, len(ids)) & ~file.replaced
    progress(len(ids), len(ids))


def finished_before(db: Any) -> set[str]:
    """Return the titles of the parts that are in the plant as a whole."""
    notes = db.select(TABLE, columns=["file"], where=[("state", "==", "finished")], frames="arrow")
    return set(notes.column("file").to_pylist())


def nothing_new(file: FileRows) -> dict[str, Any]:
    """Return the row of `imports` that says that a part was there already."""
    return {
        "time": time.time_ns(), "sym": file.name, "table_name": file.table.name, "file": file.path.name,
        "state": "finished", "rows": 0, "duplicates": len(file), "rejected": 0, "left_out": "",
    }  # fmt: skip


def _stamp(ns: int) -> str:
    return time.strftime("%Y-%m-%dT%H%M%S", time.gmtime(ns // 10**9))
