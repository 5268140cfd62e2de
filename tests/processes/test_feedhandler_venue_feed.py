"""What is common to all venues, against a server that is made up: topics, cuts, repeats, swaps, silence, keys."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chance import SEED, times
from made_up_venue import Clock, MadeUpFeed, Polled, TimedFeed
from venue_server import VenueServer

from feedhandler.venue.feed import VenueFeed


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[VenueServer]:
    monkeypatch.setenv("MADE_UP_KEY", "k3y")
    with VenueServer(SEED) as server:
        yield server


@pytest.fixture
def polled(venue: VenueServer) -> Iterator[Callable[..., Polled]]:
    made: list[Polled] = []

    def make(kind: type[VenueFeed] = MadeUpFeed, clock: Clock | None = None, **options: Any) -> Polled:
        made.append(Polled(kind, venue, clock or Clock(), **options))
        return made[-1]

    yield make
    for one in made:
        one.feed.close()


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
    venue: VenueServer, polled: Callable[..., Polled], kind: type[VenueFeed], cuts: int
) -> None:
    print(f"seed {SEED}")
    chance, clock = venue.chance, Clock()
    venue.repeats, venue.swaps = 0.1, 0.05 if kind is MadeUpFeed else 0.0
    one = polled(kind, clock)
    connected(one)
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
        clock.skipped_s += 61
        while not (venue.subscribed("A") and venue.subscribed("B")):
            one.poll()
            clock.skipped_s += one.feed._lines[0].link.retry_in_s
        venue.trade("A", 1)
        venue.trade("B", 1)
    connected(one)
    venue.swaps = 0.0
    venue.trade("A", 2)
    venue.trade("B", 2)
    for sym in ("A", "B"):
        wanted = [f"id{number}" for number in range(1, len(venue.trades[sym]) + 1)]

        def all_there(sym: str = sym, wanted: list[str] = wanted) -> bool:
            clock.skipped_s += 0.05
            return len(one.ids(sym)) >= len(wanted)

        one.until(all_there, f"{len(wanted)} trades of {sym}", 60)
        assert one.ids(sym) == wanted
    states = [row["state"] for row in one.rows["gaps"]]
    assert "lost" not in states
    assert states.count("opened") == states.count("healed") >= cuts // 2
