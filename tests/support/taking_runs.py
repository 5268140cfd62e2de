"""Runs of one paper account over made-up rows of the market, killed and opened anew, and a plain model of their fills.

Every run asks for market orders at moments that do not depend on what it was filled with, so the model needs no engine.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from state_rows import through_the_plant

from plant.intake.forms import columns_of
from plant.rows.batch import Batch
from plant.rows.tables import schema_of
from plant.state.newest import Row
from plant.state.runs import ENDED
from trading import Strategy
from trading.instruments import Instrument
from trading.live.director import WHAT_IT_IS, Wanted
from trading.live.inputs import Input
from trading.live.live_run import LiveRun
from trading.live.machine import Made, RunMachine
from trading.live.reading import MADE
from trading.live.repeated import Repeated
from trading.risk import Limits
from trading.run import RunSetup, fill_rules
from trading.turns.takings import age_of, older_than
from trading.turns.turns import FILLED_ON, Turns, Unopened

START = 1_795_100_400_000_000_000
MINUTE = 60 * 10**9
LOT = 0.5
SHARE = 0.25
ANY_AGE = Limits(stale_s=0, max_orders_per_minute=None)
TAKEN = 1_000_000
"""The journal's seq of the first row that a run made: behind all of the market."""

FAILS = float("inf")

Fill = tuple[str, int, int, str, str, float]
"""run, cause_seq, cause_row, sym, side, qty"""


class Told(NamedTuple):
    """A run: its id, the seq of the row that began it, what it trades, and what it asks for at which row.

    asks    lots at (seq, seq_row), less than 0: to sell; FAILS: its callback raises
    words   (seq, wanted) of rows of `strategies` that pause it, let it go on or stop it; those seqs are odd
    """

    run: str
    first_seq: int
    symbols: tuple[str, ...]
    fills_on: str
    interval: str
    account: str
    asks: Mapping[tuple[int, int], float]
    words: tuple[tuple[int, str], ...] = ()

    def fills_at(self, table: str, row: Row) -> bool:
        """Return whether its orders are filled on a row."""
        same = row["sym"] in self.symbols and row.get("interval", self.interval) == self.interval
        return FILLED_ON[self.fills_on] == table and same and row["seq"] > self.first_seq

    @property
    def wanted(self) -> Wanted:
        """What began it."""
        return Wanted(self.run, {"seq": self.first_seq, "seq_row": 0, "sym": f"s-{self.run}"})

    def machine(self) -> RunMachine:
        """Return it before its first row."""
        asks = self.asks

        def ask(strategy: Strategy, event: Any) -> None:
            qty = asks.get((event.seq, event.seq_row), 0.0)
            if qty == FAILS:
                raise ValueError("it is told to fail")
            if qty:
                (strategy.buy if qty > 0 else strategy.sell)(abs(qty), tif="gtc", sym=event.sym)

        heard = {"bars": "on_bar", "trades": "on_trade", "quotes": "on_quote"}[self.fills_on]
        setup = RunSetup(
            run=self.run,
            strategy=f"s-{self.run}",
            strategy_class=type("Asks", (Strategy,), {heard: ask, "__doc__": "Asks."}),
            symbols=self.symbols,
            instruments={sym: Instrument(sym, lot=LOT) for sym in self.symbols},
            interval=self.interval,
            account=self.account,
            mode="paper",
            fills=fill_rules({"volume_share": SHARE}),
            fills_on=self.fills_on,
            limits=ANY_AGE,
            account_limits=ANY_AGE,
            start_seq=self.first_seq,
        )
        texts = dict.fromkeys(("definition", "code_sha", "parameters", "note", "who"), "")
        began = {**texts, "sym": setup.strategy, "version": 1, "wanted": "running", "received": START}
        began |= dict.fromkeys(WHAT_IT_IS, "") | {"class_name": "Asks"}
        return RunMachine(setup, {**began, "seq": self.first_seq, "seq_row": 0}, "sha")

    def word(self, number: int) -> Input:
        """Return one of its `words` as a row."""
        seq, wanted = self.words[number]
        told = dict.fromkeys(WHAT_IT_IS, "") | {"class_name": "Asks", "action": "update", "who": "me", "note": ""}
        told |= {"sym": f"s-{self.run}", "version": number + 2, "wanted": wanted}
        return Input("strategies", {**told, "seq": seq, "seq_row": 0, "received": START + seq * MINUTE})


def market_of(chance: random.Random, records: int) -> list[Input]:
    """Return rows of A and B as the journal has them, some of one record at the very same time."""
    found: list[Input] = []
    for seq in range(2, 2 * records + 2, 2):
        table = chance.choice(("bar_closes", "trades", "quotes"))
        for seq_row in range(chance.choice((1, 1, 2, 5))):
            at = START + seq * MINUTE
            row: Row = {"sym": chance.choice("AB"), "seq": seq, "seq_row": seq_row, "received": at, "time": at}
            size = float(chance.choice((0, 3, 8, 10, 40)))
            if table == "bar_closes":
                prices = dict.fromkeys(("open", "high", "low", "close"), 100.0)
                row |= {"market_time": at, "interval": chance.choice(("1m", "5m")), **prices, "volume": size}
            elif table == "trades":
                row |= {"price": 100.0, "size": size}
            else:
                row |= {"bid": 99.99, "ask": 100.01, "bid_size": size / 2, "ask_size": size}
            found.append(Input(table, row))
    return found


def told_of(chance: random.Random, market: Sequence[Input], count: int) -> list[Told]:
    """Return runs, most of which meet another one; a younger may be first by its id."""
    found = []
    most = market[-1].row["seq"]
    for number in range(count):
        first_seq = chance.randrange(max(most // 3, 1)) // 2 * 2 + 1 if number else 0
        symbols = chance.choice((("A",), ("A", "B"), ("B", "A")))
        fills_on, interval = chance.choice(("bars", "trades", "trades", "quotes")), chance.choice(("1m", "1m", "5m"))
        account = "paper" if number < 3 else chance.choice(("paper", "other"))
        told = Told(f"r{chance.randrange(10)}{number}", first_seq, symbols, fills_on, interval, account, {})
        met = [(row["seq"], row["seq_row"]) for table, row in market if told.fills_at(table, row)]
        asks = {at: LOT * chance.randint(-9, 9) for at in met if chance.random() < 0.4}
        if met and chance.random() < 0.2:
            asks[chance.choice(met)] = FAILS
        seqs = sorted(chance.sample(range(first_seq // 2 * 2 + 3, most + 1000, 2), 3))
        words = zip(seqs, chance.choice((("paused", "running", "stopped"), ("stopped",), ())), strict=False)
        found.append(told._replace(asks=asks, words=tuple(words)))
    return found


def model_of(told: Sequence[Told], market: Sequence[Input]) -> list[Fill]:
    """Return what is filled: of each row the older run takes first, what it leaves is there for the younger."""
    ages = sorted(told, key=lambda each: (each.first_seq, each.run))
    waiting: dict[str, list[list[Any]]] = {each.run: [] for each in told}
    failed = set[str]()
    found: list[Fill] = []
    for table, row in market:
        left: dict[tuple[str, str], float] = {}  # of an account and a side
        for each in ages:
            state = next((wanted for seq, wanted in reversed(each.words) if seq < row["seq"]), "running")
            if each.run in failed or state == "stopped" or not each.fills_at(table, row):
                continue
            for order in waiting[each.run]:
                sym, side, qty = order
                pool = (each.account, side if table == "quotes" else "")
                if table == "quotes":
                    there = row["ask_size" if side == "buy" else "bid_size"]
                else:
                    there = row["volume" if table == "bar_closes" else "size"] * SHARE
                free = left.setdefault(pool, math.floor(there / LOT) * LOT)
                if sym == row["sym"] and (taken := min(qty, free)) > 0:
                    order[2] -= taken
                    left[pool] -= taken
                    found.append((each.run, row["seq"], row["seq_row"] + 1, sym, side, taken))
            waiting[each.run] = [order for order in waiting[each.run] if order[2] > 0]
            qty = each.asks.get((row["seq"], row["seq_row"]), 0.0)
            if qty == FAILS:
                failed.add(each.run)
            elif qty and state == "running":
                waiting[each.run].append([row["sym"], "buy" if qty > 0 else "sell", abs(qty)])
    return sorted(found)


class Killed(Exception):
    """SIGKILL, in the moment before a row is published."""


class Rows:
    """Hands a run its rows, some at a time."""

    def __init__(self, rows: list[Input], chance: random.Random) -> None:
        self._rows, self._chance, self._at = rows, chance, 0

    @property
    def caught_up(self) -> bool:
        """Whether all were handed on."""
        return self._at == len(self._rows)

    def poll(self) -> Iterator[Input]:
        """Yield a few, or none."""
        for _ in range(self._chance.choice((0, 1, 2, 30))):
            if not self.caught_up:
                self._at += 1
                yield self._rows[self._at - 1]


@dataclass
class Journal:
    """What the plant has of runs: (run, table, row), in the order in which it was published."""

    rows: list[tuple[str, str, Row]]
    most: int

    def publish(self, turns: Turns, run: str, made: Made) -> None:
        """Take a row as trading.live.desk does. Raises Killed at the end of its life."""
        if made.table == "fills":
            turns.published(made.row)
        if len(self.rows) >= self.most:
            raise Killed
        row = through_the_plant(made.table, made.row) | {"seq": TAKEN + len(self.rows), "seq_row": 0}
        self.rows.append((run, made.table, row))

    def of(self, run: str, back: int) -> dict[str, list[Row]]:
        """Return what there is of a run, of the first `back` rows, by table."""
        return {name: [row for of, t, row in self.rows[:back] if (of, t) == (run, name)] for name in MADE}

    @property
    def fills(self) -> list[Row]:
        """All fills."""
        return [row for _, table, row in self.rows if table == "fills"]


def handed(told: Told, market: Sequence[Input]) -> list[Input]:
    """Return the rows that a run is handed."""

    def its_own(table: str, row: Row) -> bool:
        tables = ("bar_closes", FILLED_ON[told.fills_on])
        same = row["sym"] in told.symbols and row.get("interval", told.interval) == told.interval
        return table in tables and same and row["seq"] > told.first_seq

    words = [told.word(number) for number in range(len(told.words))]
    own = [each for each in (*market, *words) if each.table == "strategies" or its_own(*each)]
    return sorted(own, key=lambda each: (each.row["seq"], each.row["seq_row"]))


def live(
    told: Sequence[Told],
    market: Sequence[Input],
    journal: Journal,
    chance: random.Random,
    look: Callable[[Turns], None],
    late: Mapping[str, int] | None = None,
) -> None:
    """Run all until they have taken all. Raises Killed.

    late   rounds after which runs are opened, while others are under way; None: as chance will have it
    """
    runs: dict[str, LiveRun] = {}
    turns, back = Turns(runs), len(journal.rows)  # up to `back` rows came through the plant again
    begun = {each.run: each.wanted for each in told}
    over = {run for run, table, row in journal.rows if table == "runs" and row["state"] in ENDED}
    waiting = {each.run: chance.choice((0, 0, 3)) if late is None else late.get(each.run, 0) for each in told}
    for _ in range(100_000):
        unopened = []
        for each in told:
            if each.run in runs or each.run in over:
                continue
            if waiting[each.run]:
                waiting[each.run] -= 1
                unopened.append(Unopened(each.wanted, each.account, frozenset(each.symbols), each.interval))
                continue
            machine = each.machine()
            older = older_than(each.wanted, begun, {})
            there = [row for _, t, row in journal.rows[:back] if t == "fills" and row["account"] == each.account]
            there = [row for row in there if row["run"] in older and row["cause_seq"] > each.first_seq]
            for row in [*there, *turns.coming(each.account, each.first_seq, older, there)]:
                machine.takings.add(row)
            inputs: Any = Rows(handed(each, market), chance)
            repeated = Repeated(schema_of(), journal.of(each.run, back))
            publish = partial(journal.publish, turns, each.run)
            run = LiveRun(each.wanted, machine, inputs, repeated, publish, turns.waits)
            run._take(machine.begin())
            others = sorted([*runs.values(), run], key=lambda other: age_of(other.wanted))
            runs.clear()
            runs.update({other.wanted.run: other for other in others})
        turns.changed(unopened)
        for name, run in list(runs.items()):
            run.step()
            if run.machine.ended:
                over.add(name)
                del runs[name]
                turns.changed()
        look(turns)
        if chance.random() < 0.3:
            came = [row for _, table, row in journal.rows[back:] if table == "fills"]
            back = len(journal.rows)
            if came:
                own = [{name: v for name, v in row.items() if name not in ("seq", "seq_row")} for row in came]
                turns.came_back(Batch("fills", columns_of(schema_of()["fills"], own), 0, 0, 0))
        if len(runs) + len(over) == len(told) and all(
            r.inputs.caught_up and not r.busy and not r.waiting for r in runs.values()
        ):
            return
    raise AssertionError(f"they wait for ever: {turns.waiting}")


def alone(told: Told, others: Sequence[Told], market: Sequence[Input], journal: Journal) -> Repeated:
    """Make one run again of what is in the journal, as `plant strategy again` does; return what was compared."""
    machine, older = told.machine(), older_than(told.wanted, {each.run: each.wanted for each in others}, {})
    for row in journal.fills:
        if row["run"] in older and row["account"] == told.account and row["cause_seq"] > told.first_seq:
            machine.takings.add(row)
    repeated = Repeated(schema_of(), journal.of(told.run, len(journal.rows)))
    assert repeated.compare(machine.begin()) == []
    for table, row in handed(told, market):
        assert repeated.compare(machine.take(table, row)) == []
    repeated.finish()
    return repeated
