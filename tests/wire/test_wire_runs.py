"""Records taken in runs are those that wire_record.records finds one by one, whatever is damaged."""

from collections.abc import Iterator

import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rows import columns_from, trades

from plant.errors import WireError
from plant.rows.tables import schema_of
from plant.wire import record as wire_record
from plant.wire.decoding import Merge, raw
from plant.wire.envelope import Header, stamp
from plant.wire.record import encode
from plant.wire.runs import FEW, Run, runs

SCHEMA = schema_of()


def record(table: str, rows: int, seq: int, table_seq: int) -> bytes:
    plain = trades(seq, rows) | {"interval": ["1m"] * rows}
    numbers = {c.name: [1.0] * rows for c in SCHEMA[table].columns if c.kind == "float"}
    columns = columns_from(SCHEMA[table], numbers | plain)
    made = encode(SCHEMA[table], columns, 1, seq)
    stamp(made, 0, seq, table_seq, 5)
    return bytes(made)


def ones(count: int) -> list[bytes]:
    return [record("trades", 1, seq, seq) for seq in range(1, count + 1)]


def found_by(records: Iterator[tuple[Header, int]]) -> tuple[list[tuple[Header, int]], str]:
    found = []
    try:
        for item in records:
            found.append(item)
    except WireError as error:
        return found, str(error)
    return found, ""


def one_by_one(found: Iterator[Run]) -> Iterator[tuple[Header, int]]:
    for run in found:
        for one in run.each():
            assert one.first == one.last
            yield one.first, one.starts[0]


KINDS = st.tuples(st.sampled_from(["trades", "bars"]), st.sampled_from([1, 1, 1, 1, 3]), st.sampled_from([1, 1, 1, 2]))
DAMAGE = st.none() | st.tuples(st.sampled_from(["flip", "cut", "add"]), st.floats(0, 1, exclude_max=True))


@settings(max_examples=examples(300), deadline=None, derandomize=True, database=None)
@given(st.lists(KINDS, max_size=12), st.sampled_from([0, 3, FEW]), DAMAGE)
def test_runs_hold_what_is_found_one_by_one_and_end_at_the_same_damage(
    kinds: list[tuple[str, int, int]], few: int, damage: tuple[str, float] | None
) -> None:
    records, seq, table_seqs = [], 0, {"trades": 0, "bars": 0}
    for table, rows, step in kinds:
        seq += step
        table_seqs[table] += step
        records.append(record(table, rows, seq, table_seqs[table]))
    message = bytearray(b"".join(records))
    if damage is not None and message:
        place = int(damage[1] * len(message))
        if damage[0] == "flip":
            message[place] ^= 16
        elif damage[0] == "cut":
            del message[place:]
        else:
            message += b"TPLT" + bytes(place % 100)
    whole = bytes(message)
    assert found_by(one_by_one(runs(whole, few))) == found_by(wire_record.records(whole))


@settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(KINDS, st.sampled_from([1, 1, 1, 2])), max_size=12))
def test_within_a_run_are_records_of_one_row_or_of_several_whose_numbers_rise_by_one(kinds: list) -> None:
    records, seq, table_seq = [], 0, 0
    for (table, rows, step), table_step in kinds:
        seq, table_seq = seq + step, table_seq + table_step
        records.append(record(table, rows, seq, table_seq))
    for run in runs(b"".join(records), few=0):
        headers = [one.first for one in run.each()]
        assert (run.first, run.last) == (headers[0], headers[-1])
        assert [h.seq for h in headers] == list(range(run.first.seq, run.last.seq + 1))
        assert [h.table_seq for h in headers] == list(range(run.first.table_seq, run.last.table_seq + 1))
        assert {h.schema_id for h in headers} == {run.first.schema_id}
        assert len({h.rows == 1 for h in headers}) == 1


def test_many_records_are_one_run_and_few_are_one_each() -> None:
    large = [record("trades", 3, seq, seq) for seq in range(1, FEW + 2)]
    assert [len(run.starts) for run in runs(b"".join(large))] == [FEW + 1]
    assert [len(run.starts) for run in runs(b"".join(ones(FEW + 1)))] == [FEW + 1]
    assert [len(run.starts) for run in runs(b"".join(ones(FEW)))] == [1] * FEW


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_each_byte_of_an_envelope_and_of_a_payload_is_checked(place: str) -> None:
    records = ones(FEW + 4)
    at = {"first": 0, "middle": 9, "last": FEW + 3}[place]
    before = b"".join(records[:at])
    for byte in range(len(records[at])):
        damaged = bytearray(b"".join(records))
        damaged[len(before) + byte] ^= 1
        found, error = found_by(one_by_one(runs(bytes(damaged))))
        assert [header.seq for header, _ in found] == list(range(1, at + 1))
        assert error.startswith(f"byte {len(before)}: ")


def test_a_run_is_cut_behind_what_is_known_and_where_enough_is_read() -> None:
    (run,) = runs(b"".join(ones(20)), few=0)
    assert [one.first.seq for one in run.behind(17).each()] == [18, 19, 20]
    assert [one.first.seq for one in run.until(2).each()] == [1, 2]
    assert run.behind(0) == run.until(20) == run.until(99) == run


def test_rows_between_those_of_a_table_not_wanted_are_still_decoded_in_one_step() -> None:
    records = [record("bars" if seq % 2 else "trades", 1, seq, (seq + 1) // 2) for seq in range(1, 41)]
    wanted = SCHEMA["trades"]
    found = [raw(wanted, r) for r in runs(b"".join(records)) if r.first.schema_id == wanted.schema_id]
    (batch,) = Merge().batches(found)
    assert batch.parts is not None
    assert batch.parts[1].tolist() == list(range(2, 41, 2))


def test_a_run_has_the_rows_of_all_of_its_records() -> None:
    several = [record("trades", rows, seq, seq) for seq, rows in enumerate((2, 3, 70_000), 1)]
    assert [run.rows for run in runs(b"".join(several), few=0)] == [70_005]
    assert [run.rows for run in runs(b"".join(several))] == [2, 3, 70_000]
    assert [run.rows for run in runs(b"".join(ones(50)))] == [50]
