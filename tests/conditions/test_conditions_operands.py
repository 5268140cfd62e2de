"""Levels and zones beside bars: those that the detectors of a plant had found by the time each bar began."""

from math import isnan, nan
from typing import Any

import pytest
from detector_bars import all_bars, detected, in_order, sessions_of, walk

from plant.calendars.sessions import Sessions
from plant.conditions.definition import definition_of
from plant.conditions.operands import LENGTHS, OPERANDS, Operand, Operands, check_operands
from plant.detectors.definitions import TYPES, types_of
from plant.detectors.machine import DetectorTerms
from plant.errors import ConditionError
from plant.rows.schema import UNKNOWN_TIME

DAILY = tuple(name for name, one in OPERANDS.items() if one.type.startswith(("prev", "floor")))
SOME = tuple(name for name, one in OPERANDS.items() if one.part not in {str(n) for n in LENGTHS if n not in (5, 30)})


class Rows:
    """What the rows of `annotations` of one operand say, plainly: each object as its newest row has it."""

    def __init__(self, operand: Operand, events: list[dict[str, Any]]) -> None:
        self.field, self.objects = operand.field, dict[str, tuple[int, dict[str, Any]]]()
        ending = f"/{operand.part}" if operand.part else ""
        self.events = [e for e in enumerate(events) if e[1]["type"] == operand.type and e[1]["id"].endswith(ending)]

    def value(self, time: int) -> float:
        """Return the value of the one in force at a time that was decided last; times rise."""
        while self.events and self.events[0][1]["time"] <= time:
            place, row = self.events.pop(0)
            self.objects[row["id"]] = self.objects.get(row["id"], (place, row))[0], row
        found = [
            (place, row)
            for place, row in self.objects.values()
            if row["action"] != "delete"
            and row["state"] not in ("expired", "failed", *(("broken",) if row["kind"] == "zone" else ()))
            and (row["end_at"] == UNKNOWN_TIME or row["end_at"] > time)
        ]
        return float(max(found, key=lambda one: one[0])[1][self.field]) if found else nan


@pytest.mark.parametrize(
    ("sym", "interval", "names"),
    [
        ("AAPL", "1m", SOME),
        ("AAPL", "5m", SOME),
        ("AAPL", "1d", DAILY),
        ("BTC", "5m", ("level:prev_day_high", "zone:support", "zone:demand", "level:opening_range_low.30", "level:P")),
    ],
)
def test_values_are_those_that_the_detectors_had_found_when_a_bar_began(
    sym: str, interval: str, names: tuple[str, ...]
) -> None:
    days, present = {"1d": (7, 0.2), "1m": (4, 0.1)}.get(interval, (3, 1.0))
    bars = all_bars(walk(7, sym, "2026-11-19", days, present), sym)  # over a weekend, in which a week begins
    terms = DetectorTerms(types_of(TYPES), (interval,) if interval != "1d" else ("5m",), (5, 30))
    events = detected(in_order(sym, bars), terms)
    rows = {name: Rows(OPERANDS[name], events) for name in names}
    operands = Operands(names, sym, interval, sessions_of(sym))
    known = set()
    for bar in bars[interval]:
        found = operands.update(bar.time, bar.o, bar.h, bar.l, bar.c)
        for name, value in zip(names, found, strict=True):
            wanted = rows[name].value(bar.time)
            assert value == wanted or (isnan(value) and isnan(wanted)), (name, bar.time, value, wanted)
            known |= set() if isnan(value) else {name}
    assert len(known) > len(names) / 2, known


def test_an_operand_that_bars_cannot_show_is_refused() -> None:
    for name, interval in (
        ("level:opening_range_high.5", "15m"),
        ("level:premarket_high", "1d"),
        ("zone:support", "1h"),
        ("zone:supply", "1w"),
        ("level:prev_day_high", ""),
    ):
        with pytest.raises(ConditionError, match=name):
            check_operands((name,), interval)
    check_operands((*DAILY, "close"), "1d")


def document(right: str, interval: str = "5m") -> dict[str, Any]:
    atom = {"left": "close", "operator": "crosses_above", "right": right}
    return {"interval": interval, "signals": [{"id": "up", "action": "entry", "side": "long", "all": [atom]}]}


def test_a_document_may_name_them_and_is_told_the_nearest_of_a_wrong_one() -> None:
    assert definition_of(document("level:prev_day_high")).annotations == ("level:prev_day_high",)
    assert definition_of(document("close[1]")).annotations == ()
    with pytest.raises(ConditionError, match="did you mean 'level:prev_day_high'"):
        definition_of(document("level:prev_day_hihg"))
    for drawn in ("level:user", "zone:user.top", "level:drawn"):
        with pytest.raises(ConditionError, match=f"unknown level or zone '{drawn}'.*; what somebody drew is for eyes"):
            definition_of(document(drawn))
    with pytest.raises(ConditionError, match="zone:support is found over bars of which 15m are so many, not over"):
        definition_of(document("zone:support", "1h"))


def test_without_a_calendar_a_session_is_a_day_of_utc() -> None:
    day, operands = 86_400 * 10**9, Operands(("level:prev_day_high",), "X", "1h", None)
    hours = [(day * d + 3600 * 10**9 * h, 10.0 + d + h / 100) for d in range(3) for h in range(24)]
    found = [operands.update(time, price, price, price, price)[0] for time, price in hours]
    assert all(isnan(value) for value in found[:24])
    assert found[24:48] == [10.23] * 24
    assert found[48:] == [11.23] * 24
    assert Sessions().continuous
