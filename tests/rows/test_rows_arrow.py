"""Columns of Arrow tables, in one chunk, in several, or in none, with nulls or without."""

import pyarrow as pa
import pytest

from plant.rows.arrow import columns_from_arrow
from plant.rows.schema import Column, Table

TABLE = Table(
    "all",
    (Column("time", "time"), Column("sym", "symbol"), Column("n", "int"), Column("x", "float"), Column("text", "text")),
)
STAMP = pa.timestamp("ns", "UTC")


@pytest.mark.parametrize("chunks", [0, 1, 2], ids=["no chunk", "one chunk", "two chunks"])
@pytest.mark.parametrize("nulls", [False, True], ids=["complete", "with nulls"])
@pytest.mark.parametrize("coded", [False, True], ids=["texts", "codes"])
def test_columns_are_those_of_the_table_however_it_is_cut(chunks: int, nulls: bool, coded: bool) -> None:
    missing = [None] if nulls else []
    given = {
        "time": ([7, 9, *missing], STAMP),
        "sym": (["A", "B", *missing], pa.string()),
        "n": ([2**62 + 1, 3, *missing], pa.int64()),
        "text": (["some", "", *missing], pa.large_string()),
    }
    arrays = {name: pa.array(values, pa.int64() if kind == STAMP else kind) for name, (values, kind) in given.items()}
    arrays["time"] = arrays["time"].cast(STAMP)
    if coded:
        arrays["sym"] = arrays["sym"].dictionary_encode()
    rows = pa.table({name: pa.chunked_array([array] * chunks, array.type) for name, array in arrays.items()})
    found = columns_from_arrow(rows, TABLE, given)
    assert {name: column.tolist() for name, column in found.items()} == {n: v * chunks for n, (v, _) in given.items()}
