"""A history for tests, without a plant: a journal of real records, a store that is fed from it, and a plain model."""

import errno
import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq
from plain_rows import SCHEMA, Row

from hdb.writer.closing import Closing
from hdb.writer.housekeeping import Housekeeping
from hdb.writer.journal_sums import Journaled
from hdb.writer.parts import Waiting
from hdb.writer.store import Store
from plant.history.catalogue import CATALOGUE, Catalogue, End, File
from plant.history.days import Days
from plant.history.layout import history_folder
from plant.history.partition_file import check_bytes, check_file
from plant.intake.forms import columns_of
from plant.rows.batch import Batch
from plant.rows.schema import Schema, Table
from plant.wire.envelope import HEADER_BYTES, header_at, stamp
from plant.wire.messages import Beat, beat
from plant.wire.record import decode, encode

Found = Counter[tuple[Any, ...]]


class History:
    """Batches published to a journal in memory, and the history in `data` that is made of them."""

    def __init__(self, data: Path, schema: Schema = SCHEMA, days: Days | None = None) -> None:
        self.data, self.schema, self.days = data, schema, days or Days()
        self.earlier: dict[int, Table] = {}
        self.records: list[bytes] = []
        self.batches: list[Batch] = []
        self.open()

    def open(self) -> None:
        """Begin as a process does."""
        self.store = Store(self.data, self.schema, self.days)

    def declare(self, schema: Schema) -> None:
        """Declare the tables otherwise from now on."""
        self.earlier |= self.schema.by_id
        self.schema = self.store.schema = schema

    def kill(self) -> None:
        """End as a killed process does, and begin again."""
        os.close(self.store._held)
        self.open()

    def copy(self, data: Path) -> "History":
        """Return this history once more, in another folder."""
        shutil.copytree(self.data, data)
        made = History(data, self.schema, self.days)
        made.records, made.batches = self.records, self.batches
        return made

    def ask(self, ask: str, seq: int = 0, **_: Any) -> list[bytes]:
        """Answer as the tickerplant's journal does; at most three records at a time."""
        return [beat(Beat(len(self.records), {}, 1)), b"".join(self.records[max(seq - 1, 0) :][:3])]

    def status(self) -> dict[str, Any]:
        """Answer as the tickerplant does."""
        return Beat(len(self.records), {}, 1)._asdict()

    def publish(self, table: str, rows: list[Row]) -> int:
        """Publish a batch; return its seq."""
        seq = len(self.records) + 1
        record = encode(self.schema[table], columns_of(self.schema[table], rows), 1, 1)
        stamp(record, 0, seq, seq, 1000 * seq)
        self.records.append(bytes(record))
        header = header_at(record, 0)
        self.batches.append(decode(self.schema[table], header, bytes(record[HEADER_BYTES:])))
        return seq

    def part(self, end: str = "") -> None:
        """Make a part of what is in no part yet; `end` is a day that ends behind it."""
        waiting = Waiting()
        through = self.store.catalogue.through
        for batch in self.batches[through:]:
            waiting.add(batch)
        last = len(self.batches)
        self.store.write_part(waiting.tables(), last, End(last, end) if end else None, 0, "2026-11-01")

    def close(self) -> Catalogue:
        """Close the days that ended."""
        for end in self.store.catalogue.ends:
            Closing(self.store, self.journaled, end, threading.Event(), lambda line: None).run()
        return self.store.catalogue

    def work(self, what: str) -> None:
        """Do what the hdb does on its own, or undergoes: "part", "close", "join", "month" or "kill"."""
        if what == "part":
            if self.store.catalogue.through < len(self.batches):
                self.part()
        elif what == "close":
            self.close()
        elif what == "join":
            for part in self.store.catalogue.parts:
                self.store.verified(part)
            self.store.join_parts()
        elif what == "month":
            Housekeeping(self.store, 16.0, 0.0).work(threading.Event())
        elif what == "kill":
            self.kill()
        else:
            raise ValueError(f"what: expected part, close, join, month or kill, found {what!r}")

    @property
    def journaled(self) -> Journaled:
        """The journal, as the hdb asks for it."""
        by_id = {**self.earlier, **self.schema.by_id}
        return Journaled(self, by_id, self.schema, self.days)  # type: ignore[arg-type]

    @property
    def folder(self) -> Path:
        """The folder of the history."""
        return history_folder(self.data)

    def stored(self, table: str) -> Found:
        """Return the rows of a table in all files of days and parts, each of which must be as the catalogue says."""
        catalogue = Catalogue.load(self.folder)
        assert catalogue == self.store.catalogue
        found: list[Row] = []
        for file in (*catalogue.days_of(table), *catalogue.parts_of(table)):
            found += self.rows_of(file)
        return counted(self.schema, table, found)

    def published(self, table: str) -> Found:
        """Return the rows of a table that were published up to where the history goes."""
        found = []
        for batch in self.batches[: self.store.catalogue.through]:
            if batch.table == table:
                meta = {"seq": batch.seq, "received": batch.received}
                found += [{**row, **meta, "seq_row": place} for place, row in enumerate(batch.rows())]
        return counted(self.schema, table, found)

    def rows_of(self, file: File) -> list[Row]:
        """Return the rows of a file; fail if it is not as the catalogue says."""
        check_bytes(self.folder, file)
        check_file(self.folder / file.path, file)
        frame = pq.read_table(self.folder / file.path)
        names = [n for n in frame.column_names if n in ("time", "received")]
        for name in names:
            frame = frame.set_column(frame.column_names.index(name), name, frame.column(name).cast("int64"))
        rows: list[Row] = frame.to_pylist()
        order = [tuple(r[name] for name in ("sym", "time", "seq", "seq_row")) for r in rows]
        assert order == sorted(order)
        days = sorted({str(d) for d in self.days.day_of(frame.column("time").to_numpy())})
        assert (days[0], days[-1]) == (file.first_day, file.last_day)
        assert (min(r["seq"] for r in rows), max(r["seq"] for r in rows)) == (file.first_seq, file.last_seq)
        assert (min(r["time"] for r in rows), max(r["time"] for r in rows)) == (file.first_time, file.last_time)
        return rows

    def files(self) -> set[str]:
        """Return every file there is, but for the catalogue and the lock."""
        found = (p for p in self.folder.rglob("*") if p.is_file() and p.parent != self.folder)
        return {str(p.relative_to(self.folder)) for p in found}


def counted(schema: Schema, table: str, rows: list[Row]) -> Found:
    """Return rows in a form that can be compared; of a table with a key, the newest of each key."""
    key = schema[table].key
    if key:
        rows = list({tuple(r[k] for k in key): r for r in sorted(rows, key=lambda r: r["seq"])}.values())
    return Counter(tuple(json.dumps(r[name]) for name in sorted(r)) for r in rows)


class Killed(BaseException):
    """What a process that is killed does not see."""


@contextmanager
def killed_at(step: int) -> Iterator[list[str]]:
    """Let the process die at its step-th change of the disk, and do nothing more; yield the changes it made."""
    done: list[str] = []

    def dying(name: str, change: Any) -> Any:
        def at_step(*arguments: Any, **options: Any) -> Any:
            if len(done) >= step:
                raise Killed
            done.append(name)
            return change(*arguments, **options)

        return at_step

    with (
        mock.patch.object(Path, "rename", dying("rename", Path.rename)),
        mock.patch.object(Path, "unlink", dying("unlink", Path.unlink)),
        mock.patch("os.fsync", dying("fsync", lambda fd: None)),
    ):
        try:
            yield done
        except Killed:
            done.append("killed")


@contextmanager
def full_at(step: int) -> Iterator[list[str]]:
    """Let the disk be full at the step-th fsync or rename, and at no other; yield the names of what was changed."""
    done: list[str] = []

    def failing(change: Any) -> Any:
        def at_step(first: Any, *rest: Any) -> Any:
            done.append("catalogue" if CATALOGUE in str(first) else "")
            if len(done) == step + 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return change(first, *rest)

        return at_step

    with mock.patch.object(Path, "rename", failing(Path.rename)), mock.patch("os.fsync", failing(lambda fd: None)):
        yield done
