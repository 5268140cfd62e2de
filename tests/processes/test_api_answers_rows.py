"""Rows and times as they go out, against plain Python."""

import asyncio
import datetime as dt
import io
import json
import math
import threading
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from api.answers.rows import ARROW, CSV, FEW_ROWS, Form, answered, plain_columns, row_answer
from api.answers.times import told_times
from plant.rows.schema import UNKNOWN_TIME

law = settings(max_examples=examples(60), deadline=None, derandomize=True, database=None)

TIMES = st.one_of(
    st.integers(0, 4 * 10**18),
    st.integers(0, 4 * 10**9).map(lambda s: s * 10**9),
    st.integers(0, 4 * 10**12).map(lambda ms: ms * 10**6),
    st.just(UNKNOWN_TIME),
)

EARLY, LATE = "1970-01-01T00:00:00Z", "1970-01-01T00:00:01.5Z"


def plainly(time: int) -> str | None:
    if time == UNKNOWN_TIME:
        return None
    seconds, rest = divmod(time, 10**9)
    text = dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


@law
@given(st.lists(TIMES, max_size=20))
def test_times_have_as_many_digits_as_they_need(times: list[int]) -> None:
    found = told_times(np.array(times, dtype=np.int64))
    assert found == [plainly(time) for time in times]
    known = [text for text in found if text is not None]
    assert [pd.Timestamp(text).value for text in known] == [time for time in times if time != UNKNOWN_TIME]
    in_ns = told_times(np.array(times, dtype=np.int64), "ns")
    assert in_ns == [None if time == UNKNOWN_TIME else str(time) for time in times]


def table() -> pa.Table:
    return pa.table(
        {
            "time": pa.array([0, 1_500_000_000], pa.timestamp("ns", "UTC")),
            "sym": pa.array(["A,B", '"'], pa.string()).dictionary_encode(),
            "price": pa.array([math.nan, 1.5]),
            "more": pa.array([math.inf, None], pa.float64()),
            "n": pa.array([2**60, None], pa.int64()),
            "text": pa.array(["\u00e4\x00", None], pa.large_string()),
        }
    )


def test_what_is_not_known_or_no_number_is_null() -> None:
    answer = json.loads(bytes(row_answer("t", table(), 7, Form(), "c").body))
    assert answer == {
        "table": "t",
        "seq": 7,
        "next": "c",
        "rows": [
            {"time": EARLY, "sym": "A,B", "price": None, "more": None, "n": 2**60, "text": "\u00e4\x00"},
            {"time": LATE, "sym": '"', "price": 1.5, "more": None, "n": None, "text": None},
        ],
    }
    by_column = json.loads(bytes(row_answer("t", table(), 7, Form(layout="columns")).body))
    assert by_column["columns"] == plain_columns(table())
    assert "rows" not in by_column


def test_csv_and_arrow_hold_the_same_and_tell_seq_and_next() -> None:
    csv = row_answer("t", table(), 7, Form(CSV), "c")
    assert (csv.headers["x-seq"], csv.headers["x-next"], csv.media_type) == ("7", "c", CSV)
    read = pd.read_csv(io.BytesIO(bytes(csv.body)))
    assert read["sym"].tolist() == ["A,B", '"']
    assert read["time"].tolist() == [EARLY, LATE]
    arrow = row_answer("t", table(), None, Form(ARROW))
    found = pa.ipc.open_stream(bytes(arrow.body)).read_all()
    assert found.drop_columns(["price"]).equals(table().drop_columns(["price"]))
    assert "x-seq" not in arrow.headers


@pytest.mark.parametrize("rows", [0, 1, FEW_ROWS, 2 * FEW_ROWS + 1])
def test_many_rows_are_written_in_a_thread_and_are_the_same(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    many = pa.table({"n": range(rows), "price": [math.nan] * rows})
    by = []

    def written(*args: Any) -> Any:
        by.append(threading.current_thread())
        return row_answer(*args)

    monkeypatch.setattr("api.answers.rows.row_answer", written)
    found = json.loads(bytes(asyncio.run(answered("t", many, 7, Form(), None, {"truncated": True})).body))
    assert found == {
        "table": "t", "seq": 7, "rows": [{"n": n, "price": None} for n in range(rows)], "next": None, "truncated": True,
    }  # fmt: skip
    assert (by == [threading.main_thread()]) is (rows <= FEW_ROWS)


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.lists(st.sampled_from([None, "", "AAPL", "x" * 9]), max_size=9), max_size=3), st.integers(0, 9))
def test_names_and_whole_numbers_are_what_arrow_says(chunks: list[list[str | None]], start: int) -> None:
    kind = pa.dictionary(pa.int8(), pa.string())
    names = pa.chunked_array([pa.array(chunk, pa.string()).dictionary_encode().cast(kind) for chunk in chunks], kind)
    numbers = pa.chunked_array(
        [pa.array([len(name or "") for name in chunk], pa.uint64()) for chunk in chunks], "uint64"
    )
    table = pa.table({"names": names, "numbers": numbers}).slice(start)
    assert plain_columns(table) == table.to_pydict()


def test_a_dictionary_that_is_full_has_a_place_for_what_is_not_known() -> None:
    every = pa.array([str(number) for number in range(128)])
    column = pa.DictionaryArray.from_arrays(pa.array([0, None, 127], pa.int8()), every)
    assert plain_columns(pa.table({"names": column})) == {"names": ["0", None, "127"]}
