"""When days are ended, with simulated times: once each, after a pause, by hand, across changes of the clock."""

import numpy as np
from plain_rows import NOON, batch_of

from hdb.writer.clock import Clock, ends_in
from plant.history.days import Days

HOUR = 3600 * 10**9


def ns(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def test_a_new_plant_has_nothing_to_end_until_its_first_day_is_over() -> None:
    clock = Clock(Days())
    assert clock.due(NOON + 72 * HOUR) is None
    clock.see(NOON)
    clock.see(NOON + 48 * HOUR)
    assert clock.due(NOON) is None
    assert clock.due(ns("2026-11-20T23:59:59.999999999")) is None
    assert clock.due(ns("2026-11-21")) == "2026-11-20"


def test_a_day_is_due_once_until_it_comes_out_of_the_plant_and_not_after_that() -> None:
    clock = Clock(Days(), "2026-11-19")
    assert clock.due(ns("2026-11-21")) == "2026-11-20"
    assert clock.due(ns("2026-11-21T01:00")) is None
    assert clock.end("2026-11-20", ns("2026-11-21T01:00"))
    assert clock.due(ns("2026-11-21T02:00")) is None
    assert not clock.end("2026-11-20", ns("2026-11-21T03:00"))
    assert clock.due(ns("2026-11-22")) == "2026-11-21"


def test_after_a_pause_only_the_last_day_that_passed_is_due() -> None:
    assert Clock(Days(), "2026-11-10").due(NOON) == "2026-11-19"


def test_the_present_day_may_be_ended_by_hand_once_or_again_if_that_is_said() -> None:
    clock = Clock(Days(), "2026-11-19")
    assert clock.end("2026-11-20", NOON)
    assert not clock.end("2026-11-20", NOON)
    assert clock.end("2026-11-20", NOON, again=True)
    assert clock.due(ns("2026-11-21")) is None
    assert clock.end("2026-11-18", NOON, again=True)
    assert clock.ended_day == "2026-11-20"


def test_a_day_that_lies_ahead_or_is_no_day_is_passed_over() -> None:
    clock = Clock(Days(), "2026-11-19")
    assert not clock.end("2026-11-21", NOON)
    assert not clock.end("2026-11-21", NOON, again=True)
    assert not clock.end("tomorrow", NOON)
    assert clock.ended_day == "2026-11-19"


def test_days_end_once_each_across_a_change_of_the_clock_a_weekend_and_a_half_day() -> None:
    clock = Clock(Days("20:05", "America/New_York", "XNYS"), "2026-10-29")
    ended = []
    for minute in range(0, 35 * 24 * 60, 5):
        now = ns("2026-10-30") + minute * 60 * 10**9
        if (day := clock.due(now)) is not None:
            assert clock.end(day, now)
            ended.append((day, str(np.datetime64(now, "ns").astype("datetime64[m]"))))
    assert ended[:2] == [("2026-10-30", "2026-10-31T00:05"), ("2026-11-02", "2026-11-03T01:05")]
    assert ("2026-11-27", "2026-11-27T22:05") in ended  # 17:05, a half-day
    days = [day for day, _ in ended]
    assert days == sorted(set(days))
    assert not {"2026-11-26", "2026-11-28", "2026-11-29"} & set(days)
    assert len(days) == 23


def test_a_batch_of_days_tells_what_it_ends() -> None:
    base = {"time": NOON, "sym": "x", "last_seq": 0, "rows": 0}
    rows = [
        {**base, "day": "2026-11-19", "state": "closed", "detail": ""},
        {**base, "day": "2026-11-20", "state": "end", "detail": "again"},
        {**base, "day": "2026-11-21", "state": "end", "detail": ""},
    ]
    assert ends_in(batch_of("days", rows)) == [("2026-11-20", True), ("2026-11-21", False)]
