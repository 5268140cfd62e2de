"""A journal and the history made of it, on disk, for tests: rows in, days closed, nothing running."""

import dataclasses
import datetime as dt
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from answering import PlainAnswers

from hdb.reader.answering import HistoryAnswerer
from hdb.writer.closing import Closing
from hdb.writer.store import Store
from plant.client.asker import Asker
from plant.history.amending import amendment
from plant.history.catalogue import Catalogue, End, File
from plant.history.days import Days
from plant.history.partition_file import PartitionFile
from plant.intake.forms import columns_of
from plant.journal.journal import Journal
from plant.journal.rows import JournalRows
from plant.query import questions
from plant.rows.tables import schema_of
from plant.wire.envelope import stamp
from plant.wire.record import encode

SCHEMA = schema_of()
DAY = pd.Timestamp("2026-11-18", tz="UTC").value
NEXT = DAY + 86_400 * 10**9

Row = dict[str, Any]


def trade(time: int, sym: str = "A", price: float = 1.0, trade_id: str = "") -> Row:
    told = {"conditions": "@", "tape": "A", "exchange": "Q", "venue_seq": 7}
    return {"time": time, "sym": sym, "price": price, "size": 1.0, "source": "x", "trade_id": trade_id, **told}


def bar(time: int, close: float, sym: str = "A") -> Row:
    return {"time": time, "sym": sym, "interval": "1m", "open": 5.0, "high": 9.0, "low": 1.0, "close": close,
            "volume": 1.0, "source": "x", "vwap": 5.0, "trades": 2.0}  # fmt: skip


class Agreeing:
    """A journal that has what the parts have."""

    def differences(self, part: Any) -> list[str]:
        """Return what differs: nothing."""
        return []


class Past:
    """The data folder of a plant. `rdb` is what its rdb has: all rows behind the last end of day."""

    def __init__(self, data: Path, segment_bytes: int = 2**20) -> None:
        self.data = data
        self.journal = Journal(data / "journal", SCHEMA, segment_bytes)
        self.store = Store(data, SCHEMA, Days())
        self.rdb = PlainAnswers(SCHEMA)

    @property
    def catalogue(self) -> Catalogue:
        """What the history has."""
        return self.store.catalogue

    def put(self, table: str, *rows: Row) -> list[Row]:
        """Append a record; return its rows with seq and received."""
        position = self.journal.position
        position.seq += 1
        position.table_seqs[table] = position.table_seqs.get(table, 0) + 1
        columns = columns_of(SCHEMA[table], list(rows))
        record = encode(SCHEMA[table], columns, 1, position.seq)
        received = 1000 + position.seq
        stamp(record, 0, position.seq, position.table_seqs[table], received)
        self.journal.append([record], position.seq)
        self.journal.roll_if_full()
        made = [{**row, "seq": position.seq, "seq_row": i, "received": received} for i, row in enumerate(rows)]
        self._remember(table, made)
        return made

    def amend(self, table: str, row: Row, changes: Row | None) -> None:
        """Amend a row that `put` returned."""
        self.put("amendments", amendment(SCHEMA[table], row, changes, "a reason").columns(NEXT))

    def part(self, end: bool = False) -> End:
        """Write what came to a part."""
        last = self.journal.position.seq
        pieces: dict[str, list[pa.Table]] = {}
        for name, rows in JournalRows(self.data / "journal").pieces(self.catalogue.through + 1, last):
            pieces.setdefault(name, []).append(rows)
        cut = End(last, f"day {last}")
        self.store.write_part({n: pa.concat_tables(p) for n, p in pieces.items()}, last, cut if end else None)
        return cut

    def close_day(self) -> None:
        """End the day and close it."""
        end = self.part(end=True)
        Closing(self.store, Agreeing(), end, threading.Event(), lambda line: None).run()  # type: ignore[arg-type]
        self.rdb.released = end.seq
        for rows in self.rdb.held.values():
            rows[:] = [row for row in rows if row["seq"] > end.seq]

    def rewrite(self, file: File, rows: pa.Table, honest: bool = True) -> None:
        """Let other rows take the place of a file's; `honest`: the catalogue says so."""
        with PartitionFile(
            self.store.folder, file.path, SCHEMA[file.table], file.first_day, file.last_day, rows.schema
        ) as made:
            made.write(rows)
            new = made.finish()
            made.place()
        if honest:
            files = tuple(new if f == file else f for f in self.catalogue.files)
            self.store.catalogue = dataclasses.replace(self.catalogue, files=files)
            self.store.catalogue.save(self.store.folder)

    def read(self, file: File) -> pa.Table:
        """Return the rows of a file."""
        return pq.read_table(self.store.folder / file.path)

    def close(self) -> None:
        """Let go of the files."""
        self.journal.close()
        self.store.close()

    def _remember(self, table: str, rows: list[Row]) -> None:
        held = self.rdb.held.setdefault(table, [])
        if key := SCHEMA[table].key:
            fresh = {tuple(row[name] for name in key): row for row in rows}
            held[:] = [row for row in held if tuple(row[name] for name in key) not in fresh]
            rows = list(fresh.values())
        held.extend(rows)


class Closed(Asker):
    """The history in a folder as of its last closed day, asked as the processor asks the hdb."""

    def __init__(self, folder: Path) -> None:
        super().__init__("arrow", dt.UTC)
        self._answerer = HistoryAnswerer(folder, SCHEMA)
        self.closed = Catalogue.load(folder).closed

    def answer_to(self, question: questions.Question, timeout_s: float | None = None) -> pa.Table:
        """Return the answer to a question."""
        return self._answerer.answer(questions.question_of({**question.to_wire(), "as_of": self.closed}))

    def _looked_into(self) -> None:
        return None
