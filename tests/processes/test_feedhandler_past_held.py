"""What the plant has of a feed, asked until it answers, by series, up to a seq."""

import threading
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from feedhandler.past import held as module
from feedhandler.past.catching_up import Held
from feedhandler.past.held import Asking, held_of
from feedhandler.venue.seam import key_by
from plant.errors import QueryError, Unavailable

S = 10**9
TRADES, BARS = ("trades", "A", ""), ("bars", "A", "1m")


class Plant:
    """Answers `last` and `select` of rows that are given, and notes what was asked."""

    def __init__(self) -> None:
        self.rows = [{"time": n * S, "trade_id": f"id{n}" if n % 2 else "", "exchange": "X", "price": 1.5, "size": 2.0,
                      "venue_seq": n, "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 9.0}
                     for n in range(10)]  # fmt: skip
        self.asked: list[tuple[Any, ...]] = []

    def last(
        self, table: str, syms: Any, at: Any, columns: Any, *, where: Any, frames: str, timeout_s: float
    ) -> pa.Table:
        self.asked.append((table, tuple(syms), at, tuple(where)))
        times = [row["time"] for row in self.rows if at is None or row["time"] <= at]
        return pa.table({"sym": ["A"], "time": pa.array([max(times)], pa.timestamp("ns", "UTC"))})

    def select(
        self, table: str, sym: str, start: int, end: None, columns: Any, *, where: Any, frames: str, timeout_s: float
    ) -> pa.Table:
        self.asked.append((table, sym, start, tuple(where)))
        rows = [row for row in self.rows if row["time"] >= start]
        found = {name: [row[name] for row in rows] for name in columns}
        return pa.table(found | {"time": pa.array(found["time"], pa.timestamp("ns", "UTC"))})


def test_the_newest_rows_are_told_by_series_with_what_tells_them_apart() -> None:
    plant = Plant()
    found = held_of(plant, "mine", [TRADES, BARS], 77)
    known = tuple(key_by(f"id{n}" if n % 2 else "", n * S, "X", 1.5, 2.0) for n in range(4, 10))
    assert found == {
        TRADES: Held(9 * S, 4 * S, known, tuple(range(4, 10))),
        BARS: Held(9 * S, 9 * S, ((9 * S, 1.0, 2.0, 0.5, 1.5, 9.0),)),
    }
    own = (("source", "==", "mine"), ("seq", "<=", 77))
    assert plant.asked == [
        ("trades", ("A",), None, own),
        ("trades", "A", 4 * S, own),
        ("bars", ("A",), None, (*own, ("interval", "==", "1m"))),
        ("bars", "A", 9 * S, (*own, ("interval", "==", "1m"))),
    ]
    assert held_of(plant, "mine", [TRADES], 77, before_ns=6 * S)[TRADES].time == 6 * S


@pytest.mark.parametrize("error", [Unavailable("no rdb"), QueryError("too much")])
def test_a_plant_that_is_away_is_asked_again_and_one_that_refuses_is_not(
    monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Any], error: Exception
) -> None:
    from plant.client import connect as connecting

    tries: list[str] = []
    told = threading.Event()

    def connect(**options: Any) -> Any:
        tries.append(options["config"])
        told.set()
        raise error

    monkeypatch.setattr(connecting, "connect", connect)
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    asking = Asking("plant.toml", "mine", [TRADES])
    assert not asking.begun
    asking.begin(5)
    assert asking.begun
    wanted = 3 if isinstance(error, Unavailable) else 1
    eventually(lambda: len(tries) >= wanted, 20, lambda: tries)
    eventually(lambda: asking.trouble, 20)
    assert asking.trouble == f"what the plant has is not known, so nothing of before the start is fetched: {error}"
    asking.close()
    assert asking.answer is None
    assert wanted == 3 or len(tries) == 1
