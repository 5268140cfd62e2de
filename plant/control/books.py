"""Books: the plant's rows of trading, folded; asked for what is new, shared by all sessions.

Each look reads what is new (`growing.py`). Orders, fills and positions of backtests are left out: there may be
millions, and nothing is held by them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from plant.client.connection import Connection
from plant.control.growing import ANSWER_S, GrowingRows
from plant.errors import PlantError
from plant.rows.arrow import columns_from_arrow
from plant.rows.columns import Columns, taken
from plant.rows.ordering import joined
from plant.rows.schema import META_COLUMNS, Schema
from plant.state.commands import GivenCommand, told_of
from plant.state.instruments import Instruments
from plant.state.newest import Newest, Row, rows_of_columns
from plant.state.orders import Orders
from plant.state.positions import Positions
from plant.state.runs import BY_EVENTS, Runs
from plant.state.strategies import Strategies

SHARE_S = 0.5  # a look this young serves other sessions too
OF_BACKTESTS = "backtest"  # the account of a backtest that names none
HALTS = ("kill", "resume")


@dataclass(frozen=True)
class Seen:
    """What the plant has, at one look; rows are plain values, newest of their object. Nobody changes it.

    strategies  by name
    runs        all, by id; `followed` are those that follow the plant: paper and live
    orders      of followed runs, by order_id
    positions   the newest of each (account, strategy, run, sym) of followed runs
    fills       of followed runs, as columns; one may be there twice (plant.state.earnings)
    equity      account -> its newest row
    halts       commands `kill` and `resume` and rows of `risk_events` that halted or resumed, in their order
    limits      commands `limits` that count, in their order
    seq         everything up to it is known
    error       why this is older than it should be, None: it is not
    at          when it was read, s since the epoch; None: never
    """

    strategies: Mapping[str, Row] = field(default_factory=dict)
    runs: Mapping[str, Row] = field(default_factory=dict)
    followed: frozenset[str] = frozenset()
    orders: Mapping[str, Row] = field(default_factory=dict)
    positions: tuple[Row, ...] = ()
    fills: Columns = field(default_factory=dict)
    equity: Mapping[str, Row] = field(default_factory=dict)
    halts: tuple[Row, ...] = ()
    limits: tuple[GivenCommand, ...] = ()
    instruments: Instruments = field(default_factory=Instruments)
    seq: int = -1
    error: PlantError | None = None
    at: float | None = None


class Folds:
    """Takes rows of each table, and says what they mean together. No I/O.

    `accounts` are those of plant.toml: if none is called as that of backtests, rows of that one are not asked for.
    """

    def __init__(self, schema: Schema, accounts: tuple[str, ...]) -> None:
        self._schema = schema
        self._skips = OF_BACKTESTS not in accounts
        self.strategies, self.runs, self.instruments = Strategies(whole=False), Runs(), Instruments()
        self.orders, self.positions = Orders(), Positions()
        self.equity = Newest(("sym", "run"), schema["equity"].times)
        self._fills: list[Columns] = []
        self._halts: dict[tuple[int, int, str], Row] = {}
        self._limits: dict[tuple[int, int], GivenCommand] = {}
        self.reached = dict.fromkeys(self.tables, -1)

    tables = ("strategies", "runs", "orders", "positions", "fills", "equity", "commands", "risk_events", "instruments")
    """What is asked for."""

    def names(self, table: str) -> tuple[str, ...]:
        """Return the columns that are asked for."""
        return (*self._schema[table].names, *META_COLUMNS)

    def where(self, table: str) -> list[tuple[str, str, Any]]:
        """Return the conditions of rows that are not known yet."""
        found: list[tuple[str, str, Any]] = [("seq", ">", self.reached[table])]
        if self._skips and table in ("orders", "positions", "fills"):
            found.append(("account", "!=", OF_BACKTESTS))
        if self._skips and table == "equity":
            found.append(("sym", "!=", OF_BACKTESTS))
        return found

    def take(self, table: str, columns: Columns) -> bool:
        """Take rows of a table, with `seq` and `seq_row`; return whether there were any."""
        if not len(columns["seq"]):
            return False
        self.reached[table] = max(self.reached[table], int(columns["seq"].max()))
        if table == "fills":
            self._fills.append(columns)
        elif table in ("commands", "risk_events"):
            for row in rows_of_columns(columns, self._schema[table].times):
                if row.get("command") in HALTS or row.get("action") in ("halted", "resumed"):
                    self._halts[row["seq"], row["seq_row"], table] = row
                elif row.get("command") == "limits" and (told := told_of(row)) is not None:
                    self._limits[told.place] = told
        else:
            getattr(self, table).take(columns)
        return True

    def seen(self, at: float) -> Seen:
        """Return what is known by now."""
        runs = dict(self.runs)
        followed = frozenset(name for name, row in runs.items() if row["mode"] in BY_EVENTS)
        if len(self._fills) > 1:
            self._fills = [{name: joined([part[name] for part in self._fills]) for name in self._fills[0]}]
        equity: dict[str, Row] = {}
        for (account, run), row in self.equity.items():
            if _counts(run, followed, runs) and (account not in equity or _place(row) > _place(equity[account])):
                equity[account] = row
        return Seen(
            strategies=dict(self.strategies),
            runs=runs,
            followed=followed,
            orders={name: row for name, row in self.orders.items() if _counts(row["run"], followed, runs)},
            positions=tuple(row for row in self.positions.values() if _counts(row["run"], followed, runs)),
            fills=_of_runs(self._fills[0], followed, runs) if self._fills else {},
            equity=equity,
            halts=tuple(self._halts[key] for key in sorted(self._halts)),
            limits=tuple(self._limits[key] for key in sorted(self._limits)),
            instruments=deepcopy(self.instruments),  # they are few; a later look changes the fold
            at=at,
        )


class Books:
    """The folds of one plant, kept up to date by `look`. Any thread.

    whole, today   open a connection to history and today as one, and to the rdb; their frames are Arrow
    """

    def __init__(
        self,
        schema: Schema,
        accounts: tuple[str, ...],
        whole: Callable[[], Connection],
        today: Callable[[], Connection],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._schema, self._accounts, self._clock = schema, accounts, clock
        self._growing = GrowingRows(whole, today)
        self._lock = threading.Lock()
        self._begin()
        self._seen, self._not_before = Seen(), 0.0

    def look(self, fresh: bool = False) -> Seen:
        """Return what the plant has; not more than SHARE_S old, unless it does not answer. `fresh`: asked for now."""
        with self._lock:
            now = self._clock()
            seen = self._seen
            if not fresh and 0 < self._not_before - now <= ANSWER_S:  # a clock may be set back
                return seen
            try:
                self._seen = self._read()
                self._not_before = now + SHARE_S
            except PlantError as error:
                self._seen = replace(seen, error=error)
                self._not_before = self._clock() + ANSWER_S
            return self._seen

    def _begin(self) -> None:
        self._folds = Folds(self._schema, self._accounts)

    def _read(self) -> Seen:
        changed = self._growing.read(self._ask, self._begin)
        at = self._clock()
        if changed or self._seen.at is None:
            return replace(self._folds.seen(at), seq=self._growing.through)
        return replace(self._seen, at=at, seq=self._growing.through, error=None)

    def _ask(self, connection: Connection) -> bool:
        folds, changed = self._folds, False
        for table in Folds.tables:
            names = folds.names(table)
            found = connection.select(table, columns=names, where=folds.where(table), frames="arrow")
            changed |= bool(len(found)) and folds.take(table, columns_from_arrow(found, self._schema[table], names))
        return changed


def _counts(run: str, followed: frozenset[str], runs: Mapping[str, Row]) -> bool:
    """Return whether a run's rows are of what is held: one that follows the plant, or whose row is still to come."""
    return run in followed or run not in runs


def _of_runs(fills: Columns, followed: frozenset[str], runs: Mapping[str, Row]) -> Columns:
    names = fills["run"]
    counting = [code for code, name in enumerate(names.names) if _counts(name, followed, runs)]
    return taken(fills, np.isin(names.codes, counting))


def _place(row: Row) -> tuple[int, int]:
    return row["seq"], row["seq_row"]
