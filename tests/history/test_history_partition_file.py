"""How the rows of a file are cut into row groups: little is read for one symbol, and a file has not too many."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from plain_rows import NOON, SCHEMA

from plant.history import partition_file
from plant.history.layout import partition_schema
from plant.history.partition_file import PartitionFile

COUNTS = [5, 2, 2, 9, 1, 1, 1]
"""Rows of each symbol."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make limits of row groups small."""
    monkeypatch.setattr(partition_file, "ROW_GROUP_ROWS", 6)
    monkeypatch.setattr(partition_file, "LEAST_GROUP_ROWS", 3)
    monkeypatch.setattr(partition_file, "MOST_GROUPS", 10)


def group_rows(folder: Path, rows_about: int | None) -> list[int]:
    """Write rows of several symbols, and return how many rows each row group has."""
    table, schema = SCHEMA["trades"], partition_schema(SCHEMA["trades"])
    count = sum(COUNTS)
    syms = np.repeat([f"S{i}" for i in range(len(COUNTS))], COUNTS).tolist()
    given = {"time": NOON + np.arange(count), "sym": syms, "seq": np.arange(count), "received": np.arange(count)}
    columns = [
        pa.array(given[f.name], f.type.value_type).dictionary_encode()
        if f.name == "sym"
        else pa.array(given[f.name], pa.int64()).cast(f.type)
        if f.name in given
        else pa.nulls(count, f.type)
        for f in schema
    ]
    with PartitionFile(folder, "day.parquet", table, "", "", None, rows_about) as file:
        file.write(pa.table(columns, schema=schema))
        file.finish()
        file.place()
    metadata = pq.read_metadata(folder / "day.parquet")
    return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]


@pytest.mark.parametrize(
    ("rows_about", "expected"),
    [
        (None, [5, 4, 6, 6]),  # as large as they may be: a part
        (21, [5, 4, 6, 3, 3]),  # a group ends with its symbol once it has three rows
        (49, [5, 4, 6, 4, 2]),  # with four
        (1000, [5, 4, 6, 6]),  # with more than a group may have
    ],
)
def test_row_groups_are_as_small_as_the_rows_of_the_file_allow(
    tmp_path: Path, rows_about: int | None, expected: list[int]
) -> None:
    assert group_rows(tmp_path, rows_about) == expected
