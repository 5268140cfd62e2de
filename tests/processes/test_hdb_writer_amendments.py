"""Amendments at the end of day: in the day's file, of closed days too, what was before kept, and nothing lost."""

import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hdb.writer.closing import Closing
from hdb.writer.store import Store
from plant.history.amending import amendment
from plant.history.catalogue import Catalogue, End
from plant.history.days import Days
from plant.history.layout import partition_schema
from plant.rows.tables import schema_of

SCHEMA = schema_of()
DAY = pd.Timestamp("2026-11-18", tz="UTC").value
NEXT = DAY + 86_400 * 10**9


class Agreeing:
    """A journal that has what the parts have."""

    def differences(self, part: Any) -> list[str]:
        return []


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = Store(tmp_path, SCHEMA, Days())
    yield made
    made.close()


def trade(time: int, sym: str, seq: int, price: float = 1.0) -> dict[str, Any]:
    return {"time": time, "sym": sym, "price": price, "size": 1.0, "source": "x", "trade_id": "", "seq": seq,
            "received": seq}  # fmt: skip


def bar(time: int, seq: int, close: float) -> dict[str, Any]:
    return {"time": time, "sym": "A", "interval": "1m", "open": 5.0, "high": 9.0, "low": 1.0, "close": close,
            "volume": 1.0, "source": "x", "seq": seq, "received": seq}  # fmt: skip


def amended(table: str, row: dict[str, Any], changes: dict[str, Any] | None, seq: int) -> dict[str, Any]:
    made = amendment(SCHEMA[table], row, changes, "a reason")
    return {**made.columns(NEXT), "seq": seq, "received": seq}


def close(store: Store, last: int, **tables: list[dict[str, Any]]) -> Catalogue:
    rows = {n: pa.Table.from_pylist(r, schema=partition_schema(SCHEMA[n])) for n, r in tables.items()}
    end = End(last, f"day-{last}")
    store.write_part(rows, last, end)
    return Closing(store, Agreeing(), end, threading.Event(), lambda line: None).run()  # type: ignore[arg-type]


def held(store: Store, table: str, day: str = "2026-11-18") -> list[tuple[Any, ...]]:
    value = {"trades": "price", "bars": "close"}[table]
    files = [f for f in store.catalogue.days_of(table) if f.first_day == day]
    rows = [r for f in files for r in pq.read_table(store.folder / f.path).to_pylist()]
    assert sum(f.rows for f in files) == len(rows)
    return [(r["sym"], r["seq"], r[value]) for r in rows]


def replaced(store: Store, table: str) -> list[tuple[Any, ...]]:
    files = store.catalogue.replaced_of(table)
    rows = [r for f in files for r in pq.read_table(store.folder / f.path).to_pylist()]
    return [(r["sym"], r["seq"], r["replaced_by"], r["replaced_reason"]) for r in rows]


def test_a_row_of_a_closed_day_is_amended_although_nothing_else_came_for_that_day(store: Store) -> None:
    rows = [trade(DAY + 1, "A", 1), trade(DAY + 2, "A", 1), trade(DAY + 1, "B", 2)]
    close(store, 5, trades=rows)
    close(store, 9, amendments=[amended("trades", rows[1], {"price": 7.0}, 8), amended("trades", rows[2], None, 8)])
    assert held(store, "trades") == [("A", 1, 1.0), ("A", 8, 7.0)]
    assert replaced(store, "trades") == [("A", 1, 8, "a reason"), ("B", 2, 8, "a reason")]


def test_a_row_is_amended_before_its_day_is_closed_too_and_again_afterwards(store: Store) -> None:
    row = trade(DAY + 1, "A", 1)
    close(store, 5, trades=[row, trade(DAY + 1, "A", 4)], amendments=[amended("trades", row, {"price": 2.0}, 3)])
    assert held(store, "trades") == [("A", 3, 2.0), ("A", 4, 1.0)]
    again = trade(DAY + 1, "A", 3, 2.0)
    close(store, 9, trades=[trade(NEXT, "A", 6)], amendments=[amended("trades", again, {"price": 3.0}, 7)])
    assert held(store, "trades") == [("A", 4, 1.0), ("A", 7, 3.0)]
    assert held(store, "trades", "2026-11-19") == [("A", 6, 1.0)]
    assert replaced(store, "trades") == [("A", 1, 3, "a reason"), ("A", 3, 7, "a reason")]


def test_a_bar_that_is_revised_and_amended_ends_as_the_newest_of_both(store: Store) -> None:
    old = bar(DAY, 2, 6.0)
    close(store, 5, bars=[bar(DAY, 1, 5.0), old], amendments=[amended("bars", old, {"close": 7.0}, 3)])
    assert held(store, "bars") == [("A", 3, 7.0)]
    close(store, 9, bars=[bar(DAY, 6, 8.0)])
    assert held(store, "bars") == [("A", 6, 8.0)]
    assert replaced(store, "bars") == [("A", 2, 3, "a reason"), ("A", 3, 6, "revised")]


def test_an_amendment_that_finds_no_row_changes_nothing_and_does_not_stop_the_close(store: Store) -> None:
    row = trade(DAY + 1, "A", 1)
    close(store, 5, trades=[row])
    before = store.catalogue.days_of("trades")
    quote = {"time": NEXT, "sym": "A", "bid": 1.0, "ask": 1.0, "bid_size": None, "ask_size": None, "source": "x",
             "seq": 1, "received": 1}  # fmt: skip
    wrong = [amended("trades", trade(DAY + 1, "A", 2), None, 8), amended("quotes", quote, None, 8)]
    close(store, 9, amendments=[*wrong, {**wrong[0], "table_name": "nothing", "changes": "{"}])
    assert held(store, "trades") == [("A", 1, 1.0)]
    assert (replaced(store, "trades"), store.catalogue.closed, len(before)) == ([], 9, 1)


def test_rejects_are_closed_although_they_have_a_reason_of_their_own(store: Store) -> None:
    rejected = {"time": DAY, "sym": "?", "source": "x", "table_name": "trades", "reason": "why", "row": "{}", "seq": 1,
                "received": 1}  # fmt: skip
    close(store, 5, rejects=[rejected])
    close(store, 9, amendments=[amended("rejects", rejected, None, 8)])
    (file,) = store.catalogue.replaced_of("rejects")
    (row,) = pq.read_table(store.folder / file.path).to_pylist()
    assert (row["reason"], row["replaced_reason"], row["replaced_by"]) == ("why", "a reason", 8)


def test_a_day_whose_every_row_is_removed_has_no_file_any_more(store: Store) -> None:
    row = trade(DAY + 1, "A", 1)
    close(store, 5, trades=[row, trade(NEXT, "A", 2)])
    close(store, 9, amendments=[amended("trades", row, None, 8)])
    assert (held(store, "trades"), held(store, "trades", "2026-11-19")) == ([], [("A", 2, 1.0)])
    assert replaced(store, "trades") == [("A", 1, 8, "a reason")]
    kept = {store.folder / f.path for f in store.catalogue.every_file()}
    assert set(store.folder.rglob("*.parquet")) == kept
    assert not list(store.folder.rglob("*.new"))
