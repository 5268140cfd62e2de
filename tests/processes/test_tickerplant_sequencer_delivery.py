"""From publisher to subscriber as pure logic: outbox, sequencer, journal and stream over lines that lose and repeat.

No sockets, no files, no clock: a state machine decides what is delivered, lost, repeated or restarted, and when.
Whatever it does, the rows in the journal are the rows published, each once and in order, and a subscriber is handed
exactly those.
"""

import json
from collections import deque
from typing import Any

import msgpack
from chance import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from random_rows import columns_from, trades
from streams import StreamOfRuns

from plant.journal.position import Position
from plant.rows.batch import Batch
from plant.rows.tables import schema_of
from plant.stream.outbox import Outbox
from plant.stream.stream import Stream
from plant.wire.envelope import HEADER_BYTES, Header, header_at
from plant.wire.record import decode, encode, records, source_id_of
from tickerplant.sequencer import Own, Sequencer
from tickerplant.sessions import Sessions

SCHEMA = schema_of()
TRADES = SCHEMA["trades"]
NOW = 1_700_000_000_000_000_000
CHUNK_RECORDS = 3


def ids_of(batch: Batch) -> list[int]:
    """Return the trade ids in a batch of trades or of rejects."""
    if batch.table == "trades":
        return [int(i) for i in batch.columns["trade_id"].tolist()]
    return [int(json.loads(row)["trade_id"]) for row in batch.columns["row"].tolist()]


class Feed:
    """A publisher without its socket: what plant.publisher.Publisher does with each message and each idle moment."""

    def __init__(self, name: str, session: int) -> None:
        self.name, self.session = name, session
        self.source_id = source_id_of(name)
        self.outbox = Outbox()
        self.made: list[int] = []
        self.welcomed = self.asked = False
        self.peer = b""
        self.up: deque[list[bytes]] = deque()
        self.down: deque[tuple[bytes, Any]] = deque()

    def connect(self, peer: bytes) -> None:
        """Begin a new connection, of which a publisher hears nothing."""
        self.peer, self.up, self.down = peer, deque(), deque()

    def publish(self, first: int, prices: list[float]) -> None:
        columns = columns_from(TRADES, trades(first, len(prices)) | {"price": prices})
        self.outbox.add(encode(TRADES, columns, self.source_id, 0), len(prices))
        self.made += range(first, first + len(prices))

    def hello(self) -> None:
        self.asked = True
        self.up.append([b"hello", msgpack.packb({"source": self.name, "session": self.session})])

    def send(self, most: int = 10**6) -> None:
        if not self.welcomed and not self.asked:
            self.hello()
        while most and self.welcomed and not self.asked and (record := self.outbox.next_unsent()) is not None:
            self.up.append([b"upd", bytes(record)])
            self.outbox.sent()
            most -= 1

    def hear(self) -> None:
        verb, fields = self.down.popleft()
        if verb == b"ack":
            self.outbox.ack(*fields)
        elif verb == b"welcome":
            self.asked = False
            self.welcomed = True
            self.outbox.welcome(fields["source_seq"])
        elif verb in (b"hello?", b"again"):
            self.welcomed = False
            if not self.asked:
                self.hello()
        else:
            raise AssertionError(f"{verb!r} {fields}")


class Plant:
    """The tickerplant without its sockets and file: turns, and a journal that is a list."""

    def __init__(self) -> None:
        self.journal: list[tuple[Header, bytes]] = []
        self.epoch = 0
        self.sessions = Sessions()  # kept in a file beside the journal
        self.start()

    def start(self) -> None:
        """Start anew from the journal's records, as after a SIGKILL."""
        self.epoch += 1
        position = Position()
        for header, _ in self.journal:
            position.seq = header.seq
            position.table_seqs[SCHEMA.by_id[header.schema_id].name] = header.table_seq
            position.sources[header.source_id] = header.source_seq
        self.sequencer = Sequencer(SCHEMA, position, sessions=self.sessions)

    def turn(self, messages: list[list[bytes]], own: bool, written: bool) -> tuple[list[Any], list[tuple[str, bytes]]]:
        """Take a turn; return the answers [(peer, verb, fields)] and what is published [(table, records)]."""
        sequencer = self.sequencer
        sequencer.begin()
        for frames in messages:
            sequencer.message(frames, NOW)
        if own:
            columns = {"time": [NOW], "sym": ["tickerplant"], "pid": [1], "seq_seen": [1], "rows": [1], "rate": [1.0]}
            heartbeats = SCHEMA["heartbeats"]
            Own(sequencer).add("heartbeats", columns_from(heartbeats, columns | {"memory": [1], "state": [""]}), NOW)
        if not written:
            sequencer.undo()
            return [], []
        turn = sequencer.turn
        for chunk in turn.chunks:
            ((header, _),) = records(chunk)
            self.journal.append((header, bytes(chunk)))
        acks = [
            (s.peer, b"ack", (sequencer.position.sources.get(s.source_id, 0), sequencer.position.seq))
            for s in turn.acks.values()
        ]
        answers = [(peer, verb, msgpack.unpackb(body)) for peer, verb, body in turn.answers]
        return [*answers, *acks], [(table, b"".join(chunks)) for table, chunks in turn.runs]

    def read(self, seq: int) -> tuple[bytes, int, dict[str, int]]:
        found = [record for header, record in self.journal if header.seq >= seq][:CHUNK_RECORDS]
        position = self.sequencer.position
        return b"".join(found), position.seq, dict(position.table_seqs)


class Follower:
    """A subscriber without its sockets: a line of published messages and beats, and one question to the journal."""

    def __init__(self, tables: tuple[str, ...], cursor: int | None, stream: type[Stream] = Stream) -> None:
        self.stream = stream(SCHEMA, tables, cursor)
        self.line: deque[tuple[str, Any]] = deque()
        self.answer: tuple[bytes, int, dict[str, int]] | None = None
        self.handed: list[Batch] = []
        self.joined: int | None = cursor
        self.missed = False  # whether anything published was lost: then a stream of some tables has order within each

    def ask(self, plant: Plant) -> None:
        if self.answer is None and (seq := self.stream.wants()) is not None:
            self.answer = plant.read(seq)

    def take_answer(self) -> None:
        if self.answer is not None:
            answer, self.answer = self.answer, None
            self.handed += self.stream.replayed(*answer)
            if self.joined is None:
                self.joined = answer[1]

    def take_line(self) -> None:
        kind, message = self.line.popleft()
        if kind == "beat":
            self.stream.beat(*message)
        else:
            self.handed += self.stream.live(message)


class Delivery(RuleBasedStateMachine):
    """Two publishers, one tickerplant, six subscribers: of rows, of rejects alone, of what comes from now, of all.

    Those of rows and of all are there twice: one takes records one by one, one in runs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plant = Plant()
        self.peers = self.next_id = self.session = 0
        self.stray: deque[list[bytes]] = deque()  # of connections that are gone, but still in the plant's queue
        self.feeds = [self.new_feed("one"), self.new_feed("two")]
        self.kept: dict[str, list[int]] = {"one": [], "two": []}  # made by earlier publishers of the name
        self.elders: list[Feed] = []  # earlier publishers that are still there
        self.bad: set[int] = set()
        self.followers = [
            Follower(("trades", "rejects"), 0),
            Follower(("trades", "rejects"), 0, StreamOfRuns),
            Follower(("rejects",), 0),
            Follower(("trades", "heartbeats"), None),
            Follower(tuple(SCHEMA), 0),
            Follower(tuple(SCHEMA), 0, StreamOfRuns),
        ]
        self.all_goes_well_for_a_while(2)

    def new_peer(self) -> bytes:
        self.peers += 1
        return b"peer %d" % self.peers

    def new_feed(self, name: str) -> Feed:
        self.session += 1
        feed = Feed(name, self.session)
        feed.connect(self.new_peer())
        return feed

    @rule(which=st.integers(0, 1), batches=st.lists(st.sampled_from(["g", "b", "gbg", "gg"]), min_size=1, max_size=5))
    def publish(self, which: int, batches: list[str]) -> None:
        for rows in batches:
            self.feeds[which].publish(self.next_id, [1.0 if row == "g" else -1.0 for row in rows])
            self.bad |= {self.next_id + i for i, row in enumerate(rows) if row == "b"}
            self.next_id += len(rows)
        self.feeds[which].send()

    @rule(which=st.integers(0, 1), most=st.integers(1, 4))
    def publisher_sends(self, which: int, most: int) -> None:
        self.feeds[which].send(most)

    @rule(which=st.integers(0, 1), count=st.integers(1, 9))
    def publisher_hears(self, which: int, count: int) -> None:
        for _ in range(min(count, len(self.feeds[which].down))):
            self.feeds[which].hear()

    @rule(which=st.integers(0, 1))
    def publisher_waited_too_long(self, which: int) -> None:
        self.feeds[which].hello()

    @rule(which=st.integers(0, 1), kept=st.integers(0, 3))
    def publisher_reconnects(self, which: int, kept: int) -> None:
        """A few of the old connection's messages still reach the plant, possibly behind the new connection's."""
        feed = self.feeds[which]
        self.stray += [[feed.peer, *frames] for frames in list(feed.up)[:kept]]
        feed.connect(self.new_peer())

    @rule(which=st.integers(0, 1), kept=st.integers(0, 3))
    def publisher_dies_and_another_of_its_name_starts(self, which: int, kept: int) -> None:
        feed = self.feeds[which]
        self.publisher_reconnects(which, kept)
        self.kept[feed.name] += feed.made
        self.feeds[which] = self.new_feed(feed.name)

    @rule(which=st.integers(0, 1))
    def publisher_is_followed_by_another_of_its_name_and_stays(self, which: int) -> None:
        """It was stopped, or cut off, and does not know that it has a successor, who is welcomed."""
        elder = self.feeds[which]
        self.kept[elder.name] += elder.made
        self.elders.append(elder)
        self.feeds[which] = younger = self.new_feed(elder.name)
        younger.hello()
        self.turn([[younger.peer, *younger.up.popleft()]])
        younger.hear()

    @precondition(lambda self: self.elders)
    @rule(which=st.integers(0, 9), restarted=st.booleans())
    def elder_speaks(self, which: int, restarted: bool) -> None:
        """It is the first to reach the tickerplant, perhaps one that has just started again."""
        if restarted:
            self.plant_restarts()
        elder = self.elders[which % len(self.elders)]
        elder.connect(self.new_peer())
        elder.hello()
        for _ in range(2):
            elder.send()
            self.turn([[elder.peer, *elder.up.popleft()] for _ in range(len(elder.up))])
            while elder.down:
                if elder.down[0][0] == b"error":
                    assert elder.down.popleft()[1]["error"] == "SourceTaken"
                else:
                    elder.hear()

    @rule(which=st.integers(0, 1))
    def publisher_loses_a_message_on_the_way(self, which: int) -> None:
        if self.feeds[which].up and self.feeds[which].up[0][0] == b"upd":
            self.feeds[which].up.popleft()

    @rule(data=st.data(), own=st.booleans(), written=st.sampled_from([True, True, True, False]))
    def plant_takes_a_turn(self, data: st.DataObject, own: bool, written: bool) -> None:
        lines = data.draw(st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=8))
        messages = []
        for line in lines:
            if line == 2 and self.stray:
                messages.append(self.stray.popleft())
            elif line < 2 and self.feeds[line].up:
                messages.append([self.feeds[line].peer, *self.feeds[line].up.popleft()])
        self.turn(messages, own, written)

    def turn(self, messages: list[list[bytes]], own: bool = False, written: bool = True) -> None:
        answers, runs = self.plant.turn(messages, own, written)
        for peer, verb, fields in answers:
            for feed in (*self.feeds, *self.elders):
                if feed.peer == peer:
                    feed.down.append((verb, fields))
        for table, message in runs:
            for follower in self.followers:
                if table in follower.stream.names:
                    follower.line.append((table, message))

    @rule()
    def plant_restarts(self) -> None:
        """Nothing under way survives; publishers are connected again before they know it."""
        self.plant.start()
        self.stray.clear()
        for feed in (*self.feeds, *self.elders):
            feed.connect(self.new_peer())
        for follower in self.followers:
            follower.missed |= bool(follower.line)
            follower.line.clear()
            follower.answer = None

    @rule()
    def plant_beats(self) -> None:
        position = self.plant.sequencer.position
        for follower in self.followers:
            follower.line.append(("beat", (dict(position.table_seqs), position.seq, self.plant.epoch)))

    @rule(which=st.integers(0, 5), count=st.integers(1, 9))
    def subscriber_reads(self, which: int, count: int) -> None:
        for _ in range(min(count, len(self.followers[which].line))):
            self.followers[which].take_line()

    @precondition(lambda self: any(f.line for f in self.followers))
    @rule(which=st.integers(0, 5), data=st.data())
    def subscriber_was_too_slow(self, which: int, data: st.DataObject) -> None:
        line = self.followers[which].line
        if line:
            del line[data.draw(st.integers(0, len(line) - 1))]
            self.followers[which].missed = True

    @rule(which=st.integers(0, 5))
    def subscriber_finds_a_damaged_message(self, which: int) -> None:
        line = self.followers[which].line
        if line and line[0][0] != "beat":
            self.followers[which].missed = True
            table, message = line[0]
            line[0] = (table, message[:-1] + bytes([message[-1] ^ 1]))

    @rule(which=st.integers(0, 5))
    def subscriber_asks_the_journal(self, which: int) -> None:
        self.followers[which].ask(self.plant)

    @rule(which=st.integers(0, 5))
    def subscriber_reads_the_answer(self, which: int) -> None:
        self.followers[which].take_answer()

    @invariant()
    def journal_is_numbered_without_a_hole(self) -> None:
        assert [h.seq for h, _ in self.plant.journal] == list(range(1, len(self.plant.journal) + 1))
        counts: dict[int, int] = {}
        for header, _ in self.plant.journal:
            counts[header.schema_id] = counts.get(header.schema_id, 0) + 1
            assert header.table_seq == counts[header.schema_id]

    @invariant()
    def journal_holds_each_row_once_in_order(self) -> None:
        for feed in self.feeds:
            held = self.held(feed.source_id)
            assert held == sorted(set(held))
            of_this_one = [i for i in held if i in set(feed.made)]
            assert of_this_one == feed.made[: len(of_this_one)]
            assert len(of_this_one) >= feed.outbox.rows - sum(
                header_at(entry.record, 0).rows for entry in feed.outbox.entries
            ), "a row was acknowledged that is not in the journal"

    def held(self, source_id: int) -> list[int]:
        """Return the ids a source has in the journal; good and bad of one record count as one publish, in order."""
        found: dict[int, list[int]] = {}
        for header, record in self.plant.journal:
            if header.source_id == source_id:
                batch = decode(SCHEMA.by_id[header.schema_id], header, record[HEADER_BYTES:])
                ids = ids_of(batch)
                assert (set(ids) <= self.bad) == (batch.table == "rejects")
                found.setdefault(header.source_seq, []).extend(ids)
        return [i for _, ids in sorted(found.items()) for i in sorted(ids)]

    @invariant()
    def subscribers_are_handed_the_journal_each_once_in_order(self) -> None:
        for follower in self.followers:
            self.compare(follower, all_of_it=False)

    def compare(self, follower: Follower, all_of_it: bool) -> None:
        """Compare what a subscriber was handed with the journal: table by table if anything was lost, else as a whole.

        One of all tables sees every seq, so it is handed the journal as a whole whatever was lost.
        """
        if follower.joined is None:
            assert not follower.handed
            return
        wanted = [h for h, _ in self.plant.journal if h.schema_id in follower.stream.by_id and h.seq > follower.joined]
        whole = not follower.missed or follower.stream.names == set(SCHEMA)
        names = {""} if whole else follower.stream.names
        for name in names:
            found = [batch.seq for batch in follower.handed if batch.table == name or not name]
            expected = [h.seq for h in wanted if SCHEMA.by_id[h.schema_id].name == name or not name]
            assert found == (expected if all_of_it else expected[: len(found)])
        known = {batch.seq for batch in follower.handed}
        assert all(h.seq in known for h in wanted if h.seq <= follower.stream.complete)

    @rule(rounds=st.integers(1, 4))
    def all_goes_well_for_a_while(self, rounds: int) -> None:
        for _ in range(rounds):
            for feed in self.feeds:
                feed.send()
            self.turn([[f.peer, *f.up.popleft()] for f in self.feeds for _ in range(len(f.up))])
            for feed in self.feeds:
                while feed.down:
                    feed.hear()
            for follower in self.followers:
                while follower.line:
                    follower.take_line()
                follower.ask(self.plant)
                follower.take_answer()

    def teardown(self) -> None:
        """Let everything be delivered; then nothing may be missing anywhere."""
        self.all_goes_well_for_a_while(3)
        for feed in self.feeds:  # what a publisher does when no acknowledgement comes for a second
            feed.hello()
        self.all_goes_well_for_a_while(5)
        self.plant_beats()
        self.all_goes_well_for_a_while(4 + 2 * len(self.plant.journal) // CHUNK_RECORDS)
        for feed in self.feeds:
            assert len(feed.outbox) == 0
            held = self.held(feed.source_id)
            assert [i for i in held if i in set(feed.made)] == feed.made
            assert set(held) <= {*feed.made, *self.kept[feed.name]}
        for follower in self.followers:
            assert not follower.stream.catching_up
            self.compare(follower, all_of_it=True)
            states = [gap.state for gap in follower.stream.gaps]
            assert states.count("opened") == states.count("healed")


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(
    max_examples=examples(300), stateful_step_count=50, deadline=None, derandomize=True, database=None
)


def test_a_hello_repeated_while_the_first_was_under_way_costs_no_row() -> None:
    """Its welcome tells of a moment before the row that the same turn acknowledges: it must come before that ack."""
    plant, feed = Plant(), Feed("one", 1)
    feed.connect(b"peer")

    def turn(count: int) -> None:
        answers, _ = plant.turn([[feed.peer, *feed.up.popleft()] for _ in range(count)], own=False, written=True)
        feed.down += [(verb, fields) for _, verb, fields in answers]
        while feed.down:
            feed.hear()

    feed.hello()
    feed.hello()
    turn(1)
    feed.publish(0, [1.0])
    feed.send()
    turn(2)
    feed.publish(1, [1.0])
    while feed.outbox.bytes:
        feed.send()
        turn(len(feed.up))
    assert [header.source_seq for header, _ in plant.journal] == [1, 2]


def test_an_older_publisher_that_reaches_a_restarted_tickerplant_first_costs_the_newer_one_no_row() -> None:
    """Its rows would have the numbers of rows that the newer one has not sent yet, and would pass for those."""
    plant, elder, younger = Plant(), Feed("one", 1), Feed("one", 2)

    def talk(feed: Feed) -> list[str]:
        feed.send()
        answers, _ = plant.turn([[feed.peer, *message] for message in feed.up], own=False, written=True)
        feed.up.clear()
        refusals = [fields["error"] for peer, verb, fields in answers if (peer, verb) == (feed.peer, b"error")]
        feed.down += [(verb, fields) for peer, verb, fields in answers if peer == feed.peer and verb != b"error"]
        while feed.down:
            feed.hear()
        return refusals

    elder.connect(b"elder")
    talk(elder)
    for number in range(4):
        elder.publish(number, [1.0])  # not sent: it was stopped here
    younger.connect(b"younger")
    talk(younger)
    younger.publish(10, [1.0])
    talk(younger)
    plant.start()
    elder.connect(b"elder again")
    younger.connect(b"younger again")
    elder.hello()
    assert talk(elder) == ["SourceTaken"]
    talk(elder)
    younger.publish(11, [1.0])
    for _ in range(3):
        talk(younger)
    assert len(younger.outbox) == 0
    ids = [decode(TRADES, h, r[HEADER_BYTES:]).columns["trade_id"].tolist() for h, r in plant.journal]
    assert ids == [["10"], ["11"]]
