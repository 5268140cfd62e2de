"""How the history lies on disk, and its catalogue, which says what of it counts (docs/storage.md).

    history/catalogue.json                                     the one truth, replaced by rename
    history/<table>/month=2026-11/2026-11-20.<cut>.parquet     a day; <cut>: seq of the end of day that wrote it
    history/<table>/month=2026-10/2026-10.<cut>.parquet        a month of a small table
    history/parts/<table>/<first>-<last>.<day>.parquet         a day's rows of the seqs first to last, not closed yet
    history/replaced/<table>/<cut>.<day or month>.parquet      rows of a day that were replaced after it was closed
    history/lock                                               held by the process that writes

A file is never written to once it is in the catalogue; what takes its place has another name. So a catalogue, once
read, stays true for as long as its files are there, and they are removed only after the next one is in place: who does
not find a file reads the catalogue again.

Every file has the columns of its table, then seq and received, and in replaced also replaced_by and replaced_reason.
Rows are sorted by sym, time, seq, in parts too; row groups of days hold whole symbols. History covers exactly the rows
with seq <= `through`, whichever files hold them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from plant.data_folder import lock, replace_file, sync_folder
from plant.errors import HistoryError
from plant.rows.schema import Column, Table

VERSION = 1
CATALOGUE = "catalogue.json"
PARTS = "parts"
REPLACED = "replaced"
SUFFIX = ".parquet"

ROW_GROUP_ROWS = 32_768
"""Row groups hold whole symbols up to so many rows; a symbol with more has several of its own."""

METADATA = b"tickplant"
"""Key of the Parquet metadata that says, as JSON, what a file is: the fields of `File` known when it is written."""

_KINDS = {
    "time": pa.timestamp("ns", "UTC"),
    "float": pa.float64(),
    "int": pa.int64(),
    "symbol": pa.dictionary(pa.int32(), pa.string()),
    "text": pa.large_string(),
}


@dataclass(frozen=True, slots=True)
class File:
    """A Parquet file of one table.

    path                     relative to the history's folder
    rows, bytes              its size
    crc                      CRC-32 (zlib) of all its bytes
    first_seq, last_seq      smallest and largest seq of its rows
    first_time, last_time    smallest and largest time of its rows, ns since 1970 UTC
    first_day, last_day      days it holds, "2026-11-20"; the same unless it is a month or of replaced
    row_sum                  plant.rows.row_hashes.row_sum of its rows
    """

    table: str
    path: str
    rows: int
    bytes: int
    crc: int
    first_seq: int
    last_seq: int
    first_time: int
    last_time: int
    first_day: str
    last_day: str
    row_sum: int


@dataclass(frozen=True, slots=True)
class Part:
    """All rows of the journal's seqs `first` to `last` that are not closed yet: one file for each table and day.

    `record_crc` is the header_crc of the record `last` in the journal (0: it was not seen), by which a journal that
    lost its tail is noticed; `verified`, whether the files were compared with the journal.
    """

    first: int
    last: int
    record_crc: int = 0
    verified: bool = False
    files: tuple[File, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(f.rows for f in self.files)


@dataclass(frozen=True, slots=True)
class End:
    """An end of day that was met in the stream and is not closed yet: its seq, which is the cut, and its day."""

    seq: int
    day: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What of the history counts. Empty for a plant that has none yet.

    generation   counts the catalogues written
    through      every row with seq <= through is in `parts` or `files`, and none beyond
    closed       seq of the last end of day whose days are published; parts begin behind it
    closed_day   the day it ended, "" for none
    closed_rows  rows that came up to it since the one before
    ended_day    the last day that was ended, or that lay behind when this history began; "" before it began
    ends         ends of day that are not closed yet
    files        days and months, sorted by table and day
    replaced     rows that were amended or replaced after their day was closed
    """

    generation: int = 0
    through: int = 0
    closed: int = 0
    closed_day: str = ""
    closed_rows: int = 0
    ended_day: str = ""
    ends: tuple[End, ...] = ()
    parts: tuple[Part, ...] = ()
    files: tuple[File, ...] = ()
    replaced: tuple[File, ...] = ()
    version: int = field(default=VERSION)

    @property
    def tables(self) -> list[str]:
        """Names of the tables that have rows in any file, sorted."""
        return sorted({f.table for f in self.every_file()})

    def days_of(self, table: str) -> list[File]:
        """Return the files of closed days of a table, oldest day first."""
        return [f for f in self.files if f.table == table]

    def parts_of(self, table: str) -> list[File]:
        """Return the files of a table that are not closed yet, lowest seq first."""
        return [f for part in self.parts for f in part.files if f.table == table]

    def replaced_of(self, table: str) -> list[File]:
        """Return the files of rows of a table that were replaced after their day was closed, oldest first."""
        return [f for f in self.replaced if f.table == table]

    def every_file(self) -> Iterator[File]:
        """Yield every file that counts."""
        yield from self.files
        yield from self.replaced
        for part in self.parts:
            yield from part.files

    def changed(self, **fields: Any) -> "Catalogue":
        """Return the next catalogue, with these fields; files are sorted, the generation is one more."""
        if "files" in fields:
            fields["files"] = tuple(sorted(fields["files"], key=lambda f: (f.table, f.first_day)))
        return replace(self, generation=self.generation + 1, **fields)

    def save(self, folder: Path) -> None:
        """Put this catalogue in place of the one in `folder`, so that a power cut leaves the one or the other.

        Raises HistoryError, the old one left in place.
        """
        path = folder / CATALOGUE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, json.dumps(_plain(self), separators=(",", ":")).encode())
            sync_folder(folder)
        except OSError as error:
            raise HistoryError(f"{path}: cannot write the catalogue: {error.strerror}") from None

    @classmethod
    def load(cls, folder: Path) -> "Catalogue":
        """Return the catalogue of the history in `folder`; an empty one if there is no history.

        Raises HistoryError if it is damaged, of a newer version, or missing although there are files of days.
        """
        path = folder / CATALOGUE
        try:
            fields = json.loads(path.read_text())
        except FileNotFoundError:
            if found := next(folder.glob(f"*/month=*/*{SUFFIX}"), None):
                raise HistoryError(
                    f"{path} is missing, but there is {found}; restore the catalogue, or move the folder away"
                ) from None
            return cls()
        except (OSError, ValueError) as error:
            raise HistoryError(f"{path}: the catalogue cannot be read: {error}; restore it") from None
        try:
            if fields["version"] != VERSION:
                raise HistoryError(
                    f"{path}: expected version {VERSION}, found {fields['version']}; "
                    "it was written by another version of tickplant: use that one"
                )
            parts = [Part(**{**p, "files": _files(p["files"])}) for p in fields["parts"]]
            return cls(
                **{
                    **fields,
                    "ends": tuple(End(**e) for e in fields["ends"]),
                    "parts": tuple(parts),
                    "files": _files(fields["files"]),
                    "replaced": _files(fields["replaced"]),
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise HistoryError(f"{path}: the catalogue is not one of ours ({error!r}); restore it") from None


def history_folder(data: Path) -> Path:
    """Return the folder of the history in a plant's data folder."""
    return data / "history"


def locked(folder: Path) -> int:
    """Return a file descriptor that holds the history's lock: only its holder writes. Raises HistoryError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return lock(
            folder,
            lambda holder: HistoryError(
                f"{folder}: another process (pid {holder}) writes this history; "
                "stop it (plant down, or the program hdb), or give this plant another [plant] data folder"
            ),
        )
    except OSError as error:
        raise HistoryError(f"{folder}: cannot open the history for writing: {error.strerror}") from None


def day_path(table: str, day: str, cut: int | str) -> str:
    """Return where the file of a day ("2026-11-20") or a month ("2026-11") is, relative to the history's folder.

    `cut` tells it from the file that it takes the place of; where no end of day wrote it, it is no number.
    """
    return f"{table}/month={day[:7]}/{day}.{cut}{SUFFIX}"


def part_path(table: str, first: int, last: int, day: str) -> str:
    """Return where the part of a table is that holds a day's rows of the journal's seqs `first` to `last`."""
    return f"{PARTS}/{table}/{first:020d}-{last:020d}.{day}{SUFFIX}"


def replaced_path(table: str, cut: int, day: str) -> str:
    """Return where the rows are that the end of day at `cut` found replaced in the file of a day or month."""
    return f"{REPLACED}/{table}/{cut:020d}.{day}{SUFFIX}"


def cut_of_replaced(path: str) -> int:
    """Return the seq of the end of day that made a file of replaced rows."""
    return int(PurePosixPath(path).name.split(".")[0])


def arrow_field(column: Column) -> pa.Field:
    """Return a column as it lies in a file; a float that is not known is null."""
    return pa.field(column.name, _KINDS[column.kind], nullable=column.name not in ("time", "sym"))


def partition_schema(table: Table) -> pa.Schema:
    """Return the columns of a table's files: its own, then seq and received."""
    fields = [arrow_field(c) for c in table.columns]
    return pa.schema([*fields, pa.field("seq", pa.int64(), False), pa.field("received", _KINDS["time"], False)])


def told_schema(schema: pa.Schema) -> pa.Schema:
    """Return the columns of a file in replaced: also the seq of the row that replaced a row, and why."""
    schema = schema.append(pa.field("replaced_by", pa.int64(), False))
    return schema.append(pa.field("replaced_reason", pa.string(), False))


def _files(found: list[dict[str, Any]]) -> tuple[File, ...]:
    return tuple(File(**f) for f in found)


def _plain(value: Any) -> Any:
    """Return a catalogue, or what is in it, as plain data."""
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, File):  # there may be many
        return {name: getattr(value, name) for name in File.__slots__}
    return {f.name: _plain(getattr(value, f.name)) for f in fields(value)} if is_dataclass(value) else value
