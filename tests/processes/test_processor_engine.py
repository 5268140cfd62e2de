"""The engine: what it gives out after corrections, late bars, bars ahead of the clock, and from a part of a series."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.intake.forms import columns_of
from plant.rows.batch import Batch
from plant.rows.columns import Columns
from plant.rows.tables import schema_of
from processor.engine import GRACE_NS, WITHDRAWN, Engine
from processor.warmup import WARM_BARS

SCHEMA = schema_of()
MINUTE = 60 * 10**9
START = 1_763_640_000_000_000_000 // MINUTE * MINUTE
LATER = START + 10_000_000 * MINUTE

Rows = list[dict[str, Any]]


def bars(closes: dict[int, float], sym: str = "A") -> Batch:
    """Return a batch of bars: minute -> close."""
    count, values = len(closes), list(closes.values())
    rows = {"time": [START + i * MINUTE for i in closes], "sym": [sym] * count, "interval": ["1m"] * count}
    prices = dict.fromkeys(("open", "high", "low", "close"), values)
    return Batch("bars", columns_of(SCHEMA["bars"], rows | prices | {"volume": [1.0] * count}), 0, 0, 0)


def rows_of(columns: Columns | None) -> Rows:
    values = {name: column.tolist() for name, column in (columns or {}).items()}
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def tick(engine: Engine, now: int = LATER) -> tuple[Rows, Rows]:
    """Return the rows of a tick; the engine hears of them as of all that comes out of the plant."""
    found = engine.tick(now)
    for table, columns in zip(("indicators", "signals"), found, strict=True):
        if columns is not None:
            engine.take(Batch(table, columns, 0, 0, 0))
    return rows_of(found[0]), rows_of(found[1])


def standing(signals: Rows) -> dict[tuple[int, str], tuple[float, str]]:
    """Return the signals in force: a later row of a key takes the place of an earlier one."""
    newest = {(row["time"], row["signal"]): row for row in signals}
    return {key: (row["price"], row["detail"]) for key, row in newest.items() if row["state"] != WITHDRAWN}


def walk(count: int, seed: int = 1) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, count)))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_signals_that_stand_are_those_of_the_series_as_it_is_whatever_came_late_or_was_corrected(data: Any) -> None:
    closes = dict(enumerate(walk(120, data.draw(st.integers(0, 10**6))).tolist()))
    late = data.draw(st.sets(st.integers(0, 118), max_size=5))
    wrong = data.draw(st.dictionaries(st.integers(0, 119), st.floats(80, 120), max_size=5))
    first = {i: wrong.get(i, close) for i, close in closes.items() if i not in late}
    corrected, plain = Engine(), Engine()
    corrected.take(bars(first))
    _, signals = tick(corrected)
    corrected.take(bars({i: closes[i] for i in sorted(late | wrong.keys())} or {0: closes[0]}))
    signals += tick(corrected)[1]
    plain.take(bars(closes))
    assert standing(signals) == standing(tick(plain)[1])
    assert tick(corrected) == ([], [])


def test_a_signal_that_was_never_there_is_withdrawn_and_one_of_another_price_is_told_anew() -> None:
    engine = Engine()
    closes = dict(enumerate([100.0] * 30 + [99.0, 98.0, 97.0]))
    engine.take(bars(closes))
    _, before = tick(engine)
    assert before
    assert {row["state"] for row in before} == {""}
    engine.take(bars({30: 98.5}))
    _, after = tick(engine)
    assert {row["price"] for row in after if row["time"] == START + 30 * MINUTE} == {98.5}
    engine.take(bars({30: 100.0, 31: 100.0, 32: 100.0}))
    _, last = tick(engine)
    assert {row["state"] for row in last} == {WITHDRAWN}
    assert standing(before + after + last) == {}


def test_a_restart_knows_what_was_withdrawn() -> None:
    engine, again = Engine(), Engine()
    engine.take(bars(dict(enumerate([100.0] * 30 + [99.0, 98.0, 97.0]))))
    engine.take(bars({30: 100.0}))
    given_out = [engine.tick(LATER)]
    engine.take(bars({31: 100.0, 32: 100.0}))
    given_out.append(engine.tick(LATER))
    again.take(bars(dict(enumerate([100.0] * 33))))
    for found in given_out:
        for table, columns in zip(("indicators", "signals"), found, strict=True):
            if columns is not None:
                again.take(Batch(table, columns, 0, 0, 0))
    assert tick(again) == ([], [])


def test_a_bar_ahead_of_the_clock_closes_none_before_it() -> None:
    engine = Engine()
    closes = walk(40).tolist()
    engine.take(bars(dict(enumerate(closes))))
    now = START + 40 * MINUTE + GRACE_NS
    tick(engine, now)
    engine.take(bars({40: 1.0, 41: 2.0, 500: 3.0}))  # the bar that forms, the next by a clock ahead, one of another day
    rows, _ = tick(engine, now)
    assert [row["time"] for row in rows] == [START + 40 * MINUTE]
    engine.take(bars({40: closes[-1]}))
    rows, signals = tick(engine, START + 41 * MINUTE)
    assert [row["close"] for row in rows if row["time"] == START + 40 * MINUTE] == [closes[-1]]
    assert not [s for s in signals if s["price"] in (1.0, 2.0, 3.0)]


@pytest.mark.parametrize("close", [1e200, -1e200])
def test_a_close_too_large_to_compute_with_is_passed_over_on_either_side_of_nothing(close: float) -> None:
    engine = Engine()
    engine.take(bars({**dict(enumerate(walk(30).tolist())), 30: close}))
    rows, _ = tick(engine)
    assert [row["time"] for row in rows] == [START + i * MINUTE for i in range(30)]


@pytest.mark.parametrize("killed_at", [4_100, 5_000])
def test_a_series_that_begins_with_its_newest_bars_changes_no_row_and_goes_on_as_if_it_were_whole(
    killed_at: int,
) -> None:
    closes = dict(enumerate(walk(killed_at + 50).tolist()))
    old = {i: c for i, c in closes.items() if i < killed_at}
    whole, again = Engine(), Engine()
    whole.take(bars(old))
    indicators, signals = whole.tick(LATER)
    window = {i: c for i, c in old.items() if i >= killed_at - 2 * WARM_BARS}
    first = min(window)
    again.begin("A", "1m", START + first * MINUTE, START + (first + WARM_BARS) * MINUTE)
    again.take(bars(window))
    for table, columns in (("indicators", indicators), ("signals", signals)):
        assert columns is not None
        known = columns["time"] >= START + first * MINUTE
        again.take(Batch(table, {n: column[known] for n, column in columns.items()}, 0, 0, 0))
    assert tick(again) == ([], [])
    new = bars({i: c for i, c in closes.items() if i >= killed_at})
    whole.take(new)
    again.take(new)
    expected, found = tick(whole), tick(again)
    assert found[1] == expected[1]
    assert [r["time"] for r in found[0]] == [r["time"] for r in expected[0]]
    for one, other in zip(found[0], expected[0], strict=True):
        numbers = [n for n, v in one.items() if isinstance(v, float)]
        np.testing.assert_allclose([one[n] for n in numbers], [other[n] for n in numbers], rtol=1e-10, atol=1e-10)
    again.take(bars({0: 50.0}))
    assert tick(again) == ([], [])
    assert again.passed_over == 1
