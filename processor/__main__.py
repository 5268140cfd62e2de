"""The processor's process: build candles, decide when they close, compute, publish what is new, and answer questions.

It serves what came back through the tickerplant, so that its answers, the rdb's and the journal's are the same rows.
Candles and what closes them go out at once; indicators and signals when the timer fires. What it knows lies in a
checkpoint, from which it goes on when it starts again.
"""

import contextlib
import time
from typing import Any

from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.detectors.detectors import Detectors
from plant.errors import HistoryError, PlantError, QueryLimit, SchemaError, SettingsError, Unavailable
from plant.intake.rejects import rejected
from plant.memory.tables import MemoryTables, Tidying
from plant.rows.batch import Batch
from plant.rows.columns import DEFAULTS, Columns, constant
from plant.runtime.lifecycle import STEP_S, Process, Timer, Vitals, log, run
from plant.serving.follower import Follower
from plant.serving.opening import follow, last_close, reports_of, server_of, usage_of
from plant.sql.engine import SqlEngine
from plant.stream.stream import Mark, Stream
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester
from plant.wire import messages
from processor.annotating import Annotating
from processor.asked.answerer import ProcessorAnswerer
from processor.asked.calculating import Calculator
from processor.asked.verify_indicators import Recomputer
from processor.candles.builder import TAKEN, CandleBuilder
from processor.candles.closer import Closer
from processor.checkpoints.hold import Hold
from processor.checkpoints.keeper import Keeper
from processor.checkpoints.origin import settings_hash, why_not_in
from processor.checkpoints.served import Served
from processor.checkpoints.store import Checkpoint, Store, Unusable
from processor.counting import Counting
from processor.engine import Engine
from processor.machines import Machines
from processor.outcome import Outcome
from processor.patience import Patience
from processor.recorded import ReachedRows, RecordedSeries
from processor.warmup import newest_time, warm_up

FOLLOWED = (*TAKEN, "bar_closes", "indicators", "signals", "annotations")
SERVED = ("bar_closes", "indicators", "signals")
BUILT_FROM = ("trades", "trade_corrections", "bars")
HISTORY_S = 10.0
"""Longest an answer of rdb or history may take to begin."""

ANEW_AT_ONCE = 500
"""Series that are computed anew in one go."""

ROUNDS = 5
"""Most times that what was due at the end of the journal is awaited before it is compared what the plant has."""

ANEW_AGAIN_S = 1.0
"""Pause before what could not be read is asked for again."""

END_S = 2.0
"""Longest a clean end waits for what was given out to come back, so that a checkpoint can be made."""


class Processor(Process):
    """Closed bars at once; indicators and signals on a timer."""

    name = "processor"
    _at_rest = False

    def startup(self) -> dict[str, Any]:
        """Open the query socket and say hello to the tickerplant.

        Raises SettingsError where nobody may publish, and for a calendar that there is not.
        """
        settings, own = self.settings, self.settings.processor
        settings.calendars.check()  # here and not with the first bar that needs one
        self.schema = settings.table_schema
        self._declarations, self._rules = settings.declarations, settings.rules
        self.timer = Timer(own.timer_s, 0)
        self.tables = MemoryTables(self.schema, SERVED)
        self._told: set[str] = set()  # indicators of the user's own that raised something
        self._waiting = ""  # for the history, or another tickerplant, and why
        self._warming = ""  # why there is no checkpoint to go on from
        self._tried = False
        self._hash, self._store = settings_hash(settings), Store(settings.plant.data / self.name)
        self._keeper = self.opened(Keeper(self._store, own.checkpoint_s, self._checkpoint))
        self._anew_at, self._hold, self._rounds = 0.0, Hold(), ROUNDS
        self._journal = self.opened(Requester(settings.journal_address, "tickerplant"))
        rdb, hdb = settings.address(settings.rdb.port), settings.address(settings.hdb.port)
        self._history = self.opened(Connection("hdb", hdb, timeout_s=HISTORY_S, warn_unknown=False))
        options: dict[str, Any] = {"frames": "arrow", "timeout_s": HISTORY_S, "warn_unknown": False}
        plant = self.opened(PlantConnection(rdb, hdb, self.schema, **options))
        self._patience = Patience()
        self._held = ReachedRows(plant, self.schema, lambda: self.machines.builder.minutes.seq, self._patience)
        self._begin()
        folder = settings.file.parent
        self._recorded = RecordedSeries(plant, self.schema, self._declarations, self.machines.counting, folder)
        vitals, usage = Vitals(self.name), usage_of(settings, own, self.name)
        reports = reports_of(settings, vitals, usage)
        if reports is None:
            raise SettingsError("a processor publishes what it computes; set ingest in [upstream]")
        self.publisher = reports.publisher
        self._served = self.opened(Served(self.tables, reports.learn))
        self.follower = self.opened(
            Follower(
                vitals,
                self._follow,
                self.take,
                self.tables.release,
                reports,
                whole=False,
                trouble=lambda: self._waiting or self._warming or self._served.missing(),
                doing=self._doing,
                reached=lambda seq: self.tables.reach(seq) if self._served.complete else None,
            )
        )
        self.opened(Tidying(self.tables, lambda: self.follower.caught_up))
        told: dict[str, Any] = {"rdb_port": settings.rdb.port, "hdb_port": settings.hdb.port, "session": own.session}
        told["calendars"] = settings.bars.calendars
        told["feed_calendars"] = {feed.label: feed.calendar_code for feed in settings.feeds}
        calculator = Calculator(plant, settings.calendars, own.session, folder)
        answerer = ProcessorAnswerer(self.tables, SqlEngine(), Recomputer(plant, settings), calculator)
        server = server_of(settings, own, answerer, lambda: self._status() | told, usage, self._missing)
        return {"listen": self.opened(server).address}

    def step(self) -> None:
        """Take what has come, close what is over, and compute when the timer says so.

        Raises SchemaError once the tickerplant was restarted with other indicators: this process is started again then.
        """
        self._at_rest = False
        self._take_and_give()
        self._at_rest = True

    def shutdown(self) -> None:
        """Make a last checkpoint, after a clean end, and close."""
        if self._at_rest and self.machines.settled and self.follower.connected:
            assert self.follower.subscriber is not None
            with contextlib.suppress(PlantError):
                self._keeper.finish(self.publisher, self.follower.subscriber.stream, self.follower.step, END_S)
        super().shutdown()

    def _take_and_give(self) -> None:
        self.follower.step(STEP_S if self._served.complete else 0.0)
        following = self.follower.subscriber
        if following is not None and "indicators" in following.redeclared.split(", ") and self._declared_otherwise():
            raise SchemaError(
                "the plant was restarted with other indicators than this process knows; start the processor again "
                "(supervisord does), so that it computes them"
            )
        self._served.step(self.follower.released)
        if not self.follower.caught_up or not self.publisher.connected:
            return
        self._warming = ""
        assert self.follower.subscriber is not None
        stream = self.follower.subscriber.stream
        if self.machines.settled and (self._keeper.holds(self.publisher, stream) or self._renews(stream)):
            return
        if not self.machines.settled and self._hold.over(self.publisher, stream) is False:
            return
        due = self.machines.due(time.time_ns())
        for table, rows in due.items():
            self.publisher.publish(table, rows)
        if due and not self.machines.settled and self._rounds:
            self._rounds -= 1  # what the plant has is compared once the bars that are over are closed, and that is back
            return
        if (not self.machines.settled or self.machines.engine.waiting) and self.timer.due():
            self._compute()
        if (annotations := self.machines.annotations()) is not None:
            self.publisher.publish("annotations", annotations)

    def take(self, batch: Batch) -> None:
        """Take a batch; our own rows only to serve them, and as what was published before we started."""
        new = self.machines.take(batch)
        if new is not None:
            self._served.take(new)

    def _doing(self) -> str:
        """Say in a line of how much there is computed, and what the candles are made of."""
        stale = len(self.machines.engine.bars.stale)
        anew = f", {stale:,} to be computed anew" if stale else ""
        return "; ".join(
            filter(
                None,
                (
                    f"{len(self.machines.engine.series):,} series{anew}",
                    self.machines.builder.state,
                    self.machines.annotating.state,
                ),
            )
        )

    def _begin(self, known_from: int = 0) -> None:
        """Begin with nothing, and be handed all rows from a time on (ns)."""
        settings = self.settings
        own, bars, calendars = settings.processor, settings.bars, settings.calendars
        counting = Counting(calendars, own.session)
        sessions_of, folder = counting.sessions_of, settings.file.parent
        engine = Engine(self._declarations, self._rules, own.min_bars, folder, sessions_of)
        name = settings.source_name(self.name)
        terms = bars.sources, bars.build, bars.update_s, known_from, None, name, own.grace_s
        builder = CandleBuilder(own.intervals, calendars, self._held, *terms)
        found = settings.annotations
        annotating = Annotating(Detectors(found.terms(own.intervals), sessions_of, found.symbols))
        self.machines = Machines(counting, Closer(sessions_of, own.grace_s), builder, engine, annotating, self._none)

    def _follow(self) -> Subscriber | None:
        """Follow from the checkpoint on; else behind the last closed day, once history has given what is needed."""
        self._waiting = self._declared_otherwise()
        after = last_close(self._journal)
        if self._waiting or after is None:
            return None
        try:
            mark = self._restored()
            if mark is None:
                self._warm_up(after)
        except (Unavailable, HistoryError, QueryLimit) as error:
            self._waiting = f"waiting for the history: {error}"
            return None
        self.follower.release(after)
        until = {name: self.machines.taken.get(name, 0) for name in SERVED}
        if max(until.values()) > after:
            self._served.begin(follow(self.settings, f"{self.name}-earlier", (*SERVED, "gaps"), after), until)
        return follow(self.settings, self.name, FOLLOWED, after if mark is None else mark)

    def _restored(self) -> Mark | None:
        """Go on from the checkpoint, and return where it stands; None if there is none that can be gone on from."""
        if self._tried:
            return None
        try:
            self._store.clear()
            checkpoint = self._store.read(self._hash)
            if why := why_not_in(self._journal, checkpoint.mark):
                raise Unusable(why)
            self._begin()
            self.machines.restore(checkpoint.state, checkpoint.taken)
        except (Unusable, ValueError, KeyError, TypeError, OSError) as error:
            self._tried = True
            self._warming = f"warming up from history and journal: {error}"
            log.info("warming up from history and journal", reason=str(error))
            return None
        log.info("going on from the checkpoint", seq=checkpoint.mark.complete, series=len(self.machines.engine.series))
        return checkpoint.mark

    def _warm_up(self, after: int) -> None:
        """Begin with what history has of the bars up to the last closed day, which ended at seq `after`."""
        self._begin()
        if after:  # else the journal has everything
            history = self._history.as_of(after)
            self._begin(newest_time(history, BUILT_FROM) + 1)
            warm_up(
                self.machines.engine,
                self.machines.closer,
                self.machines.counting,
                history,
                self.schema,
                self._recorded.wanted,
            )
            self.machines.annotating.warm_up(history, self.schema)

    def _checkpoint(self) -> Checkpoint | None:
        """Return what is known now, None before anything came."""
        assert self.follower.subscriber is not None
        mark = self.follower.subscriber.stream.mark
        if not self.machines.settled or not mark.seq:
            return None
        machines = self.machines
        mark = mark._replace(complete=min(mark.complete, mark.seq))
        return Checkpoint(self._hash, mark, dict(machines.taken), machines.state())

    def _missing(self) -> str:
        return self.follower.missing() or self._served.missing()

    def _status(self) -> dict[str, Any]:
        """Return what the question "status" answers."""
        status = self.follower.status(self.settings)
        return status | {"caught_up": status["caught_up"] and self._served.complete}

    def _declared_otherwise(self) -> str:
        """Say what is wrong if the tickerplant has other indicators declared than this process; else ""."""
        try:
            (declarations,) = self._journal.ask(**messages.ask_schema())
        except Unavailable:
            return ""
        theirs = {table.name: table.schema_id for table in messages.declarations_of(declarations)}
        if theirs.get("indicators") == self.schema["indicators"].schema_id:
            return ""
        return "restart the tickerplant: indicators declared otherwise"

    def _compute(self) -> None:
        started = time.perf_counter()
        self._publish(self.machines.compute(), started)
        self._tell_errors()

    def _renews(self, stream: Stream) -> bool:
        """Compute anew what was corrected, once the plant has all that was given out; return whether it is awaited."""
        if not self.machines.engine.bars.stale or time.monotonic() < self._anew_at:
            return False
        over = self._hold.over(self.publisher, stream)
        if over is False:
            return True
        self._anew_at = time.monotonic() + ANEW_AGAIN_S
        if over:
            self._compute_anew(max(stream.cursor or 0, stream.complete))
        return False

    def _compute_anew(self, seq: int) -> None:
        """Compute anew the series that were corrected, as far as what is needed for it can be read."""
        started = time.perf_counter()
        self.machines.engine.advance()
        stale = self.machines.engine.stale()[:ANEW_AT_ONCE]
        try:
            with self._patience.asking():
                self._recorded.check_reached(seq)
                known = [self._recorded.known(self.machines.engine.series, one) for one in stale]
        except (Unavailable, HistoryError, QueryLimit) as error:
            log.warning("corrections wait", series=len(stale), reason=str(error))
            return
        self._publish(self.machines.engine.renew(stale, known, self._recorded.wanted), started)

    def _tell_errors(self) -> None:
        """Publish a row of `rejects` for each indicator of the user's own that raised something, once."""
        errors = {name: why for name, why in self.machines.engine.indicators.errors().items() if name not in self._told}
        if errors:
            reasons = [f"[[indicators]] {name!r}: {why}; its column is null there" for name, why in errors.items()]
            syms, rows = [""] * len(errors), ["{}"] * len(errors)
            source = self.settings.source_name(self.name)
            self.publisher.publish("rejects", rejected(syms, reasons, rows, source, "indicators", time.time_ns()))
            self._told.update(errors)

    def _none(self, table: str) -> Columns:
        return {column.name: constant(column, 0, DEFAULTS[column.kind]) for column in self.schema[table].columns}

    def _publish(self, found: Outcome, started: float) -> None:
        for table, columns in found._asdict().items():
            if columns is not None:
                self.publisher.publish(table, columns)
                ms = round((time.perf_counter() - started) * 1e3, 2)
                log.debug("computed", table=table, rows=len(columns["time"]), ms=ms)


def main() -> None:
    """Run a processor."""
    run(Processor, name="processor")


if __name__ == "__main__":
    main()
