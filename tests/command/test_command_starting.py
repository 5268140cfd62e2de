"""A start that is looked at: failures are told once, at once; what is waited for has a name."""

from plant.command.starting import Start
from plant.control.health import Health


def test_a_process_that_ended_is_told_once_and_gives_the_start_up() -> None:
    start = Start(["market"], since=100.0)
    assert start.look([Health("rdb", "starting"), Health("hdb", "up")]) == []
    assert (start.failed, start.settled, start.waiting) == (False, False, ["feed-market", "rdb"])
    failed = Health("rdb", "backoff", detail="rdb: SettingsError: port 5006 is taken")
    assert start.look([failed, Health("feed-market", "up")]) == [failed]
    assert start.look([Health("rdb", "fatal"), Health("feed-market", "up")]) == []
    assert start.failed


def test_a_misconfigured_feed_is_not_waited_for() -> None:
    start = Start(["market"], since=100.0)
    start.look([Health("rdb", "up"), Health("feed-market", "misconfigured")])
    assert (start.failed, start.settled) == (False, True)


def test_a_process_that_is_tried_again_has_failed_but_not_one_that_was_stopped_before_this_start() -> None:
    start = Start([], since=100.0)
    again = Health("rdb", "starting", ended=101.0)
    assert start.look([again, Health("hdb", "starting", ended=99.0)]) == [again]
