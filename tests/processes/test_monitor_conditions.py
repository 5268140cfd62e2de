"""What lasts: begins and ends of each condition, from rows and looks; what cannot be known is neither."""

from typing import Any

import pytest

from monitor.causes import OVER
from monitor.conditions import Conditions, sessions_of_feeds
from plant.intake.forms import columns_of
from plant.rows.batch import Batch
from plant.rows.tables import schema_of
from plant.runtime.alerting import MonitorSettings
from plant.runtime.settings import Settings

S = 10**9
T0 = 1_763_649_000 * S
SCHEMA = schema_of()
LOOKED = ("rdb", "hdb")


def at(second: float) -> int:
    return T0 + int(second * S)


def batch(table: str, second: float, *rows: dict[str, Any]) -> Batch:
    columns = columns_of(SCHEMA[table], [{"time": at(second), **row} for row in rows])
    return Batch(table, columns, 1, 1, at(second))


@pytest.fixture
def conditions() -> Conditions:
    """Return those of a plant with a feed, whose rows come, and of which every process has answered."""
    made = Conditions(MonitorSettings(), 1.0, LOOKED, ["market"], T0)
    made.hears(True, T0)
    made.disk(100 * 10**9, 200 * 10**9)
    for name in LOOKED:
        made.looked(name, "", T0)
    return made


def beat(conditions: Conditions, second: float, rows: int, state: str = "simulating", pid: int = 7) -> None:
    row = {"sym": "feed-market", "pid": pid, "rows": rows, "state": state}
    conditions.take(batch("heartbeats", second, row))


def present(conditions: Conditions, second: float) -> list[tuple[str, str]]:
    return [(c.event, c.sym) for c in conditions.present(at(second))]


def ending(conditions: Conditions, event: str, sym: str, head: str) -> str | None:
    cause = conditions.ending(event, sym, head)
    assert cause is None or (cause.state, cause.head, cause.lasting) == (OVER, head, True)
    return cause and cause.text


def test_a_process_that_does_not_answer_for_ten_heartbeats_is_down(conditions: Conditions) -> None:
    beat(conditions, 0, 5)
    conditions.looked("rdb", "no answer", at(1))
    assert present(conditions, 9) == []
    assert ending(conditions, "process_down", "rdb", "rdb is down") is None  # nobody knows yet
    beat(conditions, 11, 5)
    assert present(conditions, 11.5) == [("process_down", "rdb")]
    conditions.looked("rdb", "", at(12))
    assert present(conditions, 12) == []
    assert ending(conditions, "process_down", "rdb", "rdb is down") == "it answers again"
    assert ending(conditions, "process_down", "old", "old is down") == "it is not watched any more"


def test_at_the_start_a_process_has_longer_before_it_is_down() -> None:
    conditions = Conditions(MonitorSettings(), 1.0, LOOKED, [], T0)
    conditions.looked("rdb", "no answer", at(1))
    assert present(conditions, 29) == []
    assert present(conditions, 31) == [("process_down", "rdb")]


def test_a_feed_is_down_without_heartbeats_but_not_for_want_of_a_tickerplant(conditions: Conditions) -> None:
    beat(conditions, 100, 5)
    conditions.hears(False, at(105))
    assert present(conditions, 200) == []
    assert ending(conditions, "process_down", "feed-market", "feed-market is down") is None
    conditions.hears(True, at(200))
    assert present(conditions, 209) == []  # its beats may be on their way
    assert present(conditions, 211) == [("process_down", "feed-market")]
    beat(conditions, 212, 5)
    assert ending(conditions, "process_down", "feed-market", "feed-market is down") == "it beats again"


def test_a_feed_is_stale_that_beats_and_sends_no_more_rows(conditions: Conditions) -> None:
    for second in range(0, 300, 2):
        beat(conditions, second, 5 + min(second, 10))
        assert (("feed_stale", "market") in present(conditions, second)) == (second > 260), second
    head = "feed market is stale"
    assert ending(conditions, "feed_stale", "market", head) is None
    beat(conditions, 301, 3, pid=8)  # started again, and sent three
    assert present(conditions, 302) == []
    assert ending(conditions, "feed_stale", "market", head) == "it sends rows again"


HOUR = 3600


def test_a_feed_is_stale_only_while_a_session_of_its_symbols_runs_and_only_by_what_was_silent_in_it() -> None:
    settings = Settings.model_validate(
        {
            "bars": {"calendars": {"XNYS": ["AAPL"]}},
            "feeds": [
                {"kind": "recorded", "name": "market", "symbols": ["AAPL"]},
                {"kind": "recorded", "name": "both", "symbols": ["AAPL", "BTC"]},
                {"kind": "recorded", "name": "all", "calendar": "XNYS"},
                {"kind": "recorded", "name": "none"},
            ],
        }
    )
    labels = [feed.label for feed in settings.feeds]
    made = Conditions(MonitorSettings(), 1.0, LOOKED, labels, T0, sessions_of_feeds(settings))
    made.hears(True, T0)

    def stale(second: float) -> list[str]:
        return [sym for event, sym in present(made, second) if event == "feed_stale"]

    def beats(second: float, rows: int) -> None:
        states = [{"sym": f"feed-{label}", "pid": 7, "rows": rows, "state": "runs"} for label in labels]
        made.take(batch("heartbeats", second, *states))

    beats(-13 * HOUR, 1)  # the evening before: T0 is the opening, 09:30 in New York
    beats(-12 * HOUR, 2)
    beats(-1, 2)
    assert stale(-1) == ["both", "none"], "and none of those that only have sessions"
    assert ending(made, "feed_stale", "market", "feed market is stale") == "its session is over"
    silent_s = MonitorSettings().feed_silent_s
    pause_s = max(silent_s, 4 * HOUR)  # four of the one pause that was seen
    beats(silent_s, 2)
    assert stale(silent_s) == ["both", "none"]
    assert ending(made, "feed_stale", "market", "feed market is stale") is None
    beats(pause_s + 1, 2)
    assert stale(pause_s + 1) == labels
    beats(7 * HOUR, 2)
    assert stale(7 * HOUR) == ["both", "none"], "it closed half an hour ago"


@pytest.mark.parametrize("state", ["row 9 of 9, finished", "misconfigured: no key", "no tickerplant, 3 batches wait"])
def test_one_that_says_why_it_sends_nothing_is_not_stale(conditions: Conditions, state: str) -> None:
    beat(conditions, 0, 5)
    beat(conditions, 300, 5, state)
    assert present(conditions, 301) == []
    assert ending(conditions, "feed_stale", "market", "feed market is stale") == f"it says: {state}"


def test_a_slow_feed_is_judged_by_its_own_pace(conditions: Conditions) -> None:
    """Of bars of five minutes one comes in 300 s; a row that comes late once does not change what is usual."""
    for minute in range(0, 60, 5):
        beat(conditions, minute * 60, 1 + minute)
    for second in range(3300, 4490, 10):
        beat(conditions, second, 56)
    assert present(conditions, 4490) == []  # four pauses behind the last row is 4,500
    beat(conditions, 4510, 56)
    assert present(conditions, 4511) == [("feed_stale", "market")]


def test_rejects_begin_with_the_first_row_and_are_over_when_none_came_for_a_minute(conditions: Conditions) -> None:
    row = {"sym": "AAPL", "source": "venue", "table_name": "trades", "reason": "price must be positive", "row": "{}"}
    beat(conditions, 0, 0)
    conditions.take(batch("rejects", 1, row, row))
    (cause,) = (c for c in conditions.present(at(2)) if c.event == "rejects")
    assert cause.detail == "rows of venue are rejected | 2 so far, the first: trades: price must be positive"
    conditions.take(batch("rejects", 50, row))
    assert ("rejects", "venue") in present(conditions, 109)
    assert ("rejects", "venue") not in present(conditions, 111)
    assert ending(conditions, "rejects", "venue", cause.head) == "none for 60 s, 3 in all"


def test_a_day_that_cannot_be_closed_or_is_not_in_time_is_told_until_it_is(conditions: Conditions) -> None:
    def day(second: float, name: str, state: str) -> None:
        beat(conditions, second, 0)
        conditions.take(batch("days", second, {"sym": "hdb", "day": name, "state": state, "detail": "no space"}))

    day(0, "2026-11-19", "end")
    assert present(conditions, 5) == []
    day(900, "2026-11-20", "end")
    day(901, "2026-11-20", "failed")
    assert present(conditions, 902) == [("day_not_closed", "2026-11-19"), ("day_not_closed", "2026-11-20")]
    day(903, "2026-11-19", "closed")
    day(903, "2026-11-20", "closed")
    assert present(conditions, 5000)[1:] == []
    ended = ending(conditions, "day_not_closed", "2026-11-20", "day 2026-11-20 is not closed")
    assert ended == "its files are in place"


def test_a_disk_with_little_space_is_told_with_its_numbers(conditions: Conditions) -> None:
    conditions.disk(1_500_000_000, 200 * 10**9)
    (cause,) = conditions.present(T0)
    assert cause.detail == "the disk of the data folder is nearly full | 1.5 GB of 200.0 GB are free, less than 2 GB"
    conditions.disk(3 * 10**9, 200 * 10**9)
    assert ending(conditions, "disk", "data", cause.head) == "3.0 GB of 200.0 GB are free"


def test_what_is_one_event_and_no_condition_has_no_end_here(conditions: Conditions) -> None:
    assert conditions.ending("cross", "AAPL", "cross AAPL 1m, bar of x") is None
    assert conditions.ending("gap", "rdb", "rdb missed batch 1 of bars") is None
    assert conditions.ending("disk", "AAPL", "disk AAPL 1m, bar of x") is None  # a signal of that name
