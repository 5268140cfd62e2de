"""The one place where what comes out of the plant meets all clients.

`take` and `reached` are called in the thread that follows the plant: rows of tables that somebody follows are encoded
there, once. Everything else happens in the event loop, where no two things happen at once: the rows of a turn are given
to all that want them, and `lineage.cursor` is behind them.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

import structlog

from api.access.gate import as_problem
from api.streams import sentences
from api.streams.client import POLICY, RESTART, STALLED_S, TOO_SLOW, Client
from api.streams.lineage import Lineage
from api.streams.shown.bars import Bars, Ended, never
from api.streams.shown.channels import BARS, CHARTS, RUNS, Wanted
from api.streams.shown.replays import Later, NotProved, Replays
from api.streams.shown.snapshots import Ask, Snapshots
from api.streams.shown.updates import Update, cues, cues_of, update_of
from api.streams.subscriptions import SNAPSHOT, Need
from plant.rows.batch import Batch
from plant.rows.schema import Schema

log = structlog.get_logger()

MARK_S = 1.0

AGAIN_S = 0.3
"""Pause before something is read again that could not be read."""

GIVE_UP_S = 10.0
"""A subscription that cannot begin within so long ends, and says why."""

AHEAD_ROWS = 100_000
"""The thread that follows the plant waits while so many rows are not given out yet; the plant has them."""

LOOK_UP_S = 2.0
"""Longest to wait for the rows of bars that were closed and did not come by here: those of before the start."""

_CUED = ("bars", "bar_closes", "annotations")


class Turn(NamedTuple):
    """What one turn of the thread that follows the plant gives out.

    keys      keys were made or revoked
    unknown   bars were closed whose rows are not known
    """

    updates: list[Update]
    seq: int
    epoch: int
    synced: int
    rows: int
    keys: bool
    unknown: bool


class Hub:
    """All clients of one plant.

    settings    the section [api]: queue_rows, subscriptions, replay_rows
    ask         asks a question about history and today; see api.streams.shown.snapshots.Ask
    ended       which bars are over by the clock
    stored      intervals of which bars come, whether there are any yet or not
    may_stay    whether a caller's key still counts, asked each second and with every row of `api_keys`
    whole       the history has all days there ever were
    """

    def __init__(
        self,
        plant: str,
        settings: Any,
        schema: Schema,
        ask: Ask,
        replays: Replays,
        ended: Ended = never,
        may_stay: Callable[[Any], bool] = lambda caller: True,
        whole: bool = True,
        stored: Sequence[str] = (),
    ) -> None:
        self.plant, self.settings, self.schema = plant, settings, schema
        self.lineage = Lineage()
        self.synced = 0
        self.clients: set[Client] = set()
        self._snapshots = Snapshots(ask, schema, ended, whole, stored)
        self._replays, self._may_stay = replays, may_stay
        self._members: dict[str, dict[Wanted, set[tuple[Client, int]]]] = defaultdict(dict)
        self._symbols: dict[str, frozenset[str] | None] = {}  # of each stream, those that anybody wants; None: all
        self._spent: dict[tuple[Client, int], int] = {}  # rows that one which came back was caught up by
        self._failing: dict[tuple[Client, int], float] = {}  # since when what one needs cannot be read
        self._bars = Bars(schema["bars"], ended)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn: list[Update] = []
        self._keys = self._unknown = False
        self._taken = 0
        self._lock = threading.Lock()
        self._ahead = 0
        self._given_out = threading.Condition(self._lock)

    @property
    def ready(self) -> bool:
        """Whether the plant is followed: else nobody can be told anything."""
        return self.lineage.epoch != 0

    async def run(self) -> None:
        """Tell marks, and look after clients, until cancelled."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(MARK_S)
                self._tick()
        finally:
            with self._lock:
                self._loop = None
                self._given_out.notify_all()
            for task in self._tasks:
                task.cancel()
            self._replays.close()

    def take(self, batch: Batch) -> None:
        """Take a batch; in the thread that follows the plant."""
        self._taken = max(self._taken, batch.seq)  # first of all: see join
        self._keys |= batch.table == "api_keys"
        if batch.table in ("bars", "bar_closes"):
            self._take_bars(batch)
        if batch.table in _CUED and CHARTS in self._members and (cued := cues_of(batch)) is not None:
            self._turn.append(cued)
        for stream in (batch.table, RUNS) if batch.table == "runs" else (batch.table,):
            if stream in self._members and (update := update_of(batch, stream, self._symbols.get(stream))) is not None:
                self._turn.append(update)

    def reached(self, seq: int, epoch: int, synced: int) -> None:
        """Give out what was taken; in that thread, after each turn.

        seq     all up to it was taken; of the last batch, if that is beyond it
        epoch   of the tickerplant, 0 while it is not known whether its journal goes on with the one before
        """
        for update in self._turn:
            _ = update.rows  # encoded here, where nothing waits for it
        rows, seq = sum(map(len, self._turn)), max(seq, self._taken)
        turn = Turn(self._turn, seq, epoch, synced, rows, self._keys, self._unknown)
        self._turn, self._keys, self._unknown = [], False, False
        with self._lock:
            if self._loop is None:
                self.lineage.follow(epoch, seq)
                return
            self._loop.call_soon_threadsafe(self._give_out, turn)
            self._ahead += rows
            while self._ahead > AHEAD_ROWS and self._loop is not None:
                self._given_out.wait(1.0)

    def connect(self, caller: Any) -> Client:
        """Return a new client; `disconnect` it at its end."""
        client = Client(self, caller)
        self.clients.add(client)
        return client

    def disconnect(self, client: Client) -> None:
        """Forget a client."""
        self.clients.discard(client)
        for number, wanted in client.wanted.items():
            self.leave(client, number, wanted)
        client.wanted = {}

    def join(self, client: Client, number: int, wanted: Wanted) -> int:
        """Give rows to a subscription from now on; return the seq behind which it is given all.

        Rows that the other thread has by now it may have passed over, nobody having wanted them: so it is behind those.
        """
        self._members[wanted.stream].setdefault(wanted, set()).add((client, number))
        self._note_symbols(wanted.stream)
        return max(self.lineage.cursor, self._taken)

    def leave(self, client: Client, number: int, wanted: Wanted) -> None:
        """Give no more rows to a subscription."""
        self._spent.pop((client, number), None)
        self._failing.pop((client, number), None)
        every = self._members.get(wanted.stream, {})
        members = every.get(wanted, set())
        members.discard((client, number))
        if not members:
            every.pop(wanted, None)
        if not every:
            self._members.pop(wanted.stream, None)
        self._note_symbols(wanted.stream)

    def _note_symbols(self, stream: str) -> None:
        every = [wanted.sym for wanted in self._members.get(stream, {})]
        named = [syms for syms in every if syms is not None]
        self._symbols[stream] = frozenset().union(*named) if len(named) == len(every) else None

    def cue(self, charts: list[str], sym: str | None) -> int:
        """Tell all that listen to charts to look at some ("2m", "zones"), of a symbol or of all; return how many do."""
        seq = self.lineage.cursor
        update = cues([(chart, sym) for chart in charts], [seq] * len(charts), seq)
        told: set[Client] = set()
        for wanted, members in self._members.get(CHARTS, {}).items():
            where = dict(wanted.where).get("chart")
            kept = [i for i, chart in enumerate(charts) if where is None or chart in where]
            if update is None or not kept or (sym is not None and wanted.sym is not None and sym not in wanted.sym):
                continue
            for client, number in members:
                told.add(client)
                for i in kept:
                    client.subs.say(sentences.cue(number, seq, update.rows[i]))
                client.wake()
        return len(told)

    def serve(self, client: Client) -> None:
        """Read what a client needs."""
        for need in client.subs.needs():
            self._begin(self._answer(client, need))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _give_out(self, turn: "Turn") -> None:
        for update in turn.updates:
            for wanted, members in self._members.get(update.stream, {}).items():
                if (piece := update.piece(wanted)) is not None:
                    for client, number in members:
                        client.subs.live(number, piece)
                        client.wake()
        self.synced = turn.synced
        if self.lineage.follow(turn.epoch, turn.seq):
            log.warning("streams are closed", why="the tickerplant was started again, and may have lost rows")
            for client in self.clients:
                client.end(RESTART, "the plant was started again, and may have lost rows that were told")
        if turn.unknown:
            self._begin_bars_anew()
        with self._lock:
            self._ahead -= turn.rows
            self._given_out.notify_all()
        if turn.keys:
            self._look_at_keys()

    def _begin_bars_anew(self) -> None:
        """Give snapshots of bars: some were closed whose rows could not be asked for."""
        for members in self._members.get(BARS, {}).values():
            for client, number in members:
                client.subs.begin_anew(number, self.lineage.cursor)
                client.wake()

    def _take_bars(self, batch: Batch) -> None:
        """Follow bars always, for what is closed later; and tell of them if somebody wants it."""
        if missing := self._bars.missing(batch):
            with self._lock:
                loop = self._loop
            if loop is not None and BARS in self._members:
                try:
                    asked = asyncio.run_coroutine_threadsafe(self._snapshots.bars(missing), loop)
                    for rows in asked.result(LOOK_UP_S):
                        self._bars.know(rows)
                    if missing := self._bars.missing(batch):
                        raise Later("the rdb does not have them yet")
                except Exception as error:
                    log.info("bars that were closed are not known", bars=len(missing), error=repr(error))
                    self._unknown = True
        update = self._bars.update(batch)
        if update is not None and BARS in self._members:
            self._turn.append(update)

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        for client in list(self.clients):
            if client.sending_since is not None and now - client.sending_since > STALLED_S:
                client.end(TOO_SLOW, f"nothing was taken for {STALLED_S:g} s")
            client.subs.mark(self.lineage.cursor, self.synced)
            client.wake()
        self._look_at_keys()

    def _look_at_keys(self) -> None:
        for client in list(self.clients):
            if not self._may_stay(client.caller):
                client.end(POLICY, "the key was revoked, or has expired")

    async def _answer(self, client: Client, need: Need) -> None:
        """Read what is needed, and hand it in."""
        subs, wanted = client.subs, need.wanted
        try:
            if need.kind == SNAPSHOT:
                seq, piece = await self._snapshots.read(wanted)
                self.lineage.tell(max(seq, max(piece.seqs, default=0)))
                subs.snapshot(need.token, seq, piece)
            else:
                closed = self._bars.closed
                found = await self._replays.read(wanted, need.after, self.lineage.epoch, closed, self._snapshots.bars)
                spent = self._spent.get((client, need.sub), 0) + found.records + sum(map(len, found.pieces))
                if need.resumed and spent > self.settings.replay_rows:
                    raise NotProved("that is more than [api] replay_rows")
                if need.resumed and need.sub in client.wanted:
                    self._spent[client, need.sub] = spent
                self.lineage.tell(found.reached)
                subs.replayed(need.token, found.pieces, found.reached)
        except NotProved as error:
            log.info("a stream begins anew", channel=wanted.channel, after=need.after, why=str(error))
            subs.start_over(need.token, self.lineage.cursor)
        except Exception as error:
            await self._failed(client, need, error)
        else:
            self._failing.pop((client, need.sub), None)
        client.wake()

    async def _failed(self, client: Client, need: Need, error: Exception) -> None:
        """Have what could not be read now read again; what cannot be read at all ends the subscription."""
        now, of = asyncio.get_running_loop().time(), (client, need.sub)
        if need.sub not in client.wanted:  # it went away, or does not want it any more: nothing is kept of it
            return
        problem = as_problem(error)
        if isinstance(error, Later | OSError) or problem.code == "unavailable":
            since = self._failing.setdefault(of, now)
            if need.kind != SNAPSHOT or now - since < GIVE_UP_S:  # who has rows already only waits for more
                await asyncio.sleep(AGAIN_S)
                client.subs.retry(need.token)
                return
        elif problem.code == "internal":
            log.error("a subscription failed", channel=need.wanted.channel, error=repr(error), exc_info=error)
        self._failing.pop(of, None)
        code = "unavailable" if isinstance(error, Later | OSError) else problem.code
        if client.subs.fail(need.token, code, str(problem.detail)) is not None:
            self.leave(client, need.sub, client.wanted.pop(need.sub))
