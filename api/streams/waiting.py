"""What waits for one client: messages in their turn, and rows of its subscriptions, counted."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from api.streams.pieces import Piece, Pool


class Message(NamedTuple):
    """What is sent: JSON text, and the seq by which a stream of one subscription is resumed; None: it is not one."""

    text: str
    seq: int | None = None


@dataclass(eq=False)
class Item:
    """One thing that waits: rows of a subscription, a message (of a subscription: its snapshot), or a mark."""

    of: "Rows | None" = None
    rows: Piece | Pool | None = None
    message: Message | None = None
    mark: tuple[int, int] | None = None


@dataclass(eq=False)
class Rows:
    """Rows of one subscription that wait.

    queued  those whose turn is certain, by what they stand in
    held    those that come after rows that are still to be read; `held_to`: the seq of the last of them
    """

    queued: deque[Item] = field(default_factory=deque)
    queued_count: int = 0
    held: list[Piece | Pool] = field(default_factory=list)
    held_count: int = 0
    held_to: int = 0

    def first_seq(self) -> int | None:
        """Return the number of the first row that is queued, None: none is; 0: it stands for others, before it."""
        if not self.queued:
            return None
        first = self.queued[0].rows
        return first.seqs[0] if isinstance(first, Piece) and first.whole else 0


class Waiting:
    """The queue of one client; `count` is the number of rows in it, those held among them."""

    def __init__(self) -> None:
        self._queue: deque[Item] = deque()  # with what was dropped since, until its turn comes
        self._marked: Item | None = None
        self.count = 0

    def __len__(self) -> int:
        return len(self._queue)

    def say(self, message: Message, of: Rows | None = None) -> None:
        """Put in a message, in its turn."""
        self._queue.append(Item(of, message=message))

    def mark(self, seq: int, synced: int) -> None:
        """Put in a mark, in place of one that still waits."""
        if self._marked is not None:
            self._marked.mark = None
        self._marked = Item(mark=(seq, synced))
        self._queue.append(self._marked)

    def queue(self, rows: Rows, piece: Piece) -> None:
        """Put in rows, in their turn; or among those of their keys, if these are conflated."""
        last = rows.queued[-1].rows if rows.queued else None
        before = len(last) if isinstance(last, Pool) else 0
        if isinstance(last, Pool):
            last.add(piece)
        else:
            last = piece
            self._queue.append(Item(rows, piece))
            rows.queued.append(self._queue[-1])
        rows.queued_count += len(last) - before
        self.count += len(last) - before

    def hold(self, rows: Rows, piece: Piece) -> None:
        """Keep rows that come after others that are still to be read."""
        last = rows.held[-1] if rows.held else None
        before = len(last) if isinstance(last, Pool) else 0
        if isinstance(last, Pool):
            last.add(piece)
        else:
            last = piece
            rows.held.append(piece)
        rows.held_to = piece.seq
        rows.held_count += len(last) - before
        self.count += len(last) - before

    def release(self, rows: Rows) -> list[Piece]:
        """Hold nothing any more; return what was held."""
        held = [_piece(piece) for piece in rows.held]
        self.count -= rows.held_count
        rows.held, rows.held_count = [], 0
        return held

    def drop(self, rows: Rows) -> None:
        """Forget the rows that are queued."""
        for item in rows.queued:
            item.of = item.rows = None
        self.count -= rows.queued_count
        rows.queued_count = 0
        rows.queued.clear()

    def forget(self, rows: Rows) -> None:
        """Forget all that waits of a subscription, its snapshot, too."""
        self.drop(rows)
        self.release(rows)
        for item in self._queue:
            if item.of is rows:
                item.of = item.message = None

    def conflate(self, rows: Rows) -> None:
        """Let the newest row of each key stand for those that wait, and of those that come until the client takes."""
        if rows.queued and not isinstance(rows.queued[-1].rows, Pool):
            pool = Pool(item.rows for item in rows.queued if isinstance(item.rows, Piece))
            self.drop(rows)
            self._queue.append(Item(rows, pool))
            rows.queued.append(self._queue[-1])
            rows.queued_count = len(pool)
            self.count += len(pool)
        if rows.held and not isinstance(rows.held[-1], Pool):
            pool = Pool(self.release(rows))
            rows.held, rows.held_count = [pool], len(pool)
            self.count += len(pool)

    def take(self) -> tuple[Item, Piece | None] | None:
        """Return what is next, with its rows if it has any; None if nothing waits."""
        while self._queue:
            item = self._queue.popleft()
            if item is self._marked:
                self._marked = None
            if item.message is not None or item.mark is not None:
                return item, None
            if item.of is not None and item.rows is not None:
                item.of.queued.popleft()
                item.of.queued_count -= len(item.rows)
                self.count -= len(item.rows)
                return item, _piece(item.rows)
        return None


def _piece(rows: Any) -> Piece:
    piece: Piece = rows.piece() if isinstance(rows, Pool) else rows
    return piece
