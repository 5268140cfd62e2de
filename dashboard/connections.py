"""Connections of the dashboard: questions to the rdb and the processor that always come back with an `Answer`.

A page that is refreshed every few seconds must outlive the processes it shows. So a connection never raises what a
process did wrong: it remembers the last good answer to each question, and hands that one out, with its age and the
error, while the process is away. All sessions (browser tabs) share the connections: equal questions within `share_s`
are asked once.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd

from dashboard.annotations.kept import Kept, live_annotations
from dashboard.desk.desk import Desk, live_desk
from dashboard.indicators.calculated import Calculator
from dashboard.pulse import ANSWER_S, ASKED, Pulse
from dashboard.watchlist import DayOpens
from plant.client.plant_connection import PlantConnection
from plant.control.annotations import Pen, pen_of
from plant.errors import PlantError, Unavailable
from plant.indicators.declarations import DEFAULTS, Declaration
from plant.runtime.sections import FeedSection
from plant.runtime.settings import Settings, load
from plant.transport import sockets
from plant.transport.request import Requester

TIMEOUT_S = 2.0  # a page waits no longer than this for one process
RETRY_S = 2.0  # after a failure to reach a process, all questions fail at once for this long
SHARE_S = 0.4  # an answer this young serves other sessions too
LISTS_SHARE_S, LISTS_RETRY_S = 60.0, 300.0  # of questions over all rows ever, which may take longer than a page waits
REMEMBERED = 128  # last good answers kept for each connection


class Client(Protocol):
    """What the dashboard needs of `plant.client.plant_connection.PlantConnection`."""

    @property
    def missing(self) -> str: ...

    @property
    def select(self) -> Callable[..., pd.DataFrame]: ...

    @property
    def last(self) -> Callable[..., pd.DataFrame]: ...

    @property
    def sql(self) -> Callable[..., pd.DataFrame]: ...


class UnexpectedAnswer(PlantError):
    """A process answered with a table that lacks columns the page needs."""

    def __init__(self, table: str, where: str, missing: Sequence[str], found: Sequence[str]) -> None:
        self.table, self.where, self.missing, self.found = table, where, tuple(missing), tuple(found)
        super().__init__(
            f"{table} from {where}: expected columns {', '.join(missing)}, found {', '.join(found) or 'none'}; "
            "is that process of another version? restart it, then the dashboard"
        )


@dataclass(frozen=True)
class Answer:
    """The newest rows known, and how far they can be trusted.

    `frame` is None if the question was never answered. `at` is when it was answered, seconds since the epoch.
    `error` is what went wrong just now; with it, `frame` is the last good answer.
    """

    frame: pd.DataFrame | None
    at: float | None
    error: PlantError | None = None

    @property
    def stale(self) -> bool:
        return self.error is not None

    @property
    def empty(self) -> bool:
        return self.frame is None or self.frame.empty


class Connection:
    """One process to ask, shared by threads. `name` and `address` are for people; `connect` opens the client.

    >>> from dashboard.connections import Connection
    >>> def connect(): raise Unavailable("nobody listens")
    >>> down = Connection("rdb", "tcp://127.0.0.1:5006", connect)
    >>> down.last("bars", needs=["time"]).frame is None, down.up
    (True, False)
    """

    def __init__(
        self,
        name: str,
        address: str,
        connect: Callable[[], Client],
        *,
        retry_s: float = RETRY_S,
        share_s: float = SHARE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.address = address
        self.took_ms: float | None = None  # how long the last answered question took
        self._connect = connect
        self._client: Client | None = None
        self._clock = clock
        self._retry_s = retry_s
        self._share_s = share_s
        self._lock = threading.RLock()
        self._down: tuple[Unavailable, float] | None = None  # the error, and when to try again
        self._down_since: float | None = None
        self._answers: OrderedDict[tuple[Any, ...], Answer] = OrderedDict()

    @property
    def up(self) -> bool | None:
        """Whether the last question reached the process; None before the first question."""
        if self._down is not None:
            return False
        return None if self._client is None else True

    @property
    def down_since(self) -> float | None:
        """Seconds since the epoch at which the process was first found missing, None while it is up."""
        return self._down_since

    @property
    def missing(self) -> str:
        """Why answers lack history, "" if they do not."""
        return "" if self._client is None else self._client.missing

    @property
    def remedy(self) -> str:
        return f"Is it running? `plant status` tells; `supervisorctl start {self.name}` starts it."

    def select(self, table: str, *, needs: Sequence[str], **query: Any) -> Answer:
        """Return `client.select(table, **query)` as an `Answer` whose frame has the columns `needs`."""
        return self._ask(("select", table, _hashable(query)), needs, lambda process: process.select(table, **query))

    def last(self, table: str, *, needs: Sequence[str], **query: Any) -> Answer:
        """Return `client.last(table, **query)`, the newest row of each symbol, as an `Answer`."""
        return self._ask(("last", table, _hashable(query)), needs, lambda process: process.last(table, **query))

    def sql(self, text: str, *, needs: Sequence[str]) -> Answer:
        """Return `client.sql(text)`, the answer to a SELECT, as an `Answer`."""
        return self._ask(("sql", text), needs, lambda process: process.sql(text))

    def _ask(self, question: tuple[Any, ...], needs: Sequence[str], call: Callable[[Client], pd.DataFrame]) -> Answer:
        with self._lock:
            known = self._answers.get(question, Answer(None, None))
            now = self._clock()
            if self._down is not None and now < self._down[1]:
                return Answer(known.frame, known.at, self._down[0])
            if known.at is not None and 0 <= now - known.at < self._share_s:
                return known
            try:
                if self._client is None:
                    self._client = self._connect()
                started = time.perf_counter()
                frame = call(self._client)
                took_ms = (time.perf_counter() - started) * 1e3
                missing = [name for name in needs if name not in frame.columns]
                if missing:
                    raise UnexpectedAnswer(question[1], f"{self.name} at {self.address}", missing, list(frame.columns))
            except Unavailable as error:
                self._down_since = self._down_since or now
                self._down = (error, self._clock() + self._retry_s)
                return Answer(known.frame, known.at, error)
            except PlantError as error:  # it lives, but cannot answer this
                self._down, self._down_since = None, None
                return Answer(known.frame, known.at, error)
            self._down, self._down_since, self.took_ms = None, None, took_ms
            answer = Answer(frame, self._clock())
            self._answers[question] = answer
            self._answers.move_to_end(question)
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
            return answer


@dataclass(frozen=True)
class Connections:
    """Everything a page needs from outside: the two processes, and the settings that concern it.

    `lists` asks the rdb and the hdb what there is; that it cannot, or takes too long, says nothing of either.
    """

    rdb: Connection
    processor: Connection
    lists: Connection
    pulse: Pulse
    feeds: tuple[FeedSection, ...] = ()  # of plant.toml; none for a plant that follows another
    heartbeat_s: float = 1.0
    refresh_s: float = 5.0
    time_zone: str = "UTC"  # IANA name; the page shows all times in it
    plant: str = "127.0.0.1"  # which plant this is, for the header
    login: bool = False  # visitors must log in first
    guarded: bool = False  # nobody sees the page without a login, so it may be served to other machines
    intervals: tuple[str, ...] = ()  # of candles that the processor builds
    declarations: tuple[Declaration, ...] = DEFAULTS  # indicators that it computes
    calculator: Calculator = field(default_factory=Calculator)  # computes others; shared as the answers are
    opens: DayOpens = field(default_factory=DayOpens)  # shared by the sessions, as the answers are
    desk: Desk | None = None  # of the pages of trading; None: there is no plant to write to
    annotations: Kept | None = None  # of the chart; None: none are shown
    pen: Pen | None = None  # with which they are drawn; None: there is no plant to write to


def live_connections() -> Connections:
    """Return connections to the plant that the settings name. Raises `plant.errors.SettingsError` for wrong ones."""
    settings = load()
    sockets.use_keys(settings.plant.keys)
    return Connections(
        rdb=_live("rdb", settings.rdb.port, settings),
        processor=_live("processor", settings.processor.port, settings),
        lists=_live("rdb", settings.rdb.port, settings, retry_s=LISTS_RETRY_S, share_s=LISTS_SHARE_S),
        pulse=Pulse({name: _asking(name, settings) for name in ASKED}),
        feeds=() if settings.upstream.followed else settings.feeds,
        heartbeat_s=settings.plant.heartbeat_s,
        refresh_s=settings.dashboard.refresh_s,
        time_zone=settings.hdb.time_zone,
        plant=settings.plant.host,
        login=settings.dashboard.login,
        guarded=settings.dashboard.guarded,
        intervals=settings.processor.intervals if settings.bars.build == "auto" else (),
        declarations=settings.declarations,
        desk=live_desk(settings),
        annotations=live_annotations(settings),
        pen=pen_of(str(settings.file), whole=not settings.hdb.keep_days),
    )


def _live(name: str, port: int, settings: Settings, retry_s: float = RETRY_S, share_s: float = SHARE_S) -> Connection:
    address, history = settings.address(port), settings.address(settings.hdb.port)

    def connect() -> PlantConnection:  # so that a chart is not empty after midnight
        options: dict[str, Any] = {"timeout_s": TIMEOUT_S, "partial": True, "warn_unknown": False}
        return PlantConnection(address, history, settings.table_schema, **options)

    return Connection(name, address, connect, retry_s=retry_s, share_s=share_s)


def _asking(name: str, settings: Settings) -> Callable[[], dict[str, Any]]:
    port = settings.tickerplant.journal_port if name == "tickerplant" else getattr(settings, name).port
    return Requester(settings.address(port), name, ANSWER_S).status


def _hashable(query: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(
        (name, tuple(value.items()) if isinstance(value, dict) else tuple(value) if isinstance(value, list) else value)
        for name, value in sorted(query.items())
    )
