"""A process that cannot follow yet: what it says of the rows it lacks, and how often it tries."""

import time

from plant.runtime.lifecycle import Vitals
from plant.serving.follower import Follower

WAITING = "waiting for the history: the hdb did not answer within 10 s"


def follower(asked: list[None], trouble: str = "") -> Follower:
    """Return one that is never given a subscriber; `asked` fills with its attempts."""

    def subscribe() -> None:
        asked.append(None)

    release, vitals = (lambda seq: None), Vitals("processor")
    return Follower(vitals, subscribe, lambda batch: None, release, None, whole=False, trouble=lambda: trouble)


def test_who_waits_for_the_history_does_not_blame_the_tickerplant() -> None:
    waiting = follower([], WAITING)
    waiting.step()
    assert waiting.missing() == f"the processor has read nothing yet, it is {WAITING}"
    assert waiting.state() == WAITING
    assert "no tickerplant answers" in follower([]).missing()


def test_who_is_refused_at_once_asks_again_after_a_pause() -> None:
    asked: list[None] = []
    waiting, until = follower(asked, WAITING), time.monotonic() + 0.5
    while time.monotonic() < until:
        waiting.step()
    assert len(asked) <= 4
