"""Rows with the columns that their table has now."""

import pyarrow as pa

from plant.intake.forms import columns_of
from plant.rows.batch import Batch, arrow_of
from plant.rows.evolution import as_declared, served, without_nulls
from plant.rows.schema import Table
from plant.wire.decoding import Merge, Raw, raw
from plant.wire.envelope import stamp
from plant.wire.record import encode
from plant.wire.runs import runs


def news(*columns: tuple[str, str]) -> Table:
    return Table.declared({"name": "news", "columns": [("time", "time"), ("sym", "symbol"), *columns]})


OLD = news(("headline", "text"))
GROWN = news(("headline", "text"), ("score", "float"), ("words", "int"), ("expires", "time"), ("desk", "symbol"))
ADDED = {"words": 0, "expires": None, "desk": ""}


def batch(table: Table, count: int = 2) -> Batch:
    rows = columns_of(table, [{"time": i, "sym": "A", table.names[2]: "x" * i} for i in range(1, count + 1)])
    return Batch("news", rows, 7, 3, 5, table.key)


def test_columns_added_later_hold_what_a_publisher_that_leaves_them_out_gives() -> None:
    found = as_declared(batch(OLD), GROWN)
    assert list(found.columns) == list(GROWN.names)
    assert [{n: row[n] for n in ADDED} for row in found.rows()] == [ADDED, ADDED]
    assert [found.arrow().column(name).null_count for name in ("score", "expires")] == [2, 2]
    assert found.columns["headline"].tolist() == ["x", "xx"]
    assert (found.seq, found.table_seq, found.received) == (7, 3, 5)


def test_a_column_of_another_kind_or_none_any_more_is_left_out() -> None:
    found = as_declared(batch(OLD), news(("headline", "int"), ("body", "text")))
    assert [(row["headline"], row["body"]) for row in found.rows()] == [(0, ""), (0, "")]
    assert list(as_declared(batch(OLD), news()).columns) == ["time", "sym"]


def test_rows_of_the_journal_are_what_the_tables_of_today_serve() -> None:
    rows = served(arrow_of([batch(OLD)]), GROWN)
    known = {name: value for name, value in ADDED.items() if value is not None}
    assert rows.select(list(known)).to_pylist() == [known, known]
    assert rows.select(["headline", "seq"]).to_pylist() == [{"headline": "x", "seq": 7}, {"headline": "xx", "seq": 7}]
    assert not {"score", "expires"} & {*rows.column_names}, "a column that is not there counts as null"


def test_nulls_become_defaults_but_for_floats_and_times() -> None:
    times = pa.chunked_array([pa.array([None, 5], pa.timestamp("ns", "UTC"))])
    assert without_nulls(times, GROWN.column("expires")).cast(pa.int64()).to_pylist() == [None, 5]
    assert without_nulls(pa.chunked_array([[None, 5]]), GROWN.column("words")).to_pylist() == [0, 5]
    assert without_nulls(pa.chunked_array([[None, 0.5]]), GROWN.column("score")).to_pylist() == [None, 0.5]


def test_one_row_records_of_two_declarations_are_told_apart() -> None:
    renamed = news(("body", "text"))  # as long as the old one, byte for byte
    message = bytearray()
    for table in (OLD, renamed):
        for seq in range(1, 9):
            record = encode(table, batch(table, 1).columns, 1, seq)
            stamp(record, 0, seq, seq, 5)
            message += record
    by_id = {OLD.schema_id: OLD, renamed.schema_id: renamed}
    whole = bytes(message)
    records: list[Raw] = [raw(by_id[run.first.schema_id], run) for run in runs(whole, few=0)]
    assert [(len(b), *b.columns) for b in Merge().batches(records)] == [
        (8, "time", "sym", "headline"),
        (8, "time", "sym", "body"),
    ]
