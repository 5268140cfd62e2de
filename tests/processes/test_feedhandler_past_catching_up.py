"""What fell between two runs: each trade once, by number and by time, bounded, nothing of what the plant has again."""

from collections.abc import Callable, Iterator

import pytest
from chance import SEED
from made_up_venue import MS, Clock, MadeUpFeed, Polled, TimedFeed, polls
from venue_server import VenueServer

from feedhandler.past.catching_up import CatchUp, Held, Series
from feedhandler.past.later import Later
from feedhandler.venue.events import TradeRow
from feedhandler.venue.feed import VenueFeed
from feedhandler.venue.seam import key_by
from feedhandler.venue.seams import Seams

S = 10**9
A: Series = ("trades", "A", "")


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[VenueServer]:
    monkeypatch.setenv("MADE_UP_KEY", "k3y")
    with VenueServer(SEED) as server:
        yield server


@pytest.fixture
def polled(venue: VenueServer) -> Iterator[Callable[..., Polled]]:
    with polls(venue) as make:
        yield make


def held_up_to(venue: VenueServer, number: int, kind: type[VenueFeed]) -> dict[Series, Held]:
    """Return what a plant would say that has the trades of A up to a number."""
    some = venue.trades["A"][max(0, number - 3) : number]
    known = tuple(key_by(f"id{one['n']}", one["t"] * MS, "", float(one["p"]), float(one["q"])) for one in some)
    held = Held(some[-1]["t"] * MS, some[0]["t"] * MS, known, tuple(one["n"] for one in some))
    return {A: held if kind is MadeUpFeed else held._replace(numbers=(0, 0, 0))}


@pytest.mark.parametrize("kind", [MadeUpFeed, TimedFeed], ids=["numbered", "by time"])
@pytest.mark.parametrize("soon", [True, False], ids=["before the first", "behind some"])
def test_what_came_since_the_newest_row_of_the_plant_is_fetched_once(
    venue: VenueServer, polled: Callable[..., Polled], kind: type[VenueFeed], soon: bool
) -> None:
    venue.trade("A", 130)
    one = polled(kind, symbols=("A",), catch_up_h=1e6)
    assert one.feed.asks_for() == [A]
    if soon:
        one.feed.had(held_up_to(venue, 20, kind))
    one.until(lambda: one.feed.status().startswith("connected"), "connected")
    venue.trade("A", 4)
    one.until(lambda: len(one.ids("A")) == 4, "what came")
    if not soon:
        one.feed.had(held_up_to(venue, 20, kind))
    one.until(lambda: len(one.ids("A")) == 114, "what came before")
    for _ in range(20):
        one.poll()
    assert one.ids("A")[:4] == [f"id{n}" for n in range(131, 135)]  # nothing waits
    assert one.ids("A")[4:] == [f"id{n}" for n in range(21, 131)]
    [opened, healed] = one.rows["gaps"]
    assert (opened["state"], opened["detail"]) == ("opened", "A: since the newest row in the plant")
    assert (healed["state"], healed["detail"]) == ("healed", "A: fetched later, 110 rows")
    if kind is MadeUpFeed:
        assert (healed["first"], healed["last"]) == (21, 130)


def test_nothing_is_asked_for_where_nothing_is_wanted(venue: VenueServer, polled: Callable[..., Polled]) -> None:
    assert polled(MadeUpFeed, catch_up_h=0).feed.asks_for() == []
    assert polled(MadeUpFeed, channels=("quotes",)).feed.asks_for() == []


@pytest.mark.parametrize("kind", [MadeUpFeed, TimedFeed], ids=["numbered", "by time"])
@pytest.mark.parametrize("has_all", [False, True])
def test_what_came_between_two_runs_and_cannot_be_fetched_is_told_as_lost(
    venue: VenueServer, polled: Callable[..., Polled], kind: type[VenueFeed], has_all: bool
) -> None:
    venue.trade("A", 30)
    one = polled(kind, symbols=("A",), backfill=False)
    assert one.feed.asks_for() == [A]
    held = held_up_to(venue, 30 if has_all else 20, kind)
    one.feed.had(held)
    one.until(lambda: one.feed.status().startswith("connected"), "connected")
    venue.trade("A", 2)
    one.until(lambda: len(one.ids("A")) == 2, "what came")

    def looked_at() -> bool:
        one.pass_time(0.2)
        return not one.feed._catch_up._waiting

    one.until(looked_at, "the look at what the plant has")
    assert one.ids("A") == ["id31", "id32"]
    if kind is MadeUpFeed and has_all:
        assert "gaps" not in one.rows  # by their numbers
        return
    [lost] = one.rows["gaps"]
    why = "what came since the newest row in the plant, if anything did: backfill is false; plant backfill may have it"
    assert (lost["state"], lost["table_name"], lost["detail"]) == ("lost", "trades", f"A: {why}")
    assert lost["first"] == (21 if kind is MadeUpFeed else held[A].time)


def test_a_cut_after_which_nothing_is_fetched_is_told_as_lost_and_holds_nothing_up(
    venue: VenueServer, polled: Callable[..., Polled]
) -> None:
    clock = Clock()
    one = polled(TimedFeed, clock, symbols=("A",), backfill=False)
    one.until(lambda: one.feed.status().startswith("connected"), "connected")
    venue.trade("A", 3)
    one.until(lambda: len(one.ids("A")) == 3, "what came")
    venue.cut()
    venue.trade("A", 2)
    one.until(lambda: "reconnecting" in one.feed.status(), "the loss")
    clock.skipped_s += 61
    one.until(lambda: one.feed.status().startswith("connected"), "connected again")
    venue.trade("A", 1)
    one.until(lambda: len(one.ids("A")) == 4, "what came then")
    one.until(lambda: len(one.rows["gaps"]) == 2, "what is told")
    assert [row["state"] for row in one.rows["gaps"]] == ["opened", "lost"]
    assert one.rows["gaps"][1]["detail"] == "A: backfill is false; plant backfill may have it"


def test_what_is_too_old_is_told_and_only_the_rest_fetched() -> None:
    later, seams = Later(numbered=False), Seams(numbered=False, fetches=True)
    catch_up = CatchUp(seams, later, most_ns=3_600 * S)
    seams.begun(["A"], 10_000 * S)
    catch_up.held({A: Held(1_000 * S, 995 * S), ("bars", "A", "1m"): Held(9_960 * S, 9_960 * S)})
    catch_up.look(1.0)
    assert later.due(1.0) == [
        ("trades", "A", "", 6_400 * S, 10_000 * S, 0, 0),
        ("bars", "A", "1m", 9_960 * S, 10_000 * S, 0, 0),
    ]
    [note] = catch_up.notes
    assert (note.state, note.first, note.last) == ("lost", 1_000 * S, 6_400 * S)
    assert note.detail == "A: older than catch_up_h at the start; plant backfill has it"


def test_numbered_trades_wait_for_the_first_and_a_plant_that_has_all_costs_no_request() -> None:
    later, seams = Later(numbered=True), Seams(numbered=True, fetches=True)
    catch_up = CatchUp(seams, later, most_ns=3_600 * S)
    seams.begun(["A", "B"], 1_000 * S)
    held = Held(990 * S, 985 * S, (), (7, 9, 8))
    catch_up.held({A: held, ("trades", "B", ""): held})
    catch_up.look(1.0)
    assert later.due(1.0) == []
    first = TradeRow(1_001 * S, "A", 1.0, 1.0, "10", venue_seq=10)
    seams.take([first, first._replace(sym="B", venue_seq=12)], 2.0)
    catch_up.look(3.0)
    assert later.due(3.0) == [("trades", "B", "", 990 * S, 1_000 * S, 10, 11)]
