"""Rows of the journal behind a seq, for one subscription; at most one question of this service at a time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pyarrow as pa

from api.streams.pieces import Piece
from api.streams.shown.bars import Bar, Bars, Ended, never
from api.streams.shown.channels import BARS, CHARTS, Wanted
from api.streams.shown.updates import Update, cues_of, update_of
from plant.errors import PlantError
from plant.rows.batch import Batch
from plant.rows.evolution import as_declared
from plant.rows.schema import Schema, Table
from plant.transport.request import Requester
from plant.wire import messages
from plant.wire.decoding import Merge, Raw, raw, read_runs
from plant.wire.runs import Run

CHUNK_BYTES = 256 * 2**10
"""About so much is read at once: a client that takes slowly needs no more memory, and no other waits long."""

Lookup = Callable[[list[Bar]], Awaitable[list[pa.Table]]]
"""Takes bars whose rows are not known, and returns the rows of `bars`, Arrow tables."""


class NotProved(Exception):
    """The journal does not hold what is beyond a seq, or it is not known that it does."""


class Later(Exception):
    """It cannot be read just now."""


class Read(NamedTuple):
    """What was read: pieces, the seq they are complete up to, and how many records were gone through for it."""

    pieces: list[Piece]
    reached: int
    records: int


def tables_of(wanted: Wanted) -> tuple[str, ...]:
    """Return the tables whose rows a subscription is made of."""
    made = {BARS: ("bars", "bar_closes"), CHARTS: ("bars", "bar_closes", "annotations")}
    return made.get(wanted.stream, (wanted.table,))


class _Told:
    """Batches on their way to pieces, in the thread that reads: what is read at once costs milliseconds to encode."""

    def __init__(self, wanted: Wanted, after: int, batches: list[Batch], bars: Bars) -> None:
        self._wanted, self._after, self._batches, self._bars = wanted, after, deque(batches), bars
        self.pieces: list[Piece] = []

    def go_on(self, found: Sequence[pa.Table] | None = None) -> list[Bar]:
        """Make pieces of the batches up to one that closes bars whose rows are not known, and return those.

        `found` has the rows of what was returned before, as far as there are any; the batch is told with those.
        """
        asked = found is not None
        for rows in found or ():
            self._bars.know(rows)
        while self._batches:
            if self._wanted.stream == BARS and not asked and (missing := self._bars.missing(self._batches[0])):
                return missing
            asked = False
            update = self._update(self._batches.popleft())
            if update is not None and (piece := update.piece(self._wanted)) and len(piece := piece.beyond(self._after)):
                self.pieces.append(piece)
        return []

    def _update(self, batch: Batch) -> Update | None:
        if self._wanted.stream == CHARTS:
            return cues_of(batch)
        if self._wanted.stream == BARS:
            return self._bars.update(batch)
        return update_of(batch, self._wanted.stream, self._wanted.sym)


class Replays:
    """Reads the journal at `address` (the tickerplant's); `schema` has the tables as rows are told."""

    def __init__(self, address: str, schema: Schema, ended: Ended = never, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._schema, self._ended, self._chunk_bytes = schema, ended, chunk_bytes
        self._journal = Requester(address, "tickerplant", 2.0)
        self._thread = ThreadPoolExecutor(1, "replays")
        self._declared: tuple[int, list[Table]] = (0, [])

    def close(self) -> None:
        """Disconnect; what is read is given up."""
        self._journal.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def read(
        self, wanted: Wanted, after: int, epoch: int, closed: dict[tuple[str, str], int], lookup: Lookup
    ) -> Read:
        """Return what the journal of `epoch` has of a subscription behind `after`, as far as is read at once.

        Raises NotProved if it has lost records there, Later if it is of another epoch or does not answer.
        """
        loop = asyncio.get_running_loop()
        try:
            batches, reached = await loop.run_in_executor(self._thread, self._batches, wanted, after, epoch)
        except NotProved:
            raise
        except PlantError as error:
            raise Later(str(error)) from None
        told = _Told(wanted, after, batches, Bars(self._schema["bars"], self._ended, closed))
        missing = await loop.run_in_executor(self._thread, told.go_on)
        while missing:
            missing = await loop.run_in_executor(self._thread, told.go_on, await lookup(missing))
        return Read(told.pieces, reached, reached - after)

    def _batches(self, wanted: Wanted, after: int, epoch: int) -> tuple[list[Batch], int]:
        names = tables_of(wanted)
        every = {table.schema_id: table for table in self._tables(epoch) if table.name in names}
        head, chunk = self._journal.ask(**messages.ask_journal(after + 1, max_bytes=self._chunk_bytes))
        beat = messages.beat_of(head)
        if beat.epoch != epoch:
            raise Later("the tickerplant has just been started again")
        if beat.seq < after or beat.first_seq > after + 1:
            raise NotProved(f"the journal has seq {beat.first_seq} to {beat.seq}, not what follows {after}")
        found: list[Raw] = []
        expected = after + 1

        def take(table: Table | None, run: Run) -> bool:
            nonlocal expected
            if run.first.seq > expected:
                raise NotProved(f"the journal has lost {expected} to {run.first.seq - 1}")
            expected = run.last.seq + 1
            if table is not None:
                found.append(raw(table, run))
            return True

        read = read_runs(chunk, every, take)
        if expected == after + 1 and (read.wrong or beat.seq > after):
            raise NotProved(f"the journal cannot be read behind {after}: {read.wrong or 'it gave nothing'}")
        batches = Merge().batches(found)
        declared = [as_declared(b, self._schema[b.table]) for b in batches]
        return declared, max(expected - 1, after)

    def _tables(self, epoch: int) -> list[Table]:
        """Return how tables are and were declared, asked once for each tickerplant."""
        known, tables = self._declared
        if known != epoch or not tables:
            tables = [*messages.declarations_of(self._journal.ask(**messages.ask_schema(every=True))[0])]
            tables += messages.declarations_of(self._journal.ask(**messages.ask_schema())[0])
            self._declared = (epoch, tables)
        return tables
