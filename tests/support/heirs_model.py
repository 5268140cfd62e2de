"""Runs of a strategy one after the other, their account with its standing run, and a broker that fills what was over.

All is the trader's own but the process around it: the journal is a list, tables in memory answer questions, the broker
is that of `brokered_model`. The trader is killed and starts again; what it published and was not written is lost.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brokered_model import BEGAN, SECOND, A, ModelBroker
from brokered_plant import BUSY
from local_connection import LocalConnection

from plant.intake.forms import columns_of
from plant.memory.tables import MemoryTables
from plant.query.answers import Answerer
from plant.rows.batch import Batch
from plant.rows.tables import schema_of
from plant.runtime.settings import load
from plant.state.newest import Row
from trading.brokered.brokered_account import BY_RUNS, TABLES, BrokeredAccount
from trading.live.again import Again, again
from trading.live.catalogue import Catalogue
from trading.live.desk import Desk, Place
from trading.live.director import has_ended
from trading.live.known import Known

SCHEMA = schema_of()
ACCOUNT = "swing-1"
TOML = f"""
[trading]
[[accounts]]
name = "{ACCOUNT}"
broker = "alpaca"
limits = {{ stale_s = 0, max_orders_per_minute = 100000 }}
"""


class Following:
    """A subscriber to the journal of the model, which is behind it by chance."""

    sockets: Sequence[Any] = ()

    def __init__(self, model: "Model", tables: Sequence[str], behind: int) -> None:
        self._model, self._tables, self._at = model, set(tables), behind

    @property
    def caught_up(self) -> bool:
        return self._at >= len(self._model.journal)

    def poll(self, timeout_s: float) -> Any:
        model = self._model
        for batch in model.journal[self._at : self._at + model.random.randint(0, model.most)]:
            self._at += 1
            if batch.table in self._tables:
                yield batch

    def close(self) -> None:
        return None


class Accounts:
    """What a desk asks of the accounts with brokers."""

    def admit(self, setup: Any) -> None:
        return None

    def left(self, run: str) -> None:
        return None


class Trader:
    """One life of the trader."""

    def __init__(self, model: "Model") -> None:
        self.model, self.read = model, 0
        self.outbox: list[tuple[str, Row]] = []
        self.known = Known(True, model.settings.accounts)
        self.account = BrokeredAccount(
            ACCOUNT,
            "USD",
            10**14,
            model.broker.hold,
            lambda sym: A,
            lambda table, row: self.outbox.append((table, row)),
            lambda run: 0.0,
            lambda run: has_ended(run, self.known.runs),
            lambda: model.wall,
        )
        catalogue = Catalogue(model.settings.strategies_folder)
        accounts: Any = Accounts()
        self.desk = Desk(model.settings, self.known, catalogue, model.place, self._subscribe, self._publish, accounts)
        self.follow(10**9)

    def step(self, most: int) -> None:
        self.follow(most)
        self.desk.look()
        self.desk.step()
        self.account.step(*self.desk.account(ACCOUNT))

    def follow(self, most: int) -> None:
        for batch in self.model.journal[self.read : self.read + most]:
            self.read += 1
            self.known.take(batch)
            if batch.table in TABLES:
                for row in self.model.rows_of(batch):
                    self.account.take(batch.table, row)

    def _subscribe(self, tables: Sequence[str], behind: int) -> Any:
        return Following(self.model, tables, behind)

    def _publish(self, table: str, row: Row) -> None:
        if table in BY_RUNS:
            self.account.made(table, row)
        self.outbox.append((table, row))


class Model:
    """`step` lets a moment pass, with faults or without. `most` rows come to a run at once."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random, self.broker = random.Random(seed), ModelBroker(seed)
        (folder / "strategies").mkdir(exist_ok=True)
        (folder / "strategies" / "busy.py").write_text(BUSY)
        (folder / "plant.toml").write_text(TOML)
        self.settings = load(folder / "plant.toml")
        self.journal: list[Batch] = []
        self.tables = MemoryTables(SCHEMA, [name for name in SCHEMA if name != "days"])
        self.db: Any = LocalConnection(Answerer(self.tables).answer)
        self.kills, self.version, self.most = 0, 0, 6
        self.trader = Trader(self)

    @property
    def wall(self) -> int:
        return int(self.broker.now * SECOND)

    def place(self) -> Place:
        return Place(None, 0, self.db, self.tables, 1, len(self.journal))

    def write(self, table: str, row: Row) -> None:
        """Have the plant take a row."""
        declared, seq = SCHEMA[table], len(self.journal) + 1
        columns = columns_of(declared, {"time": self.wall, **row})
        batch = Batch(table, columns, seq, seq, self.wall, declared.key, times=declared.times)
        self.journal.append(batch)
        self.tables.append(batch)

    @property
    def settled(self) -> bool:
        """Whether nothing is under way, and all runs but the standing one are over."""
        trader, runs = self.trader, self.trader.desk.runs
        through = all(run.inputs.caught_up for run in runs.values()) and trader.read == len(self.journal)
        return through and not trader.outbox and not trader.account.trouble and len(runs) == 1

    def wanted(self, wanted: str) -> None:
        """Write the next version of the strategy: another run if it is to run and was, as its definition is another."""
        self.version += 1
        told = {"class_name": "Busy", "symbols": '["A"]', "interval": "1m", "mode": "paper", "wanted": wanted}
        told |= {"parameters": f'{{"limits": {{"stale_s": 0, "max_orders_per_minute": {1000 + self.version}}}}}'}
        action = "create" if self.version == 1 else "update"
        self.write("strategies", {"sym": "s", "version": self.version, "action": action, "who": "me", **told})

    def bar(self, number: int) -> None:
        """Have a bar close."""
        at, price = BEGAN + number * 60 * SECOND, 100 + self.random.randint(-30, 30) / 10
        told = {"time": at + 60 * SECOND, "sym": "A", "market_time": at, "interval": "1m", "volume": 1e4}
        self.write("bar_closes", {**told, "open": price, "high": price + 1, "low": price - 1, "close": price})

    def step(self, faults: float) -> None:
        chance, trader = self.random, self.trader
        self.most = 6 if faults else 60
        self.broker.pass_time(faults)
        for _ in range(chance.randint(0, 4 if faults else 40)):
            if trader.outbox:
                self.write(*trader.outbox.pop(0))
        trader.step(chance.randint(0, self.most))
        if faults and chance.random() < faults / 30:
            self.kill()

    def kill(self) -> None:
        """Kill the trader and start it again."""
        self.kills += 1
        self.broker.close()
        self.trader.desk.close()
        self.trader = Trader(self)

    def rows(self, table: str) -> list[Row]:
        return [row for batch in self.journal if batch.table == table for row in self.rows_of(batch)]

    def rows_of(self, batch: Batch) -> list[Row]:
        return [{**row, "seq": batch.seq, "seq_row": 0, "received": batch.received} for row in batch.rows()]

    def newest(self) -> dict[str, Row]:
        return {row["order_id"]: row for row in self.rows("orders")}

    def again(self, run: str) -> Again:
        return again(run, self.db, self.settings)
