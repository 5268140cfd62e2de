"""A publisher's outbox: through lost messages, reconnects and a plant that forgets, each row arrives once, in order."""

from collections import deque

import pytest
from chance import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from random_rows import columns_from, trades

from plant.errors import SourceTaken
from plant.rows.tables import schema_of
from plant.stream import outbox as module
from plant.stream.outbox import Outbox
from plant.wire.envelope import header_at
from plant.wire.numbering import session_of
from plant.wire.record import decode, encode, records

TRADES = schema_of()["trades"]
NOW = 1_800_000_000_000_000_000


def record(first: int, rows: int) -> bytearray:
    return encode(TRADES, columns_from(TRADES, trades(first, rows)), 1, 0)


class ModelPlant:
    """What a tickerplant does with records of one source: takes the next, passes over the known, refuses the rest."""

    def __init__(self) -> None:
        self.rows: list[float] = []  # by row number of the source
        self.durable = 0

    def take(self, message: bytes) -> bool:
        ((header, start),) = records(message)
        if header.source_seq <= len(self.rows):
            return True
        if header.source_seq - header.rows != len(self.rows):
            return False
        batch = decode(TRADES, header, message[start:])
        self.rows += batch.columns["size"].tolist()
        return True


class OutboxMachine(RuleBasedStateMachine):
    """A publisher that reconnects whenever it likes, over a line that loses what was under way."""

    def __init__(self) -> None:
        super().__init__()
        self.plant = ModelPlant()
        self.plant.rows = [-3.0, -2.0, -1.0]  # of an earlier publisher of this name
        self.outbox = Outbox()
        self.made: list[float] = []
        self.lost: set[float] = set()  # acknowledged, then lost by the plant with its disk
        self.up: deque[bytes] = deque()
        self.down: deque[tuple[str, int]] = deque()
        self.waiting = False  # a hello is under way: nothing is sent before its welcome

    @rule(rows=st.integers(1, 3))
    def add(self, rows: int) -> None:
        first = len(self.made) + 1
        assert self.outbox.add(record(first, rows), rows) == first + rows - 1
        self.made += [float(i) for i in range(first, first + rows)]

    @rule(count=st.integers(1, 4))
    def send(self, count: int) -> None:
        while count and not self.waiting and (message := self.outbox.next_unsent()) is not None:
            self.up.append(bytes(message))
            self.outbox.sent()
            count -= 1

    @rule()
    def hello(self) -> None:
        self.waiting = True
        self.up.append(b"hello")

    @precondition(lambda self: self.up)
    @rule(data=st.data())
    def plant_takes(self, data: st.DataObject) -> None:
        for _ in range(data.draw(st.integers(1, len(self.up)))):
            message = self.up.popleft()
            if message == b"hello":
                self.down.append(("welcome", len(self.plant.rows)))
            else:
                known = self.plant.take(message)
                self.down.append(("ack" if known else "again", len(self.plant.rows)))

    @precondition(lambda self: self.down)
    @rule(data=st.data(), twice=st.booleans())
    def publisher_hears(self, data: st.DataObject, twice: bool) -> None:
        for _ in range(data.draw(st.integers(1, len(self.down)))):
            verb, accepted = self.down.popleft()
            if verb == "welcome":
                self.outbox.welcome(accepted)
                self.waiting = False
            elif verb == "ack":
                for _ in range(1 + twice):
                    self.outbox.ack(accepted, accepted)
            elif not self.waiting:
                self.hello()

    @rule(kept=st.integers(0, 3))
    def reconnect(self, kept: int) -> None:
        """The first few of what was under way still arrive; the rest, and all answers, are lost."""
        for message in list(self.up)[:kept]:
            if message != b"hello":
                self.plant.take(message)
        self.up.clear()
        self.down.clear()
        self.hello()

    @rule()
    def plant_syncs(self) -> None:
        self.plant.durable = len(self.plant.rows)

    @rule()
    def power_cut(self) -> None:
        """The plant loses what it had not synced; what it had acknowledged of that is gone from the publisher too."""
        held = set(self.plant.rows[self.plant.durable :])
        self.plant.rows = self.plant.rows[: self.plant.durable]
        self.lost |= held
        self.reconnect(0)

    @invariant()
    def plant_holds_each_row_once_in_order(self) -> None:
        """Rows are 1, 2, 3, ...; -3 to -1 are the earlier publisher's."""
        assert self.plant.rows == sorted(set(self.plant.rows))

    @invariant()
    def outbox_counts_what_it_holds(self) -> None:
        assert self.outbox.rows == len(self.made)
        assert (self.outbox.bytes == 0) == (len(self.outbox) == 0)
        assert self.outbox.unsent <= len(self.outbox)

    @rule()
    def settle(self) -> None:
        """After a reconnect nothing is lost any more: all that was made arrives."""
        self.reconnect(0)
        for _ in range(200):
            while self.up:
                message = self.up.popleft()
                if message == b"hello":
                    self.down.append(("welcome", len(self.plant.rows)))
                else:
                    assert self.plant.take(message), "nothing is lost now, so every record must follow on"
                    self.down.append(("ack", len(self.plant.rows)))
            while self.down:
                verb, accepted = self.down.popleft()
                (self.outbox.welcome(accepted) if verb == "welcome" else self.outbox.ack(accepted, accepted))
                self.waiting = False
            self.send(100)
            if not self.up and not len(self.outbox):
                break
        assert len(self.outbox) == 0
        assert self.outbox.bytes == 0
        assert self.outbox.accepted == len(self.plant.rows)
        assert set(self.made) - set(self.plant.rows) <= self.lost

    def teardown(self) -> None:
        self.settle()


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(
    max_examples=examples(400), stateful_step_count=30, deadline=None, derandomize=True, database=None
)


def test_nothing_is_sent_before_the_first_welcome_and_then_numbered_from_what_the_plant_holds() -> None:
    outbox = Outbox()
    assert outbox.accepted is None
    assert outbox.add(record(1, 2), 2) == 2
    assert outbox.add(record(3, 1), 1) == 3
    assert outbox.next_unsent() is None
    outbox.welcome(10)
    sent = []
    while (message := outbox.next_unsent()) is not None:
        sent.append(header_at(message, 0).source_seq)
        outbox.sent()
    assert sent == [12, 13]
    outbox.add(record(4, 5), 5)
    assert header_at(outbox.next_unsent(), 0).source_seq == 18
    assert (len(outbox), outbox.unsent, outbox.rows) == (3, 1, 8)


def test_an_acknowledgement_drops_what_it_covers_and_tells_the_seq() -> None:
    outbox = Outbox()
    outbox.welcome(0)
    for i in range(1, 4):
        outbox.add(record(i, 1), 1)
        outbox.sent()
    outbox.ack(2, 40)
    outbox.ack(1, 30)
    assert (len(outbox), outbox.accepted, outbox.seq) == (1, 2, 40)
    assert outbox.bytes == len(record(3, 1))
    outbox.welcome(2)
    assert outbox.unsent == 1
    outbox.ack(3, 41)
    assert (len(outbox), outbox.unsent, outbox.bytes, outbox.next_unsent()) == (0, 0, 0, None)


def test_a_welcome_drops_what_the_plant_holds_already() -> None:
    outbox = Outbox()
    outbox.welcome(0)
    for i in range(1, 4):
        outbox.add(record(i, 1), 1)
    outbox.welcome(2)
    assert (len(outbox), outbox.unsent, outbox.accepted) == (1, 1, 2)


def test_a_plant_that_lost_its_tail_gets_the_rest_under_new_numbers() -> None:
    outbox = Outbox()
    outbox.welcome(0)
    for i in range(1, 6):
        outbox.add(record(i, 1), 1)
    outbox.ack(4, 4)
    outbox.welcome(2)
    message = outbox.next_unsent()
    assert message is not None
    assert header_at(message, 0).source_seq == 3
    outbox.ack(3, 9)
    assert len(outbox) == 0
    outbox.add(record(6, 2), 2)
    assert header_at(outbox.next_unsent(), 0).source_seq == 5


@pytest.mark.parametrize("rows", [0, 2])
def test_rows_in_the_plant_that_we_never_made_mean_that_another_uses_our_name(rows: int) -> None:
    outbox = Outbox()
    outbox.welcome(5)
    for i in range(rows):
        outbox.add(record(i, 1), 1)
    with pytest.raises(SourceTaken, match=f"holds row 8 .* only up to row {5 + rows}: another one uses"):
        outbox.welcome(8)


def test_rows_that_the_plant_holds_are_kept_not_sent_again_and_hold_nothing_up() -> None:
    outbox = Outbox()
    outbox.welcome(0)
    for i in range(1, 5):
        outbox.add(record(i, 1), 1)
        outbox.sent()
    outbox.hold(3)
    assert (len(outbox), outbox.under_way, outbox.held) == (4, 1, 3)
    outbox.ack(2, 40)
    assert (len(outbox), outbox.under_way, outbox.held) == (2, 1, 1)
    outbox.welcome(2, 3)
    assert (len(outbox), outbox.held, outbox.unsent, outbox.accepted) == (2, 1, 1, 2)
    outbox.welcome(0, 4)
    assert (len(outbox), outbox.held, outbox.unsent) == (2, 2, 0), "a plant that began anew acknowledged none yet"
    outbox.welcome(3)
    assert (len(outbox), outbox.held, outbox.unsent) == (1, 0, 1), "another plant has less, and gets the rest"
    outbox.ack(4, 44)
    assert (len(outbox), outbox.held, outbox.unsent, outbox.accepted) == (0, 0, 0, 4)


def test_a_new_publisher_numbers_its_rows_behind_what_the_plant_holds() -> None:
    outbox = Outbox()
    outbox.add(record(1, 2), 2)
    outbox.welcome(10, 20)
    message = outbox.next_unsent()
    assert message is not None
    assert header_at(message, 0).source_seq == 22
    outbox.ack(20, 7)
    assert len(outbox) == 1
    outbox.welcome(15)  # another plant, which never got those that the first one held
    assert header_at(outbox.entries[0].record, 0).source_seq == 17


def test_it_is_told_whether_what_a_plant_holds_can_be_rows_of_its_own() -> None:
    outbox = Outbox()
    assert outbox.fits(7), "it knows of no rows yet"
    outbox.welcome(100)
    for number in range(4):
        outbox.add(record(number, 1), 1)
        outbox.sent()
    outbox.ack(102, 9)
    assert [outbox.fits(held) for held in (0, 101, 102, 104, 105)] == [False, False, True, True, False]


def test_it_is_crowded_by_what_is_under_way_or_by_very_much_that_is_held() -> None:
    outbox = Outbox()
    outbox.welcome(0)
    one = record(1, 1)
    for _ in range(module.UNDER_WAY):
        assert not outbox.crowded
        outbox.add(bytearray(one), 1)
    assert outbox.crowded
    outbox.hold(module.UNDER_WAY)
    assert not outbox.crowded
    for _ in range(module.WAITING - module.UNDER_WAY):
        outbox.add(bytearray(one), 1)
    outbox.hold(module.WAITING)
    assert outbox.crowded


def test_rows_of_another_publisher_do_not_pass_for_its_own() -> None:
    outbox = Outbox(NOW)
    for i in range(1, 5):
        outbox.add(record(i, 1), 1)
    outbox.welcome(100, told=((7, 100),))
    first = session_of(NOW)
    assert [header_at(e.record, 0).source_seq for e in outbox.entries] == [101, 102, 103, 104]
    assert {header_at(e.record, 0).session for e in outbox.entries} == {first}
    outbox.welcome(102, told=((7, 101), (8, 102)))  # another plant: none of these rows is ours
    assert (outbox.unsent, outbox.held) == (4, 0)
    assert [header_at(e.record, 0).source_seq for e in outbox.entries] == [103, 104, 105, 106]
    assert {header_at(e.record, 0).session for e in outbox.entries} == {first + 1}
    outbox.welcome(102, told=((7, 100), (first, 102)))  # the first one has two of ours, whatever we said elsewhere
    assert (outbox.unsent, outbox.accepted) == (2, 102)
    assert [header_at(e.record, 0).source_seq for e in outbox.entries] == [103, 104]
    assert session_of(outbox.session) == first + 2


def test_a_plant_that_is_in_doubt_fits_only_with_our_own_rows() -> None:
    outbox = Outbox(NOW)
    outbox.welcome(100)
    for number in range(4):
        outbox.add(record(number, 1), 1)
    ours = session_of(NOW)
    assert outbox.fits(100, ((7, 100),)), "none is acknowledged yet, and there is nobody behind"
    assert not outbox.fits(102, ((7, 102),))
    assert outbox.fits(102, ((7, 100), (ours, 102)))
    outbox.ack(102, 9)
    assert not outbox.fits(102, ((7, 102),))
    assert not outbox.fits(103, ((ours, 102), (7, 103)))
    assert outbox.fits(103, ((ours, 103),))
