"""What the plant has of a feed's rows, asked once at its start by a thread: from there on it catches up.

Rdb and hdb may start later than the feed; they are asked until they answer, and have all that was published before.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from feedhandler.past.catching_up import Held, Series
from feedhandler.past.left import COLUMNS, Left, left_of
from feedhandler.venue.seam import key_by
from plant.errors import PlantError, QueryError
from plant.rows.intervals import interval_ns

CONNECT_S, ANSWER_S = 2.0, 10.0
ASK_FOR_S = 900.0
"""A plant that does not answer for so long is not asked any more."""

AGAIN_S, AT_MOST_S = 2.0, 60.0
"""Pause before it is asked again, and the longest: each is twice the one before."""

BEFORE_NS = 5 * 10**9
"""Rows are compared from so long before the newest one on: a venue does not send quite in order of time."""

LEFT_NS = 24 * 3_600 * 10**9
"""Holes that were told longer ago are not asked for again, and of the others the newest `MOST_LEFT`."""

MOST_LEFT = 200

_OF_A_BAR = ("open", "high", "low", "close", "volume")
_OF_A_TRADE = ("trade_id", "exchange", "price", "size", "venue_seq")


class Asking:
    """`begin` it once; `answer` has what the plant holds of `wanted`, by series; `trouble` why there is none.

    `left` are holes of earlier runs, by then. name: `source` of the feed's rows; names: our symbols as the venue's.
    """

    def __init__(
        self, config: str, name: str, wanted: Sequence[Series], names: Mapping[str, str] | None = None
    ) -> None:
        self.answer: dict[Series, Held] | None = None
        self.left: list[Left] = []
        self.trouble = ""
        self._names = names or {}
        self._config, self._name, self._wanted = config, name, list(wanted)
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    @property
    def begun(self) -> bool:
        """Whether the plant is being asked, or was."""
        return self._thread is not None

    def begin(self, seq: int, before_ns: int | None = None) -> None:
        """Ask in a thread for what the plant has up to `seq`, as soon as it has everything up to there.

        before_ns: only rows that are older count, UTC ns; None: no row of this run is among them.
        """
        self._thread = threading.Thread(target=self._ask, args=(seq, before_ns), name="held", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, behind a question that is under way, unless that takes long."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(AGAIN_S)

    def _ask(self, seq: int, before_ns: int | None) -> None:
        # A feed starts without what only this thread needs, which takes a second to import.
        from plant.client.connect import connect
        from plant.transfer.importing import until_seen

        until, pause_s = time.monotonic() + ASK_FOR_S, AGAIN_S
        while not self._ending.is_set():
            try:
                with connect(config=self._config, timeout_s=CONNECT_S, warn_unknown=False) as db:
                    until_seen(db, seq)
                    held = held_of(db, self._name, self._wanted, seq, before_ns)
                    self.left = holes_left(db, self._name, self._wanted, self._names, seq, time.time_ns())
                    self.answer = held
                self.trouble = ""
                return
            except (PlantError, OSError) as error:
                self.trouble = f"what the plant has is not known, so nothing of before the start is fetched: {error}"
                if isinstance(error, QueryError) or time.monotonic() > until:  # what costs too much is not asked again
                    return
            self._ending.wait(pause_s)
            pause_s = min(2 * pause_s, AT_MOST_S)


def held_of(db: Any, name: str, wanted: Sequence[Series], seq: int, before_ns: int | None = None) -> dict[Series, Held]:
    """Return what the plant has from the source `name` up to `seq`, by series; those it has nothing of are left out.

    before_ns: only rows that are older, UTC ns; None: whatever their time is.
    """
    syms: dict[tuple[str, str], list[str]] = defaultdict(list)
    for table, sym, interval in wanted:
        syms[table, interval].append(sym)
    found: dict[Series, Held] = {}
    for (table, interval), names in syms.items():
        where = [("source", "==", name), ("seq", "<=", seq), *([("interval", "==", interval)] if interval else [])]
        # A bar that formed then began before that.
        at = None if before_ns is None else before_ns - (interval_ns(interval) if interval else 0)
        newest = db.last(table, names, at, ["sym", "time"], where=where, frames="arrow", timeout_s=ANSWER_S)
        newest_ns = newest.column("time").cast("int64").to_pylist()
        for sym, when in zip(newest.column("sym").to_pylist(), newest_ns, strict=True):
            since = when if interval else when - BEFORE_NS
            known, numbers = _known(db, (table, sym, interval), since, None, where)
            found[table, sym, interval] = Held(when, since, known, numbers)
    return found


def holes_left(
    db: Any, name: str, wanted: Sequence[Series], names: Mapping[str, str], seq: int, now_ns: int
) -> list[Left]:
    """Return what earlier runs of the feed of this name left, by the venue's symbols, with what the plant has of it."""
    earliest = now_ns - LEFT_NS
    told = db.select(
        "gaps", f"feed-{name}", earliest, None, list(COLUMNS), where=[("seq", "<=", seq)], frames="arrow",
        timeout_s=ANSWER_S,
    )  # fmt: skip
    ours = {names.get(sym, sym): sym for _, sym, _ in wanted}
    series = [(table, names.get(sym, sym), interval) for table, sym, interval in wanted]
    found = []
    for hole in left_of(told.to_pylist(), series)[-MOST_LEFT:]:
        of = [
            ("source", "==", name),
            ("seq", "<=", seq),
            *([("interval", "==", hole.interval)] if hole.interval else []),
        ]
        start, end = (earliest, None) if hole.first else (hole.start, hole.end)
        if hole.first:
            of += [("venue_seq", ">=", hole.first), ("venue_seq", "<=", hole.last)]
        found.append(Left(hole, *_known(db, (hole.table, ours[hole.sym], hole.interval), start, end, of)))
    return found


def _known(
    db: Any, series: Series, start: int, end: int | None, where: Sequence[Any]
) -> tuple[tuple[object, ...], tuple[int, ...]]:
    """Return what tells the rows of a series apart (`Held.known`), and of trades their `venue_seq`."""
    table, sym, interval = series
    columns = _OF_A_BAR if interval else _OF_A_TRADE
    rows = db.select(table, sym, start, end, ["time", *columns], where=where, frames="arrow", timeout_s=ANSWER_S)
    values = (rows.column(key).to_pylist() for key in columns)
    keys = zip(rows.column("time").cast("int64").to_pylist(), *values, strict=True)
    if interval:
        return tuple(keys), ()
    known = tuple(key_by(trade_id, ns, exchange or "", price, size) for ns, trade_id, exchange, price, size, _ in keys)
    return known, tuple(rows.column("venue_seq").to_pylist())
