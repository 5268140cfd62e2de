"""What the chart draws of annotations: which of them, of what shape, in what colour, and what is said of them."""

import json
import math
from typing import Any

import numpy as np
from state_rows import NOON, through_the_plant

from dashboard.annotations.marks import MOST, marks_of
from dashboard.annotations.shown import KINDS
from dashboard.panes import DARK, DOWN, LIGHT, UP
from plant.state.annotations import Annotations
from plant.state.newest import Row

MINUTE = 60 * 10**9
TIMES = NOON + MINUTE * np.arange(10)


def row(name: str, source: str = "user:ada", **columns: Any) -> Row:
    told = {"sym": "A", "kind": "level", "price": 10.0, "start_at": NOON, **columns}
    made = through_the_plant("annotations", Annotations().changed(name, "create", source, NOON, **told))
    return {**made, "seq": 1, "seq_row": 0}


def marks(*rows: Row, interval: str = "1m", kinds: Any = KINDS, ended: bool = False, palette: Any = DARK) -> Any:
    return marks_of(rows, TIMES, interval, kinds, ended, palette)[0]


def test_each_kind_has_its_shape_and_its_prices() -> None:
    rows = [
        row("level"),
        row("zone", kind="zone", top=12.0, bottom=11.0, price=math.nan, end_at=NOON + MINUTE),
        row("line", kind="line", price_end=9.0, end_at=NOON + MINUTE),
        row("flag", kind="flag", price_end=9.5, end_at=NOON + MINUTE, source="auto", interval="1m", type="bull_flag"),
        row("pivot", kind="pivot", source="auto", interval="1m", type="pivot_high"),
        row("text", kind="text", text="gap"),
    ]
    found = marks(*rows)
    assert {name: (mark["kind"], mark["y"]) for name, mark in found.items()} == {
        "level": ("level", [10.0]),
        "zone": ("zone", [12.0, 11.0]),
        "line": ("line", [10.0, 9.0]),
        "flag": ("line", [10.0, 9.5]),
        "pivot": ("marker", [10.0]),
        "text": ("text", [10.0]),
    }
    assert (found["zone"]["from"], found["zone"]["to"]) == (NOON // 10**6, (NOON + MINUTE) // 10**6)
    assert found["level"]["to"] is None
    json.dumps(found, allow_nan=False)


def test_what_is_over_is_shown_only_if_one_asks_for_it_and_dimmed() -> None:
    rows = [
        row("broken", source="auto", state="broken"),
        row("expired", state="expired"),
        row("past", source="auto", end_at=NOON + 2 * MINUTE),
        row("to come", source="auto", end_at=NOON + 20 * MINUTE),
        row("drawn", kind="zone", top=2.0, bottom=1.0, end_at=NOON + MINUTE),
        row("flag", kind="flag", source="auto", interval="1m", price_end=9.0, end_at=NOON + MINUTE, state="confirmed"),
        row("before", source="auto", start_at=NOON - 9 * MINUTE, end_at=NOON - MINUTE),
    ]
    assert set(marks(*rows)) == {"to come", "drawn", "flag"}
    found = marks(*rows, ended=True)
    assert set(found) == {"broken", "expired", "past", "to come", "drawn", "flag"}
    assert {name for name, mark in found.items() if mark["dim"]} == {"broken", "expired", "past"}


def test_levels_and_zones_are_shown_on_all_bars_and_what_is_of_bars_on_theirs() -> None:
    rows = [
        row("level", source="auto", interval="1d", type="prev_day_high"),
        row("pivot", source="auto", kind="pivot", interval="5m", type="pivot_low"),
        row("text", kind="text", text="for 5m", interval="5m"),
        row("drawn", kind="marker"),
    ]
    assert set(marks(*rows)) == {"level", "drawn"}
    assert set(marks(*rows, interval="5m")) == {"level", "drawn", "pivot", "text"}
    assert set(marks(*rows, interval="5m", kinds=["pivot", "level"])) == {"level", "pivot"}


def test_names_and_colours() -> None:
    style = '{"colour":"#123456","width":3,"opacity":0.5}'
    found = marks(
        row("a", source="auto", type="prev_day_high", text="prev day high", reason="high of 2025-11-19: 10"),
        row("b", source="auto", kind="zone", top=2.0, bottom=1.0, type="demand", interval="15m", state="tested"),
        row("c", style=style, text="mine"),
        row("d", style="{"),
        row("e", source="auto", type="floor_pivots", text="R1"),
    )
    labels = {name: (mark["label"], mark["color"], mark["auto"]) for name, mark in found.items()}
    assert labels == {
        "a": ("Prev day high", DOWN, True),
        "b": ("Demand 15m", UP, True),
        "c": ("mine", "#123456", False),
        "d": ("", DARK.macd, False),
        "e": ("R1", DARK.bands, True),
    }
    assert (found["c"]["width"], found["c"]["opacity"]) == (3, 0.5)
    assert found["a"]["told"] == "Prev day high, found by the plant: high of 2025-11-19: 10"
    assert found["b"]["told"] == "Demand 15m, found by the plant, tested"
    assert found["c"]["told"] == "mine, by ada"
    assert found["d"]["told"] == "Level, by ada"
    assert marks(row("d"), palette=LIGHT)["d"]["color"] == LIGHT.macd


def test_of_more_than_anyone_can_read_the_newest_are_shown() -> None:
    rows = [{**row(str(i)), "time": NOON + i} for i in range(MOST + 7)]
    found, more = marks_of(rows, TIMES, "1m", KINDS, False, DARK)
    assert (len(found), more) == (MOST, 7)
    assert "6" not in found
    assert str(MOST + 6) in found
    assert marks_of(rows, TIMES[:0], "1m", KINDS, False, DARK) == ({}, 0)


def test_a_row_that_says_nowhere_where_it_is_is_not_drawn() -> None:
    assert marks(row("a", kind="line"), row("b", price=math.nan)) == {}
