"""Which day a row belongs to, and when days end: zones, daylight saving, sessions, half-days."""

import datetime as dt

import exchange_calendars
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.calendars import exchange as module
from plant.errors import SettingsError
from plant.history.days import Days

DAY = 86_400 * 10**9
TIMES = st.integers(0, 4_102_444_800_000_000_000 - 1)
SETTINGS = st.sampled_from(
    [
        ("00:00", "UTC", ""),
        ("17:00", "America/New_York", ""),
        ("02:30", "America/New_York", ""),
        ("01:30", "Europe/Berlin", ""),
        ("20:05", "America/New_York", "XNYS"),
        ("04:00", "America/New_York", "XNYS"),
    ]
)


def ns(text: str) -> int:
    """Return a time in UTC as ns since 1970."""
    return int(np.datetime64(text, "ns").astype(np.int64))


def day(days: Days, text: str) -> str:
    return str(days.day_of(np.array([ns(text)]))[0])


def test_days_end_at_midnight_utc_unless_told_otherwise() -> None:
    days = Days()
    assert day(days, "2026-11-20T00:00:00") == "2026-11-20"
    assert day(days, "2026-11-20T23:59:59.999999999") == "2026-11-20"
    assert days.next_roll(ns("2026-11-20T13:00")) == (dt.date(2026, 11, 20), ns("2026-11-21"))
    assert days.last_ended(ns("2026-11-21")) == dt.date(2026, 11, 20)
    assert days.bounds(dt.date(2026, 11, 20)) == (ns("2026-11-20"), ns("2026-11-21"))


def test_a_roll_in_the_afternoon_begins_the_next_date_s_day_and_one_in_the_morning_ends_yesterday_s() -> None:
    assert day(Days("17:00", "America/New_York"), "2026-11-20T21:59") == "2026-11-20"
    assert day(Days("17:00", "America/New_York"), "2026-11-20T22:00") == "2026-11-21"
    assert day(Days("04:00", "America/New_York"), "2026-11-20T08:59") == "2026-11-19"
    assert day(Days("04:00", "America/New_York"), "2026-11-20T09:00") == "2026-11-20"


@pytest.mark.parametrize(
    ("date", "hours", "end"),
    [
        ("2026-10-31", 24, "2026-10-31T21:00"),
        ("2026-11-01", 25, "2026-11-01T22:00"),  # daylight saving ends
        ("2026-11-02", 24, "2026-11-02T22:00"),
        ("2027-03-14", 23, "2027-03-14T21:00"),  # and begins
    ],
)
def test_days_are_an_hour_longer_or_shorter_when_daylight_saving_changes(date: str, hours: int, end: str) -> None:
    start, stop = Days("17:00", "America/New_York").bounds(dt.date.fromisoformat(date))
    assert (stop, stop - start) == (ns(end), hours * DAY // 24)


def test_a_roll_in_the_hour_that_is_skipped_or_repeated_happens_once() -> None:
    skipped = Days("02:30", "America/New_York")
    assert skipped.bounds(dt.date(2027, 3, 13)) == (ns("2027-03-13T07:30"), ns("2027-03-14T07:30"))
    repeated = Days("01:30", "America/New_York")
    assert repeated.bounds(dt.date(2026, 10, 31)) == (ns("2026-10-31T05:30"), ns("2026-11-01T05:30"))


def test_with_a_calendar_weekends_and_holidays_belong_to_the_session_that_ends_next() -> None:
    days = Days("20:05", "America/New_York", "XNYS")
    assert day(days, "2026-11-26T15:00") == "2026-11-27"  # Thanksgiving
    assert day(days, "2026-11-28T12:00") == "2026-11-30"  # Saturday
    assert day(days, "2026-07-03T15:00") == "2026-07-06"  # a Friday holiday
    with pytest.raises(ValueError, match="2026-11-26 is no session of XNYS; the next one is 2026-11-27"):
        days.bounds(dt.date(2026, 11, 26))


def test_a_half_day_ends_as_much_earlier_as_its_session() -> None:
    days = Days("20:05", "America/New_York", "XNYS")
    assert days.next_roll(ns("2026-11-27T15:00")) == (dt.date(2026, 11, 27), ns("2026-11-27T22:05"))  # 17:05
    assert day(days, "2026-11-27T22:04:59") == "2026-11-27"
    assert day(days, "2026-11-27T22:05") == "2026-11-30"


def test_beyond_the_calendar_every_weekday_is_a_session() -> None:
    assert day(Days("20:05", "America/New_York", "XNYS"), "2090-01-01T12:00") == "2090-01-02"  # a Sunday: Monday
    assert day(Days("20:05", "America/New_York", "XNYS"), "2090-07-04T12:00") == "2090-07-04"  # a Tuesday


def test_a_calendar_nobody_knows_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="knows no 'NOPE'"):
        Days(calendar="NOPE")


def test_a_session_that_closes_late_ends_its_day_as_much_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CALENDAR_FROM", "2020-01-01")
    module.exchange.cache_clear()
    days = Days("15:35", "Asia/Seoul", "XKRX")
    assert day(days, "2020-12-03T07:00") == "2020-12-03"  # 16:00 in Seoul, on the day of the exams: open until 16:30
    assert day(days, "2020-12-03T07:35") == "2020-12-04"
    assert day(days, "2020-12-02T07:00") == "2020-12-03"


@pytest.mark.parametrize("calendar", exchange_calendars.get_calendar_names(include_aliases=False))
def test_every_calendar_works_or_is_refused_in_a_sentence(calendar: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CALENDAR_FROM", "2026-01-01")
    module.exchange.cache_clear()
    try:
        days = Days("23:00", "UTC", calendar)
    except SettingsError as error:
        refused = str(error)
    else:
        refused = ""
    finally:
        module.exchange.cache_clear()
    if refused:
        assert f"cannot make '{calendar}' here" in refused
        return
    session, end = days.next_roll(ns("2026-06-15T12:00"))
    start, stop = days.bounds(session)
    assert start <= ns("2026-06-15T12:00") < stop == end


@given(SETTINGS, st.lists(TIMES, min_size=1, max_size=5))
def test_every_time_lies_in_the_bounds_of_its_day_and_in_those_of_no_other(
    place: tuple[str, str, str], times: list[int]
) -> None:
    days = Days(*place)
    for time, found in zip(times, days.day_of(np.array(times)).tolist(), strict=True):
        start, end = days.bounds(found)
        assert start <= time < end
        assert days.next_roll(time) == (found, end)
        assert days.last_ended(end) == found
        assert days.next_roll(end)[0] > found
