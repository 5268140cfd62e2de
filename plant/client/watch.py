"""A table watched: its present rows, then what comes, with no row missing between them and none twice."""

import threading
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plant.errors import Unavailable
from plant.query import questions
from plant.query.frames import as_frame, check_frames
from plant.query.view import condition
from plant.rows.arrow import columns_from_arrow
from plant.rows.batch import Batch, arrow_of
from plant.rows.schema import Table
from plant.stream.narrowing import conflated
from plant.stream.subscriber import Subscriber

ABSENT_S = 10.0
"""Without a beat of the tickerplant for this long at the start, it counts as absent."""

LOOK_S = 0.1
"""Pause between looks whether the watch was closed."""


class Watch:
    """Frames of a table; `Connection.watch` makes it and says what the terms mean. Use from one thread.

    table        its declaration
    subscriber   to that table, from behind the seq up to which whoever gave `present` held everything, or from before
    present      the rows of the first frame, with `seq`; what the subscriber gives of them again is passed over
    columns      those of a frame; `where`: what its rows meet

    >>> watch = db.watch("trades", "MSFT", columns=["price", "seq"], last=1)
    >>> next(watch)["price"].tolist()
    [410.25]
    >>> watch.close()
    """

    def __init__(
        self,
        table: Table,
        subscriber: Subscriber,
        present: pa.Table,
        columns: tuple[str, ...],
        where: questions.Where,
        interval_s: float,
        conflate: bool,
        frames: str,
    ) -> None:
        check_frames(frames)
        self._frames, self._where, self._interval_s, self._conflate = frames, where, interval_s, conflate
        self._closed = False
        self._lock = threading.Lock()
        self._table, self._columns = table, columns
        self._seen: int = pc.max(present.column("seq")).as_py() or 0
        self._present: pa.Table | None = present.select(list(columns))
        self._subscriber = subscriber
        self._absent_at: float | None = time.monotonic() + ABSENT_S

    def __iter__(self) -> "Watch":
        return self

    def __next__(self) -> Any:
        """Return the next frame, however long it takes; StopIteration after close()."""
        with self._lock:
            try:
                return as_frame(self._next(), self._frames)
            finally:
                if self._closed:
                    self._subscriber.close()

    def close(self) -> None:
        """Disconnect; the iteration ends, also one that waits in another thread."""
        self._closed = True
        if self._lock.acquire(blocking=False):  # else who holds it sees that we are closed
            self._subscriber.close()
            self._lock.release()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Watch {self._table.name}{' closed' if self._closed else ''}>"

    def _next(self) -> pa.Table:
        if self._closed:
            raise StopIteration
        if self._present is not None:
            found, self._present = self._present, None
            return found
        batches: list[Batch] = []
        until: float | None = None
        while not self._closed:
            batches += [b for b in self._subscriber.poll(LOOK_S) if b.seq > self._seen]
            now = time.monotonic()
            if batches and until is None:
                until = now + self._interval_s
            if until is not None and now >= until:
                found = self._frame_of(conflated(batches) if self._conflate else batches)
                if found.num_rows:
                    return found
                batches, until = [], None
            if self._subscriber.connected:
                self._absent_at = None
            if self._absent_at is not None and now > self._absent_at:
                raise Unavailable(f"no tickerplant at {self._subscriber.publish_address} within {ABSENT_S:g} s")
        raise StopIteration

    def _frame_of(self, batches: list[Batch]) -> pa.Table:
        """Return the rows that meet the conditions, with the columns asked for."""
        return pa.concat_tables([self._kept(b) for b in batches]).unify_dictionaries()

    def _kept(self, batch: Batch) -> pa.Table:
        rows = arrow_of([batch])
        if self._where:
            names = tuple(dict.fromkeys(name for name, _, _ in self._where))
            columns = columns_from_arrow(rows, self._table, names)
            met = np.ones(len(batch), dtype=bool)
            for name, operator, value in self._where:
                met &= condition(self._table, name, operator, value)(columns[name])
            rows = rows.filter(pa.array(met))
        return rows.select(list(self._columns))
