"""What a feed says whose client is not installed; replays of several schemas, each with an end of its own."""

import struct
import sys
import time
from typing import Any

import pytest

from feedhandler.databento.feed import DatabentoFeed
from feedhandler.databento.link import DatabentoLink, _Session
from feedhandler.databento.records import AGED_OUT, ERROR, REPLAY_COMPLETED, SKIPPED, SYSTEM
from feedhandler.databento.settings import DatabentoFeedSettings
from plant.transport.connection_state import Pauses
from plant.transport.secret import Secret


def test_a_client_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABENTO_API_KEY", "db-" + "x" * 29)
    monkeypatch.setitem(sys.modules, "databento", None)
    with pytest.raises(ValueError, match=r"Databento's client is not installed .*pip install 'tickplant\[databento\]'"):
        DatabentoFeed(DatabentoFeedSettings(dataset="XNAS.ITCH"))


class Client:
    start: int | None = None

    def subscribe(self, **terms: Any) -> None:
        self.start = terms["start"]

    def terminate(self) -> None:
        """Nothing is open."""


def trade(at: int, sequence: int = 1) -> bytes:
    return struct.pack("<BBHIQqIccBBQiI", 12, 0, 1, 7, at, 10**9, 5, b"T", b"A", 0, 0, at, 0, sequence)


def over() -> bytes:
    return bytes([80, SYSTEM]) + bytes(317) + bytes([REPLAY_COMPLETED])


def error(code: int) -> bytes:
    return bytes([80, ERROR]) + bytes(316) + bytes([code, 1])


def link_of(session: _Session) -> DatabentoLink:
    link = DatabentoLink(DatabentoFeedSettings(dataset="X"), Secret("k"), time.monotonic, Pauses())
    link._session = session
    return link


def of_trades(frames: list[bytes]) -> list[bytes]:
    return [frame for frame in frames if frame[1] == 0]


@pytest.mark.parametrize("handed_out", [0, 1, 2])
def test_what_was_queued_when_the_link_was_dropped_comes_by_the_replay_of_the_next_session(handed_out: int) -> None:
    """More than one look takes: what was not handed out yet is in no memory of what was seen."""
    link = link_of(_Session(Client()))
    assert link._session is not None
    link._subscribe(link._session.client, "trades", ["A"])
    now = time.time_ns()
    made = [trade(now + 1_000_000 * n, n) for n in range(12_500)]
    link._session.records.extend((now, record) for record in made)
    found: list[bytes] = []
    for _ in range(handed_out):
        found += link.receive(0.0)
    assert len(found) == 5_000 * handed_out
    link.drop("cut")
    link._session = session = _Session(Client())
    link._subscribe(session.client, "trades", ["A"])
    start = session.client.start
    assert start is not None
    replayed = [record for n, record in enumerate(made) if now + 1_000_000 * n >= start]
    session.records.extend((now, record) for record in [*replayed, over()])
    while session.records:
        found += link.receive(0.0)
    assert of_trades(found) == made
    link.close()


def test_a_kind_of_records_that_never_came_is_replayed_from_its_subscription_on() -> None:
    """As bars, of which none comes in the first minute: that which ended while there was no connection is missing."""
    link = link_of(_Session(Client()))
    assert link._session is not None
    before = time.time_ns()
    for schema in ("trades", "ohlcv-1m"):
        link._subscribe(link._session.client, schema, ["A"])
    link._session.records.append((before, trade(before)))
    link.receive(0.0)
    link.drop("cut")
    starts = {}
    for schema in ("trades", "ohlcv-1m"):
        link._session = session = _Session(Client())
        link._subscribe(session.client, schema, ["A"])
        starts[schema] = session.client.start
    assert starts["trades"] >= before, "what is older than the subscription is not of this run"
    assert before - 60 * 10**9 <= starts["ohlcv-1m"] < before
    assert [(note.table, note.state) for note in link.notes] == [("trades", "opened"), ("bars", "opened")]
    link.close()


def test_a_session_that_ended_hands_out_all_that_was_queued_before_it_is_dropped() -> None:
    link = link_of(_Session(Client()))
    now = time.time_ns()
    made = [trade(now + n, n) for n in range(12_500)]
    assert link._session is not None
    link._session.records.extend((now, record) for record in made)
    link._session.ended = "the gateway ended the session"
    found: list[bytes] = []
    for _ in range(4):
        assert link.connected
        found += link.receive(0.0)
    assert (found, link.connected) == (made, False)
    link.close()


def test_records_that_the_gateway_left_out_are_replayed_by_a_new_session() -> None:
    link = link_of(_Session(Client()))
    now = time.time_ns()
    made = [trade(now + n, n) for n in range(4)]
    assert link._session is not None
    link._session.records.extend((now, record) for record in (made[0], error(SKIPPED), made[3]))
    assert link.receive(0.0) == [made[0], error(SKIPPED)]
    assert not link.connected
    assert [(note.state, note.first) for note in link.notes] == [("opened", now)]
    link._session = session = _Session(Client())
    link._subscribe(session.client, "trades", ["A"])
    session.records.extend((now, record) for record in (*made, over()))
    assert link.receive(0.0) == [*made[1:], over()]
    assert [note.state for note in link.notes] == ["opened", "healed"]
    link.close()


def test_a_replay_of_what_is_too_old_is_told_as_lost() -> None:
    link = link_of(_Session(Client()))
    now = time.time_ns()
    assert link._session is not None
    link._session.records.append((now, trade(now)))
    link.receive(0.0)
    link.drop("cut")
    link._session = session = _Session(Client())
    link._subscribe(session.client, "trades", ["A"])
    session.records.extend((now, record) for record in (error(AGED_OUT), over()))
    link.receive(0.0)
    assert [note.state for note in link.notes] == ["opened", "lost"]
    link.close()


def test_the_end_of_one_schemas_replay_is_not_the_end_of_the_others() -> None:
    """Bars are few, so that their replay ends before that of the trades has begun: what comes again is left out."""
    now = time.time_ns()
    bar = struct.pack("<BBHIQqqqqQ", 14, 33, 1, 7, now - now % (60 * 10**9), *(10**9,) * 4, 5)
    session = _Session(Client())
    link, one, end = link_of(session), trade(now), over()

    def come(*records: bytes) -> None:
        session.records.extend((now, record) for record in records)

    come(one, bar)
    assert link.receive(0.0) == [one, bar]
    link.drop("cut")
    assert [(note.table, note.state) for note in link.notes] == [("trades", "opened"), ("bars", "opened")]
    link._session = session = _Session(Client())
    for schema in ("trades", "ohlcv-1m"):
        link._subscribe(session.client, schema, ["A"])
    come(bar, end, one)
    assert link.receive(0.0) == [end]
    assert len(link.notes) == 2, "the trades are not there yet"
    come(end)
    assert link.receive(0.0) == [end]
    assert [note.state for note in link.notes[2:]] == ["healed", "healed"]
    come(one)
    assert link.receive(0.0) == [one], "an equal one later is another"
    link.close()
