"""Which feed counts when: handed over and back, for the rows that come and for those that come late."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processor.trades.sources import MINUTE_NS, MOST_REIGNS, Sources, Switch

SECOND = 10**9
START = 29_000_000 * MINUTE_NS


class Fed:
    """One symbol of feeds 0, 1, ..., the first the best; rows come one by one."""

    def __init__(self, feeds: int = 2) -> None:
        self.sources = self.new(feeds)
        self.switches: list[Switch] = []

    @staticmethod
    def new(feeds: int = 2) -> Sources:
        names = [f"f{n}" for n in range(feeds)]
        made = Sources(names, lambda slot, time: START - MINUTE_NS)
        for name in names:
            made.id_of(name)
        made.grow(1)
        return made

    def row(self, feed: int, time_s: float, came_s: float) -> bool:
        time, came = START + int(time_s * SECOND), START + int(came_s * SECOND)
        good, switches = self.sources.counting(
            np.array([0]), np.array([feed]), np.array([time]), np.array([came]), ["A"]
        )
        self.switches += switches
        return bool(good[0])


def test_what_the_first_missed_counts_when_it_comes_late_after_it_took_over_again() -> None:
    fed = Fed()
    assert fed.row(0, 50, 50)
    assert not fed.row(1, 70, 70)  # from the next minute on
    assert fed.row(1, 130, 130)
    assert not fed.row(0, 150, 150)  # the first is back, likewise
    assert fed.row(0, 185, 185)
    assert [(one.after, (one.minute - START) // MINUTE_NS) for one in fed.switches] == [("f1", 2), ("f0", 3)]
    again = Fed.new()
    again.restore(fed.sources.saved())
    for sources in (fed.sources, again):
        fed.sources = sources
        assert fed.row(0, 90, 190)  # of the minute in which it counted and said nothing
        assert not fed.row(1, 90, 190)
        assert fed.row(1, 125, 190)
        assert not fed.row(0, 125, 190)


@given(seed=st.integers(0, 10**6))
def test_a_late_row_counts_if_its_feed_counted_at_its_time(seed: int) -> None:
    chance, fed = random.Random(seed), Fed(3)
    reigns = [(START, 0)]
    fed.row(0, 0, 0)
    now_s = 0.0
    for _ in range(chance.randrange(2 * MOST_REIGNS)):
        now_s += chance.choice((1, 5, 20, 70))
        fed.row(chance.randrange(3), now_s, now_s)
        for switch in fed.switches:
            reigns.append((switch.minute, int(switch.after[1:])))
        fed.switches.clear()
    for _ in range(20):
        time_s, feed = chance.uniform(0, now_s - 1) if now_s > 1 else 0.0, chance.randrange(3)
        minutes = [number for number, (since, _) in enumerate(reigns) if since <= START + int(time_s * SECOND)]
        if minutes[-1] >= len(reigns) - MOST_REIGNS:
            assert fed.sources._good(np.array([0]), np.array([feed]), np.array([START + int(time_s * SECOND)]))[0] == (
                feed == reigns[minutes[-1]][1]
            )
