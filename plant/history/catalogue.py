"""The catalogue of the history, which says what of it counts (plant.history.layout, docs/storage.md)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from plant.data_folder import replace_file, sync_folder
from plant.errors import HistoryError
from plant.history.layout import REPLACED, SUFFIX

VERSION = 1

CATALOGUE = "catalogue.json"


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
class ArchivedFile(File):
    """A file that the history has no longer, but its archive has, under the same path (plant.history.warehouse).

    What it says is true of the rows; `bytes` and `crc` are those of the file that the history had.
    """


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
    archived     files of either that went for their age, and that the archive has
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
    archived: tuple[ArchivedFile, ...] = ()
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

    def archived_of(self, table: str, replaced: bool = False) -> list[File]:
        """Return the files of closed days of a table that only the archive has, or those of rows replaced since."""
        return [f for f in self.archived if f.table == table and f.path.startswith(f"{REPLACED}/") == replaced]

    def every_file(self) -> Iterator[File]:
        """Yield every file that counts and that the history has."""
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
            fields = _plain(self)
            if not self.archived:  # so that a tickplant that knows of none can read it
                del fields["archived"]
            replace_file(path, json.dumps(fields, separators=(",", ":")).encode())
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
                    "archived": tuple(ArchivedFile(**f) for f in fields.get("archived", ())),
                }
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise HistoryError(f"{path}: the catalogue is not one of ours ({error!r}); restore it") from None


def _files(found: list[dict[str, Any]]) -> tuple[File, ...]:
    return tuple(File(**f) for f in found)


def _plain(value: Any) -> Any:
    """Return a catalogue, or what is in it, as plain data."""
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, File):  # there may be many
        return {name: getattr(value, name) for name in File.__slots__}
    return {f.name: _plain(getattr(value, f.name)) for f in fields(value)} if is_dataclass(value) else value
