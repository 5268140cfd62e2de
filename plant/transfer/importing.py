"""Files of rows into history: read, compared with what is known, and published (`plant import`).

The rows go the way of all rows, through the tickerplant: journaled, and written to the days of their own time at the
next end of day. Each file is a publisher of its own, named for a digest of its bytes and of how it is read. Its first
row, in the table `imports`, says which rows of the file were left out when it began; its last one, that all is there.
So an import that was interrupted goes on where it was, and one that is run again has nothing to do.

In a table with a key a later row replaces an earlier one, as anywhere in the plant: within a file, of a file before, or
of the history. One with the same values is the same, and not written. In a table without a key a row is the same if
there is an equal one; of rows that are alike and have no trade_id, as many are the same as the history has: many real
trades differ in nothing.
"""

import base64
import hashlib
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from plant.errors import BadRows, PlantError, Unavailable
from plant.files.foreign_file import KEPT_REASONS
from plant.progress import Progress, quietly
from plant.rows.arrow import arrow_column
from plant.rows.columns import Columns, Symbols, compacted, taken
from plant.rows.schema import Table
from plant.rows.tables import IMPORTED
from plant.rows.times import time_slices
from plant.stream.publisher import Publisher
from plant.transfer.doubles import contents_of, doubled_within, held_by, identities
from plant.transfer.reader import Reader
from plant.transfer.recording import Recording

TABLE = "imports"
PUBLISH_ROWS = 2_000
"""Rows handed to the publisher at once; between them, an import can be interrupted."""


@dataclass
class FileRows:
    """The good rows of one file, in order of time, and what became of the others.

    name        of its publisher
    lines       int64[n], where each row stands in the file; `unit` says what that counts
    identity    uint64[n]: equal for rows that are the same
    contents    uint64[n]: equal for rows with the same values but for `source`
    replaced    bool[n]: a later row of this file has its key and other values
    same        bool[n]: there already, in this file, one before it, or the history (set by `compare`); not written
    revising    bool[n]: takes the place of a row of a file before, or of the history
    earlier     bool[n]: a file before this one has its key: the history is not asked
    rejected    rows that cannot be used; `reasons` are (line, why) of the first of them
    where       our column to the file's; `assumed` what was decided about how to read it
    """

    path: Path
    name: str
    table: Table
    columns: Columns
    lines: np.ndarray
    unit: str
    identity: np.ndarray
    contents: np.ndarray
    replaced: np.ndarray
    same: np.ndarray
    revising: np.ndarray
    earlier: np.ndarray
    rejected: int
    reasons: list[tuple[int, str]]
    where: dict[str, str]
    assumed: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def wanted(self) -> np.ndarray:
        """Positions of the rows to be written."""
        return np.flatnonzero(~self.left_out)

    @property
    def left_out(self) -> np.ndarray:
        """Which rows are not to be written, bool[n]."""
        return self.replaced | self.same

    @property
    def syms(self) -> list[str]:
        """The symbols, sorted."""
        column = self.columns["sym"]
        return sorted(column.names[code] for code in np.unique(column.codes).tolist())


def read_file(
    reader: Reader,
    table: Table,
    path: Path,
    source: str | None = None,
    earlier: Sequence["FileRows"] = (),
    drop_alike: bool = False,
) -> FileRows:
    """Return the rows of a file.

    table        the declaration of `reader.table`, with its checks
    source       what the rows carry as their source; None: the file's column of that name, else "import"
    earlier      files before this one that are not in the plant yet
    drop_alike   rows that are alike are the same even without a trade_id

    Raises BadRows for a file that cannot be read, or lacks a column.
    """
    try:
        found = reader.file(path).in_order()
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=8))
    except (ValueError, OSError) as error:
        raise BadRows(str(error)) from None
    digest.update(repr((path.name, reader, source, drop_alike)).encode())
    columns = _columns(table, found, source or ("" if "source" in found.where else IMPORTED))
    bad, reasons = _failed(table, columns, found.lines)
    lines = found.lines
    if bad.any():
        columns, lines = taken(columns, ~bad), lines[~bad]
    rows = pa.table({n: arrow_column(c, n in table.times) for n, c in columns.items()})
    identity = identities(table, rows, drop_alike)
    contents = contents_of(table, rows, identity)
    replaced, same = doubled_within(table, identity, contents)
    there, revising = np.zeros_like(same), np.zeros_like(same)
    for file in earlier:
        written = file.wanted
        has, equal = held_by(identity, contents, file.identity[written], file.contents[written])
        there |= has
        revising = np.where(has, ~equal, revising)
    if not table.key:
        revising[:] = False
    same |= there & ~revising
    return FileRows(
        path=path,
        name=f"import-{digest.hexdigest()}",
        table=table,
        columns=columns,
        lines=lines,
        unit=found.unit,
        identity=identity,
        contents=contents,
        replaced=replaced,
        same=same & ~replaced,
        revising=revising & ~replaced & ~same,
        earlier=there,
        rejected=found.skipped + int(bad.sum()),
        reasons=sorted(found.reasons + reasons)[:KEPT_REASONS],
        where=found.where,
        assumed=found.assumed,
    )


def compare(db: Any, file: FileRows, drop_alike: bool = False, progress: Progress = quietly) -> None:
    """Find out which rows of a file the plant has: sets `same` and `revising` of the file.

    `db` answers about history and today as one, as plant.connect() does.
    """
    times, syms = file.columns["time"], file.syms
    if not len(file):
        return
    open_yet = ~(file.left_out | file.earlier)
    for start, stop in time_slices(partial(db.count, file.table.name, syms), int(times[0]), int(times[-1]) + 1):
        inside = np.arange(*np.searchsorted(times, [start, stop]))
        inside = inside[open_yet[inside]]
        if len(inside):
            held = _rows(db, file.table, syms, start, stop)
            held_identity = identities(file.table, held, drop_alike)
            there, equal = held_by(
                file.identity[inside],
                file.contents[inside],
                held_identity,
                contents_of(file.table, held, held_identity),
            )
            file.revising[inside] = there & ~equal & bool(file.table.key)
            file.same[inside] = there & ~file.revising[inside]
        progress(int(np.searchsorted(times, stop)), len(file))


def imported_before(db: Any, notes: Table, file: FileRows) -> bool:
    """Return whether the plant says that this very file was imported as a whole: its rows are not written again."""
    return any(note["state"] == "finished" for note in _rows(db, notes, file.name).to_pylist())


def publish_file(feed: Publisher, db: Any, notes: Table, file: FileRows, progress: Progress = quietly) -> int:
    """Publish the rows of a file that are not known, from where an earlier run was; return how many were published now.

    feed    a publisher called `file.name`, connected
    db      where to ask which rows were left out when the import began, if it did before
    notes   the declaration of the table imports

    Returns when everything is in the journal.
    """
    accepted = feed.accepted or 0
    if accepted:
        left_out = _left_out_then(db, notes, file)
        file.replaced &= left_out
        file.same = left_out & ~file.replaced
    elif not len(file.wanted):
        return 0
    wanted = file.wanted
    if accepted > len(wanted) + 1:
        return 0
    if not accepted:
        feed.publish(TABLE, _note(file, "begun", _packed(file.left_out)))
    first = max(accepted - 1, 0)
    for start in range(first, len(wanted), PUBLISH_ROWS):
        some = wanted[start : start + PUBLISH_ROWS]
        whole = some[-1] - some[0] == len(some) - 1  # most often none of them is left out: no need to pick
        rows = slice(int(some[0]), int(some[-1]) + 1) if whole else some
        feed.publish(file.table.name, compacted(taken(file.columns, rows)))
        progress(start + len(some), len(wanted))
    feed.publish(TABLE, _note(file, "finished", ""))
    feed.flush(120.0)
    return len(wanted) - first


def until_seen(db: Any, seq: int, timeout_s: float = 60.0) -> None:
    """Wait until the process asked has taken everything up to `seq`. Raises Unavailable."""
    deadline = time.monotonic() + timeout_s
    while not (status := db.status())["caught_up"] or status["seq"] < seq:
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{db.address} is at seq {status['seq']:,} of {seq:,} ({status['state']}); try again when it is there"
            )
        time.sleep(0.02)


def _note(file: FileRows, state: str, left_out: str) -> dict[str, Any]:
    return {
        "time": time.time_ns(),
        "sym": file.name,
        "table_name": file.table.name,
        "file": file.path.name,
        "state": state,
        "rows": len(file.wanted),
        "duplicates": int(file.left_out.sum()),
        "rejected": file.rejected,
        "left_out": left_out,
    }


def _left_out_then(db: Any, notes: Table, file: FileRows) -> np.ndarray:
    """Return which rows were not to be written when the import of this file began."""
    told = _rows(db, notes, file.name).to_pylist()
    packed = next((note["left_out"] for note in told if note["state"] == "begun"), None)
    if packed is None:
        raise PlantError(
            f"{file.path}: its import began before, but the row of the table imports that tells how (sym {file.name}) "
            "is not there, perhaps removed by retention; with another --source it begins anew"
        )
    bits = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=np.uint8)
    return np.unpackbits(bits, count=len(file)).astype(bool)


def _rows(db: Any, table: Table, sym: str | list[str], start: int | None = None, end: int | None = None) -> pa.Table:
    """Return the rows that the plant has of symbols, with the columns of their table."""
    return db.select(table.name, sym, start, end, columns=table.names, frames="arrow")


def _packed(rows: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.packbits(rows).tobytes())).decode()


def _columns(table: Table, found: Recording, source: str) -> Columns:
    """Return a recording as the columns of its table."""
    count = len(found.time)
    given: dict[str, Any] = {
        "time": found.time,
        "sym": Symbols(found.names, found.sym),
        **found.numbers,
        **found.texts,
    }
    if source:
        given["source"] = Symbols([source], np.zeros(count, dtype=np.int32))
    return {name: given[name] for name in table.names}


def _failed(table: Table, columns: Columns, lines: np.ndarray) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Return which rows fail a check of their table, and (line, why) of the first of them."""
    bad = np.zeros(len(lines), dtype=bool)
    reasons: list[tuple[int, str]] = []
    for check in table.checks:
        failed = ~np.asarray(check.good(columns), dtype=bool) & ~bad
        reasons += [(int(line), check.reason) for line in lines[failed][:KEPT_REASONS].tolist()]
        bad |= failed
    return bad, reasons


def doubled_lines(file: FileRows, most: int) -> Iterator[str]:
    """Yield what to say of the first rows that are there already or revise others, in the order of the file."""
    doubled = np.flatnonzero(file.replaced | file.revising | file.same)
    for row in doubled[np.argsort(file.lines[doubled], kind="stable")][: max(most, 0)].tolist():
        marks = (file.replaced[row], file.revising[row], file.same[row])
        yield f"{file.unit} {file.lines[row]:,} {_DOUBLED[marks.index(True)]}"


_DOUBLED = (
    "is replaced by a later row of its key in the same file",
    "revises a row that is there already",
    "is there already, the same",
)
