"""Rows on their way to clients: encoded once, however many clients get them."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Piece:
    """Rows of one update that a subscription wants; shared by all that want the same.

    seq     everything up to it that the subscription wants is in the piece, or was in one before
    rows    each a JSON object, in the order of the journal
    seqs    the journal sequence number of each, never falling
    keys    of each, where a later row stands for an earlier one with its key; empty: each row counts
    orders  of each, where the later row is the one with the greater of these instead; empty: the one that came later
    whole   no row stands for an earlier one that the subscription wants, too
    """

    seq: int
    rows: tuple[str, ...]
    seqs: tuple[int, ...]
    keys: tuple[Hashable, ...] = ()
    orders: tuple[int, ...] = ()
    whole: bool = True

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def text(self) -> str:
        """The rows as the inside of a JSON list."""
        return ",".join(self.rows)

    def beyond(self, seq: int) -> "Piece":
        """Return the rows whose number is greater than `seq`."""
        if not self.seqs or self.seqs[0] > seq:
            return self
        return self.chosen(i for i, found in enumerate(self.seqs) if found > seq)

    def chosen(self, places: Iterable[int]) -> "Piece":
        """Return the rows at some places, in their order."""
        at = tuple(places)
        if len(at) == len(self.rows):
            return self
        rows, seqs = tuple(self.rows[i] for i in at), tuple(self.seqs[i] for i in at)
        keys = tuple(self.keys[i] for i in at) if self.keys else ()
        orders = tuple(self.orders[i] for i in at) if self.orders else ()
        return Piece(self.seq, rows, seqs, keys, orders, self.whole)


class Pool:
    """The newest row of each key of some pieces of one subscription, added one by one in the order of the journal."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._newest: dict[Hashable, tuple[int, int, int, str]] = {}  # order, seq, count, row
        self._seq = self._count = 0
        self._ordered = False
        for piece in pieces:
            self.add(piece)

    def __len__(self) -> int:
        return len(self._newest)

    def add(self, piece: Piece) -> None:
        """Let the rows of a piece stand for earlier ones with their keys."""
        newest, self._seq = self._newest, max(self._seq, piece.seq)
        self._ordered = self._ordered or bool(piece.orders)
        orders = piece.orders or (0,) * len(piece)
        for key, order, seq, row in zip(piece.keys, orders, piece.seqs, piece.rows, strict=True):
            self._count += 1
            if key not in newest or order >= newest[key][0]:
                newest[key] = (order, seq, self._count, row)

    def piece(self) -> Piece:
        """Return the rows as one piece, in the order of the journal, so that an update is behind all that it has."""
        kept = sorted(self._newest.items(), key=lambda item: item[1][2])
        rows, seqs = tuple(found[3] for _, found in kept), tuple(found[1] for _, found in kept)
        orders = tuple(found[0] for _, found in kept) if self._ordered else ()
        return Piece(self._seq, rows, seqs, tuple(key for key, _ in kept), orders, False)
