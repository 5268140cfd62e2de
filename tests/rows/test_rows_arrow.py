"""A column as Arrow has it, and one of Arrow's as ours: the same values, null where nothing is known, in any layout."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from plant.rows.arrow import arrow_column, columns_from_arrow
from plant.rows.columns import NULL, Symbols, Texts
from plant.rows.schema import UNKNOWN_TIME, Column, Table

STAMP, SYMBOL = pa.timestamp("ns", "UTC"), pa.dictionary(pa.int32(), pa.string())
FLOATS, INTS = np.array([1.5, -np.inf, 0.0, 2.5]), np.array([3, -4, 0, 2**62])
UNKNOWN = np.array([1.5, np.nan, np.inf, -np.inf])
MASKED = np.ma.MaskedArray(INTS, [False, True, False, False])
CODES = np.array([1, 0, 1, 0], dtype=np.int32)

COLUMNS: dict[str, tuple[Any, bool, Any, list[Any]]] = {
    "floats": (FLOATS, False, pa.float64(), FLOATS.tolist()),
    "floats with a NaN": (UNKNOWN, False, pa.float64(), [1.5, None, np.inf, -np.inf]),
    "every second float": (UNKNOWN[::2], False, pa.float64(), [1.5, np.inf]),
    "no floats": (FLOATS[:0], False, pa.float64(), []),
    "ints": (INTS, False, pa.int64(), INTS.tolist()),
    "masked ints": (MASKED, False, pa.int64(), [3, None, 0, 2**62]),
    "masked times": (MASKED, True, STAMP, [3, None, 0, 2**62]),
    "times": (INTS, True, STAMP, INTS.tolist()),
    "every second time": (INTS[::2], True, STAMP, [3, 0]),
    "truths": (FLOATS > 0, False, pa.bool_(), [True, False, False, True]),
    "symbols": (Symbols(["A", "B"], CODES), False, SYMBOL, ["B", "A", "B", "A"]),
    "every second symbol": (Symbols(["A", "B"], CODES[::2]), False, SYMBOL, ["B", "B"]),
    "symbols not there": (Symbols(["A"], np.array([0, NULL], dtype=np.int32)), False, SYMBOL, ["A", None]),
    "no symbols": (Symbols([], CODES[:0]), False, SYMBOL, []),
    "texts": (Texts.of(["a", "", "Ä"]), False, pa.large_string(), ["a", "", "Ä"]),
}


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("name", COLUMNS)
def test_values_are_the_same_and_what_is_not_known_is_null(name: str, checked: bool) -> None:
    column, is_time, kind, expected = COLUMNS[name]
    found = arrow_column(column, is_time, checked)
    found.validate(full=True)
    assert found.type == kind
    assert (found.cast(pa.int64()) if is_time else found).to_pylist() == expected
    assert found.null_count == expected.count(None)


def test_numbers_are_not_copied() -> None:
    for column, is_time in ((FLOATS, False), (INTS, True)):
        assert arrow_column(column, is_time).buffers()[1].address == column.ctypes.data


def test_codes_beyond_the_strings_are_refused_where_they_are_checked() -> None:
    with pytest.raises((pa.ArrowInvalid, pa.ArrowIndexError)):
        arrow_column(Symbols(["A"], np.array([1], dtype=np.int32)))


TABLE = Table(
    "all",
    (Column("time", "time"), Column("sym", "symbol"), Column("n", "int"), Column("x", "float"), Column("text", "text")),
)


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
    expected = {name: values * chunks for name, (values, _) in given.items()}
    expected["time"] = [UNKNOWN_TIME if ns is None else ns for ns in expected["time"]]
    assert {name: column.tolist() for name, column in found.items()} == expected
