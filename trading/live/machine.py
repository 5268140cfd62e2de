"""One run that follows the plant: rows of the journal in, in order, rows to be published out; no sockets, no clock.

What it makes depends on nothing but the rows it is handed, so a run is repeated by handing them to it again.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from plant.calendars.sessions import Sessions
from plant.errors import PlantError
from plant.rows.schema import UNKNOWN_TIME
from plant.state.commands import GivenCommand, told_of
from plant.state.newest import Row
from plant.state.runs import CANCELLED, COMPLETED, ENDED, FAILED, PAUSED, RUNNING
from plant.state.strategies import MANUAL, STOPPED
from trading.accounts.commands import arguments_for
from trading.accounts.late_fills import LateFills
from trading.accounts.neighbours import NEIGHBOURS
from trading.accounts.opening import Opening
from trading.backtests.metrics import metric_rows
from trading.brokered.report_rows import ORDER, finding_of, report_of
from trading.brokers.desk.reconciliation import What
from trading.desk.ledger import TableRow
from trading.engine import Engine
from trading.events import Bar, Command, Event, neighbour_of
from trading.live.director import WHAT_IT_IS
from trading.live.market_rows import quote_of, signal_of, trade_of
from trading.live.setups import fills_told, risk_told
from trading.run import RunSetup
from trading.turns.takings import Takings

BARS_A_ROW = 100
"""After so many bars a row of `runs` tells how far the run is."""

DIVERGED = "diverged"
"""With this begins the detail of a run that failed because it was made again, and was another."""

NOTHING_BEFORE = Opening()


class Made(NamedTuple):
    """A row that a run makes."""

    table: str
    row: Row


class RunMachine:
    """A run of a strategy.

    setup    of the engine; events up to `setup.start_seq` warm it up
    began    the row of `strategies` that began it
    code_sha SHA-256 of the source of its class
    ended    the state it is over with, "" while it is not; `detail` says why
    follows  the symbols whose rows it takes, and of each the interval of its bars
    told_seq seq of the last row of `broker_reports` that it was handed
    takings  what older runs of its account took, which must be there before it takes a row that fills its orders
    listings the engine's

    A run whose orders are at a broker is over once the broker said that they are: until then it takes its word, and
    decides nothing.

    `begin` comes first, then `take` with every row of its inputs, plain values with `seq`, `seq_row` and `received`.
    """

    def __init__(self, setup: RunSetup, began: Row, code_sha: str) -> None:
        self.setup, self.ended, self.detail, self._state = setup, "", "", RUNNING
        self.follows = dict.fromkeys(setup.symbols, setup.interval)
        self._began, self._code_sha = began, code_sha
        self.takings = Takings()
        self._engine = Engine(setup, older=self.takings.of if setup.shared else None)
        self.listings = self._engine.listings
        self._leaving: tuple[str, str] | None = None
        self.told_seq = setup.start_seq
        self._cause: Event | None = None
        self._told_bars, self._version, self._trips = 0, began["version"], list[Row]()  # trips that are over
        self._after: set[str] = set()  # runs of its strategy that are not over
        self._late = LateFills(setup.strategy, f"{MANUAL}-{setup.account}")
        self._sessions = {sym: setup.sessions.get(sym) or Sessions() for sym in setup.symbols}
        self._makes: dict[str, Callable[[Row], Event]] = {
            "bar_closes": self._bar,
            "trades": trade_of,
            "quotes": quote_of,
            "signals": signal_of,
        }

    @property
    def warm_up(self) -> int:
        """Bars of each symbol that its indicators need before they have values."""
        return self._engine.warm_up

    @property
    def bars(self) -> int:
        """Bars it was handed since it began."""
        return self._engine.bars

    def warm(self, rows: list[Row]) -> None:
        """Take bars of before it began; nothing comes of them."""
        for row in rows:
            self._engine.take(self._bar(row))

    def begin(self, assumed: tuple[str, ...] = (), opening: Opening = NOTHING_BEFORE) -> list[Made]:
        """Return the rows that a run begins with.

        assumed   sentences on what it takes for granted
        opening   what its account had by then
        """
        row = self._began
        self._engine.member.remember(opening)
        self._late.remember(opening)
        self._after = set(opening.after)
        made = [self._run_row(row["received"], row["seq"], 0, row["note"])]
        for sentence in assumed:
            made.append(Made("strategy_events", self._event(row["received"], "log", sentence)))
        if row["wanted"] == PAUSED:
            self._state = PAUSED
            made.append(self._run_row(row["received"], row["seq"], 0, row["note"]))
        self._engine.paused = self._state == PAUSED or bool(self._after)
        return made if self._after else made + self._adopted(row["received"], row["seq"])

    def take(self, table: str, row: Row) -> list[Made]:
        """Take the next row of the journal, and return the rows that it makes."""
        if self.ended or (self._leaving and table not in ("broker_reports", "fills")):
            return []
        if table == "strategies":
            return list(self._wanted(row))
        if table in NEIGHBOURS:
            return self._neighbour(table, row)
        event = self._event_of(table, row)
        if event is None:
            return []
        self._cause, closes = event, len(self._engine.closes)
        made = list(self._acted(event))
        self._trips += (each.row for each in made if each.table == "round_trips")
        if len(self._engine.closes) > closes:
            made += self._measured(event)
        if self._leaving:
            made += self._end(event.known_at, event.seq, event.market_time, *self._leaving)
        elif isinstance(event, Command) and event.command == "cancel_run":
            made += self._end(event.known_at, event.seq, event.market_time, CANCELLED, "cancelled by hand")
        elif self._engine.failed is not None:
            why = f"{type(self._engine.failed).__name__}: {self._engine.failed}"
            made += self._end(event.known_at, event.seq, event.market_time, FAILED, why)
        elif self._engine.bars >= self._told_bars + BARS_A_ROW:
            self._told_bars = self._engine.bars
            made.append(self._run_row(event.known_at, event.seq, event.market_time, ""))
        return made

    def _measured(self, event: Event) -> list[Made]:
        """Return what the run was worth by the close of a session, as a backtest tells it at its end."""
        engine, equity = self._engine, [money for _, money in self._engine.closes]
        held = [position for position in engine.ledger.positions.values() if position.trip is not None]
        trips = [*self._trips, *({"open": 1, "bars": p.bars - p.trip.began} for p in held if p.trip is not None)]
        by_calendar = bool(engine.listings.account.code)
        rows = metric_rows(self.setup, engine.account, trips, equity, engine.bars, by_calendar, event.known_at)
        return [Made("metrics", row) for row in rows]

    def _neighbour(self, table: str, row: Row) -> list[Made]:
        """Take a row of another run; once those of its strategy are over, take over what they left, and go on."""
        if table == "runs" and row["state"] not in ENDED:
            return []
        if row["sym" if table == "runs" else "strategy"] == self.setup.strategy and not self._of_strategy(table, row):
            return []
        made = made_of(self._engine.member.hear(neighbour_of(table, row, self._market_time)))
        if table == "runs" and row["run"] in self._after:
            self._after.discard(row["run"])
            if not self._after:
                self._engine.paused = self._state == PAUSED
                why = row["detail"] if row["detail"].startswith(DIVERGED) else ""
                made += self._adopted(row["received"], row["seq"], why)
        return made

    def _of_strategy(self, table: str, row: Row) -> bool:
        """Take a row of another run of its strategy; return whether it concerns the run now."""
        if table == "runs":
            self._late.ended(row)
        elif table == "fills":
            if self._after and row["run"] not in self._after:
                self._late.fill(row)
            return not self._after and row["sym"] in self.follows
        elif table == "positions":
            self._late.position(row)  # once it took over what was left, what it holds is its own to tell
            return bool(self._after) or row["sym"] not in self.follows
        return True

    def _adopted(self, known_at: int, seq: int, why: str = "") -> list[Made]:
        symbols = list(self.setup.instruments) if self.setup.standing else self.setup.symbols
        event = Command(self.setup.account, known_at, known_at, seq, 0, "adopt", {})
        made = made_of(self._engine.member.adopt(event, symbols, why))
        for row in (row for sym in symbols for row in self._late.untaken(sym)):
            now = {**row, "received": known_at, "seq": seq, "seq_row": 0}
            made += made_of(self._engine.member.hear(neighbour_of("fills", now, self._market_time)))
        return made

    def _acted(self, event: Event) -> Iterator[Made]:
        try:
            yield from made_of(self._engine.take(event))
        except PlantError as error:
            if not isinstance(event, Command):
                raise
            why = f"{event.command} refused: {error} (command {event.id})"
            yield Made("strategy_events", self._event(event.known_at, "log", why))

    def _event_of(self, table: str, row: Row) -> Event | None:
        """Return a row as an event of this run, None if it is not about it."""
        if table == "commands":
            return self._command(row)
        return self._of_broker(row) if table == "broker_reports" else self._of_market(table, row)

    def _of_broker(self, row: Row) -> Event | None:
        """Return what the account's broker said: of an order of this run, of cash, or what halts all of them."""
        self.told_seq = row["seq"]
        if row["account"] != self.setup.account:
            return None
        if row["kind"] == ORDER:
            return report_of(row) if row["order_id"] in self._engine.ledger.orders else None
        cash = row["kind"] == What.CASH
        if not (cash or row["halts"]):
            return None
        sym = row["sym"] if row["sym"] in self.follows else next(iter(self.follows), self.setup.account)
        place = (sym, row["received"], row["received"], row["seq"], row["seq_row"])
        if cash:
            found = finding_of(row)
            return Command(*place, "deposit", {"money": int(found.theirs - found.ours)})
        return Command(*place, "halt", {"rule": f"reconciliation: {row['kind']}", "reason": row["detail"]})

    def _of_market(self, table: str, row: Row) -> Event | None:
        interval = self.follows.get(row["sym"])
        if interval is None or ("interval" in row and row["interval"] != interval):
            return None
        return self._makes[table](row)

    def _bar(self, row: Row) -> Bar:
        time, interval = row["market_time"], row["interval"]
        return Bar(
            row["sym"],
            time,
            row["received"],
            row["seq"],
            row["seq_row"],
            interval,
            int(self._sessions[row["sym"]].ends(np.array([time], dtype=np.int64), interval)[0]),
            row["open"],
            row["high"],
            row["low"],
            row["close"],
            row["volume"],
            decided_at=row["time"],
        )

    def _command(self, row: Row) -> Command | None:
        """Return a command that is for this run and came in time, None for another."""
        setup, told = self.setup, told_of(row)
        if told is None:
            return None
        arguments = arguments_for(told, setup.run, setup.strategy, setup.account, self.follows)
        if arguments is None:
            return None
        sym = told.sym if told.sym in self.follows else next(iter(self.follows), setup.account)
        return self._told(told, sym, arguments)

    def _told(self, told: GivenCommand, sym: str, arguments: dict[str, Any]) -> Command:
        return Command(sym, told.time, told.received, told.seq, told.seq_row, told.command, arguments, told.id)

    def _wanted(self, row: Row) -> Iterator[Made]:
        """Take a row of the strategy, if it counts: it may pause the run, let it go on, or end it."""
        if row["sym"] != self.setup.strategy or row["version"] != self._version + 1:
            return
        self._version = row["version"]
        place = (row["received"], row["seq"], self._market_time)
        if row["action"] == "delete" or row["wanted"] == STOPPED:
            yield from self._end(*place, COMPLETED, f"{row['wanted']} by {row['who']}")
        elif any(row[name] != self._began[name] for name in WHAT_IT_IS):
            yield from self._end(*place, COMPLETED, f"version {row['version']} takes its place")
        elif (wanted := PAUSED if row["wanted"] == PAUSED else RUNNING) != self._state:
            self._engine.paused, self._state = wanted == PAUSED or bool(self._after), wanted
            yield self._run_row(*place, row["note"])

    def _end(self, known_at: int, seq: int, market_time: int, state: str, detail: str) -> list[Made]:
        made = []
        if (last := self._engine.now) is not None:
            event = Command(last.sym, market_time, known_at, seq, 0, "stop", {})
            made += made_of(self._engine.stop(event, detail or state))
            if len(self._engine.ledger.orders):  # the broker has yet to say what becomes of them
                first, self._leaving = self._leaving is None, (state, detail)
                waits = f"{detail or state}; its orders at the broker are being cancelled"
                return [*made, self._run_row(known_at, seq, market_time, waits)] if first else made
            made += (each for each in made_of(self._engine.finish()) if not _still_open(each))
        self.ended = self._state = state
        self.detail = detail
        return [*made, self._run_row(known_at, seq, market_time, detail)]

    @property
    def _market_time(self) -> int:
        return self._cause.market_time if self._cause is not None else 0

    def _run_row(self, time: int, seq: int, market_time: int, detail: str) -> Made:
        setup, began = self.setup, self._began
        return Made(
            "runs",
            {
                "time": time,
                "sym": setup.strategy,
                "run": setup.run,
                "mode": setup.mode,
                "state": self._state,
                "class_name": setup.strategy_class.__name__,
                "code_sha": self._code_sha,
                "parameters": json.dumps(dict(setup.parameters)),
                "symbols": json.dumps(list(setup.instruments if setup.standing else setup.symbols)),
                "interval": setup.interval,
                "start_at": began["received"],
                "end_at": UNKNOWN_TIME if not self.ended else time,
                "warm_up": self.warm_up,
                "fills": fills_told(setup),
                "risk": risk_told(setup),
                "seed": setup.seed,
                "data_sha": "",
                "first_seq": began["seq"],
                "last_seq": seq,
                "bars": self._engine.bars,
                "progress": float("nan"),
                "market_time": market_time or UNKNOWN_TIME,
                "detail": detail,
            },
        )

    def _event(self, time: int, kind: str, detail: str) -> Row:
        setup, market_time = self.setup, self._market_time or UNKNOWN_TIME
        return {
            "time": time,
            "sym": setup.strategy,
            "run": setup.run,
            "market_time": market_time,
            "kind": kind,
            "detail": detail,
        }


def made_of(actions: Any) -> list[Made]:
    """Return actions as rows that a run makes."""
    return [Made(action.table, action.row) for action in actions if isinstance(action, TableRow)]


def _still_open(made: Made) -> bool:
    """Return whether it is a round trip that is not over: live and on paper a trip is a row once it is closed."""
    return made.table == "round_trips" and bool(made.row["open"])
