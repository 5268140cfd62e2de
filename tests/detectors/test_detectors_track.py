"""Bars that are revised: what is found in the end is what the revised bars give, by further events."""

from typing import Any

import numpy as np
import pytest
from chance import examples
from detector_bars import ALL, Minutes, all_bars, closes_of, columns, detected, found_by, in_order, sessions_of, walk
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from plain_detectors import B
from processor_plant import objects_of

from plant.calendars.sessions import REGULAR, Sessions
from plant.detectors.annotation import Change
from plant.detectors.detectors import Detectors
from plant.detectors.machine import ClosedBar, DetectorTerms, Place
from plant.detectors.openings import OPENING_RANGE
from plant.detectors.track import DAY, FINE, Track
from plant.rows.columns import Columns, Symbols

MINUTE = 60 * 10**9

QUICK = (Phase.explicit, Phase.generate)
SEEDS = st.integers(0, 2**32 - 1)


def bars_rows(sym: str, interval: str, bars: list[B], trades: float = 1.0) -> Columns:
    """Return rows of `bars`."""
    rows = columns(closes_of(sym, interval, bars))
    found = {name: rows[name] for name in ("sym", "interval", "open", "high", "low", "close")}
    found["time"] = rows["market_time"]
    return found | {"source": Symbols.of(["built:feed"] * len(bars)), "trades": np.full(len(bars), trades)}


def revise(detectors: Detectors, sym: str, interval: str, bars: list[B], trades: float = 1.0) -> None:
    count = len(bars)
    detectors.take_bars(bars_rows(sym, interval, bars, trades), np.full(count, 9), np.full(count, 2**62))


def changed(minutes: Minutes, chance: np.random.Generator, count: int) -> Minutes:
    """Return bars of which some have other prices, some are gone, and some are new."""
    found = dict(minutes)
    for time in chance.choice(sorted(minutes), count).tolist():
        o, h, low, c = minutes[time]
        kind = chance.random()
        if kind < 0.6:
            shift = float(chance.integers(-6, 7)) / 4
            found[time] = (o, max(h, c + shift), min(low, c + shift), c + shift)
        elif kind < 0.8 and time != min(minutes):
            found.pop(time, None)
        else:
            found[time + 60 * 10**9] = (o, h, low, c)
    return {time: found[time] for time in sorted(found) if time <= max(minutes)}


@settings(max_examples=examples(6), deadline=None, phases=QUICK)
@given(SEEDS, st.sampled_from(["AAPL", "BTC"]), st.integers(1, 5))
def test_bars_that_are_revised_give_in_the_end_what_they_would_have_given_at_once(
    seed: int, sym: str, count: int
) -> None:
    chance = np.random.default_rng(seed)
    before = walk(seed, sym, "2026-11-24", 3, 0.03)
    after = changed(before, chance, count)
    one, other = all_bars(before, sym), all_bars(after, sym)
    detectors = Detectors(ALL, sessions_of)
    detectors.settle()
    detectors.take_closes(columns(in_order(sym, one)))
    rows = found_by(detectors)
    told = len(rows)
    for interval in one:
        known = {bar.time: bar for bar in one[interval]}
        wanted = {bar.time: bar for bar in other[interval]}
        last = max(known)
        gone = [bar for time, bar in known.items() if time not in wanted]
        new = [bar for time, bar in wanted.items() if time <= last and known.get(time) != bar]
        if gone:
            revise(detectors, sym, interval, gone, trades=0.0)
        if new:
            revise(detectors, sym, interval, new)
        late = [bar for bar in other[interval] if bar.time > last]
        assert not late
        rows += found_by(detectors)
    newest = max(row["time"] for row in in_order(sym, one))
    assert all(row["time"] <= newest and row["reason"].endswith("was revised") for row in rows[told:])
    assert detectors.unfollowed == 0
    assert repr(sorted(objects_of(rows).items())) == repr(sorted(objects_of(detected(in_order(sym, other))).items()))


def test_a_revision_that_came_before_the_close_was_back_is_followed() -> None:
    bars = all_bars(walk(1, "BTC", "2026-11-24", 1, 0.9), "BTC", ["5m"])["5m"]
    detectors = Detectors(ALL, sessions_of)
    detectors.settle()
    detectors.take_closes(columns(closes_of("BTC", "5m", bars[:-1])))
    found_by(detectors)
    last = bars[-1]
    revise(detectors, "BTC", "5m", [last._replace(h=last.h + 50.0)])
    detectors.take_closes(columns(closes_of("BTC", "5m", [last])))  # decided of the row before
    legs = [row for row in found_by(detectors) if row["id"] == "zigzag/BTC/5m/leg"]
    assert legs[-1]["price_end"] == last.h + 50.0


def test_a_bar_that_is_too_old_is_left_and_counted() -> None:
    bars = all_bars(walk(1, "BTC", "2026-11-20", 2, 0.9), "BTC", ["5m"])["5m"]
    detectors = Detectors(ALL, sessions_of)
    detectors.settle()
    detectors.take_closes(columns(closes_of("BTC", "5m", bars)))
    found_by(detectors)
    revise(detectors, "BTC", "5m", [bars[1]._replace(h=bars[1].h + 5.0)])
    assert (detectors.unfollowed, found_by(detectors)) == (1, [])


@settings(max_examples=examples(8), deadline=None, phases=QUICK)
@given(SEEDS, st.sampled_from(["AAPL", "BTC"]), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3)), max_size=6))
def test_killed_anywhere_it_gives_the_same_rows_and_none_twice(
    seed: int, sym: str, kills: list[tuple[float, int]]
) -> None:
    """Gone on from a state of any moment, with what came since: as it came, or with the last rows never written."""
    rows = in_order(sym, all_bars(walk(seed, sym, "2026-11-24", 3, 0.05), sym))
    wanted = detected(rows)
    parts = [columns(rows[start : start + 20]) for start in range(0, len(rows), 20)]
    at = {int(share * len(parts)): loses for share, loses in kills}
    journal: list[tuple[str, Any]] = []
    state, since = Detectors(ALL, sessions_of).saved(), 0
    detectors = Detectors(ALL, sessions_of)
    detectors.settle()
    for i, part in enumerate(parts):
        journal.append(("bar_closes", part))
        detectors.take_closes(part)
        found = detectors.due()
        if found is not None and at.get(i) != 0:  # else it was under way and is lost
            journal.append(("annotations", found))
            detectors.take_annotations(found)
        if at.get(i) == 1:
            state, since = detectors.saved(), len(journal)
        if i in at:
            detectors = Detectors(ALL, sessions_of)
            if at[i] != 2:
                detectors.restore(state)
            for table, columns_ in journal[since if at[i] != 2 else 0 :]:
                (detectors.take_closes if table == "bar_closes" else detectors.take_annotations)(columns_)
            detectors.settle()
            missing = detectors.due()
            if missing is not None:
                journal.append(("annotations", missing))
                detectors.take_annotations(missing)
    found = [row for table, some in journal if table == "annotations" for row in plain_rows(some)]
    assert repr(found) == repr(wanted)


def plain_rows(some: Columns) -> list[dict[str, Any]]:
    lists = [column.tolist() for column in some.values()]
    return [dict(zip(some, row, strict=True)) for row in zip(*lists, strict=True)]


@pytest.mark.parametrize("pattern", ["B*", "AAPL"])
def test_only_symbols_that_are_named_are_looked_at(pattern: str) -> None:
    rows = in_order("BTC", all_bars(walk(1, "BTC", "2026-11-24", 2, 0.05), "BTC"))
    detectors = Detectors(ALL, sessions_of, [pattern])
    detectors.take_closes(columns(rows))
    detectors.settle()
    assert (detectors.due() is not None) == (pattern == "B*")


def test_a_late_bar_decides_an_opening_range_and_does_not_count_in_it() -> None:
    """The bar of minute 400 proves that the first 5 minutes are over; one of those that comes after it revises them."""
    sessions = Sessions()
    place = Place("X", FINE, sessions, DetectorTerms(frozenset(OPENING_RANGE), (), (5,)))
    track = Track(place, DAY)

    def bar(minute: int, high: float, low: float) -> ClosedBar:
        return ClosedBar(minute * MINUTE, (minute + 1) * MINUTE, low, high, low, high, REGULAR, 0)

    def told(changes: list[Change]) -> list[tuple[int, str, float]]:
        return [(change.time // MINUTE, change.action, change.annotation.price) for change in changes]

    assert told(track.take(FINE, bar(0, 10.0, 9.0)) + track.take(FINE, bar(1, 11.0, 9.5))) == []
    assert told(track.take(FINE, bar(400, 50.0, 1.0))) == [(401, "create", 11.0), (401, "create", 9.0)]
    revised = track.revised(FINE, 4 * MINUTE, bar(4, 30.0, 8.0))
    assert told(revised or []) == [(401, "update", 30.0), (401, "update", 8.0)]
