"""A history on disk, made of rows of a plain list by the rules of docs/storage.md, one row at a time: for tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from plain_rows import NOON, SECOND, Row

from plant.history.catalogue import Catalogue, File, Part
from plant.history.days import Days
from plant.history.layout import day_path, part_path, partition_schema, replaced_path, told_schema
from plant.history.partition_file import PartitionFile
from plant.rows.schema import Table

HOURS = 3600 * SECOND
DAYS = Days()


def journaled(batches: Sequence[list[Row]], first_seq: int = 1) -> list[Row]:
    """Return the rows of batches with their seq, first_seq, first_seq + 1, ..., seq_row and received."""
    return [
        {**row, "seq": first_seq + i, "seq_row": place, "received": NOON + i * SECOND}
        for i, rows in enumerate(batches)
        for place, row in enumerate(rows)
    ]


def write_history(
    folder: Path,
    rows: dict[Table, list[Row]],
    through: int,
    cuts: Sequence[int] = (),
    part_ends: Sequence[int] = (),
    by_month: bool = False,
) -> Catalogue:
    """Write the history of journaled rows as it is once it reached `through`, and return its catalogue.

    `cuts` are the seqs of the ends of day, `part_ends` where a part ends besides `through`; `by_month` puts the days
    that are closed into files of their months.
    """
    files: list[File] = []
    replaced: list[File] = []
    for table, every in rows.items():
        before = 0
        settled: list[Row] = []
        for cut in sorted(cuts):
            old = []
            for row in [r for r in every if before < r["seq"] <= cut]:
                for other in [r for r in settled if table.key and all(r[k] == row[k] for k in table.key)]:
                    settled.remove(other)
                    if other["seq"] <= before:
                        old.append({**other, "replaced_by": row["seq"], "replaced_reason": "revised"})
                settled.append(row)
            if old:
                replaced.append(write_file(folder, replaced_path(table.name, cut, _day(old[0])), table, old))
            before = cut
        named: dict[str, list[Row]] = {}
        for row in settled:
            day = _day(row)
            named.setdefault(day[:7] if by_month else day, []).append(row)
        for name, there in sorted(named.items()):
            files.append(write_file(folder, day_path(table.name, name, max(cuts)), table, there))
    return Catalogue().changed(
        through=through,
        closed=max(cuts, default=0),
        closed_day="2026-11-20" if cuts else "",
        files=files,
        replaced=tuple(replaced),
        parts=tuple(_parts(folder, rows, max(cuts, default=0), through, part_ends)),
    )


def write_file(folder: Path, path: str, table: Table, rows: list[Row]) -> File:
    """Write a file of rows, sorted by sym, time, seq, seq_row, and return what the catalogue says of it."""
    schema = told_schema(partition_schema(table)) if "replaced_by" in rows[0] else partition_schema(table)
    ordered = sorted(rows, key=lambda r: (r["sym"], r["time"], r["seq"]))
    days = sorted(_day(row) for row in rows)
    with PartitionFile(folder, path, table, days[0], days[-1], schema) as file:
        file.write(pa.table([_array([r.get(f.name) for r in ordered], f.type) for f in schema], schema=schema))
        made = file.finish()
        file.place()
        return made


def _parts(folder: Path, rows: dict[Table, list[Row]], closed: int, through: int, ends: Sequence[int]) -> list[Part]:
    parts, first = [], closed + 1
    for last in sorted({*(e for e in ends if closed < e < through), through}):
        found = []
        for table, every in rows.items():
            of_part = [r for r in every if first <= r["seq"] <= last]
            for day in sorted({_day(r) for r in of_part}):
                there = [r for r in of_part if _day(r) == day]
                found.append(write_file(folder, part_path(table.name, first, last, day), table, there))
        parts.append(Part(first, last, files=tuple(found)))
        first = last + 1
    return parts


def _day(row: Row) -> str:
    return str(DAYS.day_of(np.array([row["time"]]))[0])


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode().cast(kind)
    if pa.types.is_float64(kind):
        return pa.array(values, kind, from_pandas=True)
    return pa.array(values, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)
