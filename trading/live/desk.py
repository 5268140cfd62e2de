"""The runs under way: which are opened, stepped, recovered and closed, as the plant's rows want it."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import zmq

from plant.errors import PlantError, Unavailable
from plant.memory.tables import MemoryTables
from plant.query.view import Terms
from plant.rows.batch import Batch
from plant.rows.schema import META_COLUMNS, UNKNOWN_TIME
from plant.runtime.lifecycle import log
from plant.runtime.settings import Settings
from plant.state.newest import Row, rows_of_columns
from plant.state.orders import FINAL
from plant.state.runs import BY_EVENTS, FAILED
from plant.stream.subscriber import Subscriber
from trading.accounts.beginning import Beginner
from trading.accounts.neighbours import account_of_run
from trading.accounts.standing import is_standing, run_of
from trading.brokered.brokered_accounts import BrokeredAccounts
from trading.live.catalogue import Catalogue
from trading.live.director import Wanted, has_ended
from trading.live.inputs import Inputs
from trading.live.known import Known
from trading.live.live_run import Broken, LiveRun
from trading.live.machine import Made
from trading.live.reading import MADE, Where, ends_of, in_order, inputs_behind, made_by, made_where, rows_of
from trading.live.repeated import Diverged, Repeated
from trading.turns.takings import age_of, older_than, taken_where
from trading.turns.turns import Turns, Unopened

AGAIN_S = 1.0
"""Pause before a run that could not be opened is tried again."""

REACH_S = 0.3
"""So long the rdb is waited for, which reads what the trader reads, a little earlier or later."""


class Place(NamedTuple):
    """Where a run's rows are.

    history, through   a connection to history as of this seq, 0: there is none yet
    plant              one to history and today
    tables             those of trading, since then
    first_seq          where the journal begins
    reached            up to this seq today's rows are in `plant`
    """

    history: Any
    through: int
    plant: Any
    tables: MemoryTables
    first_seq: int
    reached: int


class Desk:
    """Runs what is wanted.

    place      where rows are read
    subscribe  returns a Subscriber to some tables from behind a seq
    publish    takes a row that a run made
    accounts   those with brokers, which orders of runs go to
    """

    def __init__(
        self,
        settings: Settings,
        known: Known,
        catalogue: Catalogue,
        place: Callable[[], Place],
        subscribe: Callable[[Sequence[str], int], Subscriber],
        publish: Callable[[str, Row], None],
        accounts: BrokeredAccounts,
    ) -> None:
        self._accounts = accounts
        self._settings, self._schema = settings, settings.table_schema
        self._known = known
        self._beginner = Beginner(known, settings, settings.table_schema, catalogue, self._reached)
        self._place, self._subscribe, self._publish = place, subscribe, publish
        self.runs: dict[str, LiveRun] = {}  # the oldest first
        self._turns = Turns(self.runs)
        self._over: set[tuple[str, int]] = set()
        self._not_before: dict[str, float] = {}
        self._looked = False
        self.trouble = ""

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """The sockets that become readable when `step` has something to do: not of runs that wait for others."""
        runs = (run for run in self.runs.values() if not run.waiting)
        return [socket for run in runs for socket in run.inputs.subscriber.sockets]

    @property
    def waits(self) -> str:
        """Which run has long waited for which other, as a sentence; "": none."""
        return self._turns.trouble

    def take(self, batch: Batch) -> None:
        """Take rows of trading that came through the plant."""
        if batch.table == "fills":
            self._turns.came_back(batch)

    def look(self) -> None:
        """Open what is to run and does not; called when what is known has changed, and now and then."""
        known, current = self._known, self._known.current()
        self.trouble, self._looked = "", True
        unopened: list[Wanted] = []
        for name, wanted in known.begun().items():
            active = name in known.runs and known.runs[name]["mode"] in BY_EVENTS and not known.has_ended(wanted)
            if name in self.runs or (name, wanted.first_seq) in self._over or known.has_ended(wanted):
                continue
            if not (active or name in current):
                continue
            if time.monotonic() < self._not_before.get(name, 0.0):
                self.trouble = f"run {name} waits, and is tried again"
                unopened.append(wanted)
                continue
            try:
                self._open(wanted)
            except Unavailable as error:
                self._not_before[name] = time.monotonic() + AGAIN_S
                self.trouble = f"run {name} waits: {error}"
                unopened.append(wanted)
            except PlantError as error:
                self._fail(wanted, str(error), "diverged" if isinstance(error, Diverged) else FAILED)
            except Exception as error:  # the strategy is somebody else's
                self._fail(wanted, f"{type(error).__name__}: {error}", FAILED)
        self._turns.changed(map(self._unopened, unopened))

    def step(self) -> int:
        """Take what has come for the runs; return how many rows."""
        count = 0
        for name, run in list(self.runs.items()):
            recovering = run.recovering
            try:
                count += run.step()
            except (Diverged, Broken) as error:
                self._close(run)
                kind = "diverged" if isinstance(error, Diverged) else FAILED
                self._fail(run.wanted, f"{kind}: {error}", kind)
                continue
            if recovering and not run.recovering:
                log.info("run", run=name, state="ok", bars=run.machine.bars)
            if run.machine.ended:
                log.info("run", run=name, state=run.machine.ended, bars=run.machine.bars, reason=run.machine.detail)
                self._close(run)
        return count

    def account(self, name: str) -> tuple[bool, int | None]:
        """Return what an account with a broker is to know of its runs: see BrokeredAccount.step."""
        runs = [run for run in self.runs.values() if run.machine.setup.account == name]
        standing = run_of(name)  # who else would say what a reconciliation finds
        ready = self._looked and not self.trouble and not any(run.recovering for run in runs)
        ready = ready and (standing in self.runs or has_ended(standing, self._known.runs))
        return ready, min((run.machine.told_seq for run in runs if not run.machine.setup.simulated), default=None)

    def close(self) -> None:
        """Disconnect all runs; they go on when the trader is there again."""
        for run in self.runs.values():
            run.close()
        self.runs.clear()

    def _open(self, wanted: Wanted) -> None:
        begins = self._beginner.beginning(wanted, [run.machine.setup for run in self.runs.values()])
        self._accounts.admit(begins.machine.setup)
        place, behind, earlier = self._place(), wanted.first_seq, []
        if place.first_seq > behind + 1:  # the journal does not go so far back
            what = (begins.tables, begins.earlier, begins.neighbours, behind, place.through)
            earlier, behind = inputs_behind(place.history, self._schema, *what), place.through
        machine = begins.machine
        following = self._subscribe(begins.tables, behind)
        inputs = Inputs(self._schema, machine.follows, begins.neighbours, earlier, following)
        run = LiveRun(
            wanted,
            machine,
            inputs,
            Repeated(self._schema, self._there(place, wanted, machine.setup.account)),
            self._made,
            self._turns.waits,
        )
        for row in self._taken_before(place, wanted, machine.setup.account) if machine.setup.shared else ():
            machine.takings.add(row)
        try:
            run.begin(begins)
        except BaseException:
            run.close()
            self._accounts.left(wanted.run)
            raise
        younger = [self.runs.pop(n) for n, other in list(self.runs.items()) if age_of(other.wanted) > age_of(wanted)]
        self.runs.update({each.wanted.run: each for each in (run, *younger)})
        self._turns.changed()
        symbols = ",".join(machine.setup.symbols)
        log.info("run", run=wanted.run, strategy=machine.setup.strategy, symbols=symbols, state="opened")

    def _reached(self, seq: int) -> Any:
        """Return a connection to history and today once that has the rows up to a seq. Raises Unavailable."""
        deadline = time.monotonic() + REACH_S
        while (place := self._place()).reached < seq:
            if time.monotonic() > deadline:
                raise Unavailable(f"the rdb has read up to seq {place.reached:,} of {seq:,}")
            time.sleep(0.005)
        return place.plant

    def _there(self, place: Place, wanted: Wanted, account: str) -> dict[str, list[Row]]:
        """Return what the plant has of a run by now, table by table, in the order of the journal."""
        found: dict[str, list[Row]] = {}
        standing, ends = is_standing(wanted), ends_of(self._known.runs.values(), account)
        for name in MADE:
            where = made_where(name, wanted.run, account, wanted.first_seq, standing)
            rows = self._rows(place, name, where, wanted.first_seq)
            found[name] = made_by(name, wanted.run, in_order(rows), ends, standing)
        return found

    def _rows(self, place: Place, name: str, where: Where, behind: int) -> list[Row]:
        """Return rows of trading by now, all of which are behind a seq."""
        table = self._schema[name]
        today = place.tables[name].snapshot().select(Terms(where=tuple(where)), (*table.names, *META_COLUMNS))
        found = rows_of_columns(today, table.times)
        return found + (rows_of(place.history, self._schema, name, where) if place.through > behind else [])

    def _taken_before(self, place: Place, wanted: Wanted, account: str) -> list[Row]:
        """Return the rows of `fills` by now of older runs of a run's account, behind its first seq."""
        older = older_than(wanted, self._known.begun(), self._known.runs)
        if not older:
            return []
        rows = self._rows(place, "fills", taken_where(account, wanted.first_seq), wanted.first_seq)
        found = [row for row in rows if row["run"] in older]
        return found + self._turns.coming(account, wanted.first_seq, older, found)

    def _unopened(self, wanted: Wanted) -> Unopened:
        row, before = wanted.row, self._known.row_of(wanted)
        account = account_of_run(before) if before is not None else row["account"] or self._settings.accounts[0].name
        try:
            symbols = frozenset(json.loads(row["symbols"] or "[]"))
        except (TypeError, ValueError):  # it will fail
            symbols = frozenset()
        return Unopened(wanted, account, symbols, row["interval"])

    def _made(self, made: Made) -> None:
        if made.table == "fills":
            self._turns.published(made.row)
        self._publish(made.table, made.row)

    def _close(self, run: LiveRun) -> None:
        self._over.add((run.wanted.run, run.wanted.first_seq))
        self._accounts.left(run.wanted.run)
        self.runs.pop(run.wanted.run).close()
        self._turns.changed()

    def _fail(self, wanted: Wanted, why: str, kind: str) -> None:
        """Say that a run is over for good, and why."""
        row, before = wanted.row, self._known.row_of(wanted)
        self._over.add((wanted.run, wanted.first_seq))
        log.error("run", run=wanted.run, strategy=row["sym"], state=FAILED, reason=why)
        now = row["received"]
        event = {"time": now, "sym": row["sym"], "run": wanted.run, "market_time": UNKNOWN_TIME}
        self._publish("strategy_events", {**event, "kind": kind, "detail": why})
        taken = 0 if before is None else self._put_down(wanted, before, f"its run failed: {kind}")
        names = ("class_name", "code_sha", "parameters", "symbols", "interval")
        told = before or {"mode": row["mode"], **{n: row[n] for n in names}, "first_seq": row["seq"], "start_at": now}
        kept = {n: UNKNOWN_TIME if told[n] is None else told[n] for n in self._schema["runs"].names if n in told}
        told_now = {"time": now, "sym": row["sym"], "run": wanted.run, "state": FAILED, "detail": why}
        told_now |= {"last_seq": taken} if taken else {}
        self._publish("runs", {**kept, **told_now})

    def _put_down(self, wanted: Wanted, before: Row, why: str) -> int:
        """Say that the open orders of a run that is over are cancelled: its simulated exchange ended with it.

        Returns the seq of the newest row that the run made, as far as it can be read: what it took is in them.
        """
        account = account_of_run(before)
        try:
            there = self._there(self._place(), wanted, account)
        except PlantError as error:
            log.error("run", run=wanted.run, state=FAILED, reason=f"its open orders could not be read: {error}")
            return 0
        newest = max((rows[-1]["seq"] for rows in there.values() if rows), default=0)
        if any(each.name == account and each.broker != "paper" for each in self._settings.accounts):
            return newest  # a broker has the orders, and says what becomes of them
        rows = there["orders"]
        for row in {row["order_id"]: row for row in rows}.values():
            if row["state"] not in FINAL:
                kept = {name: UNKNOWN_TIME if row[name] is None else row[name] for name in self._schema["orders"].names}
                told = {"time": wanted.row["received"], "n": row["n"] + 1, "state": "cancelled", "reason": why}
                self._publish("orders", {**kept, **told})
        return newest
