"""The newest rows of a few symbols, looked up one by one, are those that are found for all symbols at once."""

import random

import pytest
from plain_rows import NOON, bar, batch_of, trade

from plant.memory import few
from plant.memory.snapshot import Snapshot
from plant.memory.table import MemoryTable
from plant.query.view import Terms
from plant.rows.tables import schema_of

SYMBOLS = [f"S{i}" for i in range(8)]


def listed(snapshot: Snapshot, terms: Terms, names: tuple[str, ...]) -> dict[str, list[object]]:
    return {name: column.tolist() for name, column in snapshot.last(terms, names).items()}


@pytest.mark.parametrize("table", ["trades", "bars"])
@pytest.mark.parametrize("seed", range(6))
def test_few_symbols_have_the_newest_rows_that_all_have(table: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    made = MemoryTable(schema_of()[table], chunk_rows=chance.choice([1, 3, 20]), fan_in=2)
    names = made.declaration.names
    for seq in range(1, 60):
        times = [NOON + chance.randrange(seq, seq + 4) for _ in range(chance.randrange(1, 6))]
        rows = []
        for time in times:
            sym, price = chance.choice(SYMBOLS[: 2 + seq // 10]), 10.0 + chance.randrange(10**6)
            rows.append(trade(time, sym, price) if table == "trades" else bar(time, sym, close=price))
        made.append(batch_of(table, rows, seq))
        if chance.random() < 0.4:
            made.tidy()
        if chance.random() < 0.05:
            made.release(seq - chance.randrange(8))
        snapshot = made.snapshot()
        sym = tuple(chance.sample([*SYMBOLS, "no row has it"], chance.randrange(0, 5)))
        terms = Terms(sym, beyond=chance.choice([0, 0, seq - 5]))
        wanted = chance.choice(
            [names, ("sym",), ("price", "time") if table == "trades" else ("close",), (*names, "seq")]
        )
        found = listed(snapshot, terms, wanted)
        with monkeypatch.context() as patch:
            patch.setattr(few, "FEW_SYMBOLS", -1)
            assert found == listed(snapshot, terms, wanted)


def test_rows_of_a_snapshot_are_not_those_that_came_after_it() -> None:
    made = MemoryTable(schema_of()["trades"], chunk_rows=4)
    made.append(batch_of("trades", [trade(1, "A", trade_id="first"), trade(1, "B")], 1))
    before = made.snapshot()
    made.append(batch_of("trades", [trade(2, "A", trade_id="later"), trade(3, "C")], 2))
    assert made.snapshot().last(Terms(("A",)), ("trade_id",))["trade_id"].tolist() == ["later"]
    assert before.last(Terms(("A",)), ("trade_id",))["trade_id"].tolist() == ["first"]
    assert before.last(Terms(("C", "A")), ("sym",))["sym"].tolist() == ["A"]
