"""Whether journal, history and rdb hold the same rows (`plant verify`).

Up to the seq `through` of the catalogue, the history must have exactly the journal's rows: in the files of days, in
parts, or in `replaced`; beyond what it let go, the rdb must. Three things are not in the journal as they are: a row of
a table with a key may be left out once a later one has its key, a row that was amended has been replaced, and the one
that amendments made of it is in its place.

Sums of rows are compared first, in one pass over the journal. Where they differ, and for tables with a key, rows are
matched one by one, WINDOW_ROWS of the journal at a time. Reads files, and may run beside a live plant or without one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plant.audit.comparison import Hashes, Matching, doubled, superseded
from plant.audit.history_rows import DAY, HistoryRows, between, within
from plant.errors import HistoryError
from plant.history.amending import TABLE as AMENDMENTS
from plant.history.amending import amendments_of
from plant.history.catalogue import File
from plant.journal.rows import JournalRows
from plant.progress import Step, quietly
from plant.rows.evolution import served
from plant.rows.row_hashes import MODULUS, row_sum
from plant.rows.schema import EARLIEST, LATEST, META_COLUMNS, Schema, Table
from plant.rows.times import time_slices

WINDOW_ROWS = 10_000_000
"""Rows matched at once: about 25 bytes each in memory, on either side."""

SHOWN = 10
"""Rows of a table that are shown of what differs."""

AGAIN = 5
"""Attempts, as long as the history is changed meanwhile."""


@dataclass
class Verified:
    """What was found.

    rows        (table, "journal" | "history" | "rdb") -> rows compared
    differing   of each table, how many rows are missing, doubled or different
    lines       what differs, SHOWN lines of each table at most
    damage      files that cannot be read, or are not what the catalogue says
    unknown     what could not be compared, and why
    """

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether nothing differs and nothing is damaged."""
        return not self.damage and not self.differing.total()


@dataclass
class _Sums:
    """Rows and their sum of a table, and where windows of it begin."""

    rows: int = 0
    sum: int = 0
    windows: list[int] = field(default_factory=list)

    def add(self, rows: pa.Table) -> None:
        if rows.num_rows and self.rows // WINDOW_ROWS + 1 > len(self.windows):
            self.windows.append(int(rows.column("seq")[0].as_py()))
        self.rows += rows.num_rows
        self.sum = (self.sum + row_sum(rows)) % MODULUS


def verify(
    data: Path, schema: Schema, span: tuple[int, int] | None = None, db: Any = None, step: Step = lambda what: quietly
) -> Verified:
    """Return whether the plant's places hold the same rows.

    data    the plant's data folder, with journal and history
    span    compare only rows with times [start, end), ns since 1970 UTC: those of a day
    db      a connection to the rdb; None: it is not compared

    Raises JournalError without a journal, HistoryError if the catalogue cannot be read.
    """
    for _ in range(AGAIN):
        verifying = Verifying(data, schema, span, db, step)
        try:
            found = verifying.run()
        except HistoryError as error:  # a file went away while it was read
            found = Verified(damage=[str(error)])
        if found.same or verifying.up_to_date:
            break
    return found


class Verifying:
    """One verification. `span` are the times [start, end) of a day, None for everything; `db` is the rdb, or None."""

    def __init__(self, data: Path, schema: Schema, span: tuple[int, int] | None, db: Any, step: Step) -> None:
        self.found = Verified()
        self._history = HistoryRows(data, span)  # first: then the journal has all that it has
        self._catalogue = self._history.catalogue
        self._journal = JournalRows(data / "journal")
        self._tables: dict[str, Table] = {**self._journal.tables(), **schema}
        self._span = span
        self._db = db
        self._step = step
        self._first = self._journal.first
        self._made: dict[str, pa.Table] = {}

    @property
    def up_to_date(self) -> bool:
        """Whether the history is still the one that is compared."""
        return self._history.up_to_date

    def run(self) -> Verified:
        """Compare; raises HistoryError if a file goes away meanwhile."""
        found, catalogue, journal = self.found, self._catalogue, self._journal
        if self._first > 1:
            found.unknown.append(f"seqs 1 to {self._first - 1:,} were removed from the journal: not compared")
        if catalogue.through > journal.last:
            found.unknown.append(f"the history goes to seq {catalogue.through:,}, the journal ends at {journal.last:,}")
        self._history.check(self._first, self._step("checking files"))
        found.damage += self._history.damage
        upper = min(catalogue.through, journal.last)
        held, reached = self._rdb_rows()
        history: dict[str, _Sums] = {}
        rdb: dict[str, _Sums] = {}
        amendments = []
        for name, rows in journal.pieces(self._first, journal.last, progress=self._step("reading the journal")):
            if name == AMENDMENTS:
                amendments.append(rows)
            rows = within(rows, self._span)
            history.setdefault(name, _Sums()).add(between(rows, self._first, upper))
            if name in held:
                rows = served(between(rows, max(held[name][1] + 1, self._first), reached), self._tables[name])
                rdb.setdefault(name, _Sums()).add(rows)
        self._make(amendments)
        for name in sorted({*history, *catalogue.tables}):
            if name in self._tables:
                self._compare_history(self._tables[name], history.get(name, _Sums()), upper)
            else:
                found.unknown.append(f"{name}: no declaration of this table is known")
        for name, (hashes, released) in sorted(held.items()):
            self._compare_rdb(self._tables[name], hashes, rdb.get(name, _Sums()), released, reached)
        for text in journal.damage:
            found.damage.append(f"journal: {text}")
        return found

    def _compare_history(self, table: Table, journaled: _Sums, upper: int) -> None:
        """Compare one table's rows up to `upper`: by sums, and one by one where those do not tell."""
        history = self._history
        files = [f for f in history.good if f.table == table.name]
        made = self._made.get(table.name)
        rows, total = history.total(files)
        self.found.rows[table.name, "journal"] += journaled.rows
        self.found.rows[table.name, "history"] += rows
        expected = journaled.rows + (made.num_rows if made is not None else 0)
        expected_sum = (journaled.sum + (row_sum(made) if made is not None else 0)) % MODULUS
        if (rows, total) == (expected, expected_sum):
            return
        windows = [self._first, *journaled.windows[1:], upper + 1]
        missing: list[Hashes] = []
        extra: list[Hashes] = []
        kept: list[Hashes] = []
        for first, end in pairwise(windows):
            held = Hashes.joined(
                Hashes.of(table, some, history.kind(f)) for f in files for some in history.read(f, first, end - 1)
            )
            matching = Matching(held)
            for piece in self._expected(table, first, end - 1):
                missing.append(matching.missing(Hashes.of(table, piece)))
            extra.append(matching.extra())
            if table.key:
                kept.append(held)
        lost, more = Hashes.joined(missing), Hashes.joined(extra)
        if table.key:
            known = Hashes.joined(kept)
            closed = lost.seq <= self._catalogue.closed
            lost = lost[~(closed & superseded(lost, known))]
            more = Hashes.joined([more, doubled(known[known.kind == DAY])])
        if history.damaged(table.name):
            self.found.unknown.append(f"{table.name}: {len(lost):,} rows may be in what is damaged")
            lost = lost[:0]
        self._tell(table, "history", lost, more, files)

    def _compare_rdb(self, table: Table, held: Hashes, journaled: _Sums, released: int, reached: int) -> None:
        """Compare one table's rows that the rdb should have: those beyond `released`, as of `reached`."""
        compared = held[held.seq <= reached]
        self.found.rows[table.name, "rdb"] += len(compared)
        if (len(compared), int(compared.row.sum())) == (journaled.rows, journaled.sum):
            return
        matching = Matching(compared)
        missing, newer = [], [held]
        for _, piece in self._journal.pieces(max(released + 1, self._first), self._journal.last, (table.name,)):
            hashes = Hashes.of(table, served(within(piece, self._span), table))
            missing.append(matching.missing(hashes[hashes.seq <= reached]))
            if table.key:
                newer.append(hashes[hashes.seq > reached])
        lost = Hashes.joined(missing)
        if table.key:
            lost = lost[~superseded(lost, Hashes.joined(newer))]
        self._tell(table, "rdb", lost, matching.extra(), [])

    def _rdb_rows(self) -> tuple[dict[str, tuple[Hashes, int]], int]:
        """Return what the rdb has of each table, beyond which seq that is, and up to which it is compared."""
        if self._db is None:
            return {}, 0
        reached = min(int(self._db.status()["seq"]), self._journal.last)
        found: dict[str, tuple[Hashes, int]] = {}
        advance = self._step("reading the rdb")
        names = [row["table"] for row in self._db.tables(frames="arrow").to_pylist()]
        for i, table in enumerate(self._tables[name] for name in names if name in self._tables):
            for _ in range(AGAIN):
                released = self._released(table)
                hashes = Hashes.joined(Hashes.of(table, rows) for rows in self._asked(table))
                if self._released(table) == released:
                    found[table.name] = hashes, released
                    break
            else:
                self.found.unknown.append(f"{table.name}: the rdb lets go of rows while it is read; try again")
            advance(i + 1, len(names))
        return found, reached

    def _released(self, table: Table) -> int:
        """Return the seq up to which the rdb has let go of a table's rows."""
        metadata = self._db.select(table.name, last=0, frames="arrow").schema.metadata or {}
        return int(metadata.get(b"released", 0))

    def _asked(self, table: Table) -> Iterator[pa.Table]:
        name = table.name
        start, end = self._span or (EARLIEST, LATEST)
        for first, last in time_slices(lambda a, b: self._db.count(name, None, a, b), start, end):
            rows = self._db.select(name, None, first, last, columns=[*table.names, *META_COLUMNS], frames="arrow")
            yield rows.filter(pc.greater_equal(rows.column("seq"), self._first))

    def _make(self, found: list[pa.Table]) -> None:
        """Find the rows that amendments made, from those they replaced; compare these with what is there."""
        if not found:
            return
        rows = between(pa.concat_tables(found, promote_options="default"), 0, self._catalogue.closed)
        self._made = self._history.amended(self._tables, amendments_of(rows))

    def _expected(self, table: Table, first: int, last: int) -> Iterable[pa.Table]:
        """Yield what the history should have of a range of seqs, but for rows left out."""
        advance = self._step(f"matching {table.name}")
        for _, piece in self._journal.pieces(first, last, (table.name,), advance):
            yield within(piece, self._span)
        if table.name in self._made:
            yield between(self._made[table.name], first, last)

    def _tell(self, table: Table, where: str, lost: Hashes, more: Hashes, files: list[File]) -> None:
        """Count what differs, and show some of it: rows with the same seq, time and sym as one that differs."""
        if not len(lost) and not len(more):
            return
        journaled = (rows for _, rows in self._journal.pieces(*_range(lost), (table.name,)))
        if where == "rdb":
            absent = self._shown(lost, (served(rows, table) for rows in journaled), table)
            stray = self._shown(more, self._asked(table), table)
        else:
            absent = self._shown(lost, journaled, table)
            stray = self._shown(more, (rows for f in files for rows in self._history.read(f, *_range(more))), table)
        lines = []
        for name, row in absent.items():
            other = stray.pop(name, None)
            what = "missing" if other is None else _difference(row, other)
            lines.append(f"{table.name}, seq {name[0]:,}, {name[2]}, {_stamp(name[1])}: {where}: {what}")
        for name in stray:
            lines.append(
                f"{table.name}, seq {name[0]:,}, {name[2]}, {_stamp(name[1])}: {where}: doubled, or not in the journal"
            )
        self.found.differing[table.name] += max(len(lost), len(more))
        self.found.lines += lines[:SHOWN]

    def _shown(self, wanted: Hashes, pieces: Iterable[pa.Table], table: Table) -> dict[Any, dict[str, Any]]:
        """Return some of the rows with these hashes, by (seq, time, sym)."""
        found: dict[Any, dict[str, Any]] = {}
        if not len(wanted):
            return found
        for rows in pieces:
            positions = np.flatnonzero(np.isin(Hashes.of(table, rows).row, wanted.row))[: SHOWN - len(found)]
            if len(positions):
                some = rows.take(pa.array(positions))
                times = some.column("time").cast("int64").to_pylist()
                beside = [n for n in ("time", "seq_row", "received") if n in some.column_names]  # not compared
                for time, row in zip(times, some.drop_columns(beside).to_pylist(), strict=True):
                    found[row["seq"], time, row["sym"]] = row
            if len(found) >= SHOWN:
                break
        return found


def _range(rows: Hashes) -> tuple[int, int]:
    return (int(rows.seq.min()), int(rows.seq.max())) if len(rows) else (1, 0)


def _difference(journaled: dict[str, Any], other: dict[str, Any]) -> str:
    parts = [
        f"{name} is {other.get(name)!r}, the journal has {value!r}"
        for name, value in journaled.items()
        if other.get(name) != value
    ]
    return "; ".join(parts) or "another value of received"


def _stamp(time: int) -> str:
    return str(np.datetime64(time, "ns")).replace("T", " ")
