"""The desk of the pages of trading: the plant's books, and what a person may write of strategies and commands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.control.books import Books, Seen
from plant.control.limits import ACCOUNT, STRATEGY, check, of_account, of_strategy
from plant.control.writing import change, classes_of, give_command
from plant.errors import PlantError, Refused
from plant.runtime.settings import Settings
from plant.runtime.trading import AccountSection
from plant.state.newest import Row

READ_S = 20.0  # longest the first look at the books may take; it reads all there is of trading
CLASSES_SHARE_S = 3.0  # the trader reads files of strategies when it is asked for its classes
CLASSES_S = 2.0  # a page waits no longer than this for the trader


@dataclass
class Desk:
    """What pages of trading work with. Any thread.

    `change` and `give` are those of plant.control.writing.
    """

    settings: Settings
    books: Books
    _known: tuple[float, list[dict[str, Any]] | PlantError] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def accounts(self) -> tuple[AccountSection, ...]:
        """The accounts of plant.toml."""
        return self.settings.accounts

    def account(self, name: str) -> AccountSection | None:
        """Return an account by name, the first for "", None for what is none of plant.toml."""
        return next((each for each in self.accounts if name in ("", each.name)), None)

    def strategies_of(self, seen: Seen, account: str) -> list[str]:
        """Return the names of the strategies of an account, sorted; one that names none is of the first."""
        return sorted(n for n, row in seen.strategies.items() if (row["account"] or self.accounts[0].name) == account)

    def classes(self) -> list[dict[str, Any]]:
        """Return the classes of strategies there are. Raises Unavailable without a trader."""
        with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > CLASSES_SHARE_S:
                try:
                    found: list[dict[str, Any]] | PlantError = classes_of(self._config, CLASSES_S)
                except PlantError as error:
                    found = error
                self._known = time.monotonic(), found
            found = self._known[1]
        if isinstance(found, PlantError):
            raise found
        return found

    def change(self, name: str, action: str, note: str = "", *, seen: int | None = None, **columns: Any) -> Row:
        """Write the next version of a strategy, and return its row. Raises what plant.control.writing.change does."""
        try:
            return change(self._config, name, action, note, seen=seen, by=visitor(), **columns)[0]
        finally:  # also where another was faster: the page shows what that one wrote
            self.books.look(fresh=True)

    def give(self, sym: str, command: str, **arguments: Any) -> tuple[str, int]:
        """Write a command; return its id and its seq. Raises PlantError."""
        told = {name: value for name, value in arguments.items() if value is not None}
        return give_command(self._config, sym, command, told, by=visitor())

    def limit(self, account: AccountSection, strategy: str, changes: dict[str, Any], seen: int) -> int:
        """Tell limits of an account, or of a strategy of it (not ""), over those that hold; return the command's seq.

        changes   limits by name, None is none
        seen      version of those that hold, as plant.control.limits has it

        Raises SettingsError for limits that the trader refuses, Refused if others were told since `seen`.
        """
        now = self.books.look(fresh=True)
        if now.error is not None:
            raise now.error
        target, name = (STRATEGY, strategy) if strategy else (ACCOUNT, account.name)
        if strategy and strategy not in self.strategies_of(now, account.name):
            raise Refused(f"account {account.name} has no strategy {strategy!r} any more. Nothing was written")
        holds = of_strategy(now.strategies[strategy], now.limits) if strategy else of_account(account, now.limits)
        if holds.version != seen:
            raise Refused(
                f"the limits of {name} were told by somebody else meanwhile, at seq {holds.version:,}; you saw "
                f"those of seq {seen:,}. Nothing was written"
            )
        check(holds.limits | changes, account.mode == "live")
        _, seq = give_command(self._config, name, "limits", {target: name, **holds.told, **changes}, by=visitor())
        self.books.look(fresh=True)
        return seq

    @property
    def _config(self) -> str:
        return str(self.settings.file)


def live_desk(settings: Settings) -> Desk:
    """Return the desk of the plant that the settings name."""
    rdb, hdb = settings.address(settings.rdb.port), settings.address(settings.hdb.port)
    options: dict[str, Any] = {"frames": "arrow", "timeout_s": READ_S, "warn_unknown": False}
    names = tuple(each.name for each in settings.accounts)
    books = Books(
        settings.table_schema,
        names,
        lambda: PlantConnection(rdb, hdb, settings.table_schema, **options),
        lambda: Connection("rdb", rdb, **options),
    )
    return Desk(settings, books)


def visitor() -> str:
    """Return who looks at the page, as rows have it: "user:ada@example.com"; "" for whoever started the dashboard."""
    if not st.user.get("is_logged_in"):
        return ""
    return f"user:{st.user.get('email') or st.user.get('sub') or 'unknown'}"


def tried(what: Callable[[], Any]) -> tuple[Any, str]:
    """Return what a call gives and "", or None and what went wrong, as a sentence."""
    try:
        return what(), ""
    except PlantError as error:
        return None, str(error)
