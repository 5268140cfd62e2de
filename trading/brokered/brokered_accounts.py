"""The accounts of plant.toml that a broker holds: opened, given the rows that concern them, asked for what is new."""

import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from plant.errors import SettingsError
from plant.rows.arrow import columns_from_arrow
from plant.rows.batch import Batch
from plant.rows.columns import Columns, taken
from plant.rows.schema import META_COLUMNS, Schema
from plant.runtime.settings import Settings
from plant.runtime.trading import AccountSection
from plant.state.newest import Row, columns_of_batch, rows_of_columns
from trading.brokered.books import AccountBooks
from trading.brokered.brokered_account import BY_RUNS, TABLES, BrokeredAccount
from trading.brokers.live_account import LiveAccount
from trading.brokers.opening import broker_of
from trading.instruments import Instrument, money_of
from trading.run import PAPER, RunSetup


class Wake:
    """Lets other threads end a wait: `socket` becomes readable by a call, until `heard`."""

    def __init__(self) -> None:
        self.socket, self._other = socket.socketpair()
        for one in (self.socket, self._other):
            one.setblocking(False)

    def __call__(self) -> None:
        """End the wait that is under way, or the next one. Any thread."""
        try:
            self._other.send(b"1")
        except OSError:  # full: it wakes already; or closed
            return

    def heard(self) -> None:
        """Let `socket` be quiet again."""
        try:
            self.socket.recv(4096)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close both ends."""
        self.socket.close()
        self._other.close()


class BrokeredAccounts:
    """The accounts whose broker is not paper, by name.

    declared   the instrument of a symbol as the plant knows it now
    publish    takes a table and a row of it
    over       whether a run has ended
    made_up    whether it is a backtest or a replay, which may bear the name of an account
    """

    def __init__(
        self,
        settings: Settings,
        declared: Callable[[str], Instrument],
        publish: Callable[[str, Row], None],
        over: Callable[[str], bool],
        made_up: Callable[[str], bool],
    ) -> None:
        self._settings, self._declared, self._made_up = settings, declared, made_up
        self._instruments: dict[str, dict[str, Instrument]] = {}
        self._setups: dict[str, RunSetup] = {}
        self._wake = Wake()
        self._by_name: dict[str, BrokeredAccount] = {}
        for section in settings.accounts:
            if section.broker != PAPER:
                self._by_name[section.name] = self._account(section, publish, over)

    def __bool__(self) -> bool:
        return bool(self._by_name)

    @property
    def socket(self) -> socket.socket:
        """A socket that becomes readable when a broker said something."""
        return self._wake.socket

    @property
    def trouble(self) -> str:
        """Which accounts send no order for now, and why; "": all do."""
        return "; ".join(each.trouble for each in self._by_name.values() if each.trouble)

    def admit(self, setup: RunSetup) -> None:
        """Take that a run gives orders to an account. Raises SettingsError if it counts in other ticks than another."""
        if setup.simulated:
            return
        known = self._instruments[setup.account]
        for sym, instrument in setup.instruments.items():
            before = known.get(sym)
            steps = (instrument.tick, instrument.lot)
            used = any(sym in one.instruments for one in self._setups.values() if one.account == setup.account)
            if before is not None and used and (before.tick, before.lot) != steps:
                raise SettingsError(
                    f"account {setup.account!r} is traded in {sym} with tick {before.tick:g} and lot {before.lot:g}; "
                    f"this run has {instrument.tick:g} and {instrument.lot:g}: stop the other strategy first"
                )
            known[sym] = instrument
        self._setups[setup.run] = setup

    def left(self, run: str) -> None:
        """Take that a run is closed."""
        self._setups.pop(run, None)

    def read(self, history: Any, schema: Schema) -> None:
        """Take the rows that a connection to the history has. Raises what its questions raise."""
        for name in self._by_name:
            for table in TABLES:
                names = (*schema[table].names, *META_COLUMNS)
                found = history.select(table, columns=names, where=[("account", "==", name)], frames="arrow")
                if len(found):
                    self._take(table, columns_from_arrow(found, schema[table], names), schema)

    def take(self, batch: Batch, schema: Schema) -> None:
        """Take a batch of any table, as it came through the plant."""
        if batch.table in TABLES and self._by_name:
            self._take(batch.table, columns_of_batch(batch), schema)

    def made(self, table: str, row: Row) -> None:
        """Take a row that a run makes, as it is published."""
        if table in BY_RUNS and (account := self._by_name.get(row["account"])) is not None:
            account.made(table, row)

    def step(self, state: Callable[[str], tuple[bool, int | None]]) -> None:
        """Bring every account on; `state` says of one what `BrokeredAccount.step` asks for."""
        if self._by_name:
            self._wake.heard()
        for name, account in self._by_name.items():
            account.step(*state(name))

    def close(self) -> None:
        """Disconnect from all brokers."""
        for account in self._by_name.values():
            account.close()
        self._wake.close()

    def _take(self, table: str, columns: Columns, schema: Schema) -> None:
        accounts = columns["account"]
        for name, account in self._by_name.items():
            mine = accounts == name
            if mine.any():
                for row in rows_of_columns(taken(columns, mine), schema[table].times):
                    if table not in BY_RUNS or not self._made_up(row["run"]):
                        account.take(table, row)

    def _account(
        self, section: AccountSection, publish: Callable[[str, Row], None], over: Callable[[str], bool]
    ) -> BrokeredAccount:
        settings, name = self._settings, section.name
        known = self._instruments[name] = {}

        def instrument(sym: str) -> Instrument:
            return known.get(sym) or known.setdefault(sym, self._declared(sym))

        def hold(books: AccountBooks, since: int) -> LiveAccount:
            broker = broker_of(
                name,
                section.broker,
                section.mode,
                settings.trading.live,
                section.limits.model_dump(exclude_unset=True),
                section.currency,
                Listed(known),
                lambda sym: known.get(sym) or Instrument(sym),
                os.environ,
                settings.file.parent,
                section.url,
                section.stream_url,
            )
            return LiveAccount(name, broker, books, since, settings.trading.reconcile_s, wake=self._wake)

        def stale_s(run: str) -> float:
            setup = self._setups.get(run)
            told = (section.limits.stale_s,) if setup is None else (setup.limits.stale_s, setup.account_limits.stale_s)
            return min((each for each in told if each), default=0.0)

        return BrokeredAccount(
            name, section.currency, money_of(section.capital), hold, instrument, publish, stale_s, over, time.time_ns
        )


class Listed(Iterable[str]):
    """The keys of a dict that another thread adds to, as they are when they are asked for."""

    def __init__(self, of: dict[str, Instrument]) -> None:
        self._of = of

    def __iter__(self) -> Any:
        return iter(list(self._of))
