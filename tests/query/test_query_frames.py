"""Tests of plant.query.frames: a small answer's DataFrame is the one Arrow makes, column for column."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from plant.query.frames import as_frame
from plant.query.pandas_frames import SMALL_ROWS
from plant.serving.server import is_quick

STAMP = pa.timestamp("ns", "UTC")


def table(rows: int) -> pa.Table:
    codes = pa.array(np.arange(rows, dtype=np.int32) % 3)
    return pa.table(
        {
            "time": pa.array(np.arange(rows)).cast(STAMP),
            "sym": pa.DictionaryArray.from_arrays(codes, pa.array(["A", "Ä", "€"])),
            "price": pa.array([None if i % 4 == 1 else i / 2 for i in range(rows)], pa.float64()),
            "n": pa.array(range(rows), pa.int64()),
            "missing": pa.array([None if i % 2 else i for i in range(rows)], pa.int64()),
            "due": pa.array([None if i % 2 else i for i in range(rows)], STAMP),
            "detail": pa.array([f"ü{i}" for i in range(rows)], pa.large_string()),
            "good": pa.array([i % 2 == 0 for i in range(rows)]),
        }
    )


def made_by_arrow(given: pa.Table) -> pd.DataFrame:
    """Return what Arrow makes, but for an int beside a null, of which it makes a float."""
    frame = given.to_pandas()
    return frame.astype({"missing": "Int64"}) if given.column("missing").null_count else frame


@pytest.mark.parametrize("rows", [0, 1, 7, SMALL_ROWS, SMALL_ROWS + 1])
def test_a_small_frame_is_what_arrow_makes(rows: int) -> None:
    given = table(rows)
    pd.testing.assert_frame_equal(as_frame(given, "pandas"), made_by_arrow(given))


MANY_DIGITS = 2**53 + 1
"""An int that no float64 is."""


@pytest.mark.parametrize("rows", [3, SMALL_ROWS + 3])
@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_an_int_beside_a_null_keeps_its_digits(rows: int, kind: str) -> None:
    most = np.iinfo(kind).max
    values = [most, None, most - 1] * (rows // 3)
    given = pa.table({"a": pa.array(values, kind), "sure": pa.array(range(len(values)), pa.int64())})
    frame = as_frame(given, "pandas")
    assert frame.columns.tolist() == ["a", "sure"]
    assert frame["a"].dtype == pd.api.types.pandas_dtype(kind.replace("uint", "UInt").replace("int", "Int"))
    assert frame["sure"].dtype == np.int64
    assert [None if v is pd.NA else v for v in frame["a"].tolist()] == values
    frame.loc[1, "a"] = 7
    assert as_frame(given, "pandas")["a"][1] is pd.NA
    arrays = as_frame(given, "numpy")
    assert arrays["a"].tolist() == values
    assert arrays["a"].dtype == np.dtype(kind)
    assert not isinstance(arrays["sure"], np.ma.MaskedArray)


@pytest.mark.parametrize("rows", [2, SMALL_ROWS + 2])
def test_ints_within_values_of_sql_keep_their_digits(rows: int) -> None:
    kinds = {
        "list": pa.list_(pa.int64()),
        "struct": pa.struct([("n", pa.int64())]),
        "map": pa.map_(pa.string(), pa.int64()),
    }
    values = {
        "list": [[MANY_DIGITS, None], [1, 2]],
        "struct": [{"n": MANY_DIGITS}, {"n": None}],
        "map": [[("k", MANY_DIGITS)], [("k", None)]],
    }
    given = pa.table({name: pa.array(values[name] * (rows // 2), kind) for name, kind in kinds.items()})
    for name in kinds:
        assert as_frame(given, "pandas")[name].tolist()[-2:] == values[name]
        assert as_frame(given, "numpy")[name].tolist()[-2:] == values[name]


@pytest.mark.parametrize("rows", [2, SMALL_ROWS + 2])
def test_a_time_that_is_not_known_is_not_known_in_every_frame(rows: int) -> None:
    given = pa.table({"seen": pa.array([None, MANY_DIGITS] * (rows // 2), pa.timestamp("ns", "UTC"))})
    for frame in (given, given.slice(1)):
        expected = frame["seen"].cast(pa.int64()).to_pylist()
        unknown = [ns is None for ns in expected]
        pandas = as_frame(frame, "pandas")["seen"]
        assert str(pandas.dtype) == "datetime64[ns, UTC]"
        assert pandas.isna().tolist() == unknown
        assert [None if t is pd.NaT else t.value for t in pandas] == expected
        assert as_frame(frame, "pandas-arrow")["seen"].isna().tolist() == unknown
        assert as_frame(frame, "polars")["seen"].cast(pl.Int64).to_list() == expected
        arrays = as_frame(frame, "numpy")["seen"]
        assert (arrays.dtype, np.isnat(arrays).tolist()) == (np.dtype("M8[ns]"), unknown)
        assert arrays[~np.isnat(arrays)].astype(np.int64).tolist() == [ns for ns in expected if ns is not None]


def test_symbols_of_another_answer_are_not_taken_for_these() -> None:
    for names in (["A", "B"], ["AB", ""], ["B", "A"], ["A", "B", "C"]):
        codes = pa.array(np.arange(len(names), dtype=np.int32)[::-1])
        for kind in (pa.string(), pa.large_string()):
            given = pa.table({"sym": pa.DictionaryArray.from_arrays(codes, pa.array(names, kind))})
            assert as_frame(given, "pandas")["sym"].tolist() == names[::-1]
            assert as_frame(given.slice(1), "pandas")["sym"].tolist() == names[::-1][1:]


def test_what_a_user_does_to_a_frame_is_not_seen_in_the_next() -> None:
    first = as_frame(table(2), "pandas")
    first.columns.name = first.index.name = "mine"
    first["sym"] = first["sym"].cat.rename_categories(["X", "Y", "Z"])
    pd.testing.assert_frame_equal(as_frame(table(2), "pandas"), made_by_arrow(table(2)))


def test_a_small_frame_can_be_written_to_and_the_answer_stays() -> None:
    given = table(4)
    frame = as_frame(given, "pandas")
    for name, value in {"price": 9.5, "n": 7, "time": pd.Timestamp(5, tz="UTC"), "sym": "A"}.items():
        frame.loc[0, name] = value
    assert frame["n"].tolist() == [7, 1, 2, 3]
    assert given.column("n").to_pylist() == [0, 1, 2, 3]
    assert given.column("price").to_pylist()[0] == 0.0


def test_only_questions_for_a_few_rows_found_by_symbol_are_quick() -> None:
    assert is_quick({"ask": "last", "table": "trades"})
    assert is_quick({"ask": "select", "table": "trades", "sym": ["A"], "last": 100})
    assert is_quick({"ask": "select", "table": "trades", "sym": ["A"], "first": 1, "last": None})
    assert not is_quick({"ask": "select", "table": "trades", "sym": ["A"]})
    assert not is_quick({"ask": "select", "table": "trades", "last": 100})
    assert not is_quick({"ask": "select", "table": "trades", "sym": ["A"], "last": 100, "where": [["price", ">", 1]]})
    assert not is_quick({"ask": "select", "table": "trades", "sym": "A", "last": 100})
    assert not is_quick({"ask": "last", "table": "trades", "at": 5})
    assert not is_quick({"ask": "sql", "query": "select 1"})
