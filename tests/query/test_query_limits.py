"""A budget says no at the right moment, and interrupts what cannot look at it."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from plant.errors import Cancelled, QueryLimit
from plant.query.limits import MEBIBYTE, Budget, Limits


def test_a_fresh_budget_allows_what_its_limits_allow() -> None:
    budget = Limits(seconds=60, max_rows=10, max_bytes=MEBIBYTE).budget()
    budget.check()
    budget.rows(10)
    budget.bytes(MEBIBYTE)
    assert 59 < budget.left_s <= 60


def test_more_rows_or_bytes_than_allowed_are_refused_with_both_numbers() -> None:
    budget = Limits(max_rows=1_000, max_bytes=MEBIBYTE).budget()
    with pytest.raises(QueryLimit, match="1,001 rows, at most 1,000 are answered at once"):
        budget.rows(1_001)
    with pytest.raises(QueryLimit, match="3 MiB, at most 1 MiB are answered at once"):
        budget.bytes(3 * MEBIBYTE)


def test_an_asker_may_want_less_time_and_never_gets_more() -> None:
    limits = Limits(seconds=5)
    assert (limits.budget(2).seconds, limits.budget(60).seconds, limits.budget().seconds) == (2, 5, 5)


def test_time_that_is_up_and_a_cancelled_question_are_told_apart() -> None:
    budget = Budget(0.0)
    assert budget.left_s == 0
    with pytest.raises(QueryLimit, match="stopped after 0 s"):
        budget.check()
    budget.cancel()
    assert budget.cancelled
    with pytest.raises(Cancelled, match="cancelled by its asker"):
        budget.check()


@pytest.mark.parametrize("seconds", [0.05, 60.0])
def test_work_is_interrupted_again_and_again_until_it_stops(eventually: Callable[..., Any], seconds: float) -> None:
    budget, stops = Budget(seconds), list[float]()
    with budget.interrupting(lambda: stops.append(time.monotonic())):
        if seconds > 1:
            budget.cancel()
        eventually(lambda: len(stops) >= 3)
    count = len(stops)
    assert not [t for t in threading.enumerate() if t.name == "query deadline"]
    assert len(stops) == count


def test_work_that_ends_in_time_is_never_interrupted() -> None:
    stops = list[int]()
    with Budget(60.0).interrupting(lambda: stops.append(1)):
        pass
    assert stops == []
