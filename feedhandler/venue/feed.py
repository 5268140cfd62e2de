"""The feed of a venue: what is common to all of them, around a `Dialogue` and a `History` of its own.

Frames come in by one or several connections (line.py), each with the topics of some of the symbols. Rows go through the
seams (seams.py), so that each is there once and in order; what is missing is fetched (past.py) by a thread (rest.py)
while live rows come. Nothing here waits for REST, but a venue that needs a request before it connects.
"""

import math
import select
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from feedhandler.capture import Capture
from feedhandler.feed import NS_PER_SECOND, Batch
from feedhandler.past.catching_up import CatchUp, Held, Series
from feedhandler.past.later import Later
from feedhandler.past.left import Left
from feedhandler.venue.columns import batches, tables_of_channels
from feedhandler.venue.dialogue import Dialogue, History, Hole
from feedhandler.venue.events import OtherRow, Row, Topic
from feedhandler.venue.line import Counts, Line, Link, standing
from feedhandler.venue.past import Past
from feedhandler.venue.rest import Rest
from feedhandler.venue.seam import Note
from feedhandler.venue.seams import Seams
from feedhandler.venue.settings import VenueSettings, keys_of, secret_of
from plant.calendars.assignment import Calendars
from plant.calendars.sessions import CLOSED
from plant.transport.connection_state import Pauses
from plant.transport.websocket import WebSocket

JITTER = 0.5
"""Part of a pause that chance may take away: feeds that were cut at once do not come back at once."""

SETTLED_S = 10.0
"""A connection that was good for so long begins again with the shortest pause."""

_LOOK_S = 0.02  # between two looks at what is fetched and what has waited for too long
_ALL_S = 0.2  # between two looks at connections that have nothing
_SHOWN = 5  # symbols named in a status


class VenueFeed:
    """A kind of feed: subclass it with what is the venue's own; its members are those of `feedhandler.feed.Feed`.

    clock: monotonic seconds, for pauses, heartbeats, patience. folder: where frames are kept (`record`), None: nowhere.
    Raises ValueError, naming the variable and the page, if the environment lacks a key, or the settings an address.
    """

    Settings: ClassVar[type[VenueSettings]] = VenueSettings
    replayable: ClassVar[bool] = False
    finished: ClassVar[bool] = False

    dialogue: ClassVar[type[Dialogue]] = Dialogue
    history: ClassVar[type[History] | None] = None
    key_variables: ClassVar[tuple[str, ...]] = ()
    page: ClassVar[str] = "docs/feeds.md"

    tells_cuts: ClassVar[bool] = False
    """Whether its `link` itself tells what is missing after a cut, and has it replayed."""

    def __init__(self, settings: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings: VenueSettings = settings
        self.keys = keys_of(self.key_variables, self.page)
        if self.history is not None and not settings.rest_url:
            raise ValueError(f"rest_url: expected where the venue's past is fetched, found none; {self.page}")
        self.secret = secret_of(self.keys)
        self._clock = clock
        self._ours = {venues: ours for ours, venues in settings.names.items()}
        self._rest = Rest(settings.rest_url, self.secret)
        self._past = None
        if self.history is not None:
            self._past = Past(self.history(settings, self.keys), self._rest, self._venues(settings.symbols))
        self._fetches = self._past is not None and settings.backfill
        without = (
            "the venue has no such past" if self._past is None else "backfill is false; plant backfill may have it"
        )
        tables = tables_of_channels(settings.channels)
        of_trades = "trades" in tables or not tables  # channels of one's own may be called anything
        self._seams = Seams(self.dialogue.numbered, self._fetches, without, of_trades)
        self._later = Later(self.dialogue.numbered)
        most_ns = int(settings.catch_up_h * 3_600 * NS_PER_SECOND)
        self._catch_up = CatchUp(self._seams, self._later, most_ns, self._without)
        self._counts = Counts()
        self._capture: Capture | None = None
        self._lines: list[Line] = []
        self._look_at = self._all_at = -math.inf
        self._expected, self._expected_at = True, -math.inf
        self._share(self.topics(settings))

    def topics(self, settings: VenueSettings) -> list[Topic]:
        """Return what is to be subscribed, the topics of a symbol one after another; a venue may have another way."""
        return [Topic(channel, sym) for sym in self._venues(settings.symbols) for channel in settings.channels]

    def link(self, dialogue: type[Dialogue]) -> Link:
        """Return a new connection, not opened yet; a venue whose own client connects gives another."""
        return WebSocket(
            self.settings.name,
            self.settings.url,
            self.secret,
            self.settings.heartbeat_s,
            self._clock,
            heartbeat=dialogue.heartbeat,
            pauses=Pauses(jitter=JITTER, settled_s=SETTLED_S, refused_s=None, stale_s=self.settings.silence_s),
        )

    def kept_in(self, folder: Path) -> None:
        """Take the plant's data folder: with `record`, every frame is kept below it as it came."""
        if self.settings.record:
            self._capture = Capture(folder / "frames" / self.settings.name, self.settings.record_mb)

    def start(self, accepted: int) -> None:
        """Begin; connections are opened by the polls."""

    def asks_for(self) -> list[Series]:
        """Return of which series the plant is to say what it has: what came since is fetched, or told as lost."""
        if not self.settings.catch_up_h:
            return []
        found: list[Series] = []
        for table in tables_of_channels(self.settings.channels):
            if table != "quotes":
                intervals = self.settings.bar_intervals if table == "bars" else ("",)
                found += [(table, sym, interval) for interval in intervals for sym in self.settings.symbols]
        return found

    def had(self, held: Mapping[Series, Held]) -> None:
        """Take the plant's answer to `asks_for`; what is missing since is fetched beside the rows that come."""
        names = self.settings.names
        self._catch_up.held({(table, names.get(sym, sym), of): one for (table, sym, of), one in held.items()})

    def left(self, holes: Sequence[Left]) -> None:
        """Take holes of earlier runs, by the venue's symbols: they are asked for again."""
        for hole, known, numbers in holes:
            if self._without(hole):
                continue
            by_number = hole.table == "trades" and self._seams.numbered
            self._later.left(hole, numbers if by_number else known, self._clock())

    def resubscribe(self, settings: Any) -> None:
        """Take a changed list of symbols: what is new is subscribed, what is over unsubscribed, all else goes on."""
        self.settings = settings
        if self._past is not None:
            self._past.want(self._venues(settings.symbols))
        self._share(self.topics(settings))
        self._seams.begun(self._venues(settings.symbols), time.time_ns())

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        on: list[Row] = []
        single = len(self._lines) == 1
        for line in self._wait(timeout_s):
            on += self._polled(line, timeout_s if single else 0.0, now_ns)
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + _LOOK_S
            resting = self._past is not None and self._past.paused(now)
            on += self._fetched(now, now_ns) + self._seams.impatient(now, resting)
            if self._capture is not None:
                self._capture.look(now)
        found = batches(on, self.settings.name, self._ours) if on else []
        for notes in (self._seams.notes, self._catch_up.notes, self._later.notes):
            if notes:
                found += notes_of(notes, now_ns, self.settings.name)
                notes.clear()
        return found

    def status(self) -> str:
        lines = self._lines
        states = [line.link.state for line in lines]
        parts = [standing(states, self._clock()), f"{len(self.settings.symbols)} symbols", self._counts.complaint]
        unknown = {topic.sym for line in lines for topic in line.subscriptions.unknown}
        missing = {topic.sym for line in lines for topic in line.missing()} - unknown
        parts += [_named("not to be had", unknown), _named("not acknowledged", missing)]
        standings = self._counts.standings
        parts += [
            _named(words, [sym for sym in standings if standings[sym] == words]) for words in {*standings.values()}
        ]
        if self._seams.waiting:
            parts.append(f"{self._seams.waiting:,} rows wait for what is missing")
        if self._past is not None:
            parts.append(f"{len(self._past.healing)} holes to fetch" if len(self._past.healing) else "")
            parts.append(self._later.status(self._clock()))
            parts.append(self._past.healing.note)
            if self._past.ahead_s is not None:
                parts.append(f"the venue's clock is {self._past.ahead_s:+.3f} s (±{self._past.within_s:.3f})")
        parts += [f"{count:,} {what}" for count, what in self._dropped() if count]
        if self._counts.malformed:
            parts.append(f"{self._counts.malformed:,} malformed (first: {self._counts.first_malformed})")
        if self._capture is not None:
            parts.append(self._capture.status())
        return self.secret.redact("; ".join(part for part in parts if part))

    def close(self) -> None:
        for line in self._lines:
            line.close()
        self._rest.close()
        if self._capture is not None:
            self._capture.close()

    def _venues(self, symbols: Sequence[str]) -> list[str]:
        return [self.settings.names.get(sym, sym) for sym in symbols]

    def _share(self, topics: Sequence[Topic]) -> None:
        """Give each connection its topics: what a connection has stays there, what is new goes where there is room."""
        by_symbol: dict[str, list[Topic]] = {}
        for topic in topics:
            by_symbol.setdefault(topic.sym, []).append(topic)
        shares: list[list[Topic]] = []
        for line in self._lines:
            kept = {topic.sym for topic in line.subscriptions.wanted} & by_symbol.keys()
            shares.append([topic for sym in by_symbol if sym in kept for topic in by_symbol[sym]])
        placed = {topic.sym for share in shares for topic in share}
        most = self.dialogue.most_topics
        for sym, of_symbol in by_symbol.items():
            if sym in placed:
                continue
            room = next((share for share in shares if len(share) + len(of_symbol) <= most), None)
            if room is None:
                shares.append(room := [])
            room += of_symbol
        for line, share in zip(self._lines, shares, strict=False):
            line.subscriptions.want(share)
        for share in shares[len(self._lines) :]:
            self._lines.append(self._line(share))
        for line in [line for line in self._lines if not line.subscriptions.wanted]:
            line.close()
            self._lines.remove(line)

    def _line(self, topics: Sequence[Topic]) -> Line:
        return Line(
            self.settings.name,
            self.link(self.dialogue),
            lambda: self.dialogue(self.settings, self.keys),
            topics,
            self.secret,
            self._clock,
            self._rest.wait,
            self._record,
            self._counts,
        )

    def _wait(self, timeout_s: float) -> list[Line]:
        """Return the connections to look at now; without any, or with several, wait until there is something to do."""
        connected = [line for line in self._lines if line.link.connected]
        if not connected:
            pause_s = min((line.link.retry_in_s for line in self._lines), default=timeout_s)
            if pause_s > 0:
                time.sleep(min(timeout_s, pause_s))
        elif len(connected) > 1:
            look = select.poll()
            for line in connected:
                look.register(line.link.fileno(), select.POLLIN)
            ready = {number for number, _ in look.poll(timeout_s * 1000)}
            now = self._clock()
            due = now >= self._all_at  # now and then all of them, for pings and pauses
            if due:
                self._all_at = now + _ALL_S
            return [line for line in self._lines if due or (line.link.connected and line.link.fileno() in ready)]
        return self._lines

    def _without(self, hole: Hole) -> str:
        """Return why nothing of a hole can be fetched, "" if it can."""
        if self._past is None or not self._past.has(hole):
            return "the venue has no such past"
        return "" if self._fetches else "backfill is false; plant backfill may have it"

    def _record(self, frames: list[bytes], received_ns: list[int]) -> None:
        if self._capture is not None:
            self._capture.add(frames, received_ns)

    def _polled(self, line: Line, timeout_s: float, now_ns: int) -> list[Row]:
        was_connected = line.link.connected
        rows = line.poll(timeout_s, self._data_expected(now_ns))
        now = self._clock()
        on = self._seams.take(rows, now) if rows else []
        self._later.seen(on)
        if was_connected == line.link.connected and not line.news:
            return on
        symbols = {topic.sym for topic in line.subscriptions.wanted}
        if was_connected and not line.link.connected and not self.tells_cuts:
            self._seams.interrupted(symbols, now)
        if line.news and line.link.connected:
            self._seams.begun(symbols, now_ns)
            if not self.tells_cuts:  # also of the first: one that was cut before all was acknowledged may have had rows
                self._seams.resumed(symbols, now_ns, now)
        line.news = False
        return on

    def _data_expected(self, now_ns: int) -> bool:
        """Return whether the market of the feed's calendar is open, looked at once a second."""
        now = self._clock()
        if self.settings.calendar and self.settings.silence_s and now >= self._expected_at:
            sessions = Calendars({}, {}).sessions(self.settings.calendar)
            self._expected = bool(sessions.kinds(np.array([now_ns], dtype=np.int64))[0] != CLOSED)
            self._expected_at = now + 1.0
        return self._expected

    def _fetched(self, now: float, now_ns: int) -> list[Row]:
        self._catch_up.look(now)
        if self._past is None:
            return []
        if self._fetches:
            self._later.give_up(self._seams.given_up, now)
            self._seams.given_up.clear()
            self._past.add(self._seams.due(now), now)
            self._past.add(self._later.due(now), now, hurried=False)
        on: list[Row] = []
        for fetched in self._past.step(now, lambda hole: hole in self._later or self._seams.wants(hole)):
            if fetched.hole in self._later:
                late = self._later.take(fetched, now)
                on += late if fetched.hole.table == "trades" else self._seams.take(late, now)
                continue
            on += self._seams.fetched(fetched.hole, fetched.rows, now)
            if fetched.done:
                on += self._seams.ended(fetched.hole, now, fetched.lost, fetched.again)
        told, self._past.instruments = self._past.instruments, []
        return on + [OtherRow("instruments", {"time": now_ns, **row}) for row in told]

    def _dropped(self) -> Iterable[tuple[int, str]]:
        return (self._seams.repeats, "repeated trades dropped"), (self._seams.late, "revisions came too late")


def notes_of(notes: Sequence[Note], now_ns: int, name: str) -> list[Batch]:
    """Return what became of holes as rows of `gaps`, of the feed of this name."""
    tables, states, firsts, lasts, details = map(list, zip(*notes, strict=True))
    columns = {
        "time": np.full(len(notes), now_ns, dtype=np.int64),
        "sym": [f"feed-{name}"] * len(notes),
        "table_name": tables,
        "first": np.array(firsts, dtype=np.int64),
        "last": np.array(lasts, dtype=np.int64),
        "state": states,
        "detail": details,
    }
    return [("gaps", columns)]


def _named(what: str, symbols: Iterable[str]) -> str:
    names = sorted(symbols)
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{what}: {', '.join(names[:_SHOWN])}{more}" if names else ""
