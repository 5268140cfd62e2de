"""The seam between history and today: one number, so that no row is asked for twice, and none is left out.

A question to both is asked of history as of a seq, and of memory beyond it. That is right for every seq up to which
history holds everything, from that on up to which memory has let go. The end of the last closed day is the best: what
came since is in memory, and history answers from the files of whole days. Where memory has let go of more, it is
`through`, the last row that history holds.

Every answer says how things stand, in its schema metadata: those of history `through` and `closed`, those of memory
`released`. If the seam that was chosen turns out wrong, because a day closed or memory was let go meanwhile, the
question is asked again from the start.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from plant.errors import HistoryError, PlantError, QueryLimit, Unavailable
from plant.query import questions

ATTEMPTS = 8
"""How often a question is asked anew before it is given up."""

LEARN_S = 2.0
"""Longest history may take to say how far it goes."""

AWAY_S = 15.0
"""A history that did not answer is not asked again for so long, if memory may answer alone."""

Ask = Callable[[Any, float | None], pa.Table]
"""Takes a question and a timeout_s, and returns the answer, its schema metadata saying how things stand.
"""


class Moved(Exception):
    """The seam is not where it was thought to be."""


class Sides:
    """History as of a seq and today beyond it, for one question; None: there is no history, today is everything."""

    def __init__(self, seam: "Seam", at: int | None, timeout_s: float | None) -> None:
        self._seam = seam
        self._timeout_s = timeout_s
        self.at = at
        self.seq: int | None = None  # up to which everything is in all that was asked of today

    def past(self, question: Any) -> pa.Table:
        """Return history's part of the answer."""
        return self._seam.ask_history(replace(question, as_of=self.at), self._timeout_s)

    def now(self, question: Any) -> pa.Table:
        """Return today's part of the answer. Raises Moved if memory has let go of rows that are not history's part."""
        answer, seq = self._seam.ask_today(replace(question, beyond=self.at or 0), self._timeout_s)
        if seq is not None:
            self.seq = seq if self.seq is None else min(seq, self.seq)
        if self._seam.released_by(question) > (self.at or 0) and not self._seam.missing:
            raise Moved
        return answer


class Seam:
    """Where history ends and today begins; any thread.

    complete   whether memory has taken all there is by now
    partial    while history fails, today answers alone, and `missing` says why
    listens    whether anybody may be there to answer for history; else it is not waited for, if memory may answer alone
    """

    def __init__(
        self,
        history: Ask,
        today: Ask,
        complete: Callable[[], bool] = lambda: True,
        partial: bool = False,
        listens: Callable[[], bool] = lambda: True,
    ) -> None:
        self.missing = ""
        self._partial = partial
        self._history = history
        self._today = today
        self._complete = complete
        self._listens = listens
        self._lock = threading.Lock()
        self._through: int | None = None
        self._closed = 0
        self._released: dict[tuple[str, ...], int] = {}
        self._away_until = 0.0

    def answer(
        self, tables: Iterable[str], of_both: Callable[[Sides], pa.Table], timeout_s: float | None = None
    ) -> pa.Table:
        """Return what `of_both` makes of the two sides of a question about `tables`.

        Raises Unavailable if history is needed and does not answer, HistoryError if it lacks rows that memory let go.
        """
        if not self._partial:
            return self._whole(tuple(tables), of_both, timeout_s)
        if not self.missing or time.monotonic() >= self._away_until:
            try:
                self.missing = ""
                return self._whole(tuple(tables), of_both, timeout_s)
            except (Unavailable, HistoryError, QueryLimit) as error:
                self.missing, self._away_until = str(error), time.monotonic() + AWAY_S
        try:
            return of_both(Sides(self, None, timeout_s))
        except PlantError:
            self.missing = ""  # it is not history, or not history alone
            raise

    def _whole(self, about: tuple[str, ...], of_both: Callable[[Sides], pa.Table], timeout_s: float | None) -> pa.Table:
        for _ in range(ATTEMPTS):
            at = self._choose(about)
            try:
                return of_both(Sides(self, at, timeout_s))
            except Moved:
                continue
            except HistoryError:
                before, self._through = self._through, None  # was the journal's tail lost, and history rolled back?
                self._learn(about)
                if at is None or before is None or self._through is None or self._through >= before:
                    raise
        raise HistoryError(
            f"memory has let go of rows of {', '.join(about)} up to seq {self._released.get(about, 0):,}, but history "
            f"holds them up to {self._through or 0:,} only; `plant status` tells how the hdb is"
        )

    def ask_history(self, question: Any, timeout_s: float | None = None) -> pa.Table:
        """Ask history, and note what its answer says."""
        answer = self._history(question, timeout_s)
        facts = answer.schema.metadata or {}
        with self._lock:
            self._through = int(facts.get(b"through", self._through or 0))
            self._closed = int(facts.get(b"closed", self._closed))
        return answer.replace_schema_metadata(None)

    def ask_today(self, question: Any, timeout_s: float | None = None) -> tuple[pa.Table, int | None]:
        """Ask memory, and note what its answer says; return it, and up to which seq everything is in it."""
        answer = self._today(question, timeout_s)
        self._released[tables_of(question)] = int((answer.schema.metadata or {}).get(b"released", 0))
        return answer.replace_schema_metadata(None), seq_of(answer)

    def released_by(self, question: Any) -> int:
        """Return up to which seq memory had let go of the tables of a question, when it was last asked about them."""
        return self._released.get(tables_of(question), 0)

    def _choose(self, about: tuple[str, ...]) -> int | None:
        """Return the seam for a question about some tables; None if there is no history, and none is needed."""
        if time.monotonic() < self._away_until and not self._released_of(about):
            return None
        released = max([self._released.get((name,), 0) for name in about] + [self._released.get(about, 0)])
        if self._through is None or released > self._through:
            if not (released or self._listens() or self._released_of(about)) and self._complete():
                self._away_until = time.monotonic() + AWAY_S
                return None
            try:
                self._learn(about)
            except Unavailable as error:
                if released := self._released_of(about):
                    raise Unavailable(
                        f"{error}; the rdb has what came after seq {released:,} only: rdb.connect() asks it alone"
                    ) from None
                if not self._complete():
                    raise
                self._away_until = time.monotonic() + AWAY_S
                return None
        return self._closed if released <= self._closed else self._through

    def _learn(self, about: tuple[str, ...]) -> None:
        """Ask history how far it goes; its answer says so."""
        small = questions.Select(about[0], columns=("time",), last=0) if about else questions.Tables(as_of=0)
        self.ask_history(small, LEARN_S)

    def _released_of(self, about: tuple[str, ...]) -> int:
        """Return up to which seq memory has let go of any of these tables, asking it."""
        for name in about:
            self.ask_today(questions.Select(name, columns=("time",), last=0))
        if not about:
            self.ask_today(questions.Tables())
        return max([self._released.get((name,), 0) for name in about] + [self._released.get(about, 0)])


def seq_of(answer: pa.Table) -> int | None:
    """Return up to which seq everything is in an answer, None if it does not say so."""
    told = (answer.schema.metadata or {}).get(b"seq")
    return None if told is None else int(told)


def tables_of(question: Any) -> tuple[str, ...]:
    """Return the names of the tables a question is about; none for one that may be about all."""
    return tuple(getattr(question, name) for name in ("table", "left", "right") if hasattr(question, name))
