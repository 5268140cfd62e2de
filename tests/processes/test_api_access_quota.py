"""Who asks too much waits; nobody waits for another, and orders not for reads."""

import pytest

from api.access.quota import CHANGE, LOGIN, ORDER, READ, Quota
from api.answers.problems import Problem
from plant.runtime.service import ApiSettings


def test_a_caller_has_his_own_windows_and_each_kind_its_own() -> None:
    quota = Quota(ApiSettings(read_per_s=3, trade_per_s=2))
    for _ in range(3):
        quota.take(READ, "one")
    with pytest.raises(Problem) as refused:
        quota.take(READ, "one")
    assert refused.value.status == 429
    assert refused.value.headers["RateLimit-Limit"] == "3"
    assert refused.value.headers["RateLimit-Remaining"] == "0"
    assert int(refused.value.headers["Retry-After"]) >= 1
    quota.take(READ, "two")
    quota.take(ORDER, "one")
    quota.take(CHANGE, "one")


def test_failed_logins_are_five_a_minute() -> None:
    quota = Quota(ApiSettings())
    for _ in range(5):
        assert quota.left(LOGIN, "127.0.0.1")
        quota.hit(LOGIN, "127.0.0.1")
    assert not quota.left(LOGIN, "127.0.0.1")
    assert quota.left(LOGIN, "127.0.0.2")


def test_streams_are_counted_while_they_are_open() -> None:
    quota = Quota(ApiSettings(connections=2))
    with quota.connection("one"), quota.connection("one"), quota.connection("two"):
        assert quota.open == 3
        with pytest.raises(Problem), quota.connection("one"):
            pass
        assert quota.open == 3
    assert quota.open == 0
    with quota.connection("one"):
        assert quota.open == 1
