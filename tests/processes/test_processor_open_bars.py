"""Open bars: which form, which are not what they were when they closed, whatever comes together or late."""

import numpy as np
import pytest

from processor.open_bars import OpenBars


def one(*rows: tuple[int, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bars of slot 0, (time, value) each."""
    values = np.array([[value] * 5 for _, value in rows])
    return np.zeros(len(rows), np.int64), np.array([time for time, _ in rows]), values


def series() -> OpenBars:
    bars = OpenBars()
    bars.grow(1)
    return bars


def closed(bars: OpenBars, *rows: tuple[int, float]) -> None:
    for row in rows:
        bars.compare(*one(row))
        bars.close(*one(row))


def forming(bars: OpenBars) -> list[tuple[int, float]]:
    _, times, values = bars.forming()
    return list(zip(times.tolist(), values[:, 3].tolist(), strict=True))


@pytest.mark.parametrize("together", [False, True])
def test_a_bar_that_was_revised_before_its_close_was_taken_is_computed_anew(together: bool) -> None:
    bars = series()
    bars.take(*one((1, 10.0)))
    later = [(1, 11.0), (2, 12.0), (3, 13.0)]
    for rows in [later] if together else [[row] for row in later]:
        bars.take(*one(*rows))
    closed(bars, (1, 10.0), (2, 12.0))
    assert bars.stale == {0: 1}


def test_of_several_revisions_of_a_bar_in_a_batch_the_last_counts_though_a_later_bar_came_between() -> None:
    bars = series()
    bars.take(*one((1, 10.0)))
    bars.take(*one((1, 11.0), (2, 20.0), (1, 12.0)))
    assert forming(bars) == [(1, 12.0)]
    closed(bars, (1, 11.0))
    assert bars.stale == {0: 1}


@pytest.mark.parametrize("rows", [[(1, 10.0), (2, 20.0), (3, 30.0)], [(2, 20.0), (3, 30.0), (1, 10.0)]])
def test_nothing_forms_while_a_bar_before_it_waits_for_its_close(rows: list[tuple[int, float]]) -> None:
    bars = series()
    for row in rows:
        bars.take(*one(row))
    assert forming(bars) == []
    closed(bars, (1, 10.0))
    assert forming(bars) == [(2, 20.0)]
    closed(bars, (2, 20.0))
    assert forming(bars) == [(3, 30.0)]
    assert bars.stale == {}
