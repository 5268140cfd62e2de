"""Work shared among threads: in order, a few pieces at a time, and what goes wrong is told."""

import threading
from collections.abc import Iterator

import pytest

from plant.query.parallel import shared


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_results_come_in_the_order_of_the_pieces(count: int) -> None:
    assert list(shared(lambda n: n * n, range(count))) == [n * n for n in range(count)]


def test_one_piece_is_not_handed_over() -> None:
    assert list(shared(lambda _: threading.current_thread(), [1])) == [threading.current_thread()]


def test_pieces_are_taken_a_few_at_a_time() -> None:
    taken: list[int] = []

    def pieces() -> Iterator[int]:
        for n in range(1000):
            taken.append(n)
            yield n

    found = shared(lambda n: n, pieces())
    assert next(found) == 0
    assert len(taken) < 20
    found.close()  # type: ignore[attr-defined]
    assert len(taken) < 20


def test_what_is_raised_is_raised_to_the_asker() -> None:
    def work(n: int) -> int:
        if n == 3:
            raise ValueError("three")
        return n

    found = shared(work, range(100))
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(found)
