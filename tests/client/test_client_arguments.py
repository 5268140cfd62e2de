"""What a user may write for symbols, times, durations and conditions."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from plain_rows import NOON, SECOND

from plant.client.arguments import aggregates_of, conditions_of, duration_of, moment_of, names_of
from plant.errors import QueryError

BOTH = ["AAPL", "MSFT"]
EASTERN = dt.timezone(dt.timedelta(hours=-5))


@pytest.mark.parametrize(
    "value",
    [
        BOTH,
        tuple(BOTH),
        dict.fromkeys(BOTH),
        iter(BOTH),
        np.array(BOTH),
        np.array(BOTH, dtype=object),
        pd.Series(BOTH),
        pd.Series(BOTH, dtype="category"),
        pd.Index(BOTH),
        pd.array(BOTH),
        pl.Series(BOTH),
        pa.array(BOTH),
        pa.chunked_array([BOTH]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_several_names_may_be_given_in_any_collection(value: Any) -> None:
    found = names_of(value)
    assert found == ("AAPL", "MSFT")
    assert {type(name) for name in found} == {str}


def test_a_set_has_its_names_in_some_order() -> None:
    assert set(names_of(set(BOTH)) or ()) == set(BOTH)


@pytest.mark.parametrize("value", ["AAPL", np.str_("AAPL"), np.array("AAPL")])
def test_one_name_is_one_name(value: Any) -> None:
    assert names_of(value) == ("AAPL",)


def test_nothing_means_all_and_an_empty_list_none() -> None:
    assert names_of(None) is None
    assert names_of([]) == ()


@pytest.mark.parametrize("value", [5, b"AAPL", ["AAPL", 5], ["AAPL", None], [None], [["AAPL"]], pd.Series([1.5])])
def test_what_is_no_text_is_refused_with_what_was_found(value: Any) -> None:
    with pytest.raises(QueryError, match="sym is text, or several texts"):
        names_of(value)


@pytest.mark.parametrize(
    "value",
    [
        NOON,
        "2026-11-20 07:00",
        "2026-11-20T07:00:00",
        "2026-11-20T12:00Z",
        dt.datetime(2026, 11, 20, 7),
        dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC),
        pd.Timestamp("2026-11-20 07:00"),
        pd.Timestamp("2026-11-20 12:00", tz="UTC"),
        pl.Series([dt.datetime(2026, 11, 20, 7)])[0],
        np.datetime64("2026-11-20T07:00"),
    ],
    ids=str,
)
def test_a_moment_without_a_zone_is_in_the_zone_given(value: Any) -> None:
    assert moment_of(value, EASTERN) == NOON


def test_a_date_is_its_midnight_and_a_time_of_day_is_today() -> None:
    assert moment_of(dt.date(2026, 11, 20), dt.UTC) == NOON - 12 * 3600 * SECOND
    today = dt.datetime.combine(dt.datetime.now(EASTERN).date(), dt.time(9, 30), EASTERN)
    assert moment_of("09:30", EASTERN) == int(today.timestamp()) * SECOND
    assert moment_of(None, EASTERN) is None


@pytest.mark.parametrize("value", ["-5m", dt.timedelta(minutes=5), dt.timedelta(minutes=-5), pd.Timedelta("5m")])
def test_a_moment_may_be_counted_from_now(value: Any) -> None:
    found, now = moment_of(value, EASTERN), moment_of("now", EASTERN)
    assert found is not None
    assert now is not None
    assert 0 <= now - found - 300 * SECOND + SECOND < 2 * SECOND


def test_today_and_yesterday_are_days_of_the_zone() -> None:
    today = dt.datetime.combine(dt.datetime.now(EASTERN).date(), dt.time(), EASTERN)
    midnight = int(today.timestamp()) * SECOND
    assert moment_of("today", EASTERN) == midnight
    assert moment_of("yesterday 15:30", EASTERN) == midnight - int(8.5 * 3600) * SECOND
    with pytest.raises(QueryError, match="expected a time of day"):
        moment_of("yesterday noon", EASTERN)


@pytest.mark.parametrize(("per_second", "unit"), [(1, "s"), (10**3, "ms"), (10**6, "us")])
@pytest.mark.parametrize("kind", [int, np.int64])
def test_an_int_of_another_unit_than_ns_is_refused_with_the_unit_it_looks_like(
    kind: Any, per_second: int, unit: str
) -> None:
    with pytest.raises(QueryError, match=f"found .*, which looks like {unit}: as ns it is in 1970"):
        moment_of(kind(NOON // SECOND * per_second), dt.UTC)
    assert moment_of(kind(NOON), dt.UTC) == NOON
    assert moment_of(0, dt.UTC) == 0
    with pytest.raises(QueryError, match=f"looks like {unit}"):
        conditions_of(("time", ">", kind(NOON // SECOND * per_second)), dt.UTC)


@pytest.mark.parametrize("value", ["5s", "0 days 00:00:05", dt.timedelta(seconds=5), pd.Timedelta("5s"), 5 * SECOND])
def test_a_duration_may_be_given_in_many_ways(value: Any) -> None:
    assert duration_of(value) == 5 * SECOND


@pytest.mark.parametrize("name", ["time", "received"])
@pytest.mark.parametrize("value", ["2026-11-20 07:00", dt.datetime(2026, 11, 20, 7), np.datetime64("2026-11-20T07:00")])
def test_a_condition_on_a_time_takes_a_moment(name: str, value: Any) -> None:
    assert conditions_of((name, ">=", value), EASTERN) == ((name, ">=", NOON),)


def test_a_condition_on_text_stays_text_and_numpy_scalars_become_plain() -> None:
    found = conditions_of([("sym", "==", "12:00"), ("price", ">", np.float32(1.5))], EASTERN)
    assert found == (("sym", "==", "12:00"), ("price", ">", 1.5))
    assert type(found[1][2]) is float


@pytest.mark.parametrize("value", [{"top": ("max", "bid")}, {"top": ["max", "bid"]}, [("top", "max", "bid")]])
def test_aggregates_may_be_a_dict_or_a_list(value: Any) -> None:
    assert aggregates_of(value) == (("top", "max", "bid"),)


@pytest.mark.parametrize("value", ["max", {"top": "max"}, ["max"], 5, None])
def test_aggregates_of_another_form_are_a_query_error(value: Any) -> None:
    with pytest.raises(QueryError, match="aggregates are"):
        aggregates_of(value)
