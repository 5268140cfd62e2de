"""All detectors: as by their definitions, with nothing known ahead of its bar, in any portions, killed or not."""

from typing import Any

import pytest
from chance import examples
from detector_bars import (
    ALL,
    all_bars,
    by_id,
    days_of,
    detected,
    differences,
    in_order,
    recorded_minutes,
    walk,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from plain_detectors import B, Events, daily, day_objects, openings, regular
from plain_patterns import flags, pivots, supply_demand, zigzag

from plant.detectors.machine import DetectorTerms

QUICK = (Phase.explicit, Phase.generate)  # a case that fails would be made smaller for minutes
SEEDS = st.integers(0, 2**32 - 1)


def everything(sym: str, bars: dict[str, list[B]], terms: DetectorTerms) -> Events:
    """Return what there should be, plainly."""
    days = days_of(sym)
    found = daily(sym, bars["1m"], bars["1d"], days)
    found |= openings(sym, bars["1m"], days, terms.opening_range)
    found |= day_objects(sym, bars["15m"], days)
    for interval in terms.intervals:
        mine = regular(bars[interval])
        found |= supply_demand(sym, interval, mine, terms.keep)
        found |= pivots(sym, interval, mine, terms.pivot_bars)
        found |= zigzag(sym, interval, mine, terms.zigzag)
        for sign in (1, -1):
            found |= flags(sym, interval, mine, sign, terms.flag_pole_atr)
    return found


def check(sym: str, minutes: Any, terms: DetectorTerms) -> Events:
    bars = all_bars(minutes, sym)
    found = by_id(detected(in_order(sym, bars), terms))
    wrong = differences(found, everything(sym, bars, terms))
    assert not wrong, wrong[:5]
    return found


CASES = st.tuples(SEEDS, st.sampled_from(["AAPL", "BTC"]), st.sampled_from([0.02, 0.1, 0.9]))


def minutes_of(case: tuple[int, str, float]) -> Any:
    """Return random 1m bars over a holiday, a half-day and a weekend; fewer days of those that are there mostly."""
    seed, sym, present = case
    days = {0.02: 7, 0.1: 4, 0.9: 2}[present] if sym == "AAPL" else {0.02: 6, 0.1: 2, 0.9: 1}[present]
    return walk(seed, sym, "2026-11-24", days, present)


@settings(max_examples=examples(30), deadline=None, phases=QUICK)
@given(CASES, st.sampled_from([0.01, 3.0]), st.sampled_from([0.0, 2.0]))
def test_random_bars_give_what_the_definitions_say(case: tuple[int, str, float], zigzag: float, pole: float) -> None:
    terms = DetectorTerms(ALL.types, ALL.intervals, (5, 7, 30), 3, zigzag, pole, 3)
    check(case[1], minutes_of(case), terms)


@pytest.mark.parametrize("sym", ["AAPL", "SPY", "BTCUSD", "ETHUSD"])
def test_recorded_days_give_what_the_definitions_say(sym: str) -> None:
    found = check(sym, recorded_minutes(sym), ALL)
    types = {events[0][2]["type"] for events in found.values()}
    assert types >= {"prev_day_high", "floor_pivots", "day_level", "day_zone", "pivot_high", "supply", "bear_flag"}
    assert ("premarket_high" in types) == (sym in ("AAPL", "SPY"))
    states = {event[2]["state"] for events in found.values() for event in events}
    assert states >= {"active", "tested", "broken", "expired", "forming", "confirmed", "failed"}


@settings(max_examples=examples(6), deadline=None, phases=QUICK)
@given(CASES, st.floats(0, 1))
def test_what_comes_later_changes_no_event_before_it(case: tuple[int, str, float], share: float) -> None:
    rows = in_order(case[1], all_bars(minutes_of(case), case[1]))
    cut = rows[int(share * (len(rows) - 1))]["time"]
    early = [row for row in rows if row["time"] <= cut]
    known = [row for row in detected(rows) if row["time"] <= cut]
    assert repr(by_id(_open(detected(early)))) == repr(by_id(_open(known)))


def _open(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without those that tell an end which the calendar sets: they come after it, stamped with it."""
    return [row for row in rows if row["state"] != "expired"]


@settings(max_examples=examples(6), deadline=None, phases=QUICK)
@given(CASES, st.integers(1, 400), st.booleans())
def test_any_portions_and_any_order_of_the_intervals_give_the_same_events(
    case: tuple[int, str, float], at_once: int, days_last: bool
) -> None:
    """Bars of 1d may come long after those of 1m, as when many days are imported at once."""
    rows = in_order(case[1], all_bars(minutes_of(case), case[1]))
    wanted = by_id(detected(rows))
    if days_last:
        rows.sort(key=lambda row: row["interval"] == "1d")
    assert repr(sorted(by_id(detected(rows, at_once=at_once)).items())) == repr(sorted(wanted.items()))
