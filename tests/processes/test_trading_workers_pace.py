"""The pace of a replay, by a clock that a test holds."""

from trading.workers.pace import PAUSE, RESUME, STEP, Pace, held


class Clock:
    def __init__(self, **said: float) -> None:
        self.now = 0.0
        self._said = sorted((at, word) for word, at in said.items())

    def hear(self, wait_s: float | None) -> list[str]:
        """Return what is said within some seconds, None: what is said next."""
        until = self._said[0][0] if wait_s is None else self.now + wait_s
        if self._said and self._said[0][0] <= until:
            self.now, word = self._said.pop(0)
            return [word]
        self.now = until
        return []


def times(pace: Pace, clock: Clock, bars: int) -> list[float]:
    found = []
    for _ in range(bars):
        held(pace, lambda: clock.now, clock.hear)
        found.append(clock.now)
    return found


def test_some_bars_come_at_once_and_then_so_many_a_second() -> None:
    assert times(Pace(3, 2.0), Clock(), 6) == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5]


def test_a_pause_holds_and_a_step_lets_one_through() -> None:
    assert times(Pace(0, 1.0), Clock(pause=1.5, step=4.0, resume=9.0), 4) == [1.0, 4.0, 10.0, 11.0]


def test_what_was_late_is_not_made_up_for() -> None:
    pace, clock = Pace(0, 1.0), Clock()
    times(pace, clock, 1)
    clock.now = 7.5
    assert times(pace, clock, 2) == [7.5, 8.5]


def test_a_step_pauses() -> None:
    pace = Pace(0, 1.0)
    pace.said(STEP)
    assert (pace.wait_s(0.0), pace.paused) == (0.0, True)
    pace.taken(0.0)
    assert pace.wait_s(5.0) is None
    pace.said(RESUME)
    assert pace.wait_s(5.0) == 1.0
    pace.said(PAUSE)
    assert pace.wait_s(5.0) is None
