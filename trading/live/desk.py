"""The runs under way: which are opened, stepped, recovered and closed, as the plant's rows want it."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import zmq

from plant.errors import PlantError, Unavailable
from plant.memory.tables import MemoryTables
from plant.query.view import Terms
from plant.rows.schema import META_COLUMNS, UNKNOWN_TIME
from plant.runtime.lifecycle import log
from plant.runtime.settings import Settings
from plant.state.newest import Row, rows_of_columns
from plant.state.runs import BY_EVENTS, ENDED, FAILED
from plant.stream.subscriber import Subscriber
from trading.live.catalogue import Catalogue
from trading.live.director import Wanted, has_ended
from trading.live.inputs import Inputs, tables_of
from trading.live.known import Known
from trading.live.live_run import Broken, LiveRun
from trading.live.machine import Made, RunMachine
from trading.live.reading import MADE, bars_before, in_order, inputs_behind, made_where, rows_of
from trading.live.repeated import Diverged, Repeated
from trading.live.setups import TIMES_WARM_UP, hears, prepared

AGAIN_S = 1.0
"""Pause before a run that could not be opened is tried again."""


class Place(NamedTuple):
    """Where a run's rows are.

    history, through   a connection to history as of this seq, 0: there is none yet
    plant              one to history and today
    tables             those of trading, since then
    first_seq          where the journal begins
    """

    history: Any
    through: int
    plant: Any
    tables: MemoryTables
    first_seq: int


class Desk:
    """Runs what is wanted.

    place      where rows are read
    subscribe  returns a Subscriber to some tables from behind a seq
    publish    takes a row that a run made
    """

    def __init__(
        self,
        settings: Settings,
        known: Known,
        catalogue: Catalogue,
        place: Callable[[], Place],
        subscribe: Callable[[Sequence[str], int], Subscriber],
        publish: Callable[[str, Row], None],
    ) -> None:
        self._settings, self._schema = settings, settings.table_schema
        self._known, self._catalogue = known, catalogue
        self._place, self._subscribe, self._publish = place, subscribe, publish
        self.runs: dict[str, LiveRun] = {}
        self._over: set[str] = set()
        self._not_before: dict[str, float] = {}
        self.trouble = ""

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """The sockets that become readable when `step` has something to do."""
        return [socket for run in self.runs.values() for socket in run.inputs.subscriber.sockets]

    def look(self) -> None:
        """Open what is to run and does not; called when what is known has changed, and now and then."""
        runs = self._known.runs
        begun = self._known.director.begun(runs)
        current = {each.run for each in self._known.director.wanted(runs).values()}
        self.trouble = ""
        for name, wanted in begun.items():
            active = name in runs and runs[name]["mode"] in BY_EVENTS and runs[name]["state"] not in ENDED
            if name in self.runs or name in self._over or has_ended(name, runs) or not (active or name in current):
                continue
            if time.monotonic() < self._not_before.get(name, 0.0):
                continue
            try:
                self._open(wanted)
            except Unavailable as error:
                self._not_before[name] = time.monotonic() + AGAIN_S
                self.trouble = f"run {name} waits: {error}"
            except PlantError as error:
                self._fail(wanted, str(error), "diverged" if isinstance(error, Diverged) else FAILED)
            except Exception as error:  # the strategy is somebody else's
                self._fail(wanted, f"{type(error).__name__}: {error}", FAILED)

    def step(self) -> int:
        """Take what has come for the runs; return how many rows."""
        count = 0
        for name, run in list(self.runs.items()):
            recovering = run.recovering
            try:
                count += run.step()
            except (Diverged, Broken) as error:
                self._close(name)
                kind = "diverged" if isinstance(error, Diverged) else FAILED
                self._fail(self._known.director.begun(self._known.runs)[name], f"{kind}: {error}", kind)
                continue
            if recovering and not run.recovering:
                log.info("run", run=name, state="ok", bars=run.machine.bars)
            if run.machine.ended:
                log.info("run", run=name, state=run.machine.ended, bars=run.machine.bars, reason=run.machine.detail)
                self._close(name)
        return count

    def close(self) -> None:
        """Disconnect all runs; they go on when the trader is there again."""
        for run in self.runs.values():
            run.close()
        self.runs.clear()

    def _open(self, wanted: Wanted) -> None:
        place, before = self._place(), self._known.runs.get(wanted.run)
        instruments = self._known.instruments_at(wanted.first_seq)
        setup, code_sha, assumed = prepared(
            wanted, before, self._settings, self._catalogue, instruments, lambda t, s: place.plant.count(t, s) > 0
        )
        if before is not None and before["code_sha"] != code_sha:
            raise Diverged(
                f"diverged: the source of {setup.strategy_class.__name__} is another than the one it began with "
                f"({before['code_sha'][:12]}, now {code_sha[:12]}); start the strategy again to run it as it is now"
            )
        machine = RunMachine(setup, wanted.row, code_sha)
        bars = bars_before(
            place.plant, self._schema, setup.symbols, setup.interval, setup.start_seq, machine.warm_up * TIMES_WARM_UP
        )
        machine.warm(bars)
        tables = tables_of(setup.fills_on, lambda name: hears(setup, name))
        behind, earlier = wanted.first_seq, []
        if place.first_seq > behind + 1:  # the journal does not go so far back
            what = (setup.symbols, setup.interval, behind, place.through)
            earlier, behind = inputs_behind(place.history, self._schema, tables, *what), place.through
        inputs = Inputs(self._schema, setup.symbols, setup.interval, earlier, self._subscribe(tables, behind))
        run = LiveRun(machine, inputs, Repeated(self._schema, self._there(place, wanted)), self._made)
        self.runs[wanted.run] = run
        log.info("run", run=wanted.run, strategy=setup.strategy, symbols=",".join(setup.symbols), state="opened")
        run.begin(assumed)

    def _there(self, place: Place, wanted: Wanted) -> dict[str, list[Row]]:
        """Return what the plant has of a run by now, table by table, in the order of the journal."""
        found: dict[str, list[Row]] = {}
        for name in MADE:
            table = self._schema[name]
            names = (*table.names, *META_COLUMNS)
            where = made_where(name, wanted.run, wanted.row["sym"], wanted.first_seq)
            today = place.tables[name].snapshot().select(Terms(where=tuple(where)), names)
            found[name] = rows_of_columns(today, table.times)
            if place.through > wanted.first_seq:
                found[name] += rows_of(place.history, self._schema, name, where)
            found[name] = in_order(found[name])
        return found

    def _made(self, made: Made) -> None:
        self._publish(made.table, made.row)

    def _close(self, name: str) -> None:
        self._over.add(name)
        self.runs.pop(name).close()

    def _fail(self, wanted: Wanted, why: str, kind: str) -> None:
        """Say that a run is over for good, and why."""
        row, before = wanted.row, self._known.runs.get(wanted.run)
        self._over.add(wanted.run)
        log.error("run", run=wanted.run, strategy=row["sym"], state=FAILED, reason=why)
        now = row["received"]
        event = {"time": now, "sym": row["sym"], "run": wanted.run, "market_time": UNKNOWN_TIME}
        self._publish("strategy_events", {**event, "kind": kind, "detail": why})
        names = ("class_name", "code_sha", "parameters", "symbols", "interval")
        told = before or {"mode": row["mode"], **{n: row[n] for n in names}, "first_seq": row["seq"], "start_at": now}
        kept = {n: UNKNOWN_TIME if told[n] is None else told[n] for n in self._schema["runs"].names if n in told}
        told_now = {"time": now, "sym": row["sym"], "run": wanted.run, "state": FAILED, "detail": why}
        self._publish("runs", {**kept, **told_now})
