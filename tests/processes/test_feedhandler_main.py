"""The process around a feed: while the plant takes nothing, nothing is taken from the venue."""

import contextlib
import functools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from scripted_tickerplant import ROWS, ScriptedTickerplant, trades

from feedhandler import __main__ as module
from feedhandler.__main__ import FeedHandler
from plant.errors import Unavailable
from plant.runtime.settings import load
from plant.stream.publisher import Publisher
from plant.wire.messages import Repeats, repeats


class Venue:
    """A feed that always has more; `polls` counts how often it was asked."""

    replayable = True
    finished = False

    def __init__(self) -> None:
        self.polls = 0
        self.begun_at: int | None = None

    def start(self, accepted: int) -> None:
        self.begun_at = accepted

    def poll(self, now_ns: int, timeout_s: float) -> list[Any]:
        self.polls += 1
        return [("trades", trades((self.polls - 1) * ROWS))]

    def status(self) -> str:
        return "ok"

    def close(self) -> None:
        pass


@pytest.fixture
def tickerplant() -> Iterator[ScriptedTickerplant]:
    made = ScriptedTickerplant()
    yield made
    made.socket.close(0)


def test_a_feed_is_not_polled_while_the_plant_acknowledges_nothing(
    tickerplant: ScriptedTickerplant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Publisher", functools.partial(Publisher, outbox_bytes=100_000))
    monkeypatch.setattr(module, "STEP_S", 0.02)
    port = tickerplant.address.rpartition(":")[2]
    (tmp_path / "plant.toml").write_text(f'[tickerplant]\ningest_port = {port}\n[[feeds]]\nkind = "simulated"\n')
    handler = FeedHandler(load(tmp_path / "plant.toml"), "simulated")
    venue = handler._feed = Venue()
    handler.startup()
    try:
        for _ in range(2):  # its rows, and its heartbeats
            tickerplant.welcome()
        deadline = time.monotonic() + 20
        still = 0
        while still < 20:
            before = venue.polls
            handler.step()
            still = still + 1 if venue.polls == before and venue.polls else 0
            assert time.monotonic() < deadline, f"{venue.polls} polls"
        assert venue.begun_at == 0
        assert 2 <= venue.polls < 20
        assert len(handler._waiting) == 1
    finally:
        for publisher in (handler._publisher, handler._reports):
            with contextlib.suppress(Unavailable):
                publisher.close(0)


class Resubscribing(Venue):
    """One that takes a changed list of symbols."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Any] = []

    def resubscribe(self, settings: Any) -> None:
        self.taken.append(settings.symbols)


@pytest.mark.parametrize(
    ("feed", "supervised", "ends", "taken"),
    [(Resubscribing(), True, False, [("A", "B")]), (Venue(), True, True, []), (Venue(), False, False, [])],
)
def test_a_changed_list_of_symbols_is_taken_or_ends_the_process_that_supervisord_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, feed: Any, supervised: bool, ends: bool, taken: list[Any]
) -> None:
    monkeypatch.setenv("SUPERVISOR_ENABLED", "1") if supervised else monkeypatch.delenv("SUPERVISOR_ENABLED", False)
    file = tmp_path / "plant.toml"

    def write(text: str) -> None:
        file.write_text(f'[[feeds]]\nkind = "simulated"\n{text}')
        os.utime(file, (len(text), len(text)))  # another time, however fast this is

    write('symbols = ["A"]\n')
    handler = FeedHandler(load(file), "simulated")
    handler._feed = feed
    write('symbols = ["A", "B"\n')  # half written
    handler._take_changes()
    write('seed = 8\nsymbols = ["A", "B"]\n')  # more than that: for the roster
    handler._take_changes()
    assert not handler.finished
    write('symbols = ["A", "B"]\n')
    handler._take_changes()
    assert handler.finished is ends
    assert getattr(feed, "taken", []) == taken


def test_a_feed_gives_the_promise_of_its_section_and_its_state_tells_what_came_again(
    tickerplant: ScriptedTickerplant, tmp_path: Path
) -> None:
    port = tickerplant.address.rpartition(":")[2]
    section = '[[feeds]]\nkind = "simulated"\nunique_trade_ids = true\n'
    (tmp_path / "plant.toml").write_text(f"[tickerplant]\ningest_port = {port}\n{section}")
    handler = FeedHandler(load(tmp_path / "plant.toml"), "simulated")
    handler._feed = Venue()
    handler.startup()
    try:
        promises = {}
        for _ in range(2):
            tickerplant.welcome()
            said = msgpack.unpackb(tickerplant.body)
            promises[said["source"]] = said.get("unique_trade_ids", False)
            if said["source"] == "simulated":
                tickerplant.say(*repeats(Repeats(dropped=2)))
        assert promises == {"simulated": True, "feed-simulated": False}
        handler._publisher.wait_connected()
        handler._started = True
        deadline = time.monotonic() + 10
        while (state := handler._state()) != "ok; dropped 2 repeated trades":
            assert time.monotonic() < deadline, state
            time.sleep(0.01)
    finally:
        for publisher in (handler._publisher, handler._reports):
            publisher.close(0)
