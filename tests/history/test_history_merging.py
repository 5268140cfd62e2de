"""Sorted files merged range by range, beside one plain sort of all their rows."""

from pathlib import Path

import pyarrow as pa
import pytest
from chance import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_rows import SCHEMA, Row, bar, batch_of, trade

from hdb.writer.parts import arrow_of
from plant.errors import HistoryError
from plant.history import merging, partition_file
from plant.history.catalogue import File
from plant.history.layout import partition_schema
from plant.history.merging import Merged, merged
from plant.history.order import sorted_rows
from plant.history.partition_file import PartitionFile, with_columns

LONG = "L" * 5000
"""So long that a row group has no statistics of it."""

TIMES = st.integers(0, 6) | st.sampled_from([0, 2**40, 2**61])
FILES = st.lists(
    st.lists(st.tuples(st.sampled_from(["", "A", "AA", "B", "é", "𝄞", LONG]), TIMES), min_size=1, max_size=12),
    min_size=1,
    max_size=6,
)  # fmt: skip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ranges and row groups small, so that few rows meet their edges."""
    monkeypatch.setattr(merging, "RANGE_ROWS", 5)
    monkeypatch.setattr(partition_file, "ROW_GROUP_ROWS", 3)


def write(folder: Path, table: str, number: int, rows: list[Row]) -> File:
    """Write rows as part `number`, whose seq is that."""
    arrow = with_columns(arrow_of([batch_of(table, rows, number + 1)]), partition_schema(SCHEMA[table]))
    with PartitionFile(folder, f"{number}.parquet", SCHEMA[table], "", "") as file:
        file.write(sorted_rows(arrow))
        made = file.finish()
        file.place()
    return made


def in_order(pieces: list[Merged]) -> bool:
    names = ("sym", "time", "seq", "seq_row")
    rows = [tuple(row[n] for n in names) for p in pieces for row in p.rows.select(names).to_pylist()]
    return rows == sorted(rows)


def rows_of(pieces: list[Merged], which: str) -> list[tuple[str, int, int, float]]:
    tables = [getattr(p, which) for p in pieces]
    names = ("sym", "time", "seq", "price" if "price" in tables[0].column_names else "close")
    columns = [[v for t in tables for v in t.column(n).cast("int64").to_pylist()] if n == "time"
               else [v for t in tables for v in t.column(n).to_pylist()] for n in names]  # fmt: skip
    return list(zip(*columns, strict=True))


@given(FILES, st.integers(0, 6))
@settings(
    max_examples=examples(50),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_a_merge_is_one_sort_of_all_rows_and_keeps_their_order_of_arrival(
    tmp_path_factory: pytest.TempPathFactory, small: None, places: list[list[tuple[str, int]]], closed: int
) -> None:
    folder = tmp_path_factory.mktemp("files")
    files, expected = [], []
    for number, of_file in enumerate(places):
        rows = [trade(time, sym or "!", float(number * 100 + i + 1)) for i, (sym, time) in enumerate(of_file)]
        files.append(write(folder, "trades", number, rows))
        expected += [(r["sym"], r["time"], number + 1, r["price"]) for r in rows]
    pieces = list(merged(folder, SCHEMA["trades"], files[:closed], files[closed:]))
    assert rows_of(pieces, "rows") == sorted(expected, key=lambda r: r[:3])
    assert in_order(pieces)
    assert all(p.replaced.num_rows + p.left_out.num_rows == 0 for p in pieces)


@given(FILES, st.integers(0, 6))
@settings(
    max_examples=examples(50),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_of_a_table_with_a_key_the_newest_row_of_each_stays(
    tmp_path_factory: pytest.TempPathFactory, small: None, places: list[list[tuple[str, int]]], closed: int
) -> None:
    folder = tmp_path_factory.mktemp("files")
    newest: dict[tuple[str, int, str], tuple[str, int, int, float]] = {}
    kept, left, gone, files = [], [], [], []
    for number, of_file in enumerate(places):
        rows = [
            bar(time, sym or "!", ("15m", "5m", "1m")[i % 3], 10.0 + number * 100 + i)
            for i, (sym, time) in enumerate(of_file)
        ]
        files.append(write(folder, "bars", number, rows))
        for row in rows:
            key, found = (row["sym"], row["time"], row["interval"]), (row["sym"], row["time"], number + 1, row["close"])
            if key in newest:
                (gone if newest[key][2] <= closed else left).append((newest[key], key))
            newest[key] = found
    kept = list(newest.values())
    pieces = list(merged(folder, SCHEMA["bars"], files[:closed], files[closed:]))
    assert sorted(rows_of(pieces, "rows")) == sorted(kept)
    assert [r[:3] for r in rows_of(pieces, "rows")] == sorted(r[:3] for r in kept)
    assert sorted(rows_of(pieces, "left_out")) == sorted(row for row, _ in left)
    assert sorted(rows_of(pieces, "replaced")) == sorted(row for row, _ in gone)
    told = [v for p in pieces for v in p.replaced.column("replaced_by").to_pylist()]
    by = {row: newest[key][2] for row, key in gone}
    assert told == [by[row] for row in rows_of(pieces, "replaced")]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, "trades", 0, [trade(1)])
    (tmp_path / "0.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(HistoryError, match=r"0\.parquet: cannot be read: .*; restore it, or plant rebuild"):
        list(merged(tmp_path, SCHEMA["trades"], [], [file]))
    with pytest.raises(HistoryError, match=r"0\.parquet: cannot be read"):
        list(partition_file.row_groups(tmp_path / "0.parquet"))
    with pytest.raises(HistoryError, match="column x: string is no double"):
        with_columns(pa.table({"x": ["a"]}), pa.schema([("x", pa.float64())]))
