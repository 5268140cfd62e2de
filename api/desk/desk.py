"""The desk: what there is of trading, folded, and what becomes of what was asked; its questions run in threads."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

from api.access.writing import Writer
from api.answers.problems import Problem, invalid
from api.services import Services
from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.control.books import Books, Seen
from plant.control.halts import Halt, halt_of
from plant.control.writing import classes_of, told_nearest
from plant.errors import PlantError
from plant.rows.arrow import columns_from_arrow
from plant.rows.schema import META_COLUMNS
from plant.runtime.trading import AccountSection
from plant.state.newest import Row, rows_of_columns
from plant.state.strategies import Strategies
from plant.stream.publisher import Publisher

ASK_S = 10.0
"""Longest history and today may take to answer."""

BECOME_S = 5.0
"""Longest a request waits for what becomes of what it asked for."""

LOOK_S = 0.02
"""Pause between looks at that."""

CLASSES_S = 2.0
"""So long the classes that the trader told are taken as they were."""

_NAME = "desk"
_making = threading.Lock()


class Desk:
    """What routes of trading work with. Any thread; `threaded` runs what waits."""

    def __init__(self, services: Services) -> None:
        self.settings = services.settings
        self.pulse = services.pulse
        settings = services.settings
        rdb, hdb = settings.address(settings.rdb.port), settings.address(settings.hdb.port)
        options: dict[str, Any] = {"frames": "arrow", "timeout_s": ASK_S, "warn_unknown": False, "client": "api"}
        self.whole = PlantConnection(rdb, hdb, settings.table_schema, **options)
        self.today = Connection("rdb", rdb, **options)
        self.processor = Connection("processor", settings.address(settings.processor.port), **options)
        names = tuple(each.name for each in settings.accounts)
        self._books = Books(settings.table_schema, names, lambda: self.whole, lambda: self.today)
        name = settings.source_name("api-switch")
        self.switch = Writer(Publisher(name, settings.ingest_address, settings.table_schema))
        """Of the kill switch alone: what else is written does not stand in its way."""
        self._classes: tuple[float, list[dict[str, Any]]] | None = None

    async def close(self) -> None:
        """Disconnect."""
        await threaded(self.switch.close)
        self.whole.close()
        self.today.close()
        self.processor.close()

    async def look(self, through: int = 0) -> Seen:
        """Return what there is by now, everything up to the seq `through` in it. Raises Problem unavailable."""
        self.pulse.need("rdb")
        deadline = time.monotonic() + BECOME_S
        while True:
            seen = await threaded(self._books.look, True)
            if seen.error is not None:
                raise seen.error
            if seen.seq >= through:
                return seen
            if time.monotonic() > deadline:
                raise Problem(
                    "not_acknowledged",
                    f"it is in the journal at seq {through:,}, but the rdb has only come to {seen.seq:,}; ask again",
                )
            await asyncio.sleep(LOOK_S)

    def account(self, name: str | None, place: str) -> AccountSection:
        """Return an account, the first if none is named. Raises Problem invalid for what is none of [[accounts]]."""
        accounts = self.settings.accounts
        found = next((each for each in accounts if name in (None, "", each.name)), None)
        if found is None:
            names = [each.name for each in accounts]
            hint = told_nearest(name or "", names)
            raise invalid(place, f"no account {name!r}{hint}; accounts are {', '.join(names)}", found=name)
        return found

    def halt(self, seen: Seen, account: AccountSection) -> Halt:
        """Return whether an account, or a strategy of its own, is halted."""
        first = self.settings.accounts[0].name
        own = [name for name, row in seen.strategies.items() if (row["account"] or first) == account.name]
        return halt_of(seen.halts, account.name, own)

    async def classes(self) -> dict[str, dict[str, Any]]:
        """Return the classes of strategies by name, as the trader tells them. Raises Problem unavailable."""
        if self._classes is None or time.monotonic() - self._classes[0] > CLASSES_S:
            self.pulse.need("trading")
            self._classes = time.monotonic(), await threaded(classes_of, str(self.settings.file), BECOME_S)
        return {each["name"]: each for each in self._classes[1]}

    async def strategy(self, name: str) -> tuple[Strategies, list[Row]]:
        """Return the fold of one strategy, and its versions that count, oldest first.

        Raises Problem not_found for one that never was.
        """
        self.pulse.need("rdb")
        fold, versions = await threaded(self.versions, name)
        if not versions:
            seen = await self.look()
            raise Problem("not_found", f"there is no strategy {name!r}{told_nearest(name, seen.strategies)}")
        return fold, versions

    async def rows(self, table: str, sym: Sequence[str] | None = None, **terms: Any) -> list[Row]:
        """Return rows of history and today, in the order of the journal. `terms` are those of select."""
        self.pulse.need("rdb")
        return await threaded(self.read, self.whole, table, sym, **terms)

    def read(self, db: Connection, table: str, sym: Any, **terms: Any) -> list[Row]:
        """Return rows of a table that a connection has, in the order of the journal."""
        declared = self.settings.table_schema[table]
        names = (*declared.names, *META_COLUMNS)
        found = db.select(table, sym, columns=names, frames="arrow", **terms)
        rows = rows_of_columns(columns_from_arrow(found, declared, names), declared.times)
        return sorted(rows, key=lambda row: (row["seq"], row["seq_row"]))

    def versions(self, name: str) -> tuple[Strategies, list[Row]]:
        """Return the fold of one strategy, and its versions that count, none if it never was."""
        declared = self.settings.table_schema["strategies"]
        names = (*declared.names, *META_COLUMNS)
        found = self.whole.select("strategies", name, columns=names, frames="arrow")
        fold = Strategies(whole=False)
        return fold, fold.take(columns_from_arrow(found, declared, names)) if len(found) else []


async def threaded(what: Any, *args: Any, **terms: Any) -> Any:
    """Return what a call gives that waits for somebody, without holding up other requests."""
    return await asyncio.to_thread(what, *args, **terms)


def desk_of(services: Services) -> Desk:
    """Return the desk of a service, made when it is first asked for."""
    with _making:
        if _NAME not in services.more:
            made = services.more[_NAME] = Desk(services)
            services.on_close(made.close)
        found: Desk = services.more[_NAME]
        return found


def refused_as(error: PlantError, place: str) -> Problem:
    """Return the problem of what a check of the plant says about one place of a body."""
    return invalid(place, str(error).partition(": ")[2] or str(error))
