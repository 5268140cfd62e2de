"""Where the reader of a stream goes on: behind what it handed on, whatever messages that is in by now."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import nats.js.errors
import pytest
from random_rows import columns_from, trades

from plant.errors import JournalDiverged, JournalError
from plant.rows.tables import schema_of
from plant.runtime.sections import UpstreamSettings
from plant.stream import mirrored
from plant.stream.mirrored import PLAIN, journal_subject, packed_records
from plant.stream.stream import Mark
from plant.wire.envelope import stamp
from plant.wire.record import encode, records
from tickerplant.upstream import jetstream
from tickerplant.upstream.jetstream import Anew, Came, StreamThread

TRADES = schema_of()["trades"]


def record(seq: int) -> bytes:
    made = encode(TRADES, columns_from(TRADES, trades(seq, 1)), 1, seq)
    stamp(made, 0, seq, seq, 1000 + seq)
    return bytes(made)


class Stream:
    """Messages of records, numbered from 1, as the leader answers for them."""

    def __init__(self, *messages: tuple[int, ...]) -> None:
        self._messages = [packed_records(b"".join(map(record, seqs))) for seqs in messages]
        self.info: Any = SimpleNamespace(state=SimpleNamespace(first_seq=1, last_seq=len(messages)))

    async def get_msg(self, _name: str, seq: int = 0, subject: str = "", next: bool = False) -> Any:
        if subject != journal_subject("main") or not 1 <= seq <= len(self._messages):
            raise nats.js.errors.NotFoundError
        body, headers = self._messages[seq - 1]
        return SimpleNamespace(seq=seq, data=body, headers=headers or None)


@pytest.fixture(autouse=True)
def all_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or as good as all: short messages are."""
    monkeypatch.setattr(mirrored, "PLAIN_BYTES", 300)


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What the thread does, without one."""
    monkeypatch.setattr(StreamThread, "_run", lambda _self: None)
    handed: list[int] = []

    def hand(came: Came) -> bool:
        handed.extend(header.seq for header, _ in records(came.body))
        return True

    made: Any = StreamThread(UpstreamSettings(stream=("nats://127.0.0.1:4222",)), Mark(0), hand, lambda _error: None)
    made.handed = handed
    yield made
    made._loop.close()


def find(thread: Any, stream: Stream) -> None:
    thread._loop.run_until_complete(thread._find(stream, stream.info))


def read(thread: Any, js_seq: int, *seqs: int) -> None:
    body = b"".join(map(record, seqs))
    thread._loop.run_until_complete(thread._take(js_seq, journal_subject("main"), body))


def test_it_goes_on_behind_the_last_message_that_it_read(thread: Any) -> None:
    read(thread, 1, 1, 2)
    read(thread, 2, 3)
    find(thread, Stream((1, 2), (3,), (4, 5)))
    assert (thread.handed, thread._next) == ([1, 2, 3], 3)


def test_a_stream_made_again_of_longer_messages_is_gone_on_with_in_the_middle_of_one(thread: Any) -> None:
    read(thread, 1, 1)
    read(thread, 2, 2)
    find(thread, Stream((1,), (2, 3, 4), (5,)))
    assert (thread.handed, thread._next) == ([1, 2, 3, 4], 3)


def test_one_of_fewer_messages_is_looked_for_in_all_of_it(thread: Any) -> None:
    for seq in (1, 2, 3, 4):
        read(thread, seq, seq)
    stream = Stream((1, 2, 3), (4, 5, 6), (7,))
    with pytest.raises(Anew):
        find(thread, stream)
    find(thread, stream)
    assert (thread.handed, thread._next) == ([1, 2, 3, 4, 5, 6], 3)


@pytest.mark.parametrize(("complete", "handed", "goes_on_at"), [(2, [3, 4], 3), (4, [], 3), (5, [], 4)])
def test_a_journal_that_removed_its_last_record_goes_on_behind_its_number(
    thread: Any, complete: int, handed: list[int], goes_on_at: int
) -> None:
    thread._mark = Mark(complete)
    find(thread, Stream((1,), (2, 3, 4), (5,), (6,)))
    assert (thread.handed, thread._next) == (handed, goes_on_at)


def test_one_that_ends_before_what_was_read_is_doubted_once_it_grows_no_more(
    thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(jetstream, "time", SimpleNamespace(monotonic=lambda: now))
    read(thread, 1, 1, 2, 3)
    thread._mark, thread._last = Mark(3, 3, 0), None
    for length in (1, 2):
        for _ in range(2):
            now += jetstream.DOUBT_S - 1
            with pytest.raises(Anew, match="ends before seq 3"):
                find(thread, Stream((1,), (2,)) if length == 2 else Stream((1,)))
    now += jetstream.DOUBT_S
    with pytest.raises(JournalDiverged, match="it lost its tail, or is the journal of another plant"):
        find(thread, Stream((1,), (2,)))


def test_a_message_that_is_not_what_its_header_says_is_damaged(thread: Any) -> None:
    thread._mark = Mark(2)
    stream = Stream((1, 2, 3), (4,))
    stream._messages[0] = b"of nobody", {PLAIN: "500"}
    with pytest.raises(JournalError, match=r"message 1 of the stream is damaged: .*`plant mirror verify` tells"):
        find(thread, stream)
