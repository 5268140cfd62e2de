"""What kept the processor waiting is left alone for a while, what answered at once is not."""

import pytest

from plant.errors import Unavailable
from processor.patience import TIMES, Patience


def test_after_waiting_in_vain_nothing_is_asked_for_a_while() -> None:
    now, asked = [0.0], [0]
    patience = Patience(lambda: now[0])

    def ask(seconds: float, answers: bool) -> None:
        with patience.asking():
            asked[0] += 1
            now[0] += seconds
            if not answers:
                raise Unavailable("the rdb is away")

    ask(5.0, True)
    ask(5.0, True)
    with pytest.raises(Unavailable, match="the rdb is away"):
        ask(10.0, False)
    for _ in range(50):
        with pytest.raises(Unavailable, match="the rdb is away"):
            ask(10.0, False)
    assert (asked[0], now[0]) == (3, 20.0)
    now[0] += 10.0 * TIMES
    ask(0.0, True)
    with pytest.raises(Unavailable):
        ask(0.125, False)
    now[0] += 0.125 * TIMES
    ask(0.0, True)
    assert asked[0] == 6
