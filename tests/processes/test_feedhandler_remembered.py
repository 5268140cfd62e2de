"""The newest values by key, and no more of them than there may be."""

import pytest

from feedhandler import remembered
from feedhandler.remembered import Remembered


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST", 3)
    seen = Remembered[int]()
    for k in range(5):
        seen.add(k, 10 * k)
    assert [seen.get(k) for k in range(5)] == [None, None, 20, 30, 40]


def test_the_first_value_of_a_key_stays() -> None:
    seen = Remembered[str]()
    seen.add(("AAPL", 1), "first")
    seen.add(("AAPL", 1), "second")
    assert seen.get(("AAPL", 1)) == "first"
