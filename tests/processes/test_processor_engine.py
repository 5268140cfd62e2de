"""The engine: what it gives out as bars close, form, are corrected or come late, and after a restart."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from chance import examples
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from plant.conditions.rules import rules_of
from plant.indicators.declarations import DEFAULTS, declared
from plant.intake.forms import columns_of
from plant.rows.columns import Columns
from plant.rows.ordering import joined
from plant.rows.tables import schema_of
from processor.engine import Engine
from processor.open_bars import PRICES
from processor.outcome import WITHDRAWN, Outcome, Rows, events_of
from processor.renewal import Known

SCHEMA = schema_of()
MINUTE = 60 * 10**9
START = 1_763_640_000_000_000_000 // MINUTE * MINUTE
COLUMNS = [column for one in DEFAULTS for column in one.columns]
RULES = rules_of([], (*PRICES, *COLUMNS))
WANTED = 400
QUICK = (Phase.explicit, Phase.generate)  # a case takes long, and one that fails would be made smaller for minutes

Plain = list[dict[str, Any]]


def bars(closes: dict[int, float], sym: str = "A", time: str = "time") -> Columns:
    """Return rows of bars: minute -> close; with `time` "market_time" what closes them."""
    count, values = len(closes), list(closes.values())
    rows = {"time": [START + i * MINUTE for i in closes], "sym": [sym] * count, "interval": ["1m"] * count}
    prices = dict.fromkeys(("open", "high", "low", "close"), values)
    found = columns_of(SCHEMA["bars"], rows | prices | {"volume": [1.0] * count})
    return {**found, time: found["time"]}


def rows_of(columns: Columns | None) -> Plain:
    values = {name: column.tolist() for name, column in (columns or {}).items()}
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


class Plant:
    """What the rdb would have: the newest revision of every row, and an engine that hears of all of them."""

    def __init__(self) -> None:
        self.bars: dict[int, float] = {}
        self.closed: dict[int, float] = {}
        self.found: dict[str, list[Columns]] = {"indicators": [], "signals": []}
        self.engine = Engine(DEFAULTS, RULES)
        self.out(self.engine.settle(self.none("indicators"), self.none("signals")))

    @staticmethod
    def none(table: str) -> Columns:
        columns = SCHEMA[table].columns
        return columns_of(SCHEMA[table], {c.name: [] for c in columns})

    def out(self, outcome: Outcome) -> tuple[Plain, Plain]:
        for table, columns in zip(("indicators", "signals"), outcome, strict=True):
            if columns is not None:
                self.found[table].append(columns)
        return rows_of(outcome.indicators), rows_of(outcome.signals)

    def send(self, closes: dict[int, float]) -> None:
        """Publish bars; the newest of all stays open."""
        self.bars |= closes
        self.engine.take_bars(bars(closes))
        last = max(self.closed, default=-1)
        ends = {i: self.bars[i] for i in sorted(self.bars) if last < i < max(self.bars)}
        if ends:
            self.closed |= ends
            self.engine.take_closes(bars(ends, time="market_time"))

    def all(self, table: str) -> Columns:
        parts = self.found[table] or [self.none(table)]
        names = [name for name in self.none(table) if name in parts[0]]
        return {name: joined([part[name] for part in parts]) for name in names}

    def known(self, since: int, until: int) -> Known:
        times = [t for t in sorted(self.bars) if START + t * MINUTE <= until]
        first = max(sum(START + t * MINUTE < since for t in times) - WANTED, 0)
        rows = bars({t: self.bars[t] for t in times[first:]})
        values = np.column_stack([rows[name] for name in PRICES])
        given = Rows.of(self.engine.series, self.all("indicators"), COLUMNS)
        events = events_of(self.engine.series, self.all("signals"))
        return Known(rows["time"], values, given, {key[1:]: event for key, event in events.items()})

    def tick(self) -> tuple[Plain, Plain]:
        self.engine.advance()
        stale = self.engine.stale()
        if stale:
            known = [self.known(one.since, one.until) for one in stale]
            self.out(self.engine.renew(stale, known, lambda interval: WANTED))
        return self.out(self.engine.tick())

    def newest(self, table: str, *key: str) -> dict[Any, dict[str, Any]]:
        """Return the rows in force by their key."""
        return {tuple(row[name] for name in key): row for row in rows_of(self.all(table))}


def standing(plant: Plant) -> dict[Any, Any]:
    """Return the signals in force."""
    found = plant.newest("signals", "time", "signal")
    return {key: (row["price"], row["detail"]) for key, row in found.items() if row["state"] != WITHDRAWN}


def check_alike(one: Plant, other: Plant) -> None:
    ours, theirs = (plant.newest("indicators", "time") for plant in (one, other))
    assert ours.keys() == theirs.keys()
    for key, row in ours.items():
        numbers = [name for name, value in row.items() if isinstance(value, float)]
        left, right = ([each[name] for name in numbers] for each in (row, theirs[key]))
        np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-9, err_msg=str(key))
    assert standing(one) == standing(other)


def walk(count: int, seed: int = 1) -> list[float]:
    return list((100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, count)))).tolist())


@settings(max_examples=examples(30), deadline=None, phases=QUICK)
@given(st.data())
def test_what_is_given_out_is_that_of_the_series_as_it_is_whatever_came_late_or_was_corrected(data: Any) -> None:
    closes = dict(enumerate(walk(120, data.draw(st.integers(0, 10**6)))))
    late = data.draw(st.sets(st.integers(0, 118), max_size=5))
    wrong = data.draw(st.dictionaries(st.integers(0, 119), st.floats(80, 120), max_size=5))
    corrected, plain = Plant(), Plant()
    first = {i: wrong.get(i, close) for i, close in closes.items() if i not in late}
    cuts = sorted({0, *data.draw(st.sets(st.integers(1, len(first)), max_size=6)), len(first)})
    for start, stop in pairwise(cuts):
        corrected.send(dict(list(first.items())[start:stop]))
        if data.draw(st.booleans()):
            corrected.tick()
    for i in data.draw(st.permutations(sorted(late | wrong.keys()))):
        corrected.send({i: closes[i]})
        if data.draw(st.booleans()):
            corrected.tick()
    corrected.tick()
    plain.send(closes)
    plain.tick()
    check_alike(corrected, plain)
    assert corrected.tick() == ([], [])


def test_a_signal_that_was_never_there_is_withdrawn_and_one_of_another_price_is_told_anew() -> None:
    plant = Plant()
    plant.send(dict(enumerate([100.0] * 30 + [99.0, 98.0, 97.0, 97.0])))
    _, before = plant.tick()
    assert before
    assert {row["state"] for row in before} == {""}
    plant.send({30: 98.5})
    plant.tick()
    assert {price for (time, _), (price, _) in standing(plant).items() if time == START + 30 * MINUTE} == {98.5}
    plant.send({30: 100.0, 31: 100.0, 32: 100.0})
    plant.tick()
    assert standing(plant) == {}


UT_BOT = np.array(
    [
        [10, 11, 12, 13, 12.5, 11.5, 10.5, 10, 11.5, 13, 14, 13.5, 12, 11],
        [9, 9.8, 10.8, 11.9, 11.2, 10.1, 9.4, 9, 9.8, 11.4, 12.8, 12.1, 10.6, 9.9],
        [9.5, 10.8, 11.8, 12.2, 11.4, 10.3, 9.6, 9.9, 11.3, 12.8, 13.6, 12.3, 10.9, 10.2],
    ]
)
"""The published example (period 3, key 1): high, low, close; sells on bars 5 and 12, buys on bar 8."""


def test_a_ut_bot_raises_its_signals_by_itself_and_one_that_is_corrected_away_is_withdrawn() -> None:
    declarations = declared([{"name": "bot", "kind": "ut_bot", "period": 3, "symbols": ["A"]}], defaults=False)
    rules = rules_of([], (*PRICES, "bot_stop", "bot_position"), declarations)
    assert [(rule.name, rule.side) for rule in rules] == [("bot", "buy"), ("bot", "sell")]
    high, low, close = UT_BOT.copy()

    def sent(engine: Engine, sym: str = "A") -> Columns:
        rows = bars(dict(enumerate(close.tolist())), sym)
        rows |= {"high": high.copy(), "low": low.copy()}
        engine.take_bars(rows)
        engine.take_closes(rows | {"market_time": rows["time"]})
        return rows

    engine = Engine(declarations, rules)
    engine.settle(Plant.none("indicators"), Plant.none("signals"))
    rows = sent(engine)
    sent(engine, "B")
    found = engine.tick()
    told = rows_of(found.signals)
    assert [(row["sym"], (row["time"] - START) // MINUTE, row["signal"], row["side"]) for row in told] == [
        ("A", 5, "bot", "sell"), ("A", 8, "bot", "buy"), ("A", 12, "bot", "sell"),
    ]  # fmt: skip
    assert told[0]["detail"] == "bot turned to sell (close 10.3000, stop 11.5988)"

    close[12] = 12.9
    rows["close"] = close
    engine.take_bars(rows)
    (one,) = engine.stale()
    given = Rows.of(engine.series, found.indicators or {}, ["bot_stop", "bot_position"])
    events = {key[1:]: event for key, event in events_of(engine.series, found.signals or {}).items()}
    known = Known(rows["time"], np.column_stack([rows[name] for name in PRICES]), given, events)
    (withdrawn, later) = rows_of(engine.renew([one], [known], lambda interval: WANTED).signals)
    assert (withdrawn["time"], withdrawn["state"]) == (START + 12 * MINUTE, WITHDRAWN)
    assert (later["time"], later["side"], later["state"]) == (START + 13 * MINUTE, "sell", "")


def test_what_forms_is_shown_as_if_it_closed_now_and_again_only_if_it_differs() -> None:
    plant, closed = Plant(), Plant()
    closes = walk(40)
    plant.send(dict(enumerate(closes)))
    rows, _ = plant.tick()
    assert [row["time"] for row in rows] == [START + i * MINUTE for i in range(40)]
    closed.send({**dict(enumerate(closes)), 40: 1.0})
    closed.tick()
    last = START + 39 * MINUTE
    assert str(plant.newest("indicators", "time")[last,]) == str(closed.newest("indicators", "time")[last,])
    plant.send({39: closes[39]})
    assert plant.tick() == ([], [])
    plant.send({39: 50.0})
    rows, signals = plant.tick()
    assert [(row["time"], row["close"]) for row in rows] == [(last, 50.0)]
    assert not signals


def test_what_was_shown_while_it_formed_is_not_given_out_again_behind_what_was_computed_anew() -> None:
    plant = Plant()
    plant.send(dict(enumerate(walk(10))))
    plant.tick()
    plant.send({10: 100.0, 11: 100.0})  # closes the bar that was shown, and one that is corrected before it is computed
    plant.send({10: 101.0})
    plant.tick()
    times = [(row["time"] - START) // MINUTE for row in rows_of(plant.all("indicators"))]
    assert sorted(times) == [*range(12)]


def test_nothing_is_given_out_of_a_series_with_too_few_bars_and_all_of_it_then() -> None:
    plant = Plant()
    for i, close in enumerate(walk(6)):
        plant.send({i: close})
        rows, _ = plant.tick()
        assert [row["time"] for row in rows] == (
            [] if i < 4 else [START + k * MINUTE for k in ([*range(5)] if i == 4 else [5])]
        )


def test_signals_of_a_series_with_too_few_bars_wait_where_it_is_computed_anew_too() -> None:
    plant = Plant()
    plant.engine = Engine(DEFAULTS, rules_of([{"name": "down", "side": "sell", "when": "close falling 1"}], PRICES))
    plant.engine.settle(plant.none("indicators"), plant.none("signals"))
    plant.send(dict(enumerate([10.0, 9.0, 8.0, 9.0])))
    assert plant.tick() == ([], [])
    plant.send({1: 9.5})
    assert plant.tick() == ([], [])
    assert not standing(plant)
    plant.send({4: 8.0})
    plant.tick()
    assert [(row["time"] - START) // MINUTE for row in rows_of(plant.all("signals"))] == [1, 2]


@pytest.mark.parametrize("close", [1e200, -1e200])
def test_a_close_too_large_to_compute_with_is_passed_over_on_either_side_of_nothing(close: float) -> None:
    plant, without = Plant(), Plant()
    closes = dict(enumerate(walk(30)))
    plant.send({**closes, 30: close, 31: 100.0})
    without.send({**closes, 31: 100.0})
    plant.tick(), without.tick()
    odd = plant.newest("indicators", "time").pop((START + 30 * MINUTE,))
    assert all(np.isnan(odd[name]) for name in COLUMNS)
    last = START + 31 * MINUTE
    assert str(plant.newest("indicators", "time")[last,]) == str(without.newest("indicators", "time")[last,])


@settings(max_examples=examples(20), deadline=None, phases=QUICK)
@given(st.data())
def test_a_restart_gives_out_what_is_missing_and_nothing_twice(data: Any) -> None:
    closes = dict(enumerate(walk(90, data.draw(st.integers(0, 10**6)))))
    plant = Plant()
    killed_at = data.draw(st.integers(1, 90))
    plant.send(dict(list(closes.items())[:killed_at]))
    plant.tick()
    all_of_them = len(plant.newest("indicators", "time"))
    lost = data.draw(st.sets(st.integers(0, killed_at), max_size=4))
    plant.found["indicators"] = [
        {name: column[[i not in lost for i in range(len(part["time"]))]] for name, column in part.items()}
        for part in plant.found["indicators"]
    ]
    again = Engine(DEFAULTS, RULES)
    again.take_bars(bars(plant.bars))
    if plant.closed:
        again.take_closes(bars(plant.closed, time="market_time"))
    before = len(plant.newest("indicators", "time"))
    plant.engine = again
    plant.out(again.settle(plant.all("indicators"), plant.all("signals")))
    plant.tick()
    assert len(rows_of(plant.all("indicators"))) == len(plant.newest("indicators", "time")) == all_of_them
    assert before <= all_of_them
    plant.send({i: close for i, close in closes.items() if i >= killed_at})
    plant.tick()
    whole = Plant()
    whole.send(closes)
    whole.tick()
    check_alike(plant, whole)


def test_a_restart_while_a_series_is_to_be_computed_anew_gives_nothing_twice_of_what_came_before() -> None:
    plant, wrong = Plant(), 80
    plant.send(dict(enumerate(walk(120))))
    plant.tick()
    before = {name: len(rows_of(plant.all(name))) for name in plant.found}
    assert any(row["time"] < START + wrong * MINUTE for row in rows_of(plant.all("signals")))
    plant.send({wrong: 1.01 * plant.bars[wrong]})
    plant.engine = Engine(DEFAULTS, RULES)
    plant.engine.take_bars(bars(plant.bars))
    plant.engine.take_closes(bars(plant.closed, time="market_time"))
    plant.out(plant.engine.settle(plant.all("indicators"), plant.all("signals")))
    plant.tick()
    for name, count in before.items():
        assert all(row["time"] >= START + wrong * MINUTE for row in rows_of(plant.all(name))[count:])
    assert len(rows_of(plant.all("indicators"))) > before["indicators"]


def test_a_series_that_begins_with_its_newest_bars_goes_on_as_if_it_were_whole() -> None:
    closes = walk(3_050)
    whole, again = Plant(), Engine(DEFAULTS, RULES)
    whole.send(dict(enumerate(closes[:3_001])))
    whole.tick()
    old = bars(dict(enumerate(closes[:3_000])))
    values = np.column_stack([old[name] for name in PRICES])
    again.begin("A", "1m", old["time"][-2_000:], values[-2_000:])
    again.settle(whole.none("indicators"), whole.none("signals"))
    whole.send(dict(enumerate(closes[3_000:], 3_000)))
    expected = whole.tick()
    again.take_bars(bars(dict(enumerate(closes[3_000:], 3_000))))
    again.take_closes(bars(dict(enumerate(closes[3_000:-1], 3_000)), time="market_time"))
    found = again.tick()
    assert rows_of(found.signals) == expected[1]
    times = [row["time"] for row in expected[0]]
    assert [row["time"] for row in rows_of(found.indicators) if row["time"] in times] == times
    for one, other in zip(rows_of(found.indicators)[-len(times) :], expected[0], strict=True):
        numbers = [name for name, value in one.items() if isinstance(value, float)]
        np.testing.assert_allclose([one[n] for n in numbers], [other[n] for n in numbers], rtol=1e-10, atol=1e-10)
