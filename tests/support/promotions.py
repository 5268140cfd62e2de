"""Publishers of one name, plants that burn and standbys that are promoted, as pure logic: how it goes, and how it ends.

Each plant's journal begins as a part of the one before. Old plants come back and take rows until they are fenced, older
publishers are still there, whoever is first is welcomed first, and a spool goes on with the next process. At the end
the last plant has each row of each publisher once and in order, or that publisher was told that it is not the one.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgpack
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from random_rows import columns_from, trades

from plant.journal.position import Position
from plant.rows.tables import schema_of
from plant.stream.outbox import Outbox
from plant.stream.spool import Spool
from plant.wire import messages
from plant.wire.envelope import HEADER_BYTES, Header
from plant.wire.record import decode, encode, records, source_id_of
from tickerplant.sequencer import Sequencer
from tickerplant.sessions import Sessions
from tickerplant.waiting_acks import WaitingAcks

SCHEMA = schema_of()
TRADES = SCHEMA["trades"]
NOW = 1_800_000_000_000_000_000
FEED = source_id_of("feed")
ROWS = st.lists(st.integers(1, 2), max_size=3)
Journal = list[tuple[Header, bytes]]


class Plant:
    """A tickerplant without sockets and files, whose acknowledgements wait for a mirror if it is `mirrored`."""

    def __init__(self, journal: Journal, mirrored: bool, sessions: Sessions | None = None) -> None:
        self.journal, self.mirrored = list(journal), mirrored
        self.sessions = sessions or Sessions()  # of a promoted plant: nobody
        self.fenced = False
        self.start()

    def start(self) -> None:
        """Start anew from the journal."""
        position = Position()
        for header, _ in self.journal:
            position.advance(header, SCHEMA.by_id[header.schema_id].name)
        self.waiting = WaitingAcks(position) if self.mirrored else None
        self.sequencer = Sequencer(
            SCHEMA, position, "it is fenced" if self.fenced else "", self.sessions, waiting=self.waiting
        )

    def turn(self, peer: bytes, said: list[list[bytes]], written: bool) -> list[tuple[bytes, bytes, bytes]]:
        """Take what one publisher says; return what is answered, (peer, verb, body)."""
        sequencer = self.sequencer
        sequencer.begin()
        for message in said:
            sequencer.message([peer, *message], NOW)
        turn = sequencer.turn
        if not written:
            sequencer.undo()
            return []
        for chunk in turn.chunks:
            self.journal += [(header, bytes(chunk)) for header, _ in records(chunk)]
        answers = [(peer, verb, bytes(body)) for peer, verb, body in turn.answers]
        seq = sequencer.position.seq
        rows = {s.source_id: sequencer.position.sources.get(s.source_id, 0) for s in turn.acks.values()}
        acks = self.waiting.written(seq, rows) if self.waiting else {source: (row, seq) for source, row in rows.items()}
        for source in turn.acks.values():
            verb = messages.ack if source.source_id in acks else messages.held
            answers.append((source.peer, *verb(rows[source.source_id], seq)))
        return answers

    def told(self, seq: int) -> list[tuple[bytes, bytes, bytes]]:
        """Take the mirror's word."""
        acks = self.waiting.told(seq) if self.waiting and not self.fenced else {}
        peers = ((self.sequencer.peer_of(source_id), ack) for source_id, ack in acks.items())
        return [(peer, *messages.ack(*ack)) for peer, ack in peers if peer is not None]

    def ids(self) -> list[int]:
        """Return the rows that are in the journal."""
        return [
            int(i) for h, r in self.journal for i in decode(TRADES, h, r[HEADER_BYTES:]).columns["trade_id"].tolist()
        ]


class Feed:
    """A publisher without its socket; `made` are its rows, `acknowledged` those that a plant took over."""

    def __init__(self, session: int) -> None:
        self.outbox = Outbox(session)
        self.made: list[int] = []
        self.acknowledged: set[int] = set()
        self.taken = self.welcomed = False  # taken: it was told that another one has its name
        self.peer, self.plant = b"", -1

    def publish(self, record: bytearray, ids: list[int]) -> None:
        self.made += ids
        self.outbox.add(record, len(ids))

    def hello(self) -> list[bytes]:
        return messages.hello("feed", self.outbox.session)

    def unsent(self, most: int) -> Iterator[list[bytes]]:
        """Yield messages with the next records."""
        while most and self.welcomed and (record := self.outbox.next_unsent()) is not None:
            yield [b"upd", bytes(record)]
            self.outbox.sent()
            most -= 1

    def hear(self, verb: bytes, body: bytes) -> None:
        if verb == b"welcome":
            self.welcome(messages.welcome_of(body))
        elif verb == b"ack" and self.welcomed:
            self.outbox.ack(*messages.ack_of(body))
        elif verb == b"held" and self.welcomed:
            self.outbox.hold(messages.ack_of(body)[0])
        elif verb == b"error":
            self.welcomed = False
            self.taken |= msgpack.unpackb(body)["error"] == "SourceTaken"
        elif verb in (b"hello?", b"again"):
            self.welcomed = False
        self.acknowledged |= set(self.made) - set(self.kept())

    def welcome(self, known: messages.Welcome) -> None:
        if self.welcomed_here(known):
            self.outbox.welcome(known.source_seq, known.held, known.sessions)
            self.welcomed = True

    def welcomed_here(self, known: messages.Welcome) -> bool:
        return not known.unsure or self.outbox.fits(known.held, known.sessions)

    def kept(self) -> list[int]:
        """Return the rows that it still has."""
        return self.made[len(self.made) - sum(rows_of(entry.record) for entry in self.outbox.entries) :]


class SpoolFeed(Feed):
    """A process with a spool, all of whose rows go through it; `before` is the process that had it before."""

    def __init__(self, session: int, spool: Spool, before: "SpoolFeed | None") -> None:
        super().__init__(session)
        self.spool = spool
        if before is not None:
            self.made, self.acknowledged = before.made, before.acknowledged

    def publish(self, record: bytearray, ids: list[int]) -> None:
        self.made += ids
        assert self.spool.append(record, len(ids))

    def unsent(self, most: int) -> Iterator[list[bytes]]:
        while self.welcomed and (found := self.spool.read()) is not None:
            self.outbox.add(*found)
        yield from super().unsent(most)

    def welcome(self, known: messages.Welcome) -> None:
        if not known.unsure or self.spool.fits(known.held, known.sessions):
            self.spool.welcome(known.held, known.source_seq, known.sessions, self.outbox.session)
            self.outbox = Outbox(self.spool.session)
            self.outbox.welcome(known.held)
            self.welcomed = True

    def hear(self, verb: bytes, body: bytes) -> None:
        super().hear(verb, body)
        if verb == b"ack" and self.welcomed:
            self.spool.acknowledged(messages.ack_of(body)[0])
            self.acknowledged |= set(self.made) - set(self.kept())

    def kept(self) -> list[int]:
        return self.made[len(self.made) - self.spool.rows :]


def rows_of(record: bytes | bytearray) -> int:
    return sum(header.rows for header, _ in records(record))


class Promotions(RuleBasedStateMachine):
    """Plants one behind the other, and publishers that reach any of them at any time."""

    mirrored = True

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.plants = [Plant([], self.mirrored)]
        self.stream: Journal = []
        self.ids = self.peers = self.sessions = 0
        self.spooled = SpoolFeed(self.session(), Spool(self.folder / "spool", 10**9), None)
        self.feeds: list[Feed] = [self.spooled, Feed(self.session())]

    def session(self) -> int:
        self.sessions += 1
        return NOW + self.sessions * 10**6

    def one(self, which: int) -> Feed:
        """Return a publisher that was not told that another one has its name; one starts if there is none."""
        there = [feed for feed in self.feeds if not feed.taken]
        if not there:
            self.another_publisher_starts()
            return self.feeds[-1]
        return there[which % len(there)]

    def publish(self, feed: Feed, rows: list[int]) -> None:
        for count in rows:
            ids = list(range(self.ids + 1, self.ids + count + 1))
            self.ids += count
            feed.publish(encode(TRADES, columns_from(TRADES, trades(ids[0], count)), FEED, 0), ids)

    @rule(which=st.integers(0, 2), plant=st.integers(0, 2), rows=ROWS, most=st.integers(0, 3), heard=st.booleans())
    def reaches(self, which: int, plant: int, rows: list[int], most: int, heard: bool) -> None:
        """A publisher says hello to a plant, 0 is the newest, and goes on as far as it gets."""
        feed = self.one(which)
        self.publish(feed, rows)
        self.reach(feed, plant, most, heard)

    def reach(self, feed: Feed, plant: int, most: int, heard: bool) -> None:
        self.peers += 1
        feed.peer, feed.welcomed = b"%d" % self.peers, False
        feed.plant = max(len(self.plants) - 1 - plant, 0)
        self.say(feed, [feed.hello()], True, True)
        self.say(feed, list(feed.unsent(most)), heard, True)

    @rule(which=st.integers(0, 2), rows=ROWS, most=st.integers(1, 3), heard=st.booleans(), written=st.booleans())
    def goes_on(self, which: int, rows: list[int], most: int, heard: bool, written: bool) -> None:
        """A publisher sends more where it is; what it is told may be lost, and the turn may not be written."""
        feed = self.one(which)
        self.publish(feed, rows)
        if feed.plant >= 0:
            self.say(feed, list(feed.unsent(most)), heard, written)
            if not (heard and written):
                self.say(feed, [feed.hello()], True, True)

    def say(self, feed: Feed, said: list[list[bytes]], heard: bool, written: bool) -> None:
        if feed.taken or not said:
            return
        answers = self.plants[feed.plant].turn(feed.peer, said, written)
        self.hear([answer for answer in answers if heard or answer[0] != feed.peer])

    def hear(self, answers: list[tuple[bytes, bytes, bytes]]) -> None:
        for peer, verb, body in answers:
            for feed in self.feeds:
                if feed.peer == peer:
                    feed.hear(verb, body)

    @rule(batches=st.integers(1, 4), told=st.booleans())
    def mirror(self, batches: int, told: bool) -> None:
        newest = self.plants[-1]
        self.stream = newest.journal[: len(self.stream) + batches]
        if told:
            self.hear(newest.told(len(self.stream)))

    @precondition(lambda self: len(self.plants) < 4)
    @rule()
    def promote(self) -> None:
        self.plants.append(Plant(self.stream, self.mirrored))

    @rule(plant=st.integers(0, 2))
    def restart(self, plant: int) -> None:
        self.plants[max(len(self.plants) - 1 - plant, 0)].start()

    @precondition(lambda self: len(self.plants) > 1)
    @rule(plant=st.integers(0, 2))
    def fence(self, plant: int) -> None:
        """The mirror of an old plant has looked."""
        old = self.plants[plant % (len(self.plants) - 1)]
        old.fenced = True
        self.hear([(peer, verb, body) for peer, verb, body in old.sequencer.fence("it is fenced")])

    @precondition(lambda self: sum(not feed.taken for feed in self.feeds) < 3)
    @rule()
    def another_publisher_starts(self) -> None:
        """The one before may still be there."""
        self.feeds.append(Feed(self.session()))

    @precondition(lambda self: self.sessions < 10)
    @rule()
    def spooling_process_is_killed(self) -> None:
        """The next one goes on with its spool."""
        before = self.spooled
        before.spool.close()
        spool = Spool(self.folder / "spool", 10**9)
        if not spool:
            spool.begin(None)
        self.spooled = SpoolFeed(self.session(), spool, before)
        self.feeds = [self.spooled if feed is before else feed for feed in self.feeds]

    @invariant()
    def no_plant_has_a_row_twice(self) -> None:
        for plant in self.plants:
            ids = plant.ids()
            assert len(ids) == len(set(ids))

    @invariant()
    def what_is_acknowledged_is_in_the_stream(self) -> None:
        if self.mirrored:
            there = set(self.plants[-1].ids())
            assert all(feed.acknowledged <= there for feed in self.feeds)

    def settle(self) -> None:
        for plant in self.plants[:-1]:
            plant.fenced = True
            plant.start()
        if self.spooled.taken:
            self.spooling_process_is_killed()
        for _ in range(4):
            for feed in self.feeds:
                self.reach(feed, 0, 100, True)
                self.mirror(100, True)

    def teardown(self) -> None:
        self.settle()
        kept = self.plants[-1].ids()
        places = {row: place for place, row in enumerate(kept)}
        for feed in self.feeds:
            there = [row for row in feed.made if row in places]
            assert there == sorted(there, key=lambda row: places[row])
            lost = set(feed.made) - set(there)
            if self.mirrored:
                assert not lost & feed.acknowledged, "acknowledged, and not there"
            assert feed.taken or not lost - feed.acknowledged, f"{sorted(lost)} are lost, and nobody was told"
            assert not set(feed.kept()) or feed.taken
        self.spooled.spool.close()
        shutil.rmtree(self.folder)


class PromotionsOfJournaled(Promotions):
    """The same for plants that acknowledge what is in their own journal: what burns with it was acknowledged."""

    mirrored = False
