"""Whose turn it is: of the runs of one paper account that are filled on a row, the older take it before the younger.

So each knows what is left of it. A run waits for those that are under way, or are to be opened; not for one that is
over, nor for one of another account, or that is filled on other rows.
"""

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from plant.rows.batch import Batch
from plant.state.newest import Row
from trading.live.director import Wanted
from trading.live.machine import RunMachine
from trading.turns.takings import Age, age_of

FILLED_ON = {"bars": "bar_closes", "trades": "trades", "quotes": "quotes"}
"""fills_on of a run -> the table whose rows fill its orders."""

LASTS_S = 2.0
"""A run that waits longer for another says so."""


class Taker(Protocol):
    """A run that is under way, as the others see it."""

    wanted: Wanted
    machine: RunMachine
    place: tuple[int, int]
    """The last row of the journal that it has taken, (seq, seq_row), all that it made of it being published."""


class Unopened(NamedTuple):
    """A run that is to be opened: it may be filled on any table."""

    wanted: Wanted
    account: str
    symbols: frozenset[str]
    interval: str


class _Waits(NamedTuple):
    behind: str
    since: float
    seq: int


class Turns:
    """What runs under way publish of their fills, and whose turn it is.

    runs   those under way, by id; the caller changes it, and calls `changed`
    """

    def __init__(self, runs: Mapping[str, Taker]) -> None:
        self._runs = runs
        self._unopened: tuple[Unopened, ...] = ()
        self._older: dict[tuple[str, str, str, str], list[Taker | Unopened]] = {}
        self._members: dict[str, list[Taker]] = {}
        self._coming: dict[str, Row] = {}  # fills that were published and did not come back yet, by fill_id
        self._waits: dict[str, _Waits] = {}

    def changed(self, unopened: Iterable[Unopened] | None = None) -> None:
        """Look anew who is there; `unopened`: the runs that are to be opened, None: as they were."""
        if unopened is not None:
            self._unopened = tuple(unopened)
        self._older.clear()
        self._members.clear()
        for run in self._runs.values():
            if run.machine.setup.simulated:
                self._members.setdefault(run.machine.setup.account, []).append(run)
        self._waits = {name: waits for name, waits in self._waits.items() if name in self._runs}

    def waits(self, run: Taker, table: str, row: Row) -> bool:
        """Return whether a run has to wait before it takes a row."""
        setup = run.machine.setup
        if len(self._members.get(setup.account, ())) < 2 and not self._unopened:
            return False
        listing = run.machine.listings.get(row["sym"])
        if listing is None or FILLED_ON[listing.fills_on] != table or not setup.shared or not setup.simulated:
            return False
        key = setup.run, table, row["sym"], row.get("interval", "")
        older = self._older.get(key)
        if older is None:
            older = self._older[key] = self._older_than(run, *key[1:])
        at = row["seq"], row["seq_row"]
        for other in older:
            if isinstance(other, Unopened) or other.place < at:
                behind = other.wanted.run
                before = self._waits.get(setup.run)
                if before is None or before.behind != behind or before.seq != row["seq"]:
                    self._waits[setup.run] = _Waits(behind, time.monotonic(), row["seq"])
                return True
        self._waits.pop(setup.run, None)
        return False

    def _older_than(self, run: Taker, table: str, sym: str, interval: str) -> list[Taker | Unopened]:
        account, mine = run.machine.setup.account, age_of(run.wanted)
        found: list[tuple[Age, Taker | Unopened]] = []
        for other in self._members[account]:
            setup, age = other.machine.setup, age_of(other.wanted)
            same = FILLED_ON.get(setup.fills_on) == table and setup.interval == (interval or setup.interval)
            if age < mine and same and sym in setup.symbols:
                found.append((age, other))
        for each in self._unopened:
            age, of = age_of(each.wanted), each.interval
            if age < mine and each.account == account and sym in each.symbols and of == (interval or of):
                found.append((age, each))
        return [other for _, other in sorted(found, key=lambda each: each[0])]

    @property
    def waiting(self) -> set[str]:
        """The ids of runs that wait for another."""
        return set(self._waits)

    @property
    def trouble(self) -> str:
        """Who has waited for whom for LASTS_S, as a sentence; "": nobody."""
        now = time.monotonic()
        return "; ".join(
            f"run {name} waits at seq {waits.seq:,} for run {waits.behind}, which is older and filled on the same rows"
            for name, waits in sorted(self._waits.items())
            if now - waits.since > LASTS_S
        )

    def published(self, row: Row) -> None:
        """Take a row of `fills` that a run under way makes: younger runs of its account leave it what it took."""
        if not row["cause_row"]:
            return
        self._coming[row["fill_id"]] = row
        maker = self._runs[row["run"]]
        for other in self._members[row["account"]]:
            if age_of(maker.wanted) < age_of(other.wanted):
                other.machine.takings.add(row)

    def came_back(self, batch: Batch) -> None:
        """Take rows of `fills` that have gone through the plant."""
        if self._coming:
            ids = batch.columns["fill_id"]
            for code in np.unique(ids.codes):
                self._coming.pop(ids.names[code], None)

    def coming(self, account: str, first_seq: int, older: set[str], there: Iterable[Row]) -> list[Row]:
        """Return the rows of `fills` that did not come back yet, of older runs of an account, behind a seq.

        there   rows that were read
        """
        known = {row["fill_id"] for row in there}
        return [
            row
            for name, row in self._coming.items()
            if row["account"] == account and row["cause_seq"] > first_seq and row["run"] in older and name not in known
        ]
