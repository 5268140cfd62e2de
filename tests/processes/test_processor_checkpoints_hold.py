"""The moment when all that was given out has come back: after the acknowledgement, and not for ever waited for."""

from typing import Any

import pytest

from plant.errors import Refused, Unavailable
from processor.checkpoints.hold import Hold


class Published:
    """As a publisher, with what is unacknowledged; as a stream, with what came."""

    def __init__(self) -> None:
        self.acknowledged: int | Exception = 5
        self.cursor, self.complete = 0, 0

    def flush(self, timeout_s: float) -> int:
        assert timeout_s == 0.0
        if isinstance(self.acknowledged, Exception):
            raise self.acknowledged
        return self.acknowledged


@pytest.fixture
def both() -> Any:
    return Published()


def test_it_is_over_once_what_was_acknowledged_came_or_is_known_to_have_come(both: Any) -> None:
    hold = Hold()
    both.acknowledged = Unavailable("under way")
    assert hold.over(both, both) is False
    both.acknowledged, both.cursor = 5, 4
    assert hold.over(both, both) is False
    both.acknowledged = 9  # a heartbeat meanwhile
    both.cursor = 5
    assert hold.over(both, both) is True
    assert hold.over(both, both) is False
    both.complete = 9
    assert hold.over(both, both) is True


def test_it_does_not_hold_back_for_ever_and_begins_again(both: Any) -> None:
    hold = Hold()
    assert hold.over(both, both, -1.0) is None
    assert hold.over(both, both, 60.0) is False
    hold.reset()
    both.cursor = 5
    assert hold.over(both, both) is True


def test_what_was_refused_as_a_whole_is_not_waited_for(both: Any) -> None:
    hold = Hold()
    both.acknowledged, both.cursor = Refused("no such table"), 5
    assert hold.over(both, both) is False
    both.acknowledged = 5
    assert hold.over(both, both) is True
