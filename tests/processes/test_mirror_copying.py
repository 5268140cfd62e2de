"""The mirror's state machine against a stream that does to messages whatever a cluster may do to them."""

import pytest
from chance import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from random_rows import columns_from, trades

from mirror.copying import Copying, Message, Place
from plant.errors import JournalError
from plant.rows.tables import schema_of
from plant.stream.mirrored import last_record
from plant.stream.stream import Mark
from plant.wire.envelope import HEADER_BYTES, MORE, stamp
from plant.wire.record import encode, records
from plant.wire.runs import runs

TRADES = schema_of()["trades"]
ABOUT = 500
"""Bytes of a message: two or three records, so that it matters."""


def record(seq: int, more: bool = False, rows: int = 1) -> bytes:
    """Return a record as the journal has it."""
    made = encode(TRADES, columns_from(TRADES, trades(seq, rows)), 1, seq, MORE if more else 0)
    stamp(made, 0, seq, seq, 1000 + seq)
    return bytes(made)


def take(copying: Copying, *taken: bytes) -> None:
    """Take records as they come: those of one answer in runs, as long as may be."""
    for run in runs(b"".join(taken), few=0):
        copying.take(run)


class ModelStream:
    """What JetStream does: takes a message that stands behind its last one, refuses any other."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []  # b"" is a message of another subject
        self.marks: list[Mark] = []

    def publish(self, body: bytes, after: int) -> int | None:
        if after != len(self.bodies):
            return None
        self.bodies.append(body)
        if body:
            last = last_record(body)
            self.marks.append(Mark(last.seq, last.seq, last.header_crc))
        else:
            self.marks.append(self.marks[-1] if self.marks else Mark(0))
        return len(self.bodies)

    @property
    def place(self) -> Place:
        return Place(len(self.bodies), self.marks[-1] if self.marks else Mark(0))


class Mirrors(RuleBasedStateMachine):
    """Two mirrors of one plant at once, killed, refused, not answered; their messages late and in any order."""

    mirrors = st.integers(0, 1)

    @initialize()
    def begin(self) -> None:
        self.journal = [record(seq) for seq in range(1, 11)]
        self.stream = ModelStream()
        self.copying = [Copying(ABOUT * 20, ABOUT) for _ in range(2)]
        self.wire: list[tuple[int, int, bytes, int]] = []  # whose, number of what it was told, body, after
        self.asked = 0
        self.waits_for = [0, 0]
        self.beside = [0, 0]  # the number of a message of another subject that is under way

    @rule(parts=st.lists(st.booleans(), min_size=1, max_size=4))
    def plant_takes_publishes(self, parts: list[bool]) -> None:
        for more in (*parts, False):
            self.journal.append(record(len(self.journal) + 1, more))

    @rule(who=mirrors)
    def reads_the_last_message(self, who: int) -> None:
        if self.copying[who].place is None:
            self.copying[who].begin(self.stream.place)

    @rule(who=mirrors, count=st.integers(1, 12))
    def takes_records(self, who: int, count: int) -> None:
        copying = self.copying[who]
        if copying.place is not None:
            take(copying, *self.journal[copying.expected - 1 :][:count])

    @rule(who=mirrors)
    def writes(self, who: int) -> None:
        if self.beside[who]:
            return
        message = self.copying[who].next()
        if message is not None:
            self._send(who, message.data, message.after)

    @rule(who=mirrors)
    def declares(self, who: int) -> None:
        copying = self.copying[who]
        if copying.place is not None and copying.under_way is None and not self.beside[who]:
            self._send(who, b"", copying.place.js_seq)
            self.beside[who] = self.asked

    @precondition(lambda self: self.wire)
    @rule(data=st.data(), answered=st.booleans())
    def arrives(self, data: st.DataObject, answered: bool) -> None:
        who, number, body, after = self.wire.pop(data.draw(st.integers(0, len(self.wire) - 1)))
        js_seq = self.stream.publish(body, after)
        copying = self.copying[who]
        if not answered or number != self.waits_for[who]:
            return  # nobody hears of it
        if js_seq is None:
            self._fails(who)
        elif body:
            assert copying.acked(js_seq).data == body
        else:
            copying.beside(js_seq)
            self.beside[who] = 0

    @rule(who=mirrors)
    def waits_in_vain(self, who: int) -> None:
        if self.copying[who].under_way is not None or self.beside[who]:
            self._fails(who)

    @rule(who=mirrors)
    def is_killed(self, who: int) -> None:
        self.copying[who] = Copying(ABOUT * 20, ABOUT)
        self.waits_for[who] = self.beside[who] = 0

    @invariant()
    def the_stream_is_a_beginning_of_the_journal(self) -> None:
        if hasattr(self, "stream"):
            whole = b"".join(self.stream.bodies)
            assert b"".join(self.journal).startswith(whole)
            for body in filter(None, self.stream.bodies):
                assert not last_record(body).flags & MORE

    def teardown(self) -> None:
        """Whatever happened, one that is left alone writes all there is."""
        if not hasattr(self, "stream"):
            return
        copying = Copying(ABOUT * 20, ABOUT)
        copying.begin(self.stream.place)
        take(copying, *self.journal[copying.expected - 1 :])
        while (message := copying.next()) is not None:
            js_seq = self.stream.publish(message.data, message.after)
            assert js_seq is not None
            copying.acked(js_seq)
        assert b"".join(self.stream.bodies) == b"".join(self.journal)

    def _send(self, who: int, body: bytes, after: int) -> None:
        self.asked += 1
        self.waits_for[who] = self.asked
        self.wire.append((who, self.asked, body, after))

    def _fails(self, who: int) -> None:
        self.copying[who].failed()
        self.waits_for[who] = self.beside[who] = 0


TestMirrors = Mirrors.TestCase
TestMirrors.settings = settings(max_examples=examples(150), stateful_step_count=40, deadline=None)


def begun(most: int = ABOUT * 20, about: int = ABOUT) -> Copying:
    copying = Copying(most, about)
    copying.begin(Place(0, Mark(0)))
    return copying


def written(copying: Copying) -> Message:
    message = copying.next()
    assert message is not None
    return message


def test_a_message_takes_all_that_waits_and_never_ends_within_a_publish() -> None:
    copying = begun()
    take(copying, record(1), record(2, more=True))
    first = written(copying)
    assert (first.after, first.first, first.mark.seq, first.rows) == (0, 1, 1, 1)
    take(copying, record(3))
    assert copying.next() is None, "one at a time"
    copying.acked(1)
    second = written(copying)
    assert (second.after, second.first, second.mark.seq) == (1, 2, 3)
    assert [h.seq for h, _ in records(second.data)] == [2, 3]


def test_a_publish_that_is_longer_than_a_message_should_be_goes_alone() -> None:
    copying = begun()
    take(copying, record(1), record(2, rows=100), record(3))
    lengths = []
    for js_seq in (1, 2, 3):
        lengths.append(len(written(copying).data))
        copying.acked(js_seq)
    assert lengths[1] > ABOUT > lengths[0] == lengths[2]


def test_a_publish_that_no_message_holds_is_refused_with_what_to_set() -> None:
    copying = begun(most=len(record(1)) + HEADER_BYTES)
    take(copying, record(1))
    with pytest.raises(JournalError, match=r"seq 2 to 3 were one publish and are .* bytes.*larger max_payload"):
        take(copying, record(2, more=True), record(3))


def test_an_acknowledgement_of_another_place_than_the_one_it_was_for_is_refused() -> None:
    copying = begun()
    take(copying, record(1))
    written(copying)
    with pytest.raises(JournalError, match="acknowledged message 3, under way was a message behind 0"):
        copying.acked(3)
    with pytest.raises(JournalError, match="gave seq 1 behind 1"):
        take(copying, record(1))
