"""What was given out compared with what is computed anew: the same is the same, and each difference is named."""

import numpy as np

from processor.asked.verify_indicators import compare
from processor.outcome import Event, Rows
from processor.renewal import Anew, Stale

STALE = Stale(0, "A", "1m", 100, 140)
SOLD = Event("sell", 3.5, "fell")


def rows(*of: tuple[int, float, float], close: float = 5.0) -> Rows:
    """Rows of (time, ema, rsi)."""
    prices = [close] * 5
    values = np.array([[*prices, ema, rsi] for _, ema, rsi in of], float).reshape(-1, 7)
    return Rows(np.zeros(len(of), np.int64), np.array([time for time, *_ in of], np.int64), values)


def told(now: Rows, given: Rows, *, enough: bool = True, **events: dict[tuple[int, str], Event]) -> list[str]:
    anew = Anew(now, given, events.get("events", {}), events.get("known", {}))
    found = compare(STALE, anew, ["ema", "rsi"], enough)
    return [f"{d.time} {d.column}: {d.stored}, {d.recomputed}" for d in found.differences] + found.unknown


def test_what_differs_by_rounding_is_the_same() -> None:
    nan = float("nan")
    assert told(rows((100, nan, 1.0), (101, 3.0, 2.0)), rows((100, nan, 1.0 + 1e-13), (101, 3.0, 2.0))) == []


def test_each_value_row_and_event_that_differs_is_named() -> None:
    now, given = (
        rows((100, 1.0, 2.0), (101, 3.0, 2.0), (103, 1.0, 1.0)),
        rows((100, 1.0, 2.5), (101, 3.0, 2.0), (102, 0, 0)),
    )
    assert told(now, given) == ["100 rsi: 2.5, 2.0", "103 : , a row", "102 : a row, "]
    assert told(now, given, enough=False) == ["100 rsi: 2.5, 2.0", "102 : a row, "], "too few bars to be given out"
    events = {(100, "x"): SOLD, (101, "y"): SOLD, (102, "z"): SOLD}
    known = {
        (100, "x"): SOLD._replace(price=4.0),
        (101, "y"): SOLD.withdrawn,
        (103, "w"): SOLD,
        (104, "v"): SOLD.withdrawn,
    }
    same = rows((100, 1.0, 2.0))
    assert told(same, same, events=events, known=known) == [
        "100 x.price: 4.0, 3.5", "101 y: , sell at 3.5", "102 z: , sell at 3.5", "103 w: sell at 3.5, ",
    ]  # fmt: skip


def test_a_column_that_was_not_declared_then_is_not_compared() -> None:
    nan = float("nan")
    found = told(rows((100, 1.0, 2.0), (101, 1.0, 2.0)), rows((100, nan, 2.0), (101, nan, 2.0)))
    assert found == ["ema of A, 1m: null in all rows of then; declared since?"]
