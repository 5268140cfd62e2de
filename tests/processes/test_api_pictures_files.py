"""Pictures as files: which are due, where they lie."""

import doctest
import threading

from api.pictures import files
from api.pictures.files import Due


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(files).failed == 0


def test_one_that_is_due_twice_is_drawn_once_and_the_oldest_first() -> None:
    due = Due()
    for sym in "ABAB":
        due.add(sym, "1m", 1)
    assert [due.next(0), due.next(0), due.next(0)] == [("A", "1m", 1), ("B", "1m", 1), None]


def test_the_end_wakes_who_waits() -> None:
    due, found = Due(), list[object]()
    waiting = threading.Thread(target=lambda: found.append(due.next()))
    waiting.start()
    due.close()
    waiting.join(5)
    assert found == [None]
    due.add("A", "1m", 1)
    assert due.next(0) is None
