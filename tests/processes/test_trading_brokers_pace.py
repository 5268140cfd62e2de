"""Requests keep to a broker's limit before it has to say so."""

import random

from trading.brokers.pace import Pace


def test_no_window_ever_holds_more_than_the_limit_and_some_are_kept_for_orders() -> None:
    chance, pace, now = random.Random(7), Pace(20, 60.0, kept=5), 0.0
    sent: list[tuple[float, bool]] = []
    for _ in range(2000):
        now += chance.expovariate(1.0)
        urgent = chance.random() < 0.3
        if not pace.wait_s(now, urgent):
            pace.sent(now)
            sent.append((now, urgent))
    for time, _ in sent:
        window = [one for one in sent if time - 60.0 < one[0] <= time]
        assert len(window) <= 20
    assert len(sent) > 0.9 * 20 * now / 60.0


def test_the_wait_is_just_long_enough() -> None:
    pace = Pace(2, 60.0, kept=1)
    pace.sent(0.0)
    assert (pace.wait_s(10.0), pace.wait_s(10.0, urgent=True)) == (50.0, 0.0)
    pace.sent(10.0)
    assert pace.wait_s(20.0, urgent=True) == 40.0
    assert pace.wait_s(60.0, urgent=True) == 0.0


def test_the_brokers_word_counts_over_our_own_count() -> None:
    pace = Pace(200, 60.0, kept=20)
    pace.told(3, 30.0, 0.0)
    assert pace.wait_s(0.0) == 0.0
    pace.told(0, 30.0, 0.0)
    pace.pause(5.0, 0.0)
    assert pace.wait_s(0.0, urgent=True) == 30.0
