"""Where bars begin and end: sessions, half-days, changes of clocks, weeks, months; without a calendar, multiples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.calendars.exchange import exchange
from plant.calendars.sessions import CLOSED, NO_BAR, POST, PRE, REGULAR, Sessions
from plant.errors import SettingsError

XNYS = Sessions(exchange("XNYS"))
NONE = Sessions()
INTERVALS = ["1s", "1m", "2m", "7m", "15m", "1h", "4h", "1d", "1w", "1M"]


def ns(*texts: str) -> np.ndarray:
    return np.array([np.datetime64(text, "ns").astype(np.int64) for text in texts])


def shown(times: np.ndarray) -> list[str]:
    return [str(time) for time in times.astype("M8[ns]").astype("M8[m]")]


@pytest.mark.parametrize(
    ("time", "kind"),
    [
        ("2026-11-25T08:59", CLOSED),
        ("2026-11-25T09:00", PRE),
        ("2026-11-25T14:29", PRE),
        ("2026-11-25T14:30", REGULAR),
        ("2026-11-25T20:59", REGULAR),
        ("2026-11-25T21:00", POST),
        ("2026-11-26T00:59", POST),
        ("2026-11-26T01:00", CLOSED),
        ("2026-11-26T15:00", CLOSED),  # Thanksgiving
        ("2026-11-27T17:59", REGULAR),  # a half-day
        ("2026-11-27T18:00", POST),
        ("2026-11-27T22:00", CLOSED),
        ("2026-10-30T13:29", PRE),  # summer time
        ("2026-10-30T13:30", REGULAR),
        ("2026-11-02T14:29", PRE),  # and not any more
    ],
)
def test_the_hours_of_new_york(time: str, kind: int) -> None:
    assert XNYS.kinds(ns(time)).tolist() == [kind]


@pytest.mark.parametrize(
    ("time", "interval", "start", "end"),
    [
        ("2026-11-25T14:29", "1h", "2026-11-25T14:00", "2026-11-25T14:30"),
        ("2026-11-25T14:30", "1h", "2026-11-25T14:30", "2026-11-25T15:30"),
        ("2026-11-25T20:59", "1h", "2026-11-25T20:30", "2026-11-25T21:00"),
        ("2026-11-27T17:31", "1h", "2026-11-27T17:30", "2026-11-27T18:00"),
        ("2026-11-27T18:01", "1h", "2026-11-27T18:00", "2026-11-27T19:00"),
        ("2026-11-27T17:31", "1d", "2026-11-27T05:00", "2026-11-27T18:00"),
        ("2026-10-30T15:00", "1d", "2026-10-30T04:00", "2026-10-30T20:00"),
        ("2026-11-24T15:00", "1w", "2026-11-23T05:00", "2026-11-27T18:00"),
        ("2026-07-01T15:00", "1w", "2026-06-29T04:00", "2026-07-02T20:00"),  # Friday is a holiday
        ("2026-11-24T15:00", "1M", "2026-11-01T04:00", "2026-11-30T21:00"),
    ],
)
def test_bars_of_new_york_begin_with_their_session_and_end_with_it_at_the_latest(
    time: str, interval: str, start: str, end: str
) -> None:
    starts = XNYS.starts(ns(time), interval)
    assert shown(starts) == [start]
    assert shown(XNYS.ends(starts, interval)) == [end]


def test_outside_of_regular_sessions_there_is_no_day_and_a_day_labelled_in_utc_ends_with_its_date_s() -> None:
    assert XNYS.starts(ns("2026-11-25T09:00", "2026-11-25T21:00", "2026-11-28T12:00"), "1d").tolist() == [NO_BAR] * 3
    assert shown(XNYS.ends(ns("2026-11-25T00:00"), "1d")) == ["2026-11-25T21:00"]


def test_boundaries_are_the_opens_and_closes_of_regular_sessions_in_order() -> None:
    new_york = exchange("XNYS")
    found = Sessions(new_york).boundaries()
    assert found[0::2].tolist() == new_york.opens.tolist()
    assert found[1::2].tolist() == new_york.closes.tolist()
    assert (np.diff(found) > 0).all()
    assert not len(Sessions().boundaries())


def test_the_last_close_is_that_of_the_session_before_until_the_next_pre_market() -> None:
    times = ns("2026-11-25T20:59", "2026-11-25T21:00:07", "2026-11-26T12:00", "2026-11-27T08:59", "2026-11-27T09:00")
    labels, closes = XNYS.last_close(times)
    assert labels[[0, 4]].tolist() == [NO_BAR, NO_BAR]
    assert shown(labels[1:4]) == ["2026-11-25T05:00"] * 3
    assert shown(closes[1:4]) == ["2026-11-25T21:00"] * 3


def test_the_pause_at_noon_ends_a_bar_and_begins_another() -> None:
    tokyo = Sessions(exchange("XTKS"))
    times = ns("2026-06-15T02:20", "2026-06-15T03:40")  # 11:20 and 12:40 in Tokyo
    assert shown(tokyo.starts(times, "1h")) == ["2026-06-15T02:00", "2026-06-15T03:30"]
    assert shown(tokyo.ends(tokyo.starts(times, "1h"), "1h")) == ["2026-06-15T02:30", "2026-06-15T04:30"]
    assert len(set(tokyo.starts(times, "1d").tolist())) == 1


def test_without_a_calendar_bars_are_multiples_since_1970_utc() -> None:
    time = ns("2026-11-25T14:29")
    assert shown(NONE.starts(time, "4h")) == ["2026-11-25T12:00"]
    assert shown(NONE.starts(time, "1w")) == ["2026-11-23T00:00"]
    assert shown(NONE.ends(NONE.starts(time, "1M"), "1M")) == ["2026-12-01T00:00"]


def test_what_is_no_interval_of_a_market_and_no_exchange_is_refused() -> None:
    for wrong in ("2d", "3w", "x", "m"):
        with pytest.raises(ValueError, match="expected an interval of seconds, minutes or hours"):
            XNYS.starts(ns("2026-11-25"), wrong)
    with pytest.raises(SettingsError, match=r"\[bars\] calendars: exchange_calendars knows no 'NOPE'"):
        exchange("NOPE", "[bars] calendars")


TIMES = st.lists(st.integers(0, 1_860_000_000).map(lambda s: s * 10**9), min_size=1, max_size=20)


@given(TIMES, st.sampled_from(INTERVALS), st.sampled_from([XNYS, NONE]))
def test_a_bar_holds_its_times_and_begins_where_it_begins(times: list[int], interval: str, sessions: Sessions) -> None:
    at = np.array(times)
    starts = sessions.starts(at, interval)
    at, starts = at[starts != NO_BAR], starts[starts != NO_BAR]
    ends = sessions.ends(starts, interval)
    assert ((starts <= at) & (at < ends)).all()
    again = sessions.starts(ends - 1, interval)
    assert (again == starts).all()  # the last moment before its end is its own
    if interval not in ("1d", "1w", "1M"):
        assert (sessions.starts(starts, interval) == starts).all()
        assert (sessions.kinds(starts) == sessions.kinds(ends - 1)).all()


def test_sessions_are_numbered_one_after_another_with_their_dates_weeks_and_times() -> None:
    times = ns("2026-11-25T12:00", "2026-11-25T22:00", "2026-11-26T15:00", "2026-11-27T17:00", "2026-11-30T15:00")
    wednesday, same, holiday, friday, monday = XNYS.numbers(times).tolist()
    assert (same, holiday, friday, monday) == (wednesday, wednesday + 1, wednesday + 1, wednesday + 2)
    half_day = XNYS.session(friday)
    assert half_day.date == "2026-11-27"
    assert shown(np.array(half_day[3:])) == ["2026-11-27T09:00", "2026-11-27T14:30", "2026-11-27T18:00"]
    assert XNYS.session(monday).week == half_day.week + 1 == XNYS.session(wednesday).week + 1
    assert XNYS.session(10**6) == XNYS.session(XNYS.session(10**6).number)


def test_without_a_calendar_sessions_are_dates() -> None:
    (number,) = NONE.numbers(ns("2026-11-29T23:59")).tolist()
    sunday = NONE.session(number)
    assert (sunday.date, sunday.begin, sunday.open) == ("2026-11-29", sunday.open, ns("2026-11-29")[0])
    assert sunday.close == NONE.session(number + 1).open
    assert NONE.session(number + 1).week == sunday.week + 1
