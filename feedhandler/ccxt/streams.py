"""CCXT's client in a thread of its own: one task for each channel of a symbol, and a queue of what they gave.

The client connects and subscribes by itself, but only when it is asked again after a failure; pauses between that are
ours (`ConnectionState`). What came while nobody asked it hands out when more comes. It keeps 1,000 trades for who does
not ask, and loses older ones without a word: so what came between two answers that were too far apart, and what came
while there was no connection, is fetched by REST, and goes out before what follows. What an exchange cannot stream is
asked for by REST again and again, as often as its limit of requests allows.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from feedhandler.ccxt.pages import BACK_MS, Following
from feedhandler.ccxt.rows import MS, bars_of, instrument_of, quote_of, trades_of
from feedhandler.past.catching_up import Held
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.events import BarRow, Malformed, Row, Topic, TradeRow
from feedhandler.venue.seam import Note, key_of, note_of
from plant.transport.connection_state import ConnectionState, Pauses

KEPT = 1_000
"""Trades that the client keeps for who does not ask; an answer of so many may lack some before them."""

LONG_BACK_MS = 3_600_000
"""How far ahead of a time that no known row has a row is looked for."""

LAGS_S = (1.0, 2.0, 4.0)
"""Pauses before an exchange whose past ends too early is asked again: some write it a moment later."""

PAUSES = Pauses(jitter=0.5, settled_s=10.0, refused_s=None)

_WATCHES = {"trades": "watchTrades", "quotes": "watchTicker", "bars": "watchOHLCV"}
_FETCHES = {"trades": "fetchTrades", "quotes": "fetchTicker", "bars": "fetchOHLCV"}


class Told(NamedTuple):
    """What a stream has to say: rows, or why there are none; `over`: and never will be; what became of holes."""

    topic: Topic
    rows: list[Row | Malformed]
    trouble: str = ""
    over: bool = False
    notes: tuple[Note, ...] = ()


class Streams:
    """Begin with `start`, take what came with `take`, end with `close`.

    make          makes CCXT's exchange, within the thread
    errors        CCXT's errors that pass by themselves, and those that stay, as of an unknown symbol
    most_waiting  rows that wait to be taken at most
    """

    def __init__(
        self,
        make: Callable[[], Any],
        errors: tuple[tuple[type[Exception], ...], tuple[type[Exception], ...]],
        interval: str,
        most_waiting: int,
    ) -> None:
        self._make, (self._passing, self._staying) = make, errors
        self._interval, self._most = interval, most_waiting
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._waiting = 0  # rows in the queue
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="ccxt", daemon=True)
        self._wanted: set[Topic] = set()
        self._tasks: dict[Topic, asyncio.Task[None]] = {}
        self._exchange: Any = None
        self._listed: set[str] = set()
        self._holes: dict[Topic, Hole] = {}  # that were told
        self._first: dict[Topic, int] = {}  # time of the first row of this run, ms
        self._catching: set[asyncio.Task[None]] = set()
        self._last: dict[Topic, tuple[int, str]] = {}  # time of the newest row, ms, and the id of a trade

    def start(self, topics: Iterable[Topic]) -> None:
        """Begin with these topics."""
        self._wanted = set(topics)
        self._thread.start()

    def want(self, topics: Iterable[Topic]) -> None:
        """Change the topics: those that are new begin, others end."""
        self._wanted = set(topics)
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._follow_wanted)

    def catch_up(self, topic: Topic, held: Held, most_ms: int) -> None:
        """Fetch what came since the plant's newest row, at most so many milliseconds of it."""

        def begin() -> None:
            self._catching.add(self._loop.create_task(self._catch_up(topic, held, most_ms)))

        if self._thread.is_alive() and self._fetched_by(topic):
            self._loop.call_soon_threadsafe(begin)

    def _fetched_by(self, topic: Topic) -> bool:
        return self._exchange is None or bool(self._exchange.has.get(_FETCHES[topic.channel]))

    def take(self, timeout_s: float) -> list[Told]:
        """Return what came, after waiting at most so long for the first."""
        found: list[Told] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._told.get(timeout=timeout_s) if timeout_s > 0 else self._told.get_nowait())
            while len(found) < 5_000:
                found.append(self._told.get_nowait())
        with self._lock:
            self._waiting -= sum(len(told.rows) for told in found)
        return found

    def close(self) -> None:
        """End the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._exchange = self._make()
            self._follow_wanted()
            self._loop.run_forever()
        finally:
            tasks = [*self._tasks.values(), *self._catching]
            for task in tasks:
                task.cancel()
            ending = asyncio.gather(*tasks, return_exceptions=True)
            self._loop.run_until_complete(ending)
            if self._exchange is not None:
                with contextlib.suppress(Exception):
                    self._loop.run_until_complete(asyncio.wait_for(self._exchange.close(), 5.0))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _follow_wanted(self) -> None:
        for topic in [topic for topic in self._tasks if topic not in self._wanted]:
            self._tasks.pop(topic).cancel()
        for topic in self._wanted - self._tasks.keys():
            self._tasks[topic] = self._loop.create_task(self._follow(topic))

    async def _follow(self, topic: Topic) -> None:
        state = ConnectionState(PAUSES)
        broken = False  # something may be missing between the newest row and what comes next
        before: set[Any] = set()  # connections: one that was lost while nobody asked is opened anew without a word
        while True:
            try:
                rows = await self._next(topic)
                clients = {*(getattr(self._exchange, "clients", None) or {}).values()}
                broken, before = broken or bool(clients - before), clients
                notes: tuple[Note, ...] = ()
                came = len(rows)
                jumped = broken or came >= KEPT
                if topic in self._last and (jumped or self._polled(topic)):
                    rows, missing = await self._with_missed(topic, rows)
                    notes = self._ended(topic, len(rows) - came, rows, missing) if jumped or missing else ()
                state.good(time.monotonic())
                broken = await self._put(topic, self._instrument(topic.sym) + rows, notes)
            except self._staying as error:
                if not isinstance(error, self._passing):
                    self._say(Told(topic, [], _text(error), over=True))
                    return
                broken = await self._pause(topic, state, error)
            except Exception as error:  # also of the library's own mistakes: they cost a pause, and are told
                broken = await self._pause(topic, state, error)

    def _instrument(self, sym: str) -> list[Row | Malformed]:
        """Return the symbol's row of `instruments`, the first time."""
        if sym in self._listed:
            return []
        self._listed.add(sym)
        market = (self._exchange.markets or {}).get(sym)
        row = instrument_of(market, self._exchange.precisionMode) if market else None
        return [row] if row is not None else []

    async def _pause(self, topic: Topic, state: ConnectionState, error: Exception) -> bool:
        pause_s = state.lost(_text(error), time.monotonic())
        opened = self._opened(topic, "there is no connection")
        self._say(Told(topic, [], f"next try in {pause_s:.0f} s: {state.trouble}", notes=opened))
        await asyncio.sleep(pause_s)
        state.opened(time.monotonic())
        return True

    def _polled(self, topic: Topic) -> bool:
        """Return whether the exchange is asked for rows of a kind that it does not stream, again and again."""
        return topic.channel != "quotes" and not self._exchange.has.get(_WATCHES[topic.channel])

    async def _next(self, topic: Topic) -> list[Row | Malformed]:
        """Return what the exchange sends next, or what it answers now; none if what followed is to be asked for."""
        exchange, streams = self._exchange, bool(self._exchange.has.get(_WATCHES[topic.channel]))
        if not streams:
            await asyncio.sleep(max(1.0, exchange.rateLimit / 1000 * len(self._tasks)) if topic in self._last else 0)
        if topic.channel == "quotes":
            ask = exchange.watch_ticker if streams else exchange.fetch_ticker
            return quote_of(await ask(topic.sym), topic.sym, time.time_ns())
        if not streams:
            return [] if topic in self._last else await self._page(topic, None)
        if topic.channel == "trades":
            return trades_of(await exchange.watch_trades(topic.sym), topic.sym)
        return bars_of(await exchange.watch_ohlcv(topic.sym, self._interval), topic.sym, self._interval)

    async def _with_missed(self, topic: Topic, rows: list[Row | Malformed]) -> tuple[list[Row | Malformed], str]:
        """Return rows together with what the exchange's REST has since the newest one, and why some are not there.

        Repeats are known by their ids. What is missing may lie between two of the rows as well: what came before a
        connection was lost, and nobody had asked for, is handed out together with the first that came after it. Some
        exchanges number trades otherwise in REST, or give them aggregated: of those only what has a time of its own is
        taken, so that nothing is doubled.
        """
        if topic.channel == "quotes":
            return rows, ""
        if not self._exchange.has.get(_FETCHES[topic.channel]):
            return rows, "the exchange has no such past"
        begin, last_id = self._last[topic]
        until = _newest(rows)
        for pause_s in (*LAGS_S, 0.0):
            following = await self._from(topic, Following(begin, last_id, *(until or ())))
            if not (following.lags and pause_s):
                break
            await asyncio.sleep(pause_s)
        if topic.channel == "bars":
            return following.rows + rows, following.missing
        ids = {row.trade_id for row in rows if isinstance(row, TradeRow)} | {last_id}
        fetched = [row for row in following.rows if isinstance(row, TradeRow) and row.time // MS >= begin]
        if any(row.trade_id in ids for row in fetched if row.trade_id):
            missing = [row for row in fetched if not row.trade_id or row.trade_id not in ids]
        else:
            times = {row.time // MS for row in rows if isinstance(row, TradeRow)}
            end = until[0] if until is not None else 2**63
            missing = [row for row in fetched if begin < row.time // MS < end and row.time // MS not in times]
        bad = [row for row in following.rows if isinstance(row, Malformed)]
        return sorted([*bad, *missing, *rows], key=_time), following.missing

    async def _from(self, topic: Topic, following: Following) -> Following:
        """Ask REST for what followed on a row, until that is over."""
        while not following.take(await self._page(topic, following.since_ms)):
            pass
        return following

    async def _catch_up(self, topic: Topic, held: Held, most_ms: int) -> None:
        """Hand over what came between the newest row in the plant and the first of this run; it comes late."""
        while topic not in self._first:
            await asyncio.sleep(0.2)
        await asyncio.sleep(LAGS_S[0])
        first = self._first[topic]
        begin = max(held.time // MS, first - most_ms)
        interval = self._interval if topic.channel == "bars" else ""
        hole = Hole(topic.channel, topic.sym, interval, begin * MS, first * MS)
        if held.time // MS < begin:
            older = hole._replace(start=held.time, end=begin * MS)
            lost = note_of(older, "lost", "older than catch_up_h at the start; plant backfill may have it")
            self._say(Told(topic, [], notes=(lost,)))
        back_ms = BACK_MS if held.time // MS == begin else LONG_BACK_MS
        following, trouble = Following(begin), ""
        for pause_s in (2.0, 60.0, 600.0, 0.0):
            try:
                following = await self._from(topic, Following(begin, "", first, back_ms=back_ms))
                trouble = following.missing
                if not following.lags:
                    break
            except Exception as error:  # also of the library's own mistakes
                trouble = _text(error)
                if not isinstance(error, self._passing):
                    break
            await asyncio.sleep(pause_s)
        known = set(held.known)
        found = [row for row in following.rows if isinstance(row, TradeRow | BarRow)]
        found = [row for row in found if begin * MS <= row.time < first * MS]
        rows: list[Row | Malformed]
        if topic.channel == "bars":
            rows = [row for row in found if row[:1] + row[3:8] not in known]
        else:
            trades = [row for row in found if isinstance(row, TradeRow)]
            same_ids = any(key_of(row, False) in known for row in trades)
            rows = [r for r in trades if (key_of(r, False) not in known if same_ids else r.time // MS > begin)]
        opened = note_of(hole, "opened", "since the newest row in the plant")
        if trouble:
            rest = note_of(
                hole, "lost", f"{trouble}; {len(rows):,} rows were fetched, plant backfill may have the others"
            )
            self._say(Told(topic, rows, notes=(opened, rest)))
        elif rows:
            self._say(Told(topic, rows, notes=(opened, note_of(hole, "healed", f"fetched later, {len(rows):,} rows"))))

    async def _page(self, topic: Topic, since_ms: int | None) -> list[Row | Malformed]:
        if topic.channel == "trades":
            return trades_of(await self._exchange.fetch_trades(topic.sym, since_ms), topic.sym)
        bars = await self._exchange.fetch_ohlcv(topic.sym, self._interval, since_ms)
        return bars_of(bars, topic.sym, self._interval)

    def _opened(self, topic: Topic, why: str) -> tuple[Note, ...]:
        """Return the note that rows may be missing from the newest one on, the first time that this is so."""
        if topic in self._holes or topic not in self._last or topic.channel == "quotes":
            return ()
        interval = self._interval if topic.channel == "bars" else ""
        hole = self._holes[topic] = Hole(topic.channel, topic.sym, interval, self._last[topic][0] * MS)
        return (note_of(hole, "opened", why),)

    def _ended(self, topic: Topic, count: int, rows: Iterable[Row | Malformed], missing: str) -> tuple[Note, ...]:
        """Return the notes on a hole whose end has come: `count` rows were fetched, `missing` says why not all."""
        opened = self._opened(topic, "what came was not asked for in time, or on another connection")
        hole = self._holes.pop(topic, None)
        if hole is None:
            return ()
        newest = _newest(rows)
        hole = hole._replace(end=newest[0] * MS if newest is not None else hole.start)
        state, detail = ("lost", missing) if missing else ("healed", f"fetched, {count:,} rows")
        return (*opened, note_of(hole, state, detail))

    async def _put(self, topic: Topic, rows: list[Row | Malformed], notes: tuple[Note, ...]) -> bool:
        """Hand over rows; return whether nobody took them for a while, so that the next may lack some before them."""
        newest = _newest(rows)
        if newest is not None and topic not in self._first:
            self._first[topic] = min(row.time // MS for row in rows if isinstance(row, TradeRow | BarRow))
        if newest is not None and newest[0] >= self._last.get(topic, newest)[0]:
            self._last[topic] = newest
        self._say(Told(topic, rows, notes=notes))
        waited = False
        while self._waiting > self._most:
            waited = True
            await asyncio.sleep(0.02)
        return waited

    def _say(self, told: Told) -> None:
        with self._lock:
            self._waiting += len(told.rows)
        self._told.put(told)


def _newest(rows: Iterable[Row | Malformed]) -> tuple[int, str] | None:
    """Return the time of the newest trade or bar, ms, and its id."""
    found = [row for row in rows if isinstance(row, TradeRow | BarRow)]
    if not found:
        return None
    newest = max(reversed(found), key=lambda row: row.time)
    return newest.time // MS, newest.trade_id if isinstance(newest, TradeRow) else ""


def _time(row: Row | Malformed) -> int:
    """Return the time of a trade; what cannot be read comes first."""
    return row.time if isinstance(row, TradeRow) else 0


def _text(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"
