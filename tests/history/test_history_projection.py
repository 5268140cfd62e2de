"""Times of ns in us and the rest, and back: every time is what it was, and nothing else changes."""

import pyarrow as pa
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.errors import HistoryError
from plant.history.layout import partition_schema
from plant.history.projection import of_history, projected, projected_schema, restored
from plant.rows.row_hashes import row_sum
from plant.rows.schema import Column, Table

NEWS = Table("news", (Column("time", "time"), Column("sym", "symbol"), Column("told", "time"), Column("text", "text")))
SCHEMA = partition_schema(NEWS)

times = st.integers(-(2**63) + 1000, 2**63 - 1)
texts = st.none() | st.sampled_from(["", "a", "\u00e9\u20ac"])
rows = st.lists(st.tuples(times, st.sampled_from(["A", "B"]), st.none() | times, texts, times), max_size=8)


def table(found: list[tuple[int, str, int | None, str | None, int]]) -> pa.Table:
    columns = list(zip(*found, strict=True)) or [[]] * 5
    stamp = pa.timestamp("ns", "UTC")
    return pa.table(
        [
            pa.array(columns[0], pa.int64()).cast(stamp),
            pa.array(columns[1], pa.string()).dictionary_encode().cast(SCHEMA.field("sym").type),
            pa.array(columns[2], pa.int64()).cast(stamp),
            pa.array(columns[3], pa.large_string()),
            pa.array(range(len(found)), pa.int64()),
            pa.array([None] * len(found), pa.int64()),
            pa.array(columns[4], pa.int64()).cast(stamp),
        ],
        schema=SCHEMA,
    )


@settings(max_examples=examples(50), deadline=None)
@given(rows)
def test_every_time_is_what_it_was_to_the_nanosecond(found: list[tuple[int, str, int | None, str | None, int]]) -> None:
    before = table(found)
    schema = projected_schema(SCHEMA)
    made = projected(before, schema, "2026-11")
    assert made.column("time").type == pa.timestamp("us", "UTC")
    for name in ("time_ns", "told_ns", "received_ns"):
        assert all(v is None or 0 <= v < 1000 for v in made.column(name).to_pylist())
    assert set(made.column("month").to_pylist()) <= {"2026-11"}
    after = restored(made, of_history(made.schema))
    assert after.column_names == SCHEMA.names
    assert row_sum(after) == row_sum(before)
    assert after.cast(SCHEMA).equals(before)


def test_a_table_with_a_column_of_the_archives_own_name_is_refused() -> None:
    taken = Table("news", (Column("time", "time"), Column("sym", "symbol"), Column("month", "text")))
    with pytest.raises(HistoryError, match="has a column 'month', a name that the archive needs"):
        projected_schema(partition_schema(taken))


def test_a_column_called_like_the_rest_of_one_that_is_no_time_is_the_tables_own() -> None:
    columns = {"time": "time", "sym": "symbol", "took": "float", "took_ns": "int"}
    schema = partition_schema(Table("pings", tuple(Column(name, kind) for name, kind in columns.items())))
    values = [[1], ["A"], [0.5], [500], [1], [0], [2]]
    before = pa.table([pa.array(v).cast(f.type) for v, f in zip(values, schema, strict=True)], schema=schema)
    made = projected(before, projected_schema(schema), "2026-11")
    assert of_history(made.schema) == schema.names
    assert row_sum(restored(made, of_history(made.schema))) == row_sum(before)
