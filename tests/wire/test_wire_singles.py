"""Runs of one-row records decoded in one step are the rows that each record holds."""

import numpy as np
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.intake.forms import columns_of
from plant.memory.table import MemoryTable
from plant.rows.schema import Table
from plant.rows.tables import schema_of
from plant.wire.decoding import Merge, decoded, raw
from plant.wire.envelope import Header, stamp
from plant.wire.record import encode
from plant.wire.runs import runs, singly

TRADES, BARS = schema_of()["trades"], schema_of()["bars"]

TRADE = st.fixed_dictionaries({
    "time": st.integers(1, 2**60), "sym": st.sampled_from(["A", "BRK.B", "Ünïcode", "x" * 40]),
    "price": st.floats(allow_nan=True), "size": st.floats(0, 1e9), "source": st.just("test"),
    "trade_id": st.text(max_size=40),
})  # fmt: skip
BAR = st.fixed_dictionaries({
    "time": st.integers(1, 5), "sym": st.sampled_from(["A", "B"]), "interval": st.sampled_from(["1m", "5m"]),
    **dict.fromkeys(("open", "high", "low", "close", "volume"), st.floats(1, 2)), "source": st.just("test"),
})  # fmt: skip
MANY = st.lists(TRADE | BAR | st.lists(TRADE, min_size=2, max_size=3), max_size=25)


@settings(max_examples=examples(150), deadline=None, derandomize=True, database=None)
@given(MANY, st.integers(1, 3))
def test_merged_records_hold_the_rows_seqs_and_order_of_single_ones(given_rows: list, messages: int) -> None:
    tables = {t.name: (MemoryTable(t), MemoryTable(t)) for t in (TRADES, BARS)}
    merge, chunks = Merge(), [bytearray() for _ in range(messages)]
    for i, rows in enumerate(given_rows):
        table = BARS if isinstance(rows, dict) and "open" in rows else TRADES
        record = encode(table, columns_of(table, rows), 1, i + 1)
        stamp(record, 0, i + 1, i + 1, 10 * i)
        chunks[i * messages // len(given_rows)] += record
    found = [raw(_table_of(run.first), run) for chunk in chunks for run in runs(bytes(chunk))]
    for batch in merge.batches(found):
        tables[batch.table][0].append(batch)
    for chunk in chunks:
        for run in singly(bytes(chunk)):
            batch = decoded(_table_of(run.first), run)
            tables[batch.table][1].append(batch)
    for merged, single in tables.values():
        assert len(merged) == len(single)
        for name in (*merged.declaration.names, "seq", "received"):
            found, expected = (t.snapshot().column(name).tolist() for t in (merged, single))
            np.testing.assert_array_equal(np.array(found), np.array(expected), err_msg=name)


def test_symbols_are_right_when_more_come_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plant.wire.singles._CACHE", 5)
    merge, expected, found = Merge(), [], []
    for message in range(4):
        chunk = bytearray()
        for row in range(20):
            expected.append((f"S{message * row % 17}", f"from {row % 3}"))
            columns = columns_of(TRADES, {"time": row, "sym": expected[-1][0], "source": expected[-1][1]})
            record = encode(TRADES, columns, 1, 1)
            stamp(record, 0, message * 20 + row + 1, message * 20 + row + 1, 5)
            chunk += record
        for batch in merge.batches([raw(TRADES, run) for run in runs(bytes(chunk))]):
            found += zip(batch.columns["sym"].tolist(), batch.columns["source"].tolist(), strict=True)
    assert found == expected


def _table_of(header: Header) -> Table:
    return TRADES if header.schema_id == TRADES.schema_id else BARS
