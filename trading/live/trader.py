"""The trader: it keeps the tables of trading, runs what strategies are wanted to run, and obeys commands.

What it knows is in the journal and the history, and only there: it begins by reading them.
"""

import time
from collections.abc import Sequence
from typing import Any

import zmq

from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.errors import PlantError, SettingsError
from plant.memory.tables import MemoryTables, Tidying
from plant.query.answers import Answerer
from plant.rows.batch import Batch
from plant.rows.tables_trading import TRADING_TABLES
from plant.runtime.lifecycle import STEP_S, Process, Timer, Vitals, log
from plant.serving.follower import Follower
from plant.serving.opening import follow, last_close, reports_of, server_of, usage_of
from plant.sql.engine import SqlEngine
from plant.state.newest import Row, columns_of_batch, rows_of_columns
from plant.state.runs import BY_EVENTS
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester
from plant.wire import messages
from trading.brokered.brokered_accounts import BrokeredAccounts
from trading.instruments import Instrument
from trading.live.catalogue import Catalogue
from trading.live.desk import Desk, Place
from trading.live.director import has_ended
from trading.live.known import Known
from trading.live.setups import instrument_of
from trading.run import fill_rules
from trading.workers.children import Children

SERVED = tuple(table.name for table in TRADING_TABLES)

FOLLOWED = (*SERVED, "gaps")

HISTORY_S = 10.0
"""Longest an answer of the history may take to begin."""

STATUS_S = 1.0
"""Longest the rdb may take to say how far it is: meanwhile no run is worked at."""

LOOK_S = 1.0
"""Pause between looks for runs that could not be opened."""


class Poller:
    """Waits for one of some sockets, which are others now and then."""

    def __init__(self) -> None:
        self._sockets: list[Any] = []
        self._poller = zmq.Poller()

    def wait(self, sockets: list[Any]) -> None:
        """Wait until one is readable, STEP_S at most."""
        if sockets != self._sockets:
            self._sockets, self._poller = sockets, zmq.Poller()
            for socket in sockets:
                self._poller.register(socket, zmq.POLLIN)
        self._poller.poll(int(STEP_S * 1000))


class Trader(Process):
    """Strategies, their orders and what became of them."""

    name = "trading"

    def startup(self) -> dict[str, Any]:
        """Open the query socket and say hello to the tickerplant. Raises SettingsError where nobody may publish."""
        settings, own = self.settings, self.settings.trading
        self.schema = settings.table_schema
        self.tables = MemoryTables(self.schema, SERVED)
        self.known = self._nothing_known()
        self.catalogue = Catalogue(settings.strategies_folder)
        self._told: set[str] = set()  # instruments of plant.toml that were published
        self._ready = False  # whether the plant has had all that plant.toml says of instruments
        self._waiting = ""
        self._commands: list[Row] = []
        self.children = self.opened(Children(settings, self._publish))
        self._changed, self._look = True, Timer(LOOK_S, 0)
        self._poller = Poller()
        for account in settings.accounts:
            fill_rules(account.fills)
        self._journal = self.opened(Requester(settings.journal_address, "tickerplant"))
        hdb = settings.address(settings.hdb.port)
        self._history = self.opened(Connection("hdb", hdb, timeout_s=HISTORY_S, warn_unknown=False))
        options: dict[str, Any] = {"frames": "arrow", "timeout_s": HISTORY_S, "warn_unknown": False}
        rdb = settings.address(settings.rdb.port)
        self._today = self.opened(Connection("rdb", rdb, **options))
        self._plant = self.opened(PlantConnection(rdb, hdb, self.schema, **options))
        self._vitals = vitals = Vitals(self.name)
        usage = usage_of(settings, own, self.name)
        reports = reports_of(settings, vitals, usage)
        if reports is None:
            raise SettingsError("a trader publishes orders and what became of them; set ingest in [upstream]")
        self.publisher = reports.publisher
        self.accounts = self._accounts()
        self.desk = self._desk()
        self.follower = self.opened(
            Follower(
                vitals,
                self._follow,
                self.take,
                self.tables.release,
                reports,
                whole=False,
                trouble=lambda: (
                    self._waiting or self._unready or self.desk.trouble or self.accounts.trouble or self.desk.waits
                ),
                reached=self.tables.reach,
            )
        )
        self.opened(Tidying(self.tables, lambda: self.follower.caught_up))
        answerer, status = Answerer(self.tables, SqlEngine()), lambda: self.follower.status(settings)
        tells = {"classes": lambda: [each.data() for each in self.catalogue.choices().values()]}
        missing = self.follower.missing
        server = server_of(settings, own, answerer, status, usage, missing, tells, begin_sql=False)
        return {"listen": self.opened(server).address}

    def step(self) -> None:
        """Take what has come, and do what it asks for."""
        self._wait()
        self.follower.step(0.0)
        if not (self.follower.caught_up and self.publisher.connected):
            return
        if not self._ready:
            if self._untold():
                return
            self._ready = True
            self.children.lost(self.known.runs)
        if self._changed or self._look.due():
            self._changed = False
            self.desk.look()
        self._vitals.rows += self.desk.step()
        self._obey()
        self.accounts.step(self.desk.account)
        self.children.step()

    def take(self, batch: Batch) -> None:
        """Take a batch."""
        self.tables.append(batch)
        self.accounts.take(batch, self.schema)
        self.desk.take(batch)
        self._changed |= bool(self.known.take(batch))
        if batch.table == "commands":
            self._commands += rows_of_columns(columns_of_batch(batch), self.schema["commands"].times)

    def _obey(self) -> None:
        """Do what commands ask of the trader itself: runs under way take theirs from the journal."""
        commands, self._commands = self._commands, []
        for row in commands:
            self.children.command(row, self.known.runs, self.known.strategies)

    def _wait(self) -> None:
        """Wait until something has come, STEP_S at most."""
        subscriber = self.follower.subscriber
        if subscriber is None or any(run.busy for run in self.desk.runs.values()):
            return  # the follower waits by itself; what is read anew does not come by itself
        self._poller.wait([*subscriber.sockets, *self.desk.sockets, self.accounts.socket])

    def _nothing_known(self) -> Known:
        return Known(not self.settings.hdb.keep_days, self.settings.accounts)

    def _follow(self) -> Subscriber | None:
        """Follow behind the last closed day, once history has told what was before."""
        after = last_close(self._journal)
        if after is None:
            return None
        self.known = self._nothing_known()
        self.desk.close()
        self.accounts.close()
        self.accounts = self._accounts()
        self.desk = self._desk()
        if after:  # else the journal has everything
            try:
                self.known.read(self._history.as_of(after), self.schema)
                self.accounts.read(self._history.as_of(after), self.schema)
            except PlantError as error:
                self._waiting = f"waiting for the history: {error}"
                return None
        self._waiting = ""
        self.follower.release(after)
        return follow(self.settings, self.name, FOLLOWED, after, merge=False, in_order=True)

    def shutdown(self) -> None:
        """Leave the runs as they are: they go on when the trader is there again."""
        if hasattr(self, "desk"):
            self.desk.close()
            self.accounts.close()
        super().shutdown()

    def _desk(self) -> Desk:
        return Desk(
            self.settings, self.known, self.catalogue, self._place, self._subscribe, self._publish, self.accounts
        )

    def _accounts(self) -> BrokeredAccounts:
        known = self.known

        def declared(sym: str) -> Instrument:
            return instrument_of(sym, known.instruments.at(sym, time.time_ns()))

        def made_up(run: str) -> bool:
            return run in known.runs and known.runs[run]["mode"] not in BY_EVENTS

        return BrokeredAccounts(self.settings, declared, self._publish, lambda run: has_ended(run, known.runs), made_up)

    def _place(self) -> Place:
        """Return where rows are by now. Raises Unavailable."""
        beat, _ = self._journal.ask(HISTORY_S, **messages.ask_journal(0, max_bytes=0))
        through = self.follower.released
        reached = int(self._today.status(STATUS_S)["seq"])
        first_seq = messages.beat_of(beat).first_seq
        return Place(self._history.as_of(through), through, self._plant, self.tables, first_seq, reached)

    def _subscribe(self, tables: Sequence[str], behind: int) -> Subscriber:
        return follow(self.settings, f"{self.name} run", tables, behind, merge=False, in_order=True)

    def _publish(self, table: str, row: Row) -> None:
        self.accounts.made(table, row)
        self.publisher.publish(table, row)

    @property
    def _unready(self) -> str:
        return (
            "" if self._ready or not self._told else "waiting for its rows of instruments to come back from the plant"
        )

    def _untold(self) -> bool:
        """Publish what [[instruments]] say and the plant does not know so; return whether any of it is not back yet.

        No run begins before that: it would take a tick and a commission for granted that plant.toml gives.
        """
        now, missing = time.time_ns(), False
        for section in self.settings.instruments:
            row = section.row
            before = self.known.instruments.get((row["sym"], _time(row["since"]), row["source"]))
            if before is not None and _same(before, row):
                continue
            missing, key = True, f"{row['sym']} {row['since']}"
            if key not in self._told:
                self._told.add(key)
                self.publisher.publish("instruments", {"time": now, **row})
                log.info("instrument", sym=row["sym"], tick=row["tick"], lot=row["lot"])
        return missing


def _time(ns: int) -> int | None:
    from plant.rows.schema import UNKNOWN_TIME

    return None if ns == UNKNOWN_TIME else ns


def _same(before: Row, row: Row) -> bool:
    """Return whether a row says the same as one before, its `time` aside; what is not known is the same as itself."""
    return all(before[n] == v or (v != v and before[n] != before[n]) or n == "since" for n, v in row.items())
