"""A subscriber against a tickerplant that the test plays: what is asked, and which answers count."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest
import zmq
from plain_rows import SCHEMA, batch_of, quote, trade
from stranger import Stranger

from plant.errors import JournalDiverged, SettingsError
from plant.stream.stream import Mark
from plant.stream.subscriber import Subscriber
from plant.transport import sockets
from plant.wire.envelope import header_at, stamp
from plant.wire.messages import BEAT_TOPIC, FOLLOWS, topic_of
from plant.wire.record import encode


class Peer:
    """The publish and the journal socket of a tickerplant that has published `records` of trades."""

    def __init__(self, publish: str = "tcp://127.0.0.1:*", journal: str = "tcp://127.0.0.1:*") -> None:
        context = sockets.context()
        self.publish, self.publish_address = sockets.bind(context, zmq.XPUB, publish)
        self.journal, self.journal_address = sockets.bind(context, zmq.ROUTER, journal)
        self.records: list[bytes] = []
        self.tables: Counter[str] = Counter()
        self.epoch = 1
        self.role = ""

    def bound(self) -> Any:
        """Return a new publish socket at the old address, None while that is not free yet."""
        with contextlib.suppress(SettingsError):
            return sockets.bind(sockets.context(), zmq.XPUB, self.publish_address)[0]
        return None

    def add(self, table: str = "trades") -> None:
        seq = len(self.records) + 1
        row = trade(seq) if table == "trades" else quote(seq)
        record = encode(SCHEMA[table], batch_of(table, [row]).columns, 1, seq)
        self.tables[table] += 1
        stamp(record, 0, seq, self.tables[table], 5)
        self.records.append(bytes(record))

    def position(self) -> dict[str, Any]:
        return {"seq": len(self.records), "tables": dict(self.tables), "epoch": self.epoch, "role": self.role}

    def beat(self) -> None:
        self.publish.send_multipart([BEAT_TOPIC, msgpack.packb(self.position())])

    def answer(self, frames: list[bytes]) -> None:
        peer, request, question = frames
        asked = msgpack.unpackb(question)
        if asked["ask"] == "schema":
            head, *chunk = [msgpack.packb([t.declaration() for t in SCHEMA.values()])]
        else:
            head, *chunk = msgpack.packb(self.position()), b"".join(self.records[asked["seq"] - 1 :])
        self.journal.send_multipart([peer, request, b"ok", head, *chunk])

    def asked(self) -> list[list[bytes]]:
        found = []
        while self.journal.poll(0):
            found.append(self.journal.recv_multipart())
        return [frames for frames in found if msgpack.unpackb(frames[2])["ask"] != "report"]


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.publish.close(0)
    made.journal.close(0)


def test_a_subscriber_that_met_another_program_on_the_ports_comes_back(
    eventually: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "SILENCE_S", 0.2)
    strangers = Stranger(), Stranger()
    addresses = [stranger.address for stranger in strangers]
    with Subscriber(SCHEMA, tuple(SCHEMA), *addresses) as subscriber:
        eventually(lambda: subscriber.poll(0.01) or all(s.met.is_set() for s in strangers))
        for stranger in strangers:
            stranger.close()
        peer = Peer(*addresses)
        peer.add()
        seqs: list[int] = []

        def caught_up() -> bool:
            peer.beat()
            seqs.extend(batch.seq for batch in subscriber.poll(0.01))
            for frames in peer.asked():
                peer.answer(frames)
            return subscriber.caught_up and seqs == [1]

        eventually(caught_up)
    peer.publish.close(0)
    peer.journal.close(0)


def test_an_answer_to_what_was_asked_before_a_restart_is_not_taken_for_one_behind_it(
    peer: Peer, eventually: Callable[..., Any]
) -> None:
    peer.add()
    peer.add()
    seqs: list[int] = []
    with Subscriber(SCHEMA, tuple(SCHEMA), peer.publish_address, peer.journal_address) as subscriber:

        def questions() -> list[list[bytes]]:
            seqs.extend(batch.seq for batch in subscriber.poll(0.01))
            return peer.asked()

        def caught_up() -> bool:
            for frames in questions():
                peer.answer(frames)
            peer.beat()
            return subscriber.caught_up

        eventually(caught_up)
        assert seqs == [1, 2]
        peer.add()
        peer.beat()
        (before,) = eventually(questions)
        assert msgpack.unpackb(before[2])["seq"] == 3
        peer.epoch = 2
        peer.beat()
        behind: list[list[bytes]] = []
        eventually(lambda: behind.extend(questions()) or len(behind) == 2)
        assert [msgpack.unpackb(frames[2])["ask"] for frames in behind] == ["schema", "schema"]
        for frames in (before, *behind):
            peer.answer(frames)
        eventually(caught_up)
        assert seqs == [1, 2, 3]


def test_a_subscriber_that_works_long_between_polls_does_not_connect_anew(
    peer: Peer, eventually: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Subscriber(SCHEMA, tuple(SCHEMA), peer.publish_address, peer.journal_address) as subscriber:

        def caught_up() -> bool:
            peer.beat()
            subscriber.poll(0.01)
            for frames in peer.asked():
                peer.answer(frames)
            return subscriber.caught_up

        eventually(caught_up)
        again: list[str] = []
        monkeypatch.setattr(sockets, "SILENCE_S", 0.05)
        monkeypatch.setattr(sockets, "reconnect", lambda socket, address: again.append(address))
        for _ in range(3):
            peer.beat()
            assert subscriber._live.poll(1000)
            time.sleep(0.1)  # it works, and listens to nobody
            subscriber.poll(0.01)
        assert not again
        eventually(lambda: subscriber.poll(0.01) or again)  # now nobody says anything


def test_nothing_is_handed_on_before_what_was_lost_with_a_connection_whatever_its_table(
    peer: Peer, eventually: Callable[..., Any]
) -> None:
    addresses, seqs = (peer.publish_address, peer.journal_address), list[int]()
    with Subscriber(SCHEMA, ("trades", "quotes"), *addresses, in_order=True) as subscriber:

        def turn() -> None:
            peer.beat()
            seqs.extend(batch.seq for batch in subscriber.poll(0.01))
            for frames in peer.asked():
                peer.answer(frames)

        def caught_up() -> bool:
            turn()
            return subscriber.caught_up

        peer.add("trades")
        eventually(caught_up)
        peer.publish.close(0)
        peer.add("trades")  # to nobody
        peer.publish = eventually(peer.bound)
        wanted = {topic_of("trades"), topic_of("quotes"), BEAT_TOPIC}

        def subscribed() -> bool:
            subscriber._live.poll(0)  # a socket says again what it wants when it is looked at
            while peer.publish.poll(0):
                wanted.discard(peer.publish.recv()[1:])
            return not wanted

        eventually(subscribed)
        peer.add("quotes")
        peer.publish.send_multipart([topic_of("quotes"), peer.records[-1]])
        assert subscriber._live.poll(1000)
        assert subscriber.poll(0.01) == [], "of another table, and the next of its own"
        eventually(lambda: caught_up() and len(seqs) == 3)
    assert seqs == [1, 2, 3]


@pytest.mark.parametrize("promoted", [False, True])
def test_a_plant_that_follows_and_lags_behind_what_was_handed_on_is_waited_for(
    peer: Peer, eventually: Callable[..., Any], promoted: bool
) -> None:
    """It gets what it lacks; once it follows no more, what it lacks is gone."""
    for _ in range(3):
        peer.add()
    newest, lacking = header_at(peer.records[-1], 0), [peer.records.pop() for _ in range(2)][::-1]
    peer.tables["trades"], peer.role = 1, FOLLOWS
    mark = Mark(newest.seq, newest.seq, newest.header_crc)
    with Subscriber(SCHEMA, ("trades",), peer.publish_address, peer.journal_address, cursor=mark) as subscriber:
        seqs: list[int] = []

        def heard() -> bool:
            peer.beat()
            seqs.extend(batch.seq for batch in subscriber.poll(0.01))
            for frames in peer.asked():
                peer.answer(frames)
            return subscriber.role == peer.role and subscriber.connected

        eventually(heard)
        for _ in range(20):
            heard()
        assert not seqs
        assert not subscriber.caught_up
        if promoted:
            peer.role, peer.epoch = "", 2
            with pytest.raises(JournalDiverged):
                eventually(lambda: heard() and subscriber.caught_up)
            return
        peer.records += lacking
        peer.tables["trades"] = 3
        peer.add()
        eventually(lambda: heard() and subscriber.caught_up)
        assert seqs == [4]
