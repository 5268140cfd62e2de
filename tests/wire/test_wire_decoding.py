"""Neighbouring records become one batch, and nothing of it depends on which were neighbours."""

from typing import Any

import numpy as np
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rows import bits, columns_from, trades

from plant.checksum import crc32
from plant.errors import WireError
from plant.memory.table import MemoryTable
from plant.rows.tables import schema_of
from plant.wire.decoding import Merge, Raw, decoded, raw
from plant.wire.envelope import HEADER_BYTES, stamp
from plant.wire.record import encode
from plant.wire.runs import runs, singly

SCHEMA = schema_of()
TABLES = {t.schema_id: t for t in SCHEMA.values()}
MESSAGES = st.lists(
    st.lists(st.tuples(st.sampled_from(["trades", "bars"]), st.sampled_from([1, 1, 2, 3, 40])), max_size=20), max_size=3
)


def messages_of(kinds: list[list[tuple[str, int]]]) -> list[bytes]:
    """Return messages with a record for each (table, rows), numbered as a journal does it."""
    made, seq, table_seqs = [], 0, {"trades": 0, "bars": 0}
    for message in kinds:
        records = bytearray()
        for table, rows in message:
            seq, table_seqs[table] = seq + 1, table_seqs[table] + 1
            declared = SCHEMA[table]
            plain = trades(seq, rows, f"S{seq % 7}") | {"interval": ["1m"] * rows}
            numbers = {c.name: [1.0] * rows for c in declared.columns if c.kind == "float"}
            columns = columns_from(declared, numbers | plain)
            record = encode(declared, columns, 1, seq)
            stamp(record, 0, seq, table_seqs[table], 10 * seq)
            records += record
        made.append(bytes(records))
    return made


def raw_of(messages: list[bytes], few: int = 0) -> list[Raw]:
    return [raw(TABLES[run.first.schema_id], run) for message in messages for run in runs(message, few)]


@settings(max_examples=examples(150), deadline=None, derandomize=True, database=None)
@given(MESSAGES, st.booleans(), st.sampled_from([0, 8]))
def test_batches_hold_the_rows_of_each_record_in_their_order(
    kinds: list[list[tuple[str, int]]], by_table: bool, few: int
) -> None:
    messages = messages_of(kinds)
    merged, single = ({n: MemoryTable(SCHEMA[n]) for n in ("trades", "bars")} for _ in range(2))
    batches = Merge(by_table).batches(raw_of(messages, few))
    for batch in batches:
        merged[batch.table].append(batch)
    for message in messages:
        for run in singly(message):
            batch = decoded(TABLES[run.first.schema_id], run)
            single[batch.table].append(batch)
    for name in merged:
        names = (*SCHEMA[name].names, "seq", "seq_row", "received")
        found, expected = (t[name].snapshot() for t in (merged, single))
        assert bits({n: found.column(n) for n in names}) == bits({n: expected.column(n) for n in names})
    if not by_table:
        assert [b.seq for b in batches] == sorted(b.seq for b in batches)


@pytest.mark.parametrize(("by_table", "count"), [(False, 40), (True, 2)])
def test_records_of_two_tables_in_turn_are_two_batches_where_tables_are_apart(by_table: bool, count: int) -> None:
    messages = messages_of([[("trades", 3), ("bars", 3)] * 20])
    assert len(Merge(by_table).batches(raw_of(messages))) == count


def test_rows_of_one_and_of_several_in_turn_are_one_batch() -> None:
    (batch,) = Merge().batches(raw_of(messages_of([[("trades", 1), ("trades", 5)] * 10])))
    assert (len(batch), batch.seq) == (60, 20)
    assert np.unique(batch.seq_rows()[-5:]).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rows", [1, 4])
def test_a_record_that_cannot_be_decoded_is_told_and_its_neighbours_are_not_lost(rows: int) -> None:
    (message,) = messages_of([[("trades", rows)] * 10])
    starts = [run.starts[0] for run in singly(message)]
    foreign = bytearray(message)
    foreign[starts[6] : starts[6] + 1] = b"\xc0"  # msgpack's nil
    record = memoryview(foreign)[starts[6] - HEADER_BYTES : starts[7] - HEADER_BYTES]
    record[60:64] = crc32(record[HEADER_BYTES:]).to_bytes(4, "little")
    stamp(record, 0, 7, 7, 70)  # type: ignore[arg-type]
    told: list[Any] = []
    merge = Merge(unreadable=lambda table, header, why: told.append((table.name, header.seq, str(why))))
    found = merge.batches(raw_of([bytes(foreign)]))
    assert [b.seq for b in found] == [1, 2, 3, 4, 5, 6, 8, 9, 10]
    assert told == [("trades", 7, f"trades: expected an array of {len(SCHEMA['trades'].columns)} columns, found 0xc0")]
    with pytest.raises(WireError, match="0xc0"):
        Merge().batches(raw_of([bytes(foreign)]))
