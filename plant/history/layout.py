"""Where the files of the history lie, and the columns they have (docs/storage.md).

    history/catalogue.json                                     the one truth, replaced by rename
    history/<table>/month=2026-11/2026-11-20.<cut>.parquet     a day; <cut>: seq of the end of day that wrote it
    history/<table>/month=2026-10/2026-10.<cut>.parquet        a month of a small table
    history/parts/<table>/<first>-<last>.<day>.parquet         a day's rows of the seqs first to last, not closed yet
    history/replaced/<table>/<cut>.<day or month>.parquet      rows of a day that were replaced after it was closed
    history/lock                                               held by the process that writes

A file is never written to once it is in the catalogue; what takes its place has another name. So a catalogue, once
read, stays true for as long as its files are there, and they are removed only after the next one is in place: who does
not find a file reads the catalogue again.

Every file has the columns of its table, then seq, seq_row and received, and in replaced also replaced_by and
replaced_reason. Rows are sorted by sym, time, seq, seq_row, in parts too; in files written before there was a seq_row
it is null, and the order of ties that of the file. Row groups of days hold whole symbols. History covers exactly the
rows with seq <= `through`, whichever files hold them.
"""

from pathlib import Path, PurePosixPath

import pyarrow as pa

from plant.data_folder import lock
from plant.errors import HistoryError
from plant.rows.schema import Column, Table

PARTS = "parts"

REPLACED = "replaced"

SUFFIX = ".parquet"

ROW_GROUP_ROWS = 32_768
"""Row groups hold whole symbols up to so many rows; a symbol with more has several of its own."""

LEAST_GROUP_ROWS = 4096
"""A row group of a day ends with its symbol once it has so many rows: who asks for one symbol reads little else."""

MOST_GROUPS = 1024
"""About so many row groups in a file of a day at most: each costs room in the footer, and time for who reads all."""

METADATA = b"tickplant"
"""Key of the Parquet metadata that says, as JSON, what a file is: the fields of `File` known when it is written."""

_KINDS = {
    "time": pa.timestamp("ns", "UTC"),
    "float": pa.float64(),
    "int": pa.int64(),
    "symbol": pa.dictionary(pa.int32(), pa.string()),
    "text": pa.large_string(),
}


def history_folder(data: Path) -> Path:
    """Return the folder of the history in a plant's data folder."""
    return data / "history"


def history_lock(folder: Path) -> int:
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
    """Return the columns of a table's files: its own, then META_COLUMNS."""
    meta = [("seq", pa.int64(), False), ("seq_row", pa.int64(), True), ("received", _KINDS["time"], False)]
    return pa.schema([*map(arrow_field, table.columns), *(pa.field(*fields) for fields in meta)])


def told_schema(schema: pa.Schema) -> pa.Schema:
    """Return the columns of a file in replaced: also the seq of the row that replaced a row, and why."""
    schema = schema.append(pa.field("replaced_by", pa.int64(), False))
    return schema.append(pa.field("replaced_reason", pa.string(), False))
