"""Any history, exported and imported into an empty plant, is the same rows: in every form, whatever became of it."""

import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from chance import SEED, cases
from local_connection import LocalConnection
from nasty_market import ROWS, SCHEMA, START, Kept, Market, market_of, smallest

from plant.files.values import NO_PRICE
from plant.rows.columns import DEFAULTS
from plant.transfer.exporting import FORMS, export
from plant.transfer.importing import compare, imported_before, publish_file, read_file
from plant.transfer.reader import Reader

EMPTY = Market((), 0, (65_536, 0), "nothing")
NOTES = SCHEMA["imports"]
SYMS = ("AAPL", "BRK.B", "007", "1e5", "=A1", "nan", "Bé", "a,b", 'q"q', "NULL", "-", "#N/A", "2024-01-02")


class Direct:
    """A publisher at whose plant every row is in the journal at once."""

    accepted = 0

    def __init__(self, plant: Kept) -> None:
        self._plant = plant

    def publish(self, table: str, rows: Any) -> None:
        """Publish rows."""
        self._plant.history.publish(table, rows)

    def flush(self, timeout_s: float) -> None:
        """Have the rdb take what was published."""
        self._plant.serve()


def in_other_names(market: Market, chance: random.Random) -> Market:
    """Return a market of symbols that look like something else."""
    names = dict(zip(("AAPL", "Bé", "C"), chance.sample(SYMS, 3), strict=True))
    steps = [
        ("publish", step[1], [{**row, "sym": names[row["sym"]]} for row in step[2]]) if step[0] == "publish" else step
        for step in market.steps
    ]
    return Market(tuple(steps), market.declared, market.memory, market.released)


def rows_of(table: str, plant: Kept) -> Counter[str]:
    """Return the rows that a plant answers, an id last; null in rows older than their column is as if left out."""
    answer: pa.Table = LocalConnection(plant.answer).select(table)
    answer = answer.select(sorted(answer.column_names, key="trade_id".__eq__))
    kinds = {c.name: c.kind for c in SCHEMA[table].columns}
    columns = [
        [DEFAULTS[kinds[name]] if v is None and kinds[name] not in ("float", "time") else v for v in column.to_pylist()]
        for name, column in zip(answer.column_names, map(_plain, answer.columns), strict=True)
    ]
    return Counter(map(repr, zip(*columns, strict=True)))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


def once(table: str, rows: Counter[str]) -> Counter[str]:
    """Return rows as an import keeps them: of trades that are alike in everything, their id too, one."""
    alike = table == "trades"
    return Counter({row: 1 if alike and not row.endswith("'')") else count for row, count in rows.items()})


def wrong_with(market: Market, table: str, form: str, most: int, folder: Path) -> str:
    """Return what differs between a market's table and what an empty plant has of it, "" if nothing does."""
    source, path = Kept(market, folder / "data"), folder / f"export{form}"
    expected = rows_of(table, source)
    export(LocalConnection(source.answer), table, path, most=most)
    empty = Kept(EMPTY, folder / "empty")
    for _ in range(2):
        file = read_file(Reader(table, schema=SCHEMA), SCHEMA[table], path)
        if file.reasons:
            return f"rejected: {file.reasons}"
        db = LocalConnection(empty.answer)
        compare(db, file)
        publish_file(Direct(empty), db, NOTES, file)  # type: ignore[arg-type]
        db = LocalConnection(empty.answer)
        found = rows_of(table, empty)
        if found != once(table, expected):
            return f"expected, not found {once(table, expected) - found}\nfound, not expected {found - expected}"
        if expected and not imported_before(db, NOTES, file):
            return "the plant does not know that it was imported"
    return ""


def fails(market: Market, *terms: Any) -> str:
    """Return what is wrong with a market, "" if nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return wrong_with(market, *terms, Path(folder))
        except Exception as error:
            return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("form", FORMS)
def test_a_number_that_vendors_write_for_no_price_is_that_number_in_an_export(form: str) -> None:
    quote = {"time": START, "sym": "C", "bid": 1.0, "bid_size": 1.0, "ask_size": 1.0, "source": "x"}
    rows = [{**quote, "ask": number, "bid_size": number} for number in NO_PRICE[NO_PRICE > 0].tolist()]
    market = Market((("publish", "quotes", rows),), 0, (65_536, 0), "nothing")
    assert not fails(market, "quotes", form, 1000)


@cases(few=40, soak=1000)
def test_any_history_exported_and_imported_is_the_same(numbers: range) -> None:
    print(f"TICKPLANT_SEED={SEED}")
    for number in numbers:
        chance = random.Random(f"{SEED} {number}")
        market = in_other_names(market_of(chance), chance)
        terms = chance.choice(list(ROWS)), chance.choice(FORMS), chance.choice([2, 5, 1000])
        if fails(market, *terms):
            market = smallest(market, lambda m, terms=terms: fails(m, *terms))  # type: ignore[misc]
            wrong = fails(market, *terms)
            pytest.fail(f"case {number} of TICKPLANT_SEED={SEED}, {terms}; as small as it gets: {market}\n{wrong}")
