"""A publisher with a spool, against a tickerplant that goes away, hangs, and does what it is told."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_tickerplant import ROWS, SCHEMA, ScriptedTickerplant, trades
from small_disk import SmallDisk, mounted

from plant.errors import Unavailable
from plant.stream import spooling as module
from plant.stream.spool import Spool, spooled_bytes
from plant.stream.spooling import SpoolingPublisher
from plant.wire import messages


@pytest.fixture
def tickerplant() -> Iterator[ScriptedTickerplant]:
    made = ScriptedTickerplant()
    yield made
    made.socket.close(0)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "disk", 100) as made:
        yield made


@pytest.fixture
def make(
    tickerplant: ScriptedTickerplant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    made: list[SpoolingPublisher] = []

    def publisher(most: int = 10**9, folder: Path = tmp_path / "spool") -> SpoolingPublisher:
        made.append(SpoolingPublisher("feed", tickerplant.address, SCHEMA, Spool(folder, most)))
        return made[-1]

    yield publisher
    for one in made:
        if not one._closed:
            one.close(0.1)


def until(condition: Callable[[], object], what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)


def numbers(count: int) -> list[float]:
    return [float(n) for n in range(count * ROWS)]


def test_while_the_plant_takes_rows_nothing_is_spooled(
    tickerplant: ScriptedTickerplant, make: Callable[..., SpoolingPublisher], tmp_path: Path
) -> None:
    feed = make()
    tickerplant.welcome()
    feed.wait_connected()
    feed.publish("trades", trades(0))
    assert tickerplant.rows_of(1) == numbers(1)
    until(lambda: not feed.waiting, lambda: feed.waiting)
    assert not feed.spooling
    assert spooled_bytes(tmp_path / "spool") == 0


def test_what_comes_before_the_plant_is_there_is_handed_over_in_order_and_then_rows_go_directly(
    tickerplant: ScriptedTickerplant, make: Callable[..., SpoolingPublisher], tmp_path: Path
) -> None:
    feed = make()
    for number in range(3):
        feed.publish("trades", trades(number * ROWS))
    until(lambda: feed.spooling, lambda: feed.waiting)
    feed.publish("trades", trades(3 * ROWS))
    assert feed.spool.rows == 4 * ROWS
    assert spooled_bytes(tmp_path / "spool") > 0
    found = tickerplant_rows(tickerplant, 4 * ROWS)
    assert found == numbers(4)
    until(lambda: not feed.spooling, lambda: feed.spool.rows)
    feed.publish("trades", trades(4 * ROWS))
    assert tickerplant_rows(tickerplant, ROWS) == numbers(5)[4 * ROWS :]
    assert spooled_bytes(tmp_path / "spool") == 0


def tickerplant_rows(tickerplant: ScriptedTickerplant, count: int) -> list[float]:
    found: list[float] = []
    while len(found) < count:
        found += tickerplant.rows_of(1)
    return found


def until_refused(feed: SpoolingPublisher, taken: int, timeout_s: float) -> tuple[int, str]:
    """Publish until that is refused; return how many batches were taken by then, and why no more."""
    for number in range(taken, 100):
        try:
            feed.publish("trades", trades(number * ROWS), timeout_s=timeout_s)
        except Unavailable as error:
            return number, str(error)
    raise AssertionError("it takes everything")


def test_what_the_plant_holds_is_asked_about_until_it_is_acknowledged(
    tickerplant: ScriptedTickerplant, make: Callable[..., SpoolingPublisher]
) -> None:
    """The one that held it was restarted: it will acknowledge what it holds to nobody who has not said hello."""
    feed = make()
    feed.publish("trades", trades(0))
    until(lambda: feed.spooling, lambda: feed.waiting)
    while tickerplant.hear() == messages.HELLO:
        tickerplant.say(*messages.welcome(0, 0))
    tickerplant.say(*messages.held(ROWS, 1))
    until(lambda: not len(feed._outbox), lambda: feed.waiting)
    assert tickerplant.hear() == messages.HELLO
    tickerplant.say(*messages.welcome(0, 1, ROWS))
    assert tickerplant.hear() == messages.HELLO
    tickerplant.say(*messages.welcome(ROWS, 1))
    until(lambda: not feed.waiting and not feed.spooling, lambda: feed.waiting)


def test_a_killed_feed_s_spool_is_handed_over_by_the_next_one_less_what_the_plant_has(
    tickerplant: ScriptedTickerplant, make: Callable[..., SpoolingPublisher], tmp_path: Path
) -> None:
    first = make()
    for number in range(4):
        first.publish("trades", trades(number * ROWS))
    until(lambda: first.spooling, lambda: first.waiting)
    assert tickerplant.rows_of(2) == numbers(2)  # it is handing over
    until(lambda: first.spool.rows == 2 * ROWS, lambda: first.spool.rows)
    first.close(0.0)
    assert spooled_bytes(tmp_path / "spool") > 0
    second = make()
    assert second.spooling
    second.publish("trades", trades(4 * ROWS))
    assert tickerplant_rows(tickerplant, 3 * ROWS) == numbers(5)[2 * ROWS :]
    until(lambda: not second.spooling, lambda: second.spool.rows)


def test_a_plant_that_hangs_is_not_waited_for(
    tickerplant: ScriptedTickerplant, make: Callable[..., SpoolingPublisher]
) -> None:
    feed = make()
    feed._outbox_bytes = 50_000
    tickerplant.welcome()
    feed.wait_connected()
    begun = time.monotonic()
    for number in range(20):
        feed.publish("trades", trades(number * ROWS), timeout_s=5.0)
    assert time.monotonic() - begun < 4
    assert feed.spooling
    assert tickerplant_rows(tickerplant, 20 * ROWS) == numbers(20)


def test_a_spool_that_is_full_refuses_and_takes_again_once_there_is_room(
    tickerplant: ScriptedTickerplant, make: Callable[..., SpoolingPublisher]
) -> None:
    feed = make(most=60_000)
    taken = 0
    while not feed.spool.full:
        feed.publish("trades", trades(taken * ROWS), timeout_s=0.1)
        taken += 1
        until(lambda: feed.spooling, lambda: feed.waiting)
    with pytest.raises(Unavailable, match=r"the spool of 'feed' is full: [0-9,]+ bytes"):
        feed.publish("trades", trades(0), timeout_s=0.1)
    assert tickerplant_rows(tickerplant, taken * ROWS) == numbers(taken)
    until(lambda: not feed.spooling, lambda: feed.spool.rows)
    feed.publish("trades", trades(0))


def test_what_is_not_acknowledged_at_the_end_stays_for_the_next_one(
    tickerplant: ScriptedTickerplant, make: Callable[..., SpoolingPublisher], tmp_path: Path
) -> None:
    feed = make()
    tickerplant.welcome()
    feed.wait_connected()
    feed.publish("trades", trades(0))
    feed.close(0.2)
    left = Spool(tmp_path / "spool", 10**9)
    assert left.rows == ROWS
    left.close()


def test_what_a_full_disk_does_not_take_is_kept_and_follows_in_order(
    tickerplant: ScriptedTickerplant, disk: SmallDisk, make: Callable[..., SpoolingPublisher]
) -> None:
    feed = make(folder=disk.folder / "spool")
    feed.publish("trades", trades(0))
    until(lambda: feed.spooling, lambda: feed.waiting)
    disk.fill()
    taken, why = until_refused(feed, 1, 0.1)
    assert why.startswith("the spool of 'feed' is full: the disk takes no more: No space left")
    disk.free()
    until(lambda: not feed.full, lambda: feed.spool.trouble)
    feed.publish("trades", trades(taken * ROWS))
    assert tickerplant_rows(tickerplant, (taken + 1) * ROWS) == numbers(taken + 1)


@pytest.mark.parametrize("connected", [True, False], ids=["known to the plant", "not known yet"])
def test_a_disk_that_is_full_from_the_start_costs_no_row(
    tickerplant: ScriptedTickerplant, disk: SmallDisk, make: Callable[..., SpoolingPublisher], connected: bool
) -> None:
    feed = make(folder=disk.folder / "spool")
    feed._outbox_bytes = 50_000
    if connected:
        tickerplant.welcome()
        feed.wait_connected()
    disk.fill()
    taken, why = until_refused(feed, 0, 0.5)
    assert "the disk takes no more" in why
    assert tickerplant_rows(tickerplant, taken * ROWS) == numbers(taken)
    until(lambda: not feed.waiting, lambda: feed.waiting)
