"""Acknowledgements that wait for the mirror: whatever is killed or lost, what is acknowledged was mirrored."""

from collections import deque
from functools import cache
from types import SimpleNamespace
from typing import Any

from chance import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from random_rows import columns_from, trades

from plant.journal.position import Position
from plant.rows.tables import schema_of
from plant.stream.outbox import Outbox
from plant.wire import messages
from plant.wire.record import decode, encode, records, source_id_of
from tickerplant.mirrored import Mirrored
from tickerplant.sequencer import Sequencer
from tickerplant.waiting_acks import MOST, WaitingAcks

SCHEMA = schema_of()
TRADES = SCHEMA["trades"]
FEED, OTHER = source_id_of("feed"), source_id_of("other")
NOW = 1_700_000_000_000_000_000


def record(rows: list[float]) -> bytearray:
    columns = columns_from(TRADES, trades(1, len(rows)) | {"size": rows})
    return encode(TRADES, columns, FEED, 0)


def rows_of(chunks: list[bytes]) -> list[float]:
    return [row for chunk in chunks for row in decoded(chunk)]


@cache
def decoded(chunk: bytes) -> list[float]:
    ((header, start),) = records(chunk)
    return list(decode(TRADES, header, chunk[start : start + header.length]).columns["size"].tolist())


class OnePlant:
    """A tickerplant without sockets: its journal, and the real decisions about it; `down` is what it says."""

    def __init__(self, journal: list[bytes]) -> None:
        self.journal = journal
        self.down: deque[list[Any]] = deque()
        position = Position()
        for chunk in journal:
            for header, _ in records(chunk):
                position.advance(header, "trades")
        self.waiting = WaitingAcks(position)
        self.sequencer = Sequencer(SCHEMA, position, waiting=self.waiting)
        self.keeper = SimpleNamespace(written=position.seq, mirrored=0, note=lambda what, state: None)
        self.mirrored = Mirrored(
            SimpleNamespace(folder=None), self.keeper, self.sequencer, self.waiting, self.down.append, epoch=1
        )  # type: ignore[arg-type]

    def turn(self, said: list[list[bytes]]) -> None:
        """Take messages as one turn: journaled, then answered."""
        self.sequencer.begin()
        for frames in said:
            self.sequencer.message(frames, NOW)
        turn = self.sequencer.turn
        self.journal += [bytes(chunk) for chunk in turn.chunks]
        self.keeper.written = self.sequencer.position.seq
        self.down.extend(turn.answers)
        self.mirrored.written(self.waiting, turn)

    def tell(self, seq: int) -> None:
        """Take the mirror's word."""
        self.mirrored.answers["mirrored"](messages.mirrored(seq, 1))


class MirroredMachine(RuleBasedStateMachine):
    """A publisher, a mirror, a plant that is killed or loses its machine or its journal's end; the model: all rows."""

    def __init__(self) -> None:
        super().__init__()
        self.stream: list[bytes] = []
        self.plant = OnePlant([])
        self.session = 0
        self.made: list[float] = []  # by the present publisher, in order
        self.count = 0.0
        self.gone: set[float] = set()  # made by an earlier publisher, and not acknowledged to it
        self.new_publisher()

    @initialize()
    def begun(self) -> None:
        self.hello()

    def new_publisher(self) -> None:
        self.session += 1
        self.outbox = Outbox()
        self.peer = b"peer %d" % self.session
        self.made = []
        self.up: deque[list[bytes]] = deque()
        self.greeted = False

    def acked(self) -> list[float]:
        """Return the rows that the present publisher has let go of."""
        return self.made[: len(self.made) - len(rows_of([bytes(e.record) for e in self.outbox.entries]))]

    @rule(rows=st.integers(1, 3))
    def publish(self, rows: int) -> None:
        new = [self.count + n for n in range(1, rows + 1)]
        self.count += rows
        self.outbox.add(record(new), rows)
        self.made += new

    @rule(count=st.integers(1, 4))
    def send(self, count: int) -> None:
        while count and self.greeted and (message := self.outbox.next_unsent()) is not None:
            self.up.append([self.peer, b"upd", bytes(message)])
            self.outbox.sent()
            count -= 1

    @rule()
    def hello(self) -> None:
        self.greeted = False
        self.up.append([self.peer, *messages.hello("feed", self.session)])

    @precondition(lambda self: self.up)
    @rule(data=st.data())
    def plant_takes(self, data: st.DataObject) -> None:
        self.plant.turn([self.up.popleft() for _ in range(data.draw(st.integers(1, len(self.up))))])

    @precondition(lambda self: self.plant.down)
    @rule(data=st.data())
    def publisher_hears(self, data: st.DataObject) -> None:
        for _ in range(data.draw(st.integers(1, len(self.plant.down)))):
            self.hear(*self.plant.down.popleft())

    def hear(self, peer: bytes, verb: bytes, body: bytes) -> None:
        if peer != self.peer:
            return
        if verb == messages.WELCOME:
            known = messages.welcome_of(body)
            if known.unsure and not self.outbox.fits(known.held):
                return  # it asks again later, or another plant
            self.outbox.welcome(known.source_seq, known.held)
            self.greeted = True
        elif verb == messages.ACK:
            self.outbox.ack(*messages.ack_of(body))
        elif verb == messages.HELD:
            self.outbox.hold(messages.ack_of(body)[0])
        elif self.greeted:
            self.hello()

    @precondition(lambda self: len(self.stream) < len(self.plant.journal))
    @rule(count=st.integers(1, 5))
    def mirror_copies(self, count: int) -> None:
        if not self.fenced():
            self.stream += self.plant.journal[len(self.stream) : len(self.stream) + count]

    @rule(behind=st.integers(0, 3))
    def mirror_tells(self, behind: int) -> None:
        """Late at times: what it tells may be less than what the stream has by now."""
        if not self.fenced():
            self.plant.tell(max(len(self.stream) - behind, 0))

    @property
    def diverged(self) -> bool:
        return self.plant.journal[: len(self.stream)] != self.stream

    def fenced(self) -> bool:
        """Have the standby go on if the mirror sees that the journal has not what the stream has."""
        if found := self.diverged:
            self.plant = OnePlant(list(self.stream))
            self.lose_connection()
        return found

    @precondition(lambda self: self.outbox.accepted is not None)
    @rule(lost=st.integers(1, 5), mirrored=st.booleans(), rows=st.integers(0, 3))
    def power_is_cut(self, lost: int, mirrored: bool, rows: int) -> None:
        """The journal loses its end, which the stream may have; until the mirror sees that, it takes rows."""
        if mirrored:
            self.mirror_copies(100)
            self.mirror_tells(0)
            self.all_goes_well(0)
        self.plant = OnePlant(self.plant.journal[: max(len(self.plant.journal) - lost, 0)])
        self.lose_connection()
        self.all_goes_well(rows)

    def lose_connection(self) -> None:
        self.up.clear()
        self.plant.down.clear()
        self.hello()

    @rule(what=st.sampled_from(["the connection", "the tickerplant", "its machine", "the publisher"]))
    def something_ends(self, what: str) -> None:
        """Of a machine that burns nothing is left: the standby has what the stream has."""
        if what == "the publisher":
            if self.diverged:
                return  # a new one knows of no rows by which it could tell
            self.gone |= set(self.made) - set(self.acked())
            self.new_publisher()
        elif what != "the connection":
            self.plant = OnePlant(list(self.stream) if what == "its machine" else self.plant.journal)
        self.lose_connection()

    @rule(rows=st.integers(0, 3))
    def all_goes_well(self, rows: int) -> None:
        """What is under way arrives, and so do some new rows."""
        for _ in range(2):
            if self.up:
                self.plant_takes_all()
            while self.plant.down:
                self.hear(*self.plant.down.popleft())
            if rows:
                self.publish(rows)
            self.send(5)

    @invariant()
    def what_is_acknowledged_is_mirrored(self) -> None:
        assert set(self.acked()) <= set(rows_of(self.stream))

    @invariant()
    def each_row_is_there_once_and_in_order(self) -> None:
        for chunks in (self.plant.journal, self.stream):
            rows = rows_of(chunks)
            assert rows == sorted(set(rows))

    @invariant()
    def the_outbox_counts(self) -> None:
        assert 0 <= self.outbox.held <= len(self.outbox)

    def teardown(self) -> None:
        """Once nothing is lost any more, all that the living publisher made is mirrored and acknowledged."""
        self.lose_connection()
        self.fenced()
        for _ in range(50):
            while self.up:
                self.plant_takes_all()
            self.stream += self.plant.journal[len(self.stream) :]
            self.plant.tell(len(self.stream))
            while self.plant.down:
                self.hear(*self.plant.down.popleft())
            self.send(100) if self.greeted else self.hello()
            if self.greeted and not len(self.outbox):
                break
        assert not len(self.outbox)
        found = rows_of(self.stream)
        assert found == sorted(set(found))
        assert set(self.made) <= set(found)
        assert set(found) | self.gone >= {float(n) for n in range(1, int(self.count) + 1)}

    def plant_takes_all(self) -> None:
        self.plant.turn(list(self.up))
        self.up.clear()


TestMirroredMachine = MirroredMachine.TestCase
TestMirroredMachine.settings = settings(
    max_examples=examples(200), stateful_step_count=40, deadline=None, derandomize=True, database=None
)


def test_a_turn_is_acknowledged_once_the_mirror_has_all_of_it_and_the_newest_row_of_each_source_counts() -> None:
    waiting = WaitingAcks(Position())
    assert waiting.written(3, {FEED: 10}) == {}
    assert waiting.written(5, {FEED: 12, OTHER: 1}) == {}
    assert waiting.told(2) == {}
    assert waiting.told(4) == {FEED: (10, 3)}
    assert waiting.of(FEED) == 10
    assert waiting.told(5) == {FEED: (12, 5), OTHER: (1, 5)}
    assert waiting.told(4) == {}, "what it told before is not taken back"
    assert waiting.mirrored == 5


def test_what_came_again_and_is_mirrored_is_acknowledged_at_once() -> None:
    waiting = WaitingAcks(Position())
    waiting.written(1, {FEED: 10})
    waiting.told(1)
    waiting.written(2, {OTHER: 1})
    assert waiting.written(2, {FEED: 10}) == {FEED: (10, 2)}
    assert waiting.told(2) == {OTHER: (1, 2)}


def test_what_the_journal_has_at_the_start_waits_until_the_mirror_has_all_of_it() -> None:
    waiting = WaitingAcks(Position(7, {"trades": 7}, {FEED: 20, OTHER: 3}))
    assert waiting.of(FEED) == 0
    assert waiting.told(6) == {}
    assert waiting.told(7) == {FEED: (20, 7), OTHER: (3, 7)}


def test_it_is_told_how_long_rows_wait_for_a_silent_mirror() -> None:
    now = 100.0
    waiting = WaitingAcks(Position(), clock=lambda: now)
    now = 200.0
    assert waiting.wait_s == 0.0
    waiting.written(1, {FEED: 1})
    now = 203.0
    assert waiting.wait_s == 3.0
    waiting.told(0)
    assert waiting.wait_s == 0.0
    now = 205.0
    waiting.told(1)
    assert waiting.wait_s == 0.0


def test_turns_beyond_a_bound_wait_together() -> None:
    waiting = WaitingAcks(Position())
    for seq in range(1, MOST + 100):
        waiting.written(seq, {FEED: seq, seq: 1})
    assert len(waiting._turns) == MOST
    assert waiting.told(MOST - 1)[FEED] == (MOST - 1, MOST - 1)
    acks = waiting.told(MOST + 99)
    assert acks[FEED] == (MOST + 99, MOST + 99)
    assert acks[MOST + 50] == (1, MOST + 99)
