"""Rows as columns: whatever a user holds becomes the same columns, or an error that says what is wrong with it."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rows import EVERY_KIND, STRINGS, bits, columns_from, plain_rows

from plant.errors import BadRows, PlantError, UnknownColumn
from plant.intake.forms import columns_of
from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, Texts
from plant.rows.schema import UNKNOWN_TIME, Column, Table
from plant.rows.tables import schema_of
from plant.rows.times import nanoseconds

law = settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)
SCHEMA = schema_of()
TRADES, BARS, HEARTBEATS = SCHEMA["trades"], SCHEMA["bars"], SCHEMA["heartbeats"]
NEW_YORK = ZoneInfo("America/New_York")

NOON = 1_795_176_000_000_000_000  # 2026-11-20 12:00 UTC
LISTS: dict[str, list[Any]] = {
    "time": [NOON, NOON + 1],
    "sym": ["AAPL", "Ä€"],
    "price": [1.5, 2.0],
    "size": [3.0, 0.0],
    "source": ["x", "x"],
    "trade_id": ["1", ""],
    "conditions": ["@ T", ""],
    "tape": ["A", ""],
    "exchange": ["Q", ""],
    "venue_seq": [7, 0],
}
OBJECTS = ("sym", "source", "trade_id", "conditions", "tape", "exchange")
ARRAYS = {k: np.array(v, dtype=object if k in OBJECTS else None) for k, v in LISTS.items()}
FRAME = pd.DataFrame(LISTS)
ARROW = pa.table(LISTS)


def plain(columns: Columns) -> dict[str, list[Any]]:
    return {name: column.tolist() for name, column in columns.items()}


def times_of(value: Any) -> list[int]:
    return columns_of(TRADES, {"time": value, "sym": ["A"] * len(value)})["time"].tolist()


def named(value: Any) -> str:
    """Name a case without the address that Arrow's repr has: two workers must collect the same tests."""
    return f"{type(value).__name__} {value.tolist()}" if isinstance(value, pa.Array) else repr(value)


@pytest.mark.parametrize(
    "value",
    [
        [" A", "A\t", "B"],
        pd.Categorical([" A", "A\t", "B"]),
        pd.Series([" A", "A\t", "B"]).astype("category"),
        pa.array([" A", "A\t", "B"]).dictionary_encode(),
    ],
    ids=named,
)
def test_blanks_around_a_symbol_are_no_part_of_it(value: Any) -> None:
    found = columns_of(TRADES, {"time": [NOON] * 3, "sym": value})["sym"]
    assert (found.names, found.tolist()) == (["A", "B"], ["A", "A", "B"])


@pytest.mark.parametrize(
    "rows",
    [
        LISTS,
        {k: tuple(v) for k, v in LISTS.items()},
        ARRAYS,
        {k: pd.Series(v) for k, v in LISTS.items()},
        [dict(zip(LISTS, row, strict=True)) for row in zip(*LISTS.values(), strict=True)],
        FRAME,
        FRAME.astype({"sym": "category", "source": "string[pyarrow]"}),
        FRAME.astype({"time": "datetime64[ns, UTC]"}),
        FRAME.astype({"time": "Int64", "price": "Float64", "size": "double[pyarrow]"}),
        FRAME[list(reversed(LISTS))].set_axis([7, 7]),
        pl.DataFrame(LISTS),
        pl.DataFrame(LISTS).with_columns(pl.col("sym").cast(pl.Categorical), pl.from_epoch("time", "ns")),
        ARROW,
        ARROW.to_batches()[0],
        ARROW.set_column(1, "sym", ARROW["sym"].dictionary_encode()),
        pa.concat_tables([ARROW.slice(0, 1), ARROW.slice(1)]),
        Batch("trades", columns_from(TRADES, LISTS), 1, 1, 1),
    ],
    ids=lambda r: type(r).__module__ + "." + type(r).__name__,
)
def test_rows_in_any_shape_become_the_same_columns(rows: Any) -> None:
    columns = columns_of(TRADES, rows)
    assert plain(columns) == LISTS
    assert list(columns) == list(TRADES.names)
    assert [columns[n].dtype for n in ("time", "price")] == [np.dtype("<i8"), np.dtype("<f8")]
    assert isinstance(columns["sym"], Symbols)
    assert isinstance(columns["trade_id"], Texts)


def test_one_dict_of_plain_values_is_one_row() -> None:
    row = {name: values[0] for name, values in LISTS.items()}
    assert plain(columns_of(TRADES, row)) == {name: [value] for name, value in row.items()}
    numpy_row = {"time": np.int64(5), "sym": np.array(["A"])[0], "price": np.float64(2)}
    assert plain(columns_of(TRADES, numpy_row))["sym"] == ["A"]


@law
@given(plain_rows())
def test_columns_of_lists_hold_exactly_these_values(rows: dict[str, list[Any]]) -> None:
    stripped = {n: [s.strip() for s in v] if n in ("sym", "venue") else v for n, v in rows.items()}
    assert bits(columns_of(EVERY_KIND, rows)) == bits(columns_from(EVERY_KIND, stripped))


@law
@given(plain_rows(max_rows=6), st.data())
def test_a_batch_gives_its_rows_back_in_every_form(rows: dict[str, list[Any]], data: st.DataObject) -> None:
    batch = Batch("everything", columns_from(EVERY_KIND, rows), 1, 2, 3)
    count = len(rows["time"])
    assert len(batch) == count
    nan_is_none = {k: [None if v != v else v for v in values] for k, values in rows.items()}
    arrow = batch.arrow()
    assert str(arrow.schema.field("time").type) == "timestamp[ns, tz=UTC]"
    as_numbers = arrow.set_column(0, "time", arrow["time"].cast(pa.int64()))
    assert as_numbers.to_pydict() == nan_is_none
    assert [list(row.values()) for row in batch.rows()] == [
        [pytest.approx(v, nan_ok=True, rel=0, abs=0) if isinstance(v, float) else v for v in row]
        for row in zip(*rows.values(), strict=True)
    ]
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=bool)
    kept = batch.filtered(mask)
    assert bits(kept.columns) == {
        n: [v for v, k in zip(c, mask, strict=True) if k] for n, c in bits(batch.columns).items()
    }
    assert (kept.seq, kept.table_seq, kept.received) == (1, 2, 3)


def test_pandas_and_numpy_forms_keep_times_symbols_and_texts() -> None:
    batch = Batch("trades", columns_from(TRADES, LISTS), 9, 1, 1)
    frame = batch.pandas()
    assert frame["time"].astype("int64").tolist() == LISTS["time"]
    assert str(frame["time"].dt.tz) == "UTC"
    assert frame["sym"].dtype == "category"
    assert frame["trade_id"].tolist() == LISTS["trade_id"]
    assert {k: v.tolist() for k, v in batch.numpy().items()} == LISTS
    assert repr(batch) == "<Batch trades seq=9 rows=2>"


@law
@given(st.lists(STRINGS, max_size=8), STRINGS)
def test_symbols_compare_as_a_column_of_strings_does(strings: list[str], text: str) -> None:
    column = Symbols.of(strings)
    assert (column == text).tolist() == [s == text for s in strings]
    assert (column != text).tolist() == [s != text for s in strings]
    assert column.names == list(dict.fromkeys(strings))
    assert column[::-1].tolist() == strings[::-1]


@law
@given(st.lists(STRINGS, max_size=8), st.data())
def test_texts_give_any_choice_of_rows(strings: list[str], data: st.DataObject) -> None:
    positions = data.draw(st.lists(st.integers(0, len(strings) - 1))) if strings else []
    column = Texts.of(strings)
    assert column[np.array(positions, dtype=np.int64)].tolist() == [strings[p] for p in positions]
    assert len(column) == len(strings)


@pytest.mark.parametrize(
    "value",
    [
        [NOON],
        np.array([NOON]),
        np.array([NOON], dtype=np.uint64),
        pd.Series([NOON], dtype=object),
        pl.Series([NOON]),
        ["2026-11-20 12:00"],
        ["2026-11-20T12:00:00.000000000Z"],
        ["2026-11-20T13:00:00+01:00"],
        pd.Series(["20261120T120000"], dtype="category"),
        [dt.datetime(2026, 11, 20, 12)],
        [dt.datetime(2026, 11, 20, 7, tzinfo=NEW_YORK)],
        [pd.Timestamp("2026-11-20 07:00", tz="America/New_York")],
        pd.Series(pd.DatetimeIndex(["2026-11-20 07:00"], tz="America/New_York")),
        pd.DatetimeIndex(["2026-11-20 12:00"]),
        np.array(["2026-11-20T12:00"], dtype="datetime64[m]"),
        pl.Series([dt.datetime(2026, 11, 20, 12)]),
        pa.array([NOON // 1000], pa.timestamp("us", "America/New_York")),
        pa.array([NOON // 10**9], pa.timestamp("s")),
    ],
    ids=named,
)
def test_a_time_in_any_form_is_nanoseconds_utc(value: Any) -> None:
    assert times_of(value) == [NOON]


def test_times_of_different_precision_and_zone_may_stand_in_one_column() -> None:
    texts = ["2026-11-20T12:00:00", "2026-11-20T12:00:00.5", "2026-11-20 13:00:00.000000001+01:00", "2026-11-20"]
    assert times_of(texts) == [NOON, NOON + 500_000_000, NOON + 1, NOON - 12 * 3600 * 10**9]
    moments = [dt.datetime(2026, 11, 20, 12), dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), dt.date(2026, 11, 20)]
    assert times_of(moments) == [NOON, NOON, NOON - 12 * 3600 * 10**9]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ([1.7e9], "found 1700000000.0; give int nanoseconds"),
        (np.array([1.7e9]), "found 1700000000.0; give int nanoseconds"),
        (pd.Series([1.7e9]), "found 1700000000.0; give int nanoseconds"),
        ([np.float32(1)], "give int nanoseconds"),
        ([True], "found True; give int nanoseconds"),
        (pd.Series([5, "2026-01-01"], dtype=object), "found 5; give int nanoseconds"),
        ([None], "found a missing time"),
        ([pd.NaT], "found a missing time"),
        ([""], "found a missing time"),
        (pl.Series([None], dtype=pl.Int64), "found a missing time"),
        (pa.array([None], pa.timestamp("ns")), "found a missing time"),
        (["yesterday"], "which is not ISO 8601"),
        (["05/06/2026"], "05/06/2026 is not ISO8601"),
        ([dt.datetime(2600, 1, 1)], "Out of bounds"),
        (np.array(["2600-01-01"], dtype="datetime64[s]"), "Out of bounds"),
        ([2**63], "more than an int64 holds"),
        (np.array([2**63], dtype=np.uint64), "more than an int64 holds"),
        (np.array([[NOON]]), "1-dimensional"),
    ],
    ids=named,
)
def test_a_value_that_is_no_time_is_refused(value: Any, complaint: str) -> None:
    with pytest.raises(BadRows, match=r"^trades\.time: expected time, .*") as caught:
        times_of(value)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given_", "complaint"),
    [
        ({"sym": [None]}, r"trades.sym: expected symbol, found None \(NoneType\)"),
        ({"sym": [5]}, r"trades.sym: expected symbol, found 5 \(int\)"),
        ({"sym": [b"A"]}, r"trades.sym: expected symbol, found b'A'"),
        ({"sym": ["\ud800"]}, r"trades.sym: expected symbol, 'utf-8' codec can't encode"),
        ({"trade_id": ["\ud800"]}, r"trades.trade_id: expected text, 'utf-8' codec can't encode"),
        ({"trade_id": [1.5]}, r"trades.trade_id: expected text, found 1.5"),
        ({"price": ["1,5"]}, r"trades.price: expected float, found '1,5'"),
        ({"price": [True]}, r"trades.price: expected float, found True"),
        ({"price": np.array([[1.0]])}, r"trades.price: expected float, .* 2 dimensions"),
        ({"price": [1.0, 2.0]}, r"trades.price: expected 1 values as in time, found 2"),
        ({"sym": []}, r"trades.sym: expected 1 values as in time, found 0"),
        ({"sym": "AAPL"}, r"found a column as 'time', but 'sym' is 'AAPL'"),
        ({"sym": {"AAPL"}}, r"found a column as 'time', but 'sym' is \{'AAPL'\}"),
        ({"price": np.array(1.5)}, r"found a column as 'time', but 'price' is array\(1.5\)"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_naming_its_column(given_: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadRows, match=complaint):
        columns_of(TRADES, {"time": [NOON], "sym": ["A"]} | given_)


@pytest.mark.parametrize(
    "value", [[1.0], [None], [2**63], [2**70], [True], ["5.0"], np.array([2**63], dtype=np.uint64)]
)
def test_an_int_column_takes_whole_numbers_of_64_bits_only(value: Any) -> None:
    with pytest.raises(BadRows, match=r"heartbeats\.pid: expected int, found"):
        columns_of(HEARTBEATS, {"time": [NOON], "sym": ["p"], "pid": value})
    kept = columns_of(HEARTBEATS, {"time": [NOON] * 3, "sym": ["p"] * 3, "pid": [2**63 - 1, -(2**63), 0]})
    assert kept["pid"].tolist() == [2**63 - 1, -(2**63), 0]


def test_missing_numbers_are_not_known() -> None:
    for price in ([1, None], np.array([1.0, None], dtype=object), pl.Series([1, None]), pa.array([1, None])):
        columns = columns_of(TRADES, {"time": [1, 2], "sym": ["A", "B"], "price": price})
        assert columns["price"][0] == 1
        assert np.isnan(columns["price"][1])


NEWS = Table("news", (Column("time", "time"), Column("sym", "symbol"), Column("heard", "time")))


def test_a_second_time_that_is_not_given_is_not_known() -> None:
    found = columns_of(NEWS, {"time": 1, "sym": "A"})
    assert (found["time"].tolist(), found["heard"].tolist()) == ([1], [UNKNOWN_TIME])


MISSING: list[Any] = [
    [None, NOON],
    [pd.NaT, pd.Timestamp(NOON)],
    [pd.NA, NOON],
    [np.datetime64("NaT"), np.datetime64(NOON, "ns")],
    [None, "2026-11-20 12:00"],
    [UNKNOWN_TIME, NOON],
    [float("nan"), dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)],
    np.array([None, NOON], dtype=object),
    np.array(["NaT", NOON], dtype="M8[ns]"),
    np.array(["NaT", NOON // 10**6], dtype="M8[ms]"),
    pd.Series([None, NOON], dtype="Int64"),
    pd.Series([pd.NaT, pd.Timestamp(NOON, tz="America/New_York")]),
    pd.array([None, NOON], dtype="int64[pyarrow]"),
    pd.array([None, pd.Timestamp(NOON)], dtype="timestamp[us][pyarrow]"),
    pa.array([None, NOON]),
    pa.array([None, NOON], pa.timestamp("ns", "UTC")),
    pa.array([None, NOON // 10**9], pa.timestamp("s")),
    pa.chunked_array([pa.array([None], pa.int64()), pa.array([NOON])]),
    pl.Series([None, NOON]),
    pl.Series([None, NOON // 1000]).cast(pl.Datetime("us", "UTC")),
]  # fmt: skip


@pytest.mark.parametrize("value", MISSING, ids=range(len(MISSING)))
def test_a_second_time_may_be_missing_in_every_form_but_the_first_may_not(value: Any) -> None:
    found = columns_of(NEWS, {"time": [NOON] * 2, "sym": ["A"] * 2, "heard": value}, unit=None)
    assert found["heard"].tolist() == [UNKNOWN_TIME, NOON]
    assert found["heard"].dtype == np.dtype("<i8")
    with pytest.raises(BadRows, match=r"news\.time: expected time, found a missing time; only the times beside it"):
        columns_of(NEWS, {"time": value, "sym": ["A"] * 2}, unit=None)


@pytest.mark.parametrize(
    "value",
    [[None] * 2, [pd.NaT] * 2, np.full(2, np.nan), pd.Series([None] * 2), pa.nulls(2), pl.Series([None] * 2)],
    ids=range(6),
)
def test_a_second_time_may_be_missing_everywhere(value: Any) -> None:
    found = columns_of(NEWS, {"time": [NOON] * 2, "sym": ["A"] * 2, "heard": value}, unit=None)
    assert found["heard"].tolist() == [UNKNOWN_TIME] * 2


def test_the_unit_of_int_times_is_that_of_every_time_and_a_missing_one_has_none() -> None:
    rows = {"time": [NOON // 10**6] * 3, "sym": ["A"] * 3, "heard": [None, NOON // 10**6, UNKNOWN_TIME]}
    for given_ in (
        rows,
        {**rows, "time": np.array(rows["time"]), "heard": np.array([UNKNOWN_TIME, NOON // 10**6] * 2)[:3]},
    ):
        found = columns_of(NEWS, given_, unit="ms")
        assert (found["time"].tolist(), found["heard"].tolist()[:2]) == ([NOON] * 3, [UNKNOWN_TIME, NOON])
    ready = {"time": np.array([NOON]), "sym": Symbols.of(["A"]), "heard": np.array([NOON // 10**6])}
    for odd in (ready, {**ready, "heard": [NOON // 10**6]}, {**ready, "heard": [NOON // 10**6], "sym": ["A"]}):
        with pytest.raises(BadRows, match=r"news\.heard: .*no time of a market; it looks like ms"):
            columns_of(NEWS, odd, unit=None)


def test_columns_not_given_hold_their_defaults() -> None:
    columns = columns_of(TRADES, {"time": [1, 2], "sym": ["A", "B"]}, {"source": "feed", "trade_id": "none"})
    assert plain(columns)["source"] == ["feed", "feed"]
    assert plain(columns)["trade_id"] == ["none", "none"]
    assert np.isnan(columns["price"]).all()
    columns = columns_of(HEARTBEATS, {"time": 1, "sym": "p"})
    assert (plain(columns)["pid"], plain(columns)["state"]) == ([0], [""])
    assert plain(columns_of(TRADES, {"time": 1, "sym": "A", "source": "mine"}, {"source": "feed"}))["source"] == [
        "mine"
    ]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ({"sym": ["A"]}, "trades: no column 'time'; give time, sym, price"),
        ({"time": [1]}, "trades: no column 'sym', which every row needs"),
        ({}, "no column 'time'"),
        ([{"time": 1, "sym": "A"}, {"time": 2}], "must all have the same keys"),
        ([{"time": 1, "sym": "A"}, {"time": 2, "price": 1.0}], "must all have the same keys"),
        ([[1, "A"]], "rows must be a DataFrame"),
        ("AAPL", "found str"),
        (5, "found int"),
        (None, "found NoneType"),
    ],
)
def test_rows_of_no_usable_shape_are_refused(rows: Any, complaint: str) -> None:
    with pytest.raises(BadRows, match=complaint):
        columns_of(TRADES, rows)


def test_a_column_of_the_key_must_be_given() -> None:
    with pytest.raises(BadRows, match="bars: no column 'interval', which every row needs"):
        columns_of(BARS, {"time": [1], "sym": ["A"]})


def test_an_unknown_column_is_refused_naming_the_nearest() -> None:
    with pytest.raises(
        UnknownColumn, match=r"trades has no column 'prize' \(did you mean 'price'\?\); columns are: time"
    ):
        columns_of(TRADES, {"time": [1], "sym": ["A"], "prize": [1.0]})


def test_what_a_query_answered_can_be_published_again() -> None:
    answered = {"time": [1], "sym": ["A"], "seq": [5], "received": [6]}
    assert list(columns_of(TRADES, answered)) == list(TRADES.names)


@pytest.mark.parametrize("rows", [[], FRAME[:0], ARROW[:0], pl.DataFrame(LISTS)[:0], {"time": [], "sym": []}], ids=repr)
def test_no_rows_are_columns_of_length_nothing(rows: Any) -> None:
    assert plain(columns_of(TRADES, rows)) == {name: [] for name in TRADES.names}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TRADES.names), inner, max_size=4),
    max_leaves=8,
)


@law
@given(ANYTHING | st.fixed_dictionaries({"time": ANYTHING, "sym": ANYTHING, "price": ANYTHING}))
def test_anything_at_all_is_columns_or_an_error_of_ours(rows: Any) -> None:
    try:
        columns = columns_of(TRADES, rows)
    except PlantError:
        return
    assert len({len(c) for c in columns.values()}) == 1


NOW = dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC)  # still the evening of the 19th in New York
HALF_PAST_NINE = 1_795_098_600_000_000_000  # 2026-11-19 09:30 in New York


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("09:30", HALF_PAST_NINE),
        ("9:30", HALF_PAST_NINE),
        ("9:30:00", HALF_PAST_NINE),
        ("09:30:00.5", HALF_PAST_NINE + 500_000_000),
        ("15:30+01:00", HALF_PAST_NINE),
        (dt.time(9, 30), HALF_PAST_NINE),
        ("2026-11-19 09:30", HALF_PAST_NINE),
        ("2026-11-19T14:30Z", HALF_PAST_NINE),
        ("2026-11-19T09:30:00.000000001-05:00", HALF_PAST_NINE + 1),
        (dt.datetime(2026, 11, 19, 9, 30), HALF_PAST_NINE),
        (dt.datetime(2026, 11, 19, 14, 30, tzinfo=dt.UTC), HALF_PAST_NINE),
        (pd.Timestamp("2026-11-19 14:30:00.000000001", tz="UTC"), HALF_PAST_NINE + 1),
        (np.datetime64("2026-11-19T09:30"), HALF_PAST_NINE),
        ("2026-11-19", HALF_PAST_NINE - 34_200_000_000_000),
        (dt.date(2026, 11, 19), HALF_PAST_NINE - 34_200_000_000_000),
        (HALF_PAST_NINE, HALF_PAST_NINE),
        (np.int64(5), 5),
        (-1, -1),
    ],
    ids=repr,
)
def test_a_moment_is_nanoseconds_in_the_zone_it_was_meant(moment: Any, expected: int) -> None:
    assert nanoseconds(moment, NEW_YORK, NOW) == expected


def test_a_moment_without_a_zone_is_utc_unless_said_otherwise() -> None:
    assert nanoseconds("2026-11-20 12:00") == NOON
    assert nanoseconds("12:00", now=NOW) == NOON


@pytest.mark.parametrize(
    "moment",
    [
        *("", "now", "today", "noon", "25:00", ":", "1:", "9", "05/06/2026", "12:00 2026-11-20"),
        *("2026-03-08 02:30", "2026-11-01 01:30", dt.datetime(2600, 1, 1), pd.NaT),
        *(None, True, 1.5e18, np.float64(3), float("nan"), [], {}, 2**63),
    ],
    ids=repr,
)
def test_what_is_no_moment_is_refused_with_examples(moment: Any) -> None:
    """02:30 does not exist in New York on 8 March 2026, and 01:30 exists twice on 1 November."""
    with pytest.raises(BadRows, match=r'expected a time \("09:30", "2026-11-20 09:30"'):
        nanoseconds(moment, NEW_YORK, NOW)


@law
@given(st.text(alphabet="0123456789:-T +Z.", max_size=12) | st.text(max_size=5))
def test_any_text_is_a_moment_or_an_error_of_ours(text: str) -> None:
    try:
        assert isinstance(nanoseconds(text, NEW_YORK, NOW), int)
    except BadRows:
        return


def test_what_a_publisher_gathers_is_its_own_though_the_feed_fills_its_arrays_again() -> None:
    from plant.stream.gathering import Gathering

    table = schema_of()["trades"]
    gathering = Gathering(table, {"source": "test"})
    rows = columns_of(table, {"time": [1, 2], "sym": ["A", "B"], "price": [1.0, 2.0], "size": [1.0, 1.0]})
    gathering.add(rows)
    gathering.own()
    rows["price"][:] = 0
    rows["sym"].codes[:] = 0
    gathering.add({"time": 3, "sym": "C", "price": 3.0, "size": 1.0})
    found = gathering.take()
    assert found is not None
    assert (found["price"].tolist(), found["sym"].tolist()) == ([1.0, 2.0, 3.0], ["A", "B", "C"])


@pytest.mark.parametrize("count", [3, 5000])
def test_texts_at_some_rows_are_those_whatever_tells_which(count: int) -> None:
    strings = ["é" * (k % 4) + str(k) for k in range(count)]
    column = Texts.of(strings)
    random = np.random.default_rng(5)
    which = random.random(count) < 0.5
    places = random.integers(-count, count, 2 * count)
    assert column[which].tolist() == [s for s, w in zip(strings, which.tolist(), strict=True) if w]
    assert column[places].tolist() == [strings[p] for p in places.tolist()]
    assert column[places[:0]].tolist() == []
    for cut in (slice(1, count - 1), slice(None, None, -1), slice(2, 1), slice(-2, None)):
        assert column[cut].tolist() == strings[cut]
        assert column[cut].offsets[0] == 0
        assert len(column[cut].data) == column[cut].offsets[-1]
    assert Texts.of([""] * count)[places].tolist() == [""] * len(places)
    absent = Texts(column.offsets, column.data, which)
    assert absent[places].tolist() == [None if which[p] else strings[p] for p in places.tolist()]
