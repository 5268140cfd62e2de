"""A table in memory against a plain list of rows: while it grows, is tidied, let go, and read by others."""

import itertools
import threading
import time
from typing import Any

import numpy as np
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rows import NOON, SECOND, Row, bar, batch_of, table_of, trade

from plant.memory import table as memory
from plant.memory.snapshot import Snapshot
from plant.memory.table import MemoryTable
from plant.query.view import Terms
from plant.rows.batch import Batch
from plant.rows.schema import Column, Table

law = settings(max_examples=examples(80), deadline=None, derandomize=True, database=None)

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

KEYED = Table(
    "keyed",
    (*EVERYTHING.columns[:2], Column("level", "int"), Column("count", "int"), Column("note", "text")),
    ("sym", "level", "time"),
)

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6)
INT64 = st.integers(-(2**63) + 1, 2**63 - 1)
NAME = TEXT.map(str.strip)
"""A symbol: blanks around it are no part of it."""
SYM = st.sampled_from(["AAPL", "Tésla", "株", "", "A B"])
ROW = st.fixed_dictionaries(
    {
        "time": st.integers(0, 9) | INT64,
        "sym": SYM | NAME,
        "price": st.floats(),
        "count": INT64,
        "venue": NAME,
        "note": TEXT,
    }
)
KEYED_ROW = st.fixed_dictionaries(
    {
        "time": st.integers(0, 5),
        "sym": st.sampled_from(["a", "b"]),
        "level": st.sampled_from([-7, 2**40]),
        "count": INT64,
        "note": TEXT,
    }
)


def batches(row: st.SearchStrategy[Row]) -> st.SearchStrategy[list[tuple[list[Row], list[str | int]]]]:
    """Batches, and what is done after each."""
    steps = st.lists(st.just("tidy") | st.integers(0, 3), max_size=5)
    return st.lists(st.tuples(st.lists(row, min_size=1, max_size=8), steps), max_size=8)


SIZES = st.tuples(st.integers(1, 6), st.integers(2, 3))
"""Rows of a chunk, blocks merged at once."""


class Model:
    """A table and the rows it should have."""

    def __init__(self, declaration: Table, sizes: tuple[int, int]) -> None:
        self.table = MemoryTable(declaration, *sizes)
        self.rows: list[Row] = []
        self.seq = 10

    def append(self, rows: list[Row], parts: bool = False) -> None:
        """Add a batch; with `parts` it is two batches decoded as one, if it has the rows."""
        seqs = [self.seq, self.seq + 1] if parts and len(rows) > 1 else [self.seq]
        starts = [0, len(rows) // 2][: len(seqs)]
        batch = batch_of(self.table.declaration, rows, seqs[-1], NOON + seqs[-1])
        if len(seqs) > 1:
            joined = tuple(np.array(v, dtype=np.int64) for v in (starts, seqs, [NOON + s for s in seqs]))
            batch = Batch(batch.table, batch.columns, batch.seq, 1, batch.received, batch.key, joined)  # type: ignore[arg-type]
        self.table.append(batch)
        for i, row in enumerate(rows):
            which = -1 if i >= starts[-1] else 0
            seq, place = seqs[which], i - starts[which]
            self.rows.append({**row, "seq": seq, "seq_row": place, "received": NOON + seq})
        self.seq += len(seqs)

    def do(self, step: str | int) -> None:
        """Do what happens between batches."""
        if isinstance(step, str):
            self.table.tidy()
        else:
            seq = self.seq - 1 - step
            self.table.release(seq)
            self.rows = [row for row in self.rows if row["seq"] > seq]

    def in_force(self) -> list[Row]:
        """The rows in answers, by time, then arrival."""
        rows, key = self.rows, self.table.declaration.key
        if key:
            newest = {tuple(row[k] for k in key): i for i, row in enumerate(rows)}
            rows = [row for i, row in enumerate(rows) if newest[tuple(row[k] for k in key)] == i]
        return sorted(rows, key=lambda row: row["time"])


def listed(columns: dict[str, Any]) -> list[Row]:
    lists = [column.tolist() for column in columns.values()]
    return [dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True)]


def selected(snapshot: Snapshot, terms: Terms = Terms()) -> list[Row]:  # noqa: B008
    return listed(snapshot.select(terms, (*snapshot.declaration.names, "seq", "seq_row", "received")))


def held(snapshot: Snapshot) -> list[Row]:
    names = (*snapshot.declaration.names, "seq", "seq_row", "received")
    return listed({name: snapshot.column(name) for name in names})


def same(found: list[Row], expected: list[Row]) -> bool:
    """Whether rows are equal, a NaN being equal to a NaN."""
    return [repr(sorted(row.items())) for row in found] == [repr(sorted(row.items())) for row in expected]


@law
@given(batches(ROW), SIZES, st.booleans())
def test_every_row_is_kept_whatever_is_sorted_and_let_go_and_an_earlier_snapshot_never_changes(
    given_batches: Any, sizes: tuple[int, int], parts: bool
) -> None:
    model = Model(EVERYTHING, sizes)
    taken = [(model.table.snapshot(), list[Row](), list[Row]())]
    for rows, steps in given_batches:
        model.append(rows, parts)
        taken.append((model.table.snapshot(), list(model.rows), model.in_force()))
        for step in steps:
            model.do(step)
            taken.append((model.table.snapshot(), list(model.rows), model.in_force()))

    assert len(model.table) == len(model.rows)
    for snapshot, arrived, expected in taken:
        assert same(held(snapshot), arrived)
        assert same(selected(snapshot), expected)
        times = [row["time"] for row in expected]
        assert snapshot.extent() == ((len(times), min(times), max(times)) if times else (0, None, None))


@law
@given(batches(KEYED_ROW), SIZES)
def test_a_later_row_replaces_the_one_of_its_key_but_not_in_an_earlier_snapshot(
    given_batches: Any, sizes: tuple[int, int]
) -> None:
    model = Model(KEYED, sizes)
    taken = [(model.table.snapshot(), list[Row]())]
    for rows, steps in given_batches:
        model.append(rows)
        for step in ["", *steps]:
            if step != "":
                model.do(step)
            taken.append((model.table.snapshot(), model.in_force()))

    for snapshot, expected in taken:
        assert same(selected(snapshot), expected)
        assert snapshot.count(Terms()) == snapshot.extent()[0] == len(expected)
        assert snapshot.arrow(("time", "note", "seq")).num_rows == len(expected)


@law
@given(batches(ROW), SIZES, st.data())
def test_only_rows_beyond_a_seq_are_in_any_answer_if_so_asked(
    given_batches: Any, sizes: tuple[int, int], data: st.DataObject
) -> None:
    model = Model(EVERYTHING, sizes)
    for rows, steps in given_batches:
        model.append(rows)
        for step in steps:
            model.do(step)
    beyond = data.draw(st.integers(0, model.seq + 1))
    terms, snapshot = Terms(beyond=beyond), model.table.snapshot()
    expected = [row for row in model.in_force() if row["seq"] > beyond]

    assert same(selected(snapshot, terms), expected)
    assert snapshot.count(terms) == snapshot.extent(beyond)[0] == len(expected)
    newest = {row["sym"]: row for row in expected}
    names = (*EVERYTHING.names, "seq", "seq_row", "received")
    assert same(listed(snapshot.last(terms, names)), [newest[sym] for sym in sorted(newest)])
    by_time = sorted(expected, key=lambda row: (row["sym"], row["time"]))
    by_symbol = listed(snapshot.by_symbol(terms, names))
    assert same(sorted(by_symbol, key=lambda row: row["sym"]), by_time)
    assert len([sym for sym, _ in itertools.groupby(row["sym"] for row in by_symbol)]) == len(newest)
    found = snapshot.arrow(names, beyond)
    assert sorted(found.column("seq").to_pylist()) == sorted(row["seq"] for row in expected)
    assert sorted(found.column("note").to_pylist()) == sorted(row["note"] for row in expected)
    assert sorted(found.column("venue").to_pylist()) == sorted(row["venue"] for row in expected)


@law
@given(batches(ROW), SIZES, st.data())
def test_the_newest_of_each_symbol_is_found_whatever_snapshots_were_asked_before(
    given_batches: Any, sizes: tuple[int, int], data: st.DataObject
) -> None:
    model = Model(EVERYTHING, sizes)
    taken: list[tuple[Snapshot, list[Row]]] = []
    for rows, steps in given_batches:
        model.append(rows)
        for step in ["", *steps]:
            if step != "":
                model.do(step)
            taken.append((model.table.snapshot(), model.in_force()))
            snapshot, in_force = taken[data.draw(st.integers(0, len(taken) - 1))]
            sym = data.draw(st.none() | st.lists(SYM, max_size=3).map(tuple))
            start, end = (data.draw(st.none() | st.integers(0, 10)) for _ in range(2))
            newest = {
                row["sym"]: row
                for row in in_force
                if (sym is None or row["sym"] in sym)
                and (start is None or row["time"] >= start)
                and (end is None or row["time"] < end)
            }
            found = listed(snapshot.last(Terms(sym, start, end), ("sym", "seq", "note", "time")))
            wanted = [{name: newest[sym][name] for name in ("sym", "seq", "note", "time")} for sym in sorted(newest)]
            assert same(found, wanted)


@pytest.mark.parametrize("tidied", [0, 1])
def test_a_row_that_came_earlier_is_the_newest_if_its_time_is_later(tidied: int) -> None:
    table = table_of("trades", [[trade(7, "A"), trade(2, "B")], [trade(6, "A"), trade(6, "B")]], 2, tidied)

    found = table.snapshot().last(Terms(), ("sym", "time"))
    assert (found["sym"].tolist(), found["time"].tolist()) == (["A", "B"], [7, 6])


def test_a_full_chunk_becomes_a_block_and_blocks_are_merged_until_few_are_left() -> None:
    table = MemoryTable(table_of("trades").declaration, chunk_rows=4, fan_in=4)
    for k in range(50):
        rows = [trade(4 * k + i, f"S{i}") for i in range(4)]
        table.append(batch_of("trades", rows, k))
        while table.tidy():
            pass
        sizes = [len(part) for part in table.snapshot().parts_held]
        assert sum(sizes) == 4 * k + 4
        assert len(sizes) <= 16
    assert max(sizes) > 4
    assert not table.tidy()


def test_replaced_rows_leave_memory_when_their_chunk_is_sorted() -> None:
    table = MemoryTable(table_of("bars").declaration, chunk_rows=100, fan_in=4)
    for k in range(1000):
        table.append(batch_of("bars", [bar(k // 100, close=100.0 + k)], k))
        table.tidy()
    snapshot = table.snapshot()
    assert len(table) == 1000
    assert sum(len(part) for part in snapshot.parts_held) < 150
    assert [row["close"] for row in selected(snapshot)] == [199.0 + 100 * k for k in range(10)]
    assert [row["seq"] for row in selected(snapshot)] == [99 + 100 * k for k in range(10)]


def test_released_rows_free_their_memory_and_the_rows_after_them_stay() -> None:
    table = MemoryTable(table_of("trades").declaration, chunk_rows=1000, fan_in=4)
    for k in range(20):
        table.append(batch_of("trades", [trade(1000 * k + i, f"S{i % 7}") for i in range(1000)], 10 + k))
        table.tidy()
    before = table.nbytes
    table.release(24)
    while table.tidy():
        pass
    assert table.released == 24
    assert len(table) == 5000
    assert table.nbytes < before / 3
    assert [row["time"] for row in selected(table.snapshot())] == list(range(15_000, 20_000))
    assert table.snapshot().facts == {"released": 24, "seq": 29}

    table.release(10)  # no way back
    assert (table.released, len(table)) == (24, 5000)
    table.release(1000)
    assert (len(table), table.nbytes) == (0, 0)
    table.append(batch_of("trades", [trade(1)], 1001))
    assert [row["seq"] for row in selected(table.snapshot())] == [1001]


def test_rows_released_while_a_block_is_made_of_them_do_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of("trades", [[trade(2 * k), trade(2 * k + 1)] for k in range(5)], chunk_rows=3)
    sealed = memory.sealed

    def releasing(*given: Any) -> Any:
        made = sealed(*given)
        table.release(table.released + 1 if table.released else 10)
        return made

    monkeypatch.setattr(memory, "sealed", releasing)
    for seq in range(10, 14):
        assert table.tidy()
        assert table.released == seq
        assert [row["time"] for row in selected(table.snapshot())] == list(range(2 * (seq - 9), 10))


def test_a_row_released_is_no_longer_replaced_and_a_later_one_of_its_key_is_new() -> None:
    table = table_of("bars", [[bar(1), bar(2)], [bar(2, close=7.0)]])
    table.release(10)
    assert [row["close"] for row in selected(table.snapshot())] == [7.0]
    for i, late in enumerate([bar(1, close=8.0), bar(2, close=9.0), bar(1, close=10.0)]):
        table.append(batch_of("bars", [late], 20 + i))
    assert [(row["time"], row["close"]) for row in selected(table.snapshot())] == [(1, 10.0), (2, 9.0)]


def test_the_rows_of_one_symbol_are_views_of_its_block() -> None:
    table = table_of("trades", [[trade(k, f"S{k % 3}") for k in range(30)]], chunk_rows=30, tidied=1)
    table.append(batch_of("trades", [trade(99)], 99))
    while table.tidy():
        pass
    block = table.snapshot().parts_held[0]
    found = table.snapshot().select(Terms(("S1",)), ("price", "time"))
    assert np.shares_memory(found["price"], block.columns["price"])
    assert found["time"].tolist() == list(range(1, 30, 3))


def test_one_batch_may_be_larger_than_several_chunks() -> None:
    table = table_of("trades", [[trade(k) for k in range(10)], [trade(k) for k in range(10, 5010)]], chunk_rows=64)

    assert table.snapshot().column("time").tolist() == list(range(5010))
    assert table.snapshot().column("seq").tolist() == [10] * 10 + [11] * 5000


def test_a_symbol_keeps_its_code_whatever_order_a_batch_names_it_in() -> None:
    table = table_of("trades", [[trade(1, "A"), trade(2, "B")], [trade(3, "C"), trade(4, "B"), trade(5, "A")]])

    assert table.snapshot().column("sym").codes.tolist() == [0, 1, 2, 1, 0]
    assert [table.names["sym"].code(name) for name in ("A", "B", "C", "D", "")] == [0, 1, 2, -1, -1]


def test_more_symbols_than_a_short_integer_holds_are_sorted_too() -> None:
    names = [f"{(k * 7919) % 70_000:05d}" for k in range(70_000)]
    table = table_of("trades", [[trade(5, n) for n in names], [trade(3, n) for n in names[::-1]]], 70_000, 3)
    table.append(batch_of("trades", [trade(9, "99999")], 99))
    while table.tidy():
        pass

    assert [row["time"] for row in selected(table.snapshot(), Terms(("00042",)))] == [3, 5]
    found = table.snapshot().last(Terms(), ("sym", "time"))
    assert found["sym"].tolist() == [f"{k:05d}" for k in range(70_000)] + ["99999"]
    assert found["time"].tolist() == [5] * 70_000 + [9]


def test_an_empty_batch_adds_no_row_and_moves_no_sequence_number() -> None:
    table = table_of("trades", [[trade(1)]])
    table.append(batch_of("trades", [trade(2)], 11).filtered(np.array([False])))
    table.append(batch_of("trades", [trade(3)], 12))

    assert len(table) == 2
    assert table.snapshot().column("seq").tolist() == [10, 12]


@pytest.mark.parametrize("sizes", [(65_536, 16), (40, 2)])
def test_readers_see_whole_rows_and_one_row_in_force_of_each_key_while_others_append_and_tidy(
    sizes: tuple[int, int],
) -> None:
    """Row k has close 100 + k, and all its columns tell k; keys repeat after 50 rows, so blocks keep few."""
    table, failures = MemoryTable(table_of("bars").declaration, *sizes), list[Any]()
    done = threading.Event()
    seen = [0, 0]

    def check(snapshot: Snapshot) -> None:
        found = snapshot.select(Terms(), ("close", "time", "volume", "seq", "sym"))
        k = np.arange(max(snapshot.end - 50, 0), snapshot.end)
        k = k[np.argsort(k % 50, kind="stable")]
        assert np.array_equal(found["close"], 100.0 + k)
        assert np.array_equal(found["time"], k % 50)
        assert np.array_equal(found["volume"], k.astype(float))
        assert np.array_equal(found["seq"], k // 7)
        assert found["sym"].tolist() == [f"S{i % 50}" for i in k.tolist()]
        assert (
            snapshot.select(Terms(("S7",)), ("close",))["close"].tolist() == found["close"][found["time"] == 7].tolist()
        )
        assert snapshot.last(Terms(), ("sym",))["sym"].tolist() == sorted(set(found["sym"].tolist()))

    def work(step: Any) -> None:
        try:
            while not done.is_set():
                step()
        except BaseException as error:
            failures.append(error)

    def read(reader: int) -> None:
        snapshot = table.snapshot()
        check(snapshot)
        check(snapshot)
        seen[reader] += 1

    steps = [lambda: read(0), lambda: read(1), lambda: table.tidy() or time.sleep(0.0005)]
    threads = [threading.Thread(target=work, args=(step,)) for step in steps]
    for thread in threads:
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
        for thread in threads:
            thread.join(30)
    assert not failures
    assert min(seen) > 3
    check(table.snapshot())


def test_what_was_received_is_told_of_each_batch() -> None:
    table = table_of("trades", [[trade(1)], [trade(2), trade(3)]])
    assert table.snapshot().column("received").tolist() == [NOON, NOON + SECOND, NOON + SECOND]


def test_a_snapshot_tells_up_to_which_seq_it_has_everything() -> None:
    table = table_of("trades")
    assert table.snapshot().facts["seq"] == 0
    table.append(batch_of("trades", [trade(1)], 7))
    before = table.snapshot()
    assert before.facts["seq"] == 7, "that of its newest row"
    table.reach(12)
    assert table.snapshot().facts["seq"] == 12, "rows of other tables came since"
    table.append(batch_of("trades", [trade(2)], 15))
    assert table.snapshot().facts["seq"] == 15
    assert before.facts["seq"] == 7
    table.release(20)
    assert table.snapshot().facts["seq"] == 20
