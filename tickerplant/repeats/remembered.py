"""The trade ids of every source that promises them unique: read from the journal when it first says so.

The journal is the memory: whatever was killed, its rows tell which ids the plant has. A thread reads it, while capture
goes on; the source is welcomed once that is done, so that no row of its own comes meanwhile.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from plant.errors import JournalError, WireError
from plant.history.days import Days
from plant.journal.files import present_segment, segment_paths
from plant.journal.segment import Segment
from plant.rows.columns import Columns
from plant.rows.ordering import joined
from plant.rows.schema import Table
from plant.runtime.lifecycle import log
from plant.wire.decoding import Merge, Raw, raw, read_runs
from plant.wire.envelope import Header, envelopes
from plant.wire.runs import Run
from tickerplant.repeats.trade_ids import TradeIds

TRADES = "trades"
"""The table whose ids are compared."""

MOST_IDS = 10_000_000
"""Ids remembered of a source and day, if nobody says otherwise (setting trade_ids)."""

OF_A_TRADE = ("time", "sym", "price", "size", "source", "trade_id")
"""What is compared of a trade."""

CHUNK_BYTES = 4 * 2**20


class Remembered:
    """The ids of each source, by source id; `folder` is the journal's, None for a plant without one.

    most   ids of a source and day that are remembered
    """

    def __init__(self, folder: Path | None = None, days: Days | None = None, most: int = MOST_IDS) -> None:
        self._folder = folder
        self._days = days or Days()
        self._most = most
        self._known: dict[int, TradeIds] = {}
        self._wanted: set[int] = set()
        self._read: dict[int, threading.Thread] = {}

    def of(self, source_id: int) -> TradeIds | None:
        """Return the ids of a source, None if they must be read first: `read_wanted` does, and `ready` tells."""
        if self._folder is None and source_id not in self._known:
            self._known[source_id] = TradeIds(self._days, self._most)
        thread = self._read.get(source_id)
        if source_id not in self._known or (thread is not None and thread.is_alive()):
            if thread is None:
                self._wanted.add(source_id)
            return None
        self._read.pop(source_id, None)
        return self._known[source_id]

    def ready(self) -> list[int]:
        """Return the sources whose ids have been read and not been asked for since."""
        return [source_id for source_id, thread in self._read.items() if not thread.is_alive()]

    def forget(self, source_id: int) -> None:
        """Forget a source: it publishes without the promise, so that what is remembered will not be all there is."""
        self._known.pop(source_id, None)
        self._read.pop(source_id, None)
        self._wanted.discard(source_id)

    def read_wanted(self) -> None:
        """Begin to read what is wanted; every row of those sources must be in the journal's files by now."""
        while self._wanted:
            source_id = self._wanted.pop()
            ids = self._known[source_id] = TradeIds(self._days, self._most)
            reading = threading.Thread(target=self._fill, args=(source_id, ids), name="trade ids", daemon=True)
            self._read[source_id] = reading
            reading.start()

    def _fill(self, source_id: int, ids: TradeIds) -> None:
        assert self._folder is not None
        try:
            read_ids(self._folder, source_id, ids, self._days, self._most)
        except (JournalError, OSError) as error:
            log.error("trade ids: repeats of trades before this will not be noticed", reason=str(error))


def read_ids(folder: Path, source_id: int, ids: TradeIds, days: Days, most: int) -> None:
    """Have `ids` remember what the journal has of a source, the newest segments first, until it has two days or `most`.

    A segment's header tells how far each source was, so that one without rows of this source is not read.
    Raises JournalError and OSError.
    """
    found: list[dict[int, list[tuple[np.ndarray, np.ndarray]]]] = []
    count, behind, seen = 0, None, set[int]()
    for path in reversed(segment_paths(folder)):
        try:
            segment = present_segment(path)
        except FileNotFoundError:  # removed since (keep_days, keep_gb), and all before it
            break
        before = segment.header["sources"].get(source_id)
        if behind is None or before != behind:
            of_segment: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
            with contextlib.suppress(FileNotFoundError):  # removed while it was read
                for columns in _trades(segment, source_id):
                    for day, (_, keys, beside) in ids.keyed(columns).items():
                        of_segment.setdefault(day, []).append((keys, beside))
                        count += len(keys)
            found.append(of_segment)
            seen |= of_segment.keys()
        if before is None or count >= most or (seen and segment.header["created"] < _since(max(seen), days)):
            break
        behind = before
    for of_segment in reversed(found):
        for day in sorted(of_segment):
            keys = np.concatenate([keys for keys, _ in of_segment[day]])
            beside = np.concatenate([beside for _, beside in of_segment[day]])
            first = np.sort(np.unique(keys, return_index=True)[1])  # as they came: the oldest are forgotten first
            ids.remember(day, keys[first], beside[first])


def _since(day: int, days: Days) -> int:
    """Return when the day before a day began, ns since 1970: what was received earlier happened earlier."""
    begin, _ = days.bounds(np.datetime64(day, "D").item())
    before = days.day_of(np.array([begin - 1]))[0]
    return days.bounds(before.item())[0]


def _trades(segment: Segment, source_id: int) -> Iterator[Columns]:
    """Yield a source's trades in a segment, those of many records together: most of the time is for a start each."""
    tables = {schema_id: table for schema_id, table in segment.tables.items() if table.name == TRADES}
    merge, seq = Merge(unreadable=_pass_over), segment.first_seq
    while True:
        try:
            chunk = segment.read(seq, CHUNK_BYTES)
        except FileNotFoundError:  # compressed since it was opened
            segment = present_segment(segment.path)
            continue
        if not chunk:
            return
        found: list[Raw] = []

        def take(table: Table | None, run: Run, found: list[Raw] = found) -> bool:
            if table is not None and (mine := _of_source(run, source_id)) is not None:
                found.append(raw(table, mine))
            return True

        read = read_runs(chunk, tables, take)
        if batches := merge.batches(found):
            yield {name: joined([batch.columns[name] for batch in batches]) for name in OF_A_TRADE}
        if read.last is None:
            return
        seq = read.reached + 1


def _pass_over(_: Table, header: Header, why: WireError) -> None:
    log.warning("trade ids: those of a record are not known, it cannot be read", seq=header.seq, reason=str(why))


def _of_source(run: Run, source_id: int) -> Run | None:
    """Return the records of a run that a source published, None if there are none."""
    if len(run.starts) == 1:
        return run if run.first.source_id == source_id else None
    starts = np.array(run.starts)
    mine = starts[envelopes(run.message, starts)["source_id"] == source_id].tolist()
    return Run(run.message, mine, run.first, run.last) if mine else None
