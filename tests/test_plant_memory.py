"""A table in memory against a plain list of rows, also while it grows and while others read it."""

import itertools
import threading
import time
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import NOON, SECOND, Row, bar, batch_of, table_of, trade

from plant.memory import MemoryTable, Snapshot
from plant.schema import Column, Table

law = settings(max_examples=150, deadline=None, derandomize=True, database=None)

EVERYTHING = Table(
    "everything",
    (
        Column("time", "time"),
        Column("sym", "symbol"),
        Column("price", "float"),
        Column("count", "int"),
        Column("venue", "symbol"),
        Column("note", "text"),
    ),
)
"""A table with a column of every kind."""

KEYED = Table("keyed", (*EVERYTHING.columns[:2], Column("count", "int"), Column("note", "text")), ("sym", "time"))

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6)
INT64 = st.integers(-(2**63), 2**63 - 1)
ROW = st.fixed_dictionaries(
    {
        "time": INT64,
        "sym": st.sampled_from(["AAPL", "Tésla", "株", "", "A B"]) | TEXT,
        "price": st.floats(),
        "count": INT64,
        "venue": TEXT,
        "note": TEXT,
    }
)
KEYED_ROW = st.fixed_dictionaries(
    {"time": st.integers(0, 3), "sym": st.sampled_from(["a", "b"]), "count": INT64, "note": TEXT}
)


def batches(row: st.SearchStrategy[Row]) -> st.SearchStrategy[list[list[Row]]]:
    return st.lists(st.lists(row, min_size=1, max_size=8), max_size=8)


def rows_of(snapshot: Snapshot) -> list[Row]:
    names = (*snapshot.table.declaration.names, "seq", "received")
    lists = [snapshot.column(name).tolist() for name in names]
    assert [len(values) for values in lists] == [snapshot.rows] * len(names)
    return [dict(zip(names, values, strict=True)) for values in zip(*lists, strict=True)]


def same(found: list[Row], expected: list[Row]) -> bool:
    """Whether rows are equal, a NaN being equal to a NaN."""
    return [repr(sorted(row.items())) for row in found] == [repr(sorted(row.items())) for row in expected]


def numbered(rows: list[Row], i: int) -> list[Row]:
    return [{**row, "seq": 10 + i, "received": NOON + i * SECOND} for row in rows]


def in_force(rows: list[Row]) -> list[bool]:
    newest = {(row["sym"], row["time"]): i for i, row in enumerate(rows)}
    return [newest[row["sym"], row["time"]] == i for i, row in enumerate(rows)]


@law
@given(batches(ROW))
def test_every_row_is_kept_in_order_and_an_earlier_snapshot_never_changes(given_batches: list[list[Row]]) -> None:
    table, model = table_of(EVERYTHING), list[Row]()
    taken: list[tuple[Snapshot, list[Row]]] = [(table.snapshot(), [])]
    for i, rows in enumerate(given_batches):
        table.append(batch_of(EVERYTHING, rows, 10 + i, NOON + i * SECOND))
        model = model + numbered(rows, i)
        taken.append((table.snapshot(), model))

    assert len(table) == len(model)
    for snapshot, expected in taken:
        assert same(rows_of(snapshot), expected)
        assert snapshot.in_force() is None


@law
@given(batches(ROW), st.data())
def test_rows_at_positions_are_those_of_the_whole_columns(given_batches: list[list[Row]], data: st.DataObject) -> None:
    table = table_of(EVERYTHING, given_batches)
    snapshot, rows = table.snapshot(), rows_of(table.snapshot())
    where = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9)) if rows else []

    for name in (*EVERYTHING.names, "seq", "received"):
        found = snapshot.take(name, np.array(where, dtype=np.int64)).tolist()
        assert repr(found) == repr([rows[i][name] for i in where])
        some = snapshot.column(name)[np.array([i in where for i in range(len(rows))], dtype=bool)].tolist()
        assert repr(some) == repr([row[name] for i, row in enumerate(rows) if i in where])


@law
@given(batches(KEYED_ROW))
def test_a_later_row_replaces_the_one_of_its_key_but_not_in_an_earlier_snapshot(given_batches: list[list[Row]]) -> None:
    table, model = table_of(KEYED), list[Row]()
    taken = [(table.snapshot(), model)]
    for i, rows in enumerate(given_batches):
        table.append(batch_of(KEYED, rows, 10 + i, NOON + i * SECOND))
        model = model + numbered(rows, i)
        taken.append((table.snapshot(), model))

    for snapshot, expected in taken:
        force = snapshot.in_force()
        assert force is not None
        assert force.dtype == bool
        assert force.tolist() == in_force(expected)
        assert same(rows_of(snapshot), expected)


def test_snapshots_survive_columns_that_outgrow_their_arrays() -> None:
    table, taken = table_of(EVERYTHING), []
    for i in range(60):  # 6,000 rows: the arrays of 1,024 are copied three times
        rows = [
            {"time": k, "sym": f"s{k % 700}", "price": k / 7, "count": -k, "venue": "x" * (k % 3), "note": f"é{k}"}
            for k in range(100 * i, 100 * i + 100)
        ]
        table.append(batch_of(EVERYTHING, rows, 10 + i))
        snapshot = table.snapshot()
        taken.append((snapshot, snapshot.column("count")))

    for i, (snapshot, early) in enumerate(taken):
        end = 100 * (i + 1)
        assert snapshot.rows == end
        assert early.tolist() == snapshot.column("count").tolist() == [-k for k in range(end)]
        assert snapshot.column("sym").tolist() == [f"s{k % 700}" for k in range(end)]
        assert snapshot.column("note").tolist()[-1] == f"é{end - 1}"
        assert snapshot.column("seq").tolist() == [10 + k // 100 for k in range(end)]


def test_one_batch_may_be_larger_than_twice_the_capacity() -> None:
    table = table_of("trades", [[trade(k) for k in range(10)], [trade(k) for k in range(10, 5010)]])

    assert table.snapshot().column("time").tolist() == list(range(5010))


def test_a_symbol_keeps_its_code_whatever_order_a_batch_names_it_in() -> None:
    table = table_of("trades", [[trade(1, "A"), trade(2, "B")], [trade(3, "C"), trade(4, "B"), trade(5, "A")]])
    snapshot = table.snapshot()

    assert snapshot.column("sym").codes.tolist() == [0, 1, 2, 1, 0]
    assert [snapshot.code("sym", name) for name in ("A", "B", "C", "D", "")] == [0, 1, 2, -1, -1]


def test_an_empty_batch_adds_no_row_and_moves_no_sequence_number() -> None:
    table = table_of("trades", [[trade(1)]])
    table.append(batch_of("trades", [trade(2)], 11).filtered(np.array([False])))
    table.append(batch_of("trades", [trade(3)], 12))

    assert len(table) == 2
    assert table.snapshot().column("seq").tolist() == [10, 12]


def test_take_copies_so_that_writing_to_them_changes_nothing() -> None:
    table = table_of("trades", [[trade(1, trade_id="a"), trade(2, trade_id="b"), trade(3, trade_id="c")]])
    found = {name: table.snapshot().take(name, np.array([2, 0])) for name in ("time", "trade_id", "seq")}

    assert found["time"].tolist() == [3, 1]
    assert found["trade_id"].tolist() == ["c", "a"]
    found["time"][:] = 0
    assert table.snapshot().column("time").tolist() == [1, 2, 3]


def test_readers_see_whole_rows_and_one_row_in_force_of_each_key_while_another_thread_appends() -> None:
    """Row k has close 100 + k, and all its columns tell k; keys repeat after 50 rows, across growths of the arrays."""
    table, failures = MemoryTable(table_of("bars").declaration), list[Any]()
    done = threading.Event()
    seen = [0, 0]

    def check(snapshot: Snapshot) -> None:
        k = np.arange(snapshot.rows)
        force = snapshot.in_force()
        assert force is not None
        assert np.array_equal(snapshot.column("close"), 100.0 + k)
        assert np.array_equal(snapshot.column("time"), k % 50)
        assert np.array_equal(snapshot.column("volume"), k.astype(float))
        assert np.array_equal(snapshot.column("seq"), k // 7)
        assert snapshot.column("sym").tolist() == [f"S{i % 50}" for i in k.tolist()]
        assert np.flatnonzero(force).tolist() == list(range(max(snapshot.rows - 50, 0), snapshot.rows))

    def read(reader: int) -> None:
        try:
            while not done.is_set():
                snapshot = table.snapshot()
                check(snapshot)
                check(snapshot)
                seen[reader] += 1
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read, args=(i,)) for i in range(2)]
    for thread in readers:
        thread.start()
    try:
        deadline = time.monotonic() + 30
        for b in itertools.count():
            if b >= 700 and (min(seen) > 3 or failures or time.monotonic() > deadline):
                break
            rows = [bar(k % 50, f"S{k % 50}", close=100.0 + k, volume=float(k)) for k in range(7 * b, 7 * b + 7)]
            table.append(batch_of("bars", rows, b))
    finally:
        done.set()
        for thread in readers:
            thread.join(30)
    assert not failures
    assert min(seen) > 3
    check(table.snapshot())
