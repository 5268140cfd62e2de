"""Revisions found batch by batch are those of a plain dict, row by row."""

import numpy as np
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.memory.revisions import NEVER
from plant.memory.table import MemoryTable
from plant.rows.batch import Batch
from plant.rows.columns import Symbols
from plant.rows.schema import Column, Table

TABLE = Table(
    "levels",
    (Column("time", "time"), Column("sym", "symbol"), Column("level", "int"), Column("price", "float")),
    ("sym", "level", "time"),
)

row = st.tuples(st.integers(0, 5), st.sampled_from("ABC"), st.sampled_from([-7, 0, 2**40]))
"""time, sym, level: few values, so that revisions, ties and late rows are common."""


@settings(max_examples=examples(300), deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.lists(row, min_size=1, max_size=12)), max_size=8))
def test_every_row_knows_the_row_that_replaced_it(batches: list[tuple[int, bool, list[tuple[int, str, int]]]]) -> None:
    table = MemoryTable(TABLE)
    latest: dict[tuple[int, str, int], int] = {}
    expected: list[int] = []
    for seq, (shift, in_order, rows) in enumerate(batches, 1):
        rows = [(time + 5 * shift, sym, level) for time, sym, level in (sorted(rows) if in_order else rows)]
        for key in rows:
            if key in latest:
                expected[latest[key]] = len(expected)
            latest[key] = len(expected)
            expected.append(NEVER)
        times, syms, levels = zip(*rows, strict=True)
        columns = {
            "time": np.array(times),
            "sym": Symbols.of(syms),
            "level": np.array(levels),
            "price": np.zeros(len(rows)),
        }
        table.append(Batch("levels", columns, seq, seq, 0, TABLE.key))
        marks = table.snapshot().marks
        assert marks is not None
        for rows_then in range(len(expected) + 1):
            in_force = [e >= rows_then for e in expected[:rows_then]]
            assert marks.in_force(0, np.arange(rows_then), rows_then).tolist() == in_force
            assert marks.count(0, rows_then) == sum(in_force)


def test_many_symbols_widen_the_series_and_keep_their_revisions() -> None:
    table = MemoryTable(TABLE)
    syms = [f"S{i}" for i in range(3000)]
    for seq in (1, 2):
        columns = {
            "time": np.full(3000, 7),
            "sym": Symbols.of(syms),
            "level": np.zeros(3000, dtype=np.int64),
            "price": np.zeros(3000),
        }
        table.append(Batch("levels", columns, seq, seq, 0, TABLE.key))
    marks = table.snapshot().marks
    assert marks is not None
    assert (marks.in_force(0, np.arange(6000), 6000) == (np.arange(6000) >= 3000)).all()
