"""What is common to all venues, against a server that is made up: topics, cuts, repeats, swaps, silence, keys."""

import json
from collections.abc import Callable, Iterator

import pytest
from chance import SEED, times
from made_up_venue import Clock, MadeUpFeed, Polled, TimedFeed, polls
from venue_server import VenueServer

from feedhandler.venue import feed
from feedhandler.venue.feed import VenueFeed


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[VenueServer]:
    monkeypatch.setenv("MADE_UP_KEY", "k3y")
    with VenueServer(SEED) as server:
        yield server


@pytest.fixture
def polled(venue: VenueServer) -> Iterator[Callable[..., Polled]]:
    with polls(venue) as make:
        yield make


def connected(one: Polled) -> None:
    one.until(lambda: one.feed.status().startswith("connected"), "connected")


def test_rows_carry_our_symbol_the_source_and_the_venues_own_numbers(
    venue: VenueServer, polled: Callable[..., Polled]
) -> None:
    one = polled(symbols=("ALPHA", "B"), names={"ALPHA": "A"})
    connected(one)
    venue.trade("A")
    one.until(lambda: one.rows.get("trades"), "a trade")
    [row] = one.rows["trades"]
    assert row == {
        "time": venue.trades["A"][0]["t"] * 10**6, "sym": "ALPHA", "price": 100.125, "size": 2.0, "trade_id": "id1",
        "conditions": "", "tape": "", "exchange": "", "venue_seq": 1, "source": "made-up",
    }  # fmt: skip
    one.until(lambda: one.rows.get("instruments"), "instruments")
    assert {row["sym"]: row["tick"] for row in one.rows["instruments"]} == {"ALPHA": 0.125, "B": 0.125}
    assert "the venue's clock is -" in one.feed.status()


@times("cuts", soak=1_000, timeout_s=1_800)
@pytest.mark.parametrize("kind", [MadeUpFeed, TimedFeed], ids=["numbered", "by time"])
def test_every_trade_is_there_once_and_in_order_whatever_the_venue_does(
    venue: VenueServer, polled: Callable[..., Polled], kind: type[VenueFeed], cuts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"seed {SEED}")
    monkeypatch.setattr(feed, "SETTLED_S", 0.0)  # the clock is moved over pauses, and nothing is to run out by that
    chance, clock = venue.chance, Clock()
    one = polled(kind, clock)
    connected(one)
    for sym in ("A", "B"):  # what is behind the very first of a symbol was before our time
        venue.trade(sym)
    one.until(lambda: one.ids("A") and one.ids("B"), "the first trades")
    venue.repeats, venue.swaps = 0.1, 0.05 if kind is MadeUpFeed else 0.0
    for cut in range(cuts):
        for sym in ("A", "B"):
            venue.trade(sym, chance.randrange(60))
        for _ in range(chance.randrange(4)):
            one.poll()
        venue.cut(within=chance.random() < 0.3)
        if cut % 20 == 3:
            venue.refused[:] = [503] * chance.randrange(3)
        for sym in ("A", "B"):
            venue.trade(sym, chance.randrange(120))
        while one.feed._lines[0].link.state.name == "subscribed":
            one.poll()
        while not (venue.subscribed("A") and venue.subscribed("B")):
            one.poll()
            clock.skipped_s += one.feed._lines[0].link.retry_in_s
        venue.trade("A", 1)
        venue.trade("B", 1)

        def nothing_waits() -> bool:
            one.pass_time(0.05)
            return not one.feed._seams.waiting

        if chance.random() < 0.5:
            one.until(nothing_waits, "all that is missing")
    connected(one)
    venue.swaps = 0.0
    venue.trade("A", 2)
    venue.trade("B", 2)
    for sym in ("A", "B"):
        wanted = [f"id{number}" for number in range(1, len(venue.trades[sym]) + 1)]

        def all_there(sym: str = sym, wanted: list[str] = wanted) -> bool:
            one.pass_time(0.05)
            return len(one.ids(sym)) >= len(wanted)

        one.until(all_there, f"{len(wanted)} trades of {sym}")
        assert one.ids(sym) == wanted
    states = [row["state"] for row in one.rows["gaps"]]
    assert "lost" not in states
    assert states.count("opened") == states.count("healed") >= cuts // 2


@pytest.mark.parametrize("kind", [MadeUpFeed, TimedFeed], ids=["numbered", "by time"])
def test_the_first_trades_of_a_symbol_may_fall_between_two_connections(
    venue: VenueServer, polled: Callable[..., Polled], kind: type[VenueFeed]
) -> None:
    clock = Clock()
    one = polled(kind, clock)
    connected(one)
    venue.cut()
    venue.trade("A", 120)
    one.until(lambda: "reconnecting" in one.feed.status(), "the loss")
    clock.skipped_s += 61
    connected(one)
    venue.trade("A", 3)
    one.until(lambda: len(one.ids("A")) >= 123, "all trades")
    assert one.ids("A") == [f"id{number}" for number in range(1, 124)]


@pytest.mark.parametrize("kind", [MadeUpFeed, TimedFeed], ids=["numbered", "by time"])
def test_a_first_connection_that_is_cut_before_all_is_acknowledged_leaves_no_row_waiting(
    venue: VenueServer, polled: Callable[..., Polled], kind: type[VenueFeed]
) -> None:
    venue.ignored = {"Y"}
    clock = Clock()
    one = polled(kind, clock, symbols=("A", "Y"))
    one.until(lambda: venue.subscribed("A"), "the subscription")
    venue.trade("A", 2)
    one.until(lambda: len(one.ids("A")) == 2, "what came")
    venue.cut()
    venue.trade("A", 3)
    one.until(lambda: "reconnecting" in one.feed.status(), "the loss")
    clock.skipped_s += 61
    one.until(lambda: venue.subscribed("A"), "the next connection")
    venue.trade("A", 2)
    clock.skipped_s += 6
    connected(one)

    def all_there() -> bool:
        one.pass_time(0.05)
        return len(one.ids("A")) >= 7

    one.until(all_there, "all that is missing", 20)
    assert one.ids("A") == [f"id{number}" for number in range(1, 8)]


def test_a_jump_that_the_past_does_not_fill_is_told_as_lost_and_the_rows_behind_it_go_on(
    venue: VenueServer, polled: Callable[..., Polled]
) -> None:
    clock = Clock()
    one = polled(clock=clock, backfill=False, symbols=("A",))
    connected(one)
    venue.trade("A", 2)
    one.until(lambda: len(one.ids("A")) == 2, "two trades")
    venue.cut()
    venue.trade("A", 3)
    one.until(lambda: "reconnecting" in one.feed.status(), "the loss")
    clock.skipped_s += 61
    connected(one)
    venue.trade("A", 1)
    one.until(lambda: "1 rows wait" in one.feed.status(), "a row that waits")
    clock.skipped_s += 3
    one.until(lambda: len(one.ids("A")) == 3, "the row behind the hole")
    [opened, lost] = one.rows["gaps"]
    assert (opened["state"], lost["state"], lost["table_name"]) == ("opened", "lost", "trades")
    assert (lost["first"], lost["last"], lost["sym"]) == (3, 5, "feed-made-up")
    assert lost["detail"] == "A: not there within 2 s"


def test_a_changed_list_of_symbols_subscribes_what_is_new_and_ends_what_is_over_on_the_same_connection(
    venue: VenueServer, polled: Callable[..., Polled]
) -> None:
    one = polled()
    connected(one)
    one.feed.resubscribe(one.feed.settings.model_copy(update={"symbols": ("B", "C")}))
    one.until(lambda: venue.subscribed("C") and not venue.subscribed("A"), "the change")
    venue.trade("A")
    venue.trade("B")
    venue.trade("C")
    one.until(lambda: one.ids("C"), "a trade of what is new")
    assert [row["sym"] for row in one.rows["trades"]] == ["B", "C"]
    assert venue.connections == 1
    topics = [(said["do"], said["topics"]) for said in venue.said if said["do"] != "login"]
    assert topics == [("join", ["trades A", "trades B"]), ("leave", ["trades A"]), ("join", ["trades C"])]


def test_what_the_venue_does_not_have_and_what_it_never_acknowledges_is_named_and_the_others_go_on(
    venue: VenueServer, polled: Callable[..., Polled]
) -> None:
    venue.unknown, venue.ignored = {"X"}, {"Y"}
    clock = Clock()
    one = polled(clock=clock, symbols=("A", "X", "Y"))
    one.until(lambda: venue.subscribed("A") and "not to be had: X" in one.feed.status(), "the refusal")
    assert one.feed.status().startswith("connecting")
    clock.skipped_s += 6
    connected(one)
    assert "not to be had: X; not acknowledged: Y" in one.feed.status()
    venue.cut()
    one.until(lambda: "reconnecting" in one.feed.status(), "the loss")
    clock.skipped_s += 61
    one.until(lambda: venue.subscribed("A"), "the next connection")
    assert [said["topics"] for said in venue.said if said["do"] == "join"] == [
        ["trades A", "trades X", "trades Y"],
        ["trades A", "trades Y"],
    ]


def test_a_wrong_key_is_given_up_and_shows_nowhere(
    venue: VenueServer, polled: Callable[..., Polled], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MADE_UP_KEY", "s3cret")
    clock = Clock()
    one = polled(clock=clock)
    one.until(lambda: "given up: the key was refused" in one.feed.status(), "the refusal")
    clock.skipped_s += 100_000
    for _ in range(5):
        one.poll()
    assert venue.connections == 1
    one.until(lambda: "no history" in one.feed.status() or "cannot be had" in one.feed.status(), "the past's word")
    assert "s3cret" not in one.feed.status() + caplog.text


def test_without_a_key_the_variable_and_the_page_are_named(
    venue: VenueServer, polled: Callable[..., Polled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MADE_UP_KEY")
    with pytest.raises(ValueError, match=r"the environment has no MADE_UP_KEY; docs/feeds.md#a-venue says where"):
        polled()


def test_silence_makes_a_connection_stale_and_then_another_one(
    venue: VenueServer, polled: Callable[..., Polled]
) -> None:
    clock = Clock()
    one = polled(clock=clock, silence_s=100.0)
    connected(one)
    clock.skipped_s += 101
    one.until(lambda: one.feed.status().startswith("stale: no data for more than 100 s"), "staleness")
    venue.trade("A")
    connected(one)
    clock.skipped_s += 101
    one.until(lambda: one.feed.status().startswith("stale"), "staleness again")
    clock.skipped_s += 101
    one.until(lambda: "no data for 200 s" in one.feed.status(), "the end of it")


def test_a_venue_that_cuts_every_connection_at_once_is_asked_ever_more_rarely(
    venue: VenueServer, polled: Callable[..., Polled]
) -> None:
    clock = Clock()
    one = polled(clock=clock)
    pauses = []
    for _ in range(6):
        connected(one)
        venue.cut()
        one.until(lambda: "reconnecting" in one.feed.status(), "the loss")
        pauses.append(one.feed._lines[0].link.retry_in_s)
        clock.skipped_s += pauses[-1]
    assert all(0.45 * 2**n <= pause <= 2**n for n, pause in enumerate(pauses)), pauses
    connected(one)
    clock.skipped_s += 11
    venue.cut()
    one.until(lambda: "reconnecting" in one.feed.status(), "the loss")
    assert one.feed._lines[0].link.retry_in_s <= 1


def test_a_ping_of_the_venue_is_answered_and_a_message_in_fragments_is_whole(
    venue: VenueServer, polled: Callable[..., Polled]
) -> None:
    one = polled()
    connected(one)
    [answered] = venue.ping()
    one.until(answered.is_set, "the answer")
    trade = {"s": "A", "n": 1, "t": 1, "p": "1", "q": "1"}
    venue.send(['{"trade": ', json.dumps(trade), "}"])
    one.until(lambda: one.ids("A") == ["id1"], "the trade")
