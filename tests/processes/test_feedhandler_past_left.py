"""What an earlier run left, told by the rows of `gaps` alone; the rows of this run are as many as they were to be."""

import random
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from bars_in_memory import connection
from chance import SEED
from hypothesis import given
from hypothesis import strategies as st
from made_up_venue import MS, Clock, MadeUpFeed, Polled, TimedFeed
from venue_server import BEGIN_MS, VenueServer

from feedhandler.past.held import holes_left
from feedhandler.past.later import Later
from feedhandler.past.left import Left, left_of
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.feed import VenueFeed
from feedhandler.venue.healing import Fetched
from feedhandler.venue.seam import GivenUp, Note, key_by, note_of

S = 10**9
T0 = 1_767_225_600 * S
WANTED = [("trades", "A", ""), ("trades", "B C", ""), ("bars", "A", "1m")]
HOLES = [
    Hole("trades", "A", "", 0, 0, 3, 6),
    Hole("trades", "A", "", T0, T0 + S),
    Hole("trades", "B C", "", T0, T0 + S),
    Hole("bars", "A", "1m", T0, T0 + S),
]


def rows_of(notes: list[Note]) -> list[dict[str, Any]]:
    names = ("table_name", "state", "first", "last", "detail")
    return [
        {"seq": 7 + n // 2, "seq_row": n % 2, **dict(zip(names, note, strict=True))} for n, note in enumerate(notes)
    ]


@given(seed=st.integers(0, 10**6))
def test_what_is_left_is_what_the_run_was_still_to_fetch(seed: int) -> None:
    chance = random.Random(seed)
    later, told, now = Later(numbered=True), [], 0.0
    for _ in range(chance.randrange(20)):
        hole = chance.choice(HOLES)
        if hole not in later and chance.random() < 0.3:
            if chance.random() < 0.5:
                later.notes += [note_of(hole, "opened", "3 trades are missing"), note_of(hole, "lost", "not there")]
                later.give_up([GivenUp(hole)], now)
            else:
                later.catch_up(hole, (), 0, now)
        now += 6.0 if chance.random() < 0.5 else 3_600.0
        for due in later.due(now):
            lost = "HTTP 503" if chance.random() < 0.7 else ""
            later.take(Fetched(due, [], done=True, lost=lost, again=chance.random() < 0.8), now)
        told += later.notes
        later.notes.clear()
        now += 6.0
    later.due(now)
    told += later.notes
    assert set(left_of(reversed(rows_of(told)), WANTED)) == {hole for hole in HOLES if hole in later}
    assert left_of(rows_of(told), []) == []


def test_what_no_start_could_fetch_is_not_left() -> None:
    anew = Note("trades", "lost", 9, 4, "A: the venue numbers anew, from 5 after 8")
    open_yet = note_of(HOLES[0], "opened", "4 trades are missing")  # the plant's newest row is ahead of it
    over = note_of(HOLES[1], "lost", "older than catch_up_h at the start; plant backfill has it")
    other = note_of(Hole("trades", "D", "", T0, T0 + S), "lost", "HTTP 503")
    assert left_of(rows_of([anew, open_yet, over, other]), WANTED) == []


def test_the_plant_says_what_it_has_of_a_hole_by_the_venues_symbols() -> None:
    told = rows_of([note_of(hole, "lost", "HTTP 503") for hole in HOLES[:2]])
    gaps = pd.DataFrame(told).drop(columns=["seq", "seq_row"]).assign(time=T0 + 9 * S, sym="feed-mine")
    others = gaps.assign(sym="feed-other", first=1, last=2)
    numbers = range(1, 9)
    trades = pd.DataFrame(
        {
            "time": [T0 + n * S // 4 for n in numbers], "sym": "Ours", "price": 1.5, "size": 2.0, "source": "mine",
            "trade_id": [f"id{n}" for n in numbers], "venue_seq": [*numbers],
        }
    )  # fmt: skip
    db = connection({"gaps": pd.concat([gaps, others]), "trades": trades})
    found = holes_left(db, "mine", [("trades", "Ours", "")], {"Ours": "A"}, 1_000, T0 + 3_600 * S)
    assert [(one.hole, one.numbers) for one in found] == [(HOLES[0], (3, 4, 5, 6)), (HOLES[1], (1, 2, 3))]
    assert found[1].known == tuple(key_by(f"id{n}", T0 + n * S, "", 1.5, 2.0) for n in (1, 2, 3))
    assert holes_left(db, "mine", [("trades", "Ours", "")], {"Ours": "A"}, 1_000, T0 + 48 * 3_600 * S) == []


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[VenueServer]:
    monkeypatch.setenv("MADE_UP_KEY", "k3y")
    with VenueServer(SEED) as server:
        yield server


@pytest.mark.parametrize("kind", [MadeUpFeed, TimedFeed], ids=["numbered", "by time"])
def test_a_hole_that_was_left_is_fetched_less_what_the_plant_has(venue: VenueServer, kind: type[VenueFeed]) -> None:
    venue.trade("A", 9)
    hole = Hole("trades", "A", "", 0, 0, 3, 8)
    if kind is TimedFeed:
        hole = Hole("trades", "A", "", (BEGIN_MS + 300) * MS, (BEGIN_MS + 801) * MS)
    known = tuple(
        key_by(f"id{one['n']}", one["t"] * MS, "", float(one["p"]), float(one["q"])) for one in venue.trades["A"][3:5]
    )
    one = Polled(kind, venue, Clock(), symbols=("A",))
    try:
        one.feed.left([Left(hole, known, (4, 5) if kind is MadeUpFeed else (0, 0))])  # type: ignore[attr-defined]
        one.until(lambda: one.rows.get("gaps"), "what became of it")
    finally:
        one.feed.close()
    assert one.ids("A") == ["id3", "id6", "id7", "id8"]
    [healed] = one.rows["gaps"]
    assert (healed["state"], healed["detail"]) == ("healed", "A: fetched later, 4 rows")
    told = {key: healed[key] for key in ("table_name", "first", "last", "state", "detail")}
    assert left_of([*rows_of([note_of(hole, "lost", "HTTP 503")]), {"seq": 99, "seq_row": 0, **told}], WANTED) == []
