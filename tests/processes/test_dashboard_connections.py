from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dashboard.connections import Connection, UnexpectedAnswer, live_connections
from plant.errors import QueryError, Unavailable

FRAME = pd.DataFrame({"time": [1], "sym": ["AAPL"]})


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Process:
    """A client and the process behind it: answers FRAME, or raises what `trouble` says."""

    missing = ""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.connects = 0
        self.asked: list[str] = []

    def connect(self) -> "Process":
        self.connects += 1
        if isinstance(self.trouble, Unavailable):
            raise self.trouble
        return self

    def select(self, table: str, **query: Any) -> pd.DataFrame:
        self.asked.append(table)
        if self.trouble is not None:
            raise self.trouble
        return FRAME

    def last(self, table: str, **query: Any) -> pd.DataFrame:
        return self.select(table, **query)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def connection(clock: Clock, process: Process) -> Connection:
    return Connection("rdb", "tcp://127.0.0.1:5006", process.connect, retry_s=2.0, share_s=0.4, clock=clock)


def test_a_good_answer_is_fresh_and_the_process_up(connection: Connection) -> None:
    assert connection.up is None
    answer = connection.last("bars", needs=["time"])
    assert (answer.frame is FRAME, answer.at, answer.stale, connection.up) == (True, 1000.0, False, True)


def test_a_process_that_went_away_leaves_its_last_answer_with_the_error(
    connection: Connection, process: Process, clock: Clock
) -> None:
    connection.last("bars", needs=["time"])
    process.trouble = Unavailable("nobody there")
    clock.now += 10
    answer = connection.last("bars", needs=["time"])
    assert (answer.frame is FRAME, answer.at, answer.error) == (True, 1000.0, process.trouble)
    assert (connection.up, connection.down_since) == (False, 1010.0)


def test_a_process_that_never_answered_leaves_no_frame(connection: Connection, process: Process) -> None:
    process.trouble = Unavailable("nobody there")
    answer = connection.select("bars", needs=["time"], sym="AAPL")
    assert (answer.frame, answer.at, answer.stale, answer.empty) == (None, None, True, True)


def test_while_down_questions_fail_at_once_until_it_is_time_to_try_again(
    connection: Connection, process: Process, clock: Clock
) -> None:
    process.trouble = Unavailable("nobody there")
    for table in ("bars", "signals", "heartbeats"):
        assert connection.last(table, needs=[]).stale
    assert process.connects == 1
    clock.now += 2.1
    connection.last("bars", needs=[])
    assert process.connects == 2
    assert connection.down_since == 1000.0


def test_a_process_that_is_back_is_used_again_by_itself(connection: Connection, process: Process, clock: Clock) -> None:
    process.trouble = Unavailable("nobody there")
    connection.last("bars", needs=["time"])
    process.trouble = None
    clock.now += 3
    assert not connection.last("bars", needs=["time"]).stale
    assert (connection.up, connection.down_since) == (True, None)


def test_a_refused_question_says_so_but_the_process_is_up(connection: Connection, process: Process) -> None:
    process.trouble = QueryError("no table 'bars'")
    answer = connection.last("bars", needs=["time"])
    assert (answer.error, connection.up) == (process.trouble, True)
    process.trouble = None
    assert not connection.last("signals", needs=["time"]).stale


def test_an_answer_without_needed_columns_is_an_error_that_names_them(connection: Connection) -> None:
    answer = connection.last("bars", needs=["time", "close"])
    assert isinstance(answer.error, UnexpectedAnswer)
    assert answer.error.missing == ("close",)
    assert "bars from rdb at tcp://127.0.0.1:5006: expected columns close, found time, sym" in str(answer.error)


def test_an_equal_question_asked_right_after_shares_the_answer(
    connection: Connection, process: Process, clock: Clock
) -> None:
    connection.select("bars", needs=[], sym=["AAPL", "TSLA"], last=5)
    connection.select("bars", needs=[], sym=["AAPL", "TSLA"], last=5)
    connection.select("bars", needs=[], sym=["AAPL", "TSLA"], last=6)
    assert len(process.asked) == 2
    clock.now += 0.5
    connection.select("bars", needs=[], sym=["AAPL", "TSLA"], last=5)
    assert len(process.asked) == 3


def test_the_live_connections_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"RDB__PORT": "6006", "PROCESSOR__PORT": "6011", "HDB__TIME_ZONE": "Asia/Tokyo"}.items():
        monkeypatch.setenv(f"PLANT_{name}", value)
    live = live_connections()
    assert (live.rdb.address, live.processor.address) == ("tcp://127.0.0.1:6006", "tcp://127.0.0.1:6011")
    assert (live.time_zone, live.refresh_s) == ("Asia/Tokyo", 5.0)


def test_remembered_answers_are_bounded(connection: Connection, process: Process, clock: Clock) -> None:
    for last in range(200):
        connection.select("bars", needs=[], last=last)
    process.trouble = Unavailable("gone")
    clock.now += 10
    assert connection.select("bars", needs=[], last=0).frame is None
    assert connection.select("bars", needs=[], last=199).frame is FRAME
