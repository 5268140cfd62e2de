"""Who numbered the rows of a source: each record says so by its session, in 48 bits of its envelope (docs/wire.md).

A session is one publisher's rows, counted 1, 2, 3, ... by it, under one base: its row k is row base + k of the source.
When a plant tells a publisher up to which row it has the source, it also tells whose rows those are. So the publisher
knows which of *its* rows the plant has, whoever else published under the name, and whatever other plants had of it:
what the plant does not have is numbered behind what it has, in a session of its own.

It is in the records themselves, so whatever has the records of a journal, a plant that follows or was promoted, or a
copy of the folder, has it too.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

UNIT_NS = 2**16
"""Sessions are in these units since 1970 UTC (66 us): so 48 bits last until the year 2554."""

REMEMBERED = 32
"""Of so many sessions of a source, the newest, the last row is known."""

Told = Sequence[tuple[int, int]]
"""Sessions of a source, in the order of their rows: (session, its last row). Empty: not known who numbered them."""


def session_of(made_ns: int) -> int:
    """Return the session that begins at a time, ns since 1970 UTC; 0, that is none, for a time that has no place."""
    session = made_ns // UNIT_NS
    return session if 0 < session < 2**48 else 0


class Numbered(NamedTuple):
    """Who numbered the rows of a source: the session of its last one, and those that ended before, as in `Told`."""

    session: int
    ended: tuple[tuple[int, int], ...] = ()

    def told(self, last_row: int) -> Told:
        """Return all of them; `last_row` is the source's."""
        return (*self.ended, (self.session, last_row))


def followed(known: Numbered | None, session: int, last_row: int) -> Numbered:
    """Return who numbered rows once the next ones are of another session; `last_row` is the last one until then."""
    ended = [one for one in known.ended if one[0] != session] if known else []
    if last_row:
        ended.append((known.session if known else 0, last_row))
    return Numbered(session, tuple(ended[1 - REMEMBERED :]))


def packed_sessions(sessions: Mapping[int, Numbered]) -> dict[int, list[Any]]:
    """Return what is known of each source, by its id, as msgpack takes it."""
    return {source_id: [numbered.session, list(numbered.ended)] for source_id, numbered in sessions.items()}


def unpacked_sessions(packed: Mapping[int, Sequence[Any]]) -> dict[int, Numbered]:
    """Return what `packed_sessions` was given. Raises TypeError, ValueError for what is none."""
    return {
        source_id: Numbered(int(session), tuple((int(one), int(last)) for one, last in ended))
        for source_id, (session, ended) in packed.items()
    }


class Numbering:
    """Which numbers the rows of a publisher, or of a spool, have: `bases` by session, the last one is in force.

    A base is the number ahead of the first row as it is counted here; it may be less than 0, if rows ahead of those
    that are numbered now were lost by the plant. Session 0: it is not known in which they were numbered.
    """

    def __init__(self, bases: Mapping[int, int] | None = None) -> None:
        self.bases = dict(bases or {})

    @property
    def base(self) -> int | None:
        """The base in force, None before the first."""
        return next(reversed(self.bases.values()), None)

    @property
    def session(self) -> int:
        """The session in force, 0 before the first."""
        return next(reversed(self.bases), 0)

    def own(self, held: int, told: Told) -> int | None:
        """Return the last of our rows that a plant has, as counted here; None if it has none that we know of.

        held    the last row of the source that it has
        told    who numbered those; empty: a plant that does not know, so whatever lies behind our base passes for ours
        """
        if self.base is None:
            return None
        if not told:
            return held - self.base
        return next((last - self.bases[session] for session, last in reversed(told) if session in self.bases), None)

    def begin(self, base: int, made_ns: int, told: Told) -> int:
        """Number rows behind `base` from now on, in a session that has no other; return when that began, ns.

        made_ns   when the last one of this publisher began: it is gone on with if no rows were numbered in it
        told      whose rows the plant has
        """
        taken = {session for session, _ in told} | self.bases.keys()
        while (session := session_of(made_ns)) and session in taken:
            made_ns += UNIT_NS
        self.bases.pop(session, None)
        self.bases[session] = base
        for oldest in list(self.bases)[:-REMEMBERED]:
            del self.bases[oldest]
        return made_ns
