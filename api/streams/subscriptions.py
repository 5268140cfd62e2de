"""What one client is sent, and when: a state machine without sockets and clocks.

A subscription is in one of three states. In "snapshot" it waits for an answer to a question, in "replay" for rows of
the journal, and holds meanwhile what comes live; in "live" it queues that. Whatever is to be read is told by `needs`,
one thing at a time for each subscription, and handed in with the token of the need; a token that is not the present one
is of a question that is not wanted any more.

At most `queue_rows` rows wait for a client, those held among them. Beyond that, rows with keys are conflated (the
newest of each key stays), and if that does not do, the subscriptions with most rows are let go of: they are told
`lagged`, and read the journal from where they are, as fast as the client takes it. What one client does not take costs
no other anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from api.streams import sentences
from api.streams.pieces import Piece
from api.streams.waiting import Message, Rows, Waiting

SNAPSHOT, REPLAY, LIVE = "snapshot", "replay", "live"

SNAPSHOTS = 4
"""So many snapshots of a client are in memory at once: the others are asked for once these were taken."""


class Need(NamedTuple):
    """What is to be read: `kind` is "snapshot", or "replay" of the journal from behind `after`.

    token    to be handed in with what was read
    wanted   what `open` was given
    resumed  the replay is that of a client that came back
    """

    token: int
    sub: int
    wanted: Any
    kind: str
    after: int = 0
    resumed: bool = False


@dataclass(eq=False)
class _Sub:
    number: int
    wanted: Any
    state: str
    at: int  # rows up to it are queued, or the client has them
    known: int  # rows up to it were sent, or are in a message that is never dropped
    held_from: int  # rows beyond it are held
    token: int
    resumed: bool = False
    lagging: bool = False
    begun: bool = False  # the client was sent a snapshot, or had one
    reading: bool = False
    rows: Rows = field(default_factory=Rows)
    newest: dict[Any, tuple[int, int]] = field(default_factory=dict)  # order and seq of rows that were sent
    newest_seq: int = 0


class Subscriptions:
    """The subscriptions of one client.

    queue_rows  most rows that wait for the client

    What is given to `open` as `wanted` has `conflates` (its rows have keys), `by_time` (of rows with one key the one
    with the greater order counts, not the later), and `cues` (each row is a message of its own).
    """

    def __init__(self, queue_rows: int = 20_000) -> None:
        self._queue_rows = queue_rows
        self._subs: dict[int, _Sub] = {}
        self._waiting = Waiting()
        self._numbers = self._tokens = 0

    def __len__(self) -> int:
        return len(self._subs)

    def __contains__(self, number: int) -> bool:
        return number in self._subs

    @property
    def waiting(self) -> int:
        """How many rows wait for the client."""
        return self._waiting.count

    @property
    def messages(self) -> int:
        """How many messages wait for the client, at most."""
        return len(self._waiting)

    @property
    def next_number(self) -> int:
        """The number of the subscription that is opened next."""
        return self._numbers + 1

    def open(self, wanted: Any, cursor: int, after: int | None = None, told: str = "") -> int:
        """Begin a subscription; return its number.

        cursor  rows of it beyond this seq come by `live`
        after   rows that the client has, proved to be of this journal; None: it gets a snapshot
        told    the beginning of the answer, as api.streams.sentences.answer makes it
        """
        self._numbers += 1
        state = SNAPSHOT if after is None else LIVE if after >= cursor else REPLAY
        start = after or 0
        sub = _Sub(self._numbers, wanted, state, start, start, cursor, self._token())
        sub.begun, sub.resumed = after is not None, state == REPLAY
        self._subs[sub.number] = sub
        self.say(sentences.subscribed(told, sub.number))
        return sub.number

    def close(self, number: int) -> Any:
        """End a subscription; return what it wanted, None if there is none of this number."""
        sub = self._subs.pop(number, None)
        if sub is None:
            return None
        self._waiting.forget(sub.rows)
        return sub.wanted

    def say(self, text: str) -> None:
        """Send a message that is of no subscription, in its turn."""
        self._waiting.say(Message(text))

    def mark(self, seq: int, synced: int) -> None:
        """Have the client told how far it is: the plant is at `seq`, and all up to it came by `live`."""
        self._waiting.mark(seq, synced)

    def live(self, number: int, piece: Piece) -> None:
        """Take rows that have just come."""
        sub = self._subs[number]
        if sub.state == LIVE:
            self._queue(sub, piece)
        elif piece.seq > sub.held_from:
            self._waiting.hold(sub.rows, piece)
        self._relieve()

    def needs(self) -> list[Need]:
        """Return what is to be read now; each is told once, until it is answered, or given up by `retry`."""
        found = []
        room = sum(sub.rows.queued_count for sub in self._subs.values()) <= self._queue_rows // 2
        snapshots = sum(not s.begun and (s.reading or s.state != SNAPSHOT) for s in self._subs.values())
        for sub in self._subs.values():
            if sub.state == LIVE or sub.reading or (sub.state == REPLAY and sub.at >= sub.held_from):
                continue
            if snapshots >= SNAPSHOTS if sub.state == SNAPSHOT else sub.rows.queued or not room:
                continue
            sub.reading = True
            snapshots += sub.state == SNAPSHOT
            found.append(Need(sub.token, sub.number, sub.wanted, sub.state, sub.at, sub.resumed))
        return found

    def snapshot(self, token: int, seq: int, piece: Piece) -> None:
        """Take the answer to a need: all rows up to `seq` that it wants, and perhaps newer ones if they have keys."""
        sub = self._of(token, SNAPSHOT)
        if sub is None:
            return
        self._waiting.say(Message(sentences.snapshot(sub.number, seq, piece.text), seq), sub.rows)
        sub.known = sub.at = seq
        if sub.wanted.conflates:
            orders = piece.orders or (0,) * len(piece)
            every = zip(piece.keys, orders, piece.seqs, strict=True)
            sub.newest = {key: (order, at) for key, order, at in every if sub.wanted.by_time or at > seq}
            sub.newest_seq = max(piece.seqs, default=0)
        self._go_on(sub)

    def replayed(self, token: int, pieces: Iterable[Piece], reached: int) -> None:
        """Take rows of the journal behind the `after` of a need, complete up to `reached`."""
        sub = self._of(token, REPLAY)
        if sub is None:
            return
        for piece in pieces:
            self._queue(sub, piece)
        sub.at = max(sub.at, reached)
        self._go_on(sub)
        self._relieve()

    def retry(self, token: int) -> None:
        """Have a need told again: it could not be answered now."""
        for sub in self._subs.values():
            if sub.token == token:
                sub.reading = False

    def fail(self, token: int, code: str, detail: str) -> Any:
        """End the subscription of a need that cannot be answered, and say so; return its number, None: no such."""
        for sub in self._subs.values():
            if sub.token == token:
                self.close(sub.number)
                self.say(sentences.error(None, code, detail, sub.number))
                return sub.number
        return None

    def start_over(self, token: int, cursor: int) -> None:
        """Give a snapshot to the subscription of a need, in place of what cannot be read."""
        for sub in self._subs.values():
            if sub.token == token:
                self.begin_anew(sub.number, cursor)

    def begin_anew(self, number: int, cursor: int) -> None:
        """Give a snapshot to a subscription in place of what was to come; rows beyond `cursor` come by `live`."""
        sub = self._subs[number]
        self._waiting.forget(sub.rows)
        sub.state, sub.at, sub.known, sub.held_from = SNAPSHOT, 0, 0, cursor
        sub.begun = sub.resumed = sub.lagging = sub.reading = False
        sub.newest, sub.newest_seq = {}, 0
        sub.token = self._token()

    def take(self) -> tuple[Message, ...]:
        """Return what is to be sent next, nothing if nothing waits."""
        while found := self._waiting.take():
            item, piece = found
            sub = self._with(item.of)
            if item.mark is not None:
                if (seq := self._complete(item.mark[0])) is not None:
                    return (Message(sentences.mark(seq, item.mark[1]), seq),)
            elif item.message is not None:
                if sub is not None:
                    sub.begun = True
                return (item.message,)
            elif piece is not None and sub is not None:
                sub.known = max(sub.known, piece.seq)
                self._turn_live(sub)
                if (sub.newest or sub.wanted.by_time) and not len(piece := _newer(sub, piece)):
                    continue
                if sub.wanted.cues:
                    cued = zip(piece.rows, piece.seqs, strict=True)
                    return tuple(Message(sentences.cue(sub.number, seq, row), seq) for row, seq in cued)
                return (Message(sentences.update(sub.number, piece.seq, piece.text), piece.seq),)
        return ()

    def _go_on(self, sub: _Sub) -> None:
        """Go on after an answer: live, if what is held begins where it ended, else with the journal.

        But not before the client has taken what was read: that is never dropped, or it might be read for ever.
        """
        sub.reading, sub.token, sub.state = False, self._token(), REPLAY
        self._turn_live(sub)

    def _turn_live(self, sub: _Sub) -> None:
        if sub.state != REPLAY or sub.reading or sub.at < sub.held_from or sub.rows.queued:
            return
        sub.state, sub.resumed, sub.lagging = LIVE, False, False
        for piece in self._waiting.release(sub.rows):
            self._queue(sub, piece)

    def _queue(self, sub: _Sub, piece: Piece) -> None:
        kept = piece.beyond(sub.at)
        sub.at = max(sub.at, piece.seq)
        if len(kept):
            self._waiting.queue(sub.rows, kept)

    def _complete(self, seq: int) -> int | None:
        """Return the seq up to which the client was sent all of all subscriptions, at most `seq`."""
        for sub in self._subs.values():
            if not sub.begun:
                return None  # it would hold nothing of this one, and believe that it had all
            first = sub.rows.first_seq()
            if first is not None:
                seq = min(seq, max(sub.known, first - 1))
            elif sub.state != LIVE:
                seq = min(seq, sub.at)
        return seq

    def _relieve(self) -> None:
        """Keep what waits within its bound."""
        if self.waiting <= self._queue_rows:
            return
        for sub in self._subs.values():
            if sub.wanted.conflates:
                self._waiting.conflate(sub.rows)
        while self.waiting > self._queue_rows:
            most = max(self._subs.values(), key=_to_spare)
            if not _to_spare(most):
                return  # the rest was read for it, bounded by what is read at once
            if most.state == LIVE:
                self._lag(most)
            else:
                most.held_from = most.rows.held_to
                self._waiting.release(most.rows)

    def _lag(self, sub: _Sub) -> None:
        self._waiting.drop(sub.rows)
        sub.held_from, sub.at, sub.state = sub.at, sub.known, REPLAY
        sub.token = self._token()
        if not sub.lagging:
            sub.lagging = True
            self.say(sentences.lagged(sub.number, sub.known))

    def _of(self, token: int, state: str) -> _Sub | None:
        return next((s for s in self._subs.values() if s.token == token and s.state == state), None)

    def _with(self, rows: Rows | None) -> _Sub | None:
        return None if rows is None else next((s for s in self._subs.values() if s.rows is rows), None)

    def _token(self) -> int:
        self._tokens += 1
        return self._tokens


def _to_spare(sub: _Sub) -> int:
    """Return how many rows that wait for a subscription could be read from the journal later."""
    return sub.rows.held_count + (sub.rows.queued_count if sub.state == LIVE else 0)


def _newer(sub: _Sub, piece: Piece) -> Piece:
    """Return the rows that are newer than those that were sent with their key."""
    newest, by_time, kept = sub.newest, sub.wanted.by_time, []
    orders = piece.orders or (0,) * len(piece)
    for i, (key, order, at) in enumerate(zip(piece.keys, orders, piece.seqs, strict=True)):
        if (order, at) > newest.get(key, (order, 0)):
            kept.append(i)
            if by_time:
                newest[key] = (order, at)
    if not by_time and piece.seq >= sub.newest_seq:
        sub.newest = {}
    return piece.chosen(kept)
