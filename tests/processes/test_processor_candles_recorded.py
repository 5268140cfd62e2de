"""What a builder asks of the tables that an rdb holds: late trades and corrections revise bars as of lists."""

import numpy as np
from candle_plant import MINUTE, SCHEMA, CandlePlant
from local_connection import LocalConnection

from plant.memory.tables import MemoryTables
from plant.query.answers import Answerer
from processor.candles.builder import CandleBuilder
from processor.candles.recorded import RecordedRows

NOON = 1_795_780_800_000_000_000


class MemoryPlant(CandlePlant):
    """The same, asked of tables in memory."""

    def made(self) -> CandleBuilder:
        """Return a new builder."""
        self.tables = MemoryTables(SCHEMA, ("trades", "trade_corrections", "bars"))
        for batch in self.journal:
            self.tables.append(batch)
        held = RecordedRows(LocalConnection(Answerer(self.tables).answer), SCHEMA)
        return CandleBuilder(self.intervals, self.calendars, held)

    def tick(self, now: int) -> None:
        """Have the tables hold what the journal has before anything is asked."""
        for batch in self.journal[self.held :]:
            self.tables.append(batch)
        self.held = len(self.journal)
        found = self.builder.due(now)
        for table in ("bars", "amendments", "gaps"):
            if (columns := getattr(found, table)) is not None:
                self.send(table, columns, now)
        if len(self.journal) > self.held:
            self.tick(now)

    held = 0


def test_bars_of_the_tables_of_an_rdb_are_those_of_lists() -> None:
    chance = np.random.default_rng(20261120)
    plants = [CandlePlant(intervals=("1m", "5m", "1h")), MemoryPlant(intervals=("1m", "5m", "1h"))]
    rows = [
        {
            "time": NOON + int(second) * 10**9,
            "sym": "AB"[i % 2],
            "price": float(chance.integers(1, 9)),
            "size": 1.5,
            "source": "v",
            "trade_id": str(i),
        }
        for i, second in enumerate(chance.permutation(1500)[:200])
    ]
    for at in range(0, 200, 20):
        for plant in plants:
            plant.send("trades", rows[at : at + 20], NOON)
            if at % 40:
                one = rows[at // 2]
                change = (
                    {"action": "correct", "price": 3.0, "size": 9.0, "conditions": ""}
                    if at % 60
                    else {"action": "cancel"}
                )
                plant.send("trade_corrections", [{**one, **change}], NOON)
            plant.tick(NOON + at * 10**12)
    for interval in ("1m", "5m", "1h"):
        assert repr(sorted(plants[0].bars(interval).items())) == repr(sorted(plants[1].bars(interval).items()))
    assert len(plants[1].bars()) > 40
    assert min(time for _, time in plants[1].bars()) >= NOON // MINUTE * MINUTE
