"""The rows of a journal as Parquet or CSV, a file per table (`plant journal export`).

Goes through the journal once, segment by segment, and holds about `ROWS` rows of each table. Reads only, without the
lock.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from plant.errors import BadRows, JournalError, UnknownTable, WireError
from plant.journal.files import existing_paths, paths_between, present_segment, segment_at
from plant.journal.segment import Segment
from plant.rows.batch import Batch, arrow_of
from plant.rows.schema import Column, Table
from plant.wire.record import decode

ROWS = 100_000
"""Rows of a table that are written together: a row group of Parquet."""

_ARROW = {
    "time": pa.timestamp("ns", "UTC"),
    "float": pa.float64(),
    "int": pa.int64(),
    "symbol": pa.string(),
    "text": pa.string(),
}


@dataclass
class Exported:
    """Rows written of each table, and what could not be read."""

    rows: dict[str, int] = field(default_factory=dict)
    damage: list[str] = field(default_factory=list)


def export_journal(
    folder: Path,
    out: Path,
    form: str = "parquet",
    tables: Collection[str] = (),
    from_seq: int = 1,
    to_seq: int | None = None,
    syms: Collection[str] = (),
) -> Exported:
    """Write `<out>/<table>.<form>` for each table (empty: all that have rows) with its columns and META_COLUMNS.

    folder          of the journal
    form            "parquet" or "csv"
    from_seq, to_seq  only batches numbered so, both inclusive
    syms            only rows of these symbols; empty: all

    A table that was declared differently before has the columns of all its declarations, null where a row had none.
    Raises JournalError (no journal, a segment that cannot be opened, a column that changed its kind), UnknownTable.
    """
    if form not in ("parquet", "csv"):
        raise BadRows(f"expected the format parquet or csv, found {form!r}")
    columns = _columns([segment_at(p) for p in existing_paths(folder)])
    for name in tables:
        if name not in columns:
            raise UnknownTable.named(name, columns)
    wanted = set(tables) or set(columns)
    out.mkdir(parents=True, exist_ok=True)
    result = Exported()
    sinks: dict[str, _Sink] = {}
    try:
        for batch in _batches(folder, wanted, from_seq, to_seq, result.damage):
            if syms:
                sym = batch.columns["sym"]
                batch = batch.filtered(np.array([name in syms for name in sym.names], dtype=bool)[sym.codes])
            if len(batch):
                if batch.table not in sinks:
                    sinks[batch.table] = _Sink(out / f"{batch.table}.{form}", form, columns[batch.table])
                sinks[batch.table].add(batch)
        for name, sink in sorted(sinks.items()):
            result.rows[name] = sink.finish()
    finally:
        for sink in sinks.values():
            sink.abandon()
    return result


class _Sink:
    """One file on its way: written beside its name, renamed when it is whole."""

    def __init__(self, path: Path, form: str, columns: dict[str, str]) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}.new")
        types = {name: _ARROW[kind] for name, kind in columns.items()}
        self._schema = pa.schema({**types, "seq": pa.int64(), "seq_row": pa.int64(), "received": _ARROW["time"]})
        self._held: list[pa.Table] = []
        self._held_rows = self._rows = 0
        writer = pa.parquet.ParquetWriter if form == "parquet" else pa.csv.CSVWriter
        self._writer: Any = writer(str(self._partial), self._schema)

    def add(self, batch: Batch) -> None:
        """Take a batch."""
        count = len(batch)
        given = arrow_of([batch])
        arrays = [
            given.column(column.name).cast(column.type)
            if column.name in given.column_names
            else pa.nulls(count, column.type)
            for column in self._schema
        ]
        self._held.append(pa.table(arrays, schema=self._schema))
        self._held_rows += count
        if self._held_rows >= ROWS:
            self._write()

    def finish(self) -> int:
        """Write what is held, give the file its name, and return its rows."""
        self._write()
        self._writer.close()
        self._partial.rename(self._path)
        return self._rows

    def abandon(self) -> None:
        """Close, and delete a file that was not finished."""
        self._writer.close()
        self._partial.unlink(missing_ok=True)

    def _write(self) -> None:
        if self._held:
            self._writer.write_table(pa.concat_tables(self._held).combine_chunks())
        self._rows += self._held_rows
        self._held, self._held_rows = [], 0


def _columns(segments: list[Segment]) -> dict[str, dict[str, str]]:
    """Return {table: {column: kind}} over all declarations, those of the newest first."""
    found: dict[str, dict[str, str]] = {}
    for segment in reversed(segments):
        for table in segment.tables.values():
            columns = found.setdefault(table.name, {})
            for column in table.columns:
                if columns.setdefault(column.name, column.kind) != column.kind:
                    raise JournalError(_changed(segment, table, column, columns[column.name]))
    return found


def _changed(segment: Segment, table: Table, column: Column, newer: str) -> str:
    return (
        f"{table.name}.{column.name} was declared {column.kind} in {segment.path.name} and is {newer} later; "
        "export the two apart: move the segments of one kind into a folder of their own and use --journal"
    )


def _batches(
    folder: Path, tables: Collection[str], from_seq: int, to_seq: int | None, damage: list[str]
) -> Iterator[Batch]:
    """Yield the batches of `tables` in [from_seq, to_seq]; append what cannot be read to `damage`."""
    for path in paths_between(folder, from_seq, to_seq):
        segment = present_segment(path)
        for header, payload in segment.payloads():
            table = segment.tables.get(header.schema_id)
            if header.seq < from_seq or table is None or table.name not in tables:
                continue
            if to_seq is not None and header.seq > to_seq:
                return
            try:
                yield decode(table, header, payload)
            except WireError as error:
                damage.append(f"{path.name}: seq {header.seq} cannot be read: {error}")
        damage += [str(d) for d in segment.damage]
