"""The history's rows, read from the files of one catalogue: those of a range of seqs and of times."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plant.errors import HistoryError
from plant.history.amending import Amendment, apply
from plant.history.catalogue import Catalogue, File
from plant.history.layout import history_folder
from plant.history.merging import REVISED
from plant.history.partition_file import check_bytes, row_groups
from plant.progress import Progress
from plant.rows.row_hashes import MODULUS, row_sum
from plant.rows.schema import Table

DAY, PART, REPLACED = 0, 1, 2
"""What a file holds: rows of closed days, rows that are not closed yet, rows that were replaced."""


class HistoryRows:
    """The files of a plant's history that have rows with seqs from `first` on, and times in `span`.

    span     times [start, end), ns since 1970 UTC; None: all
    good     the files that are what the catalogue says, once `check` has looked; others are in `damage`

    Raises HistoryError if the catalogue cannot be read.
    """

    def __init__(self, data: Path, span: tuple[int, int] | None) -> None:
        self.folder = history_folder(data)
        self.catalogue = Catalogue.load(self.folder)
        self.span = span
        self.first = 1
        self.good: list[File] = []
        self.damage: list[str] = []

    @property
    def up_to_date(self) -> bool:
        """Whether the catalogue is still the one that counts."""
        return Catalogue.load(self.folder).generation == self.catalogue.generation

    def check(self, first: int, progress: Progress) -> None:
        """Read every file that has rows from seq `first` on by its checksum."""
        self.first = first
        files = [f for f in self.catalogue.every_file() if self._touches(f)]
        for i, file in enumerate(files, 1):
            try:
                check_bytes(self.folder, file)
                self.good.append(file)
            except HistoryError as error:
                self.damage.append(str(error))
            progress(i, len(files))

    def damaged(self, table: str) -> bool:
        """Return whether a file of a table is."""
        return any(f.table == table and f not in self.good for f in self.catalogue.every_file() if self._touches(f))

    def kind(self, file: File) -> int:
        """Return DAY, PART or REPLACED."""
        return REPLACED if file in self.catalogue.replaced else DAY if file in self.catalogue.files else PART

    def total(self, files: Iterable[File]) -> tuple[int, int]:
        """Return rows and their sum; of a file that is wanted as a whole, what the catalogue says."""
        rows = total = 0
        for file in files:
            if self._whole(file):
                rows, total = rows + file.rows, total + file.row_sum
                continue
            for some in self.read(file, self.first, self.catalogue.through):
                rows, total = rows + some.num_rows, total + row_sum(some)
        return rows, total % MODULUS

    def read(self, file: File, first: int, last: int, told: bool = False) -> Iterator[pa.Table]:
        """Yield a file's rows of a range of seqs, a row group at a time; `told`: with replaced_by, replaced_reason."""
        if file.first_seq > last or file.last_seq < first:
            return
        for group in row_groups(self.folder / file.path):
            if self.kind(file) == REPLACED and not told:
                group = group.drop_columns(["replaced_by", "replaced_reason"])
            yield within(between(group, first, last), self.span)

    def amended(self, tables: Mapping[str, Table], amendments: Sequence[Amendment]) -> dict[str, pa.Table]:
        """Return the rows that amendments made, by table: they are made once more from the rows they replaced."""
        made: dict[str, pa.Table] = {}
        for name in {a.table for a in amendments} & tables.keys():
            files = [f for f in self.catalogue.replaced_of(name) if f in self.good]
            there = [some for f in files for some in self.read(f, self.first, self.catalogue.closed, told=True)]
            if not there:
                continue
            told = pa.concat_tables(there, promote_options="default")
            told = told.filter(pc.not_equal(told.column("replaced_reason"), REVISED))
            seqs = pa.array(sorted({a.amended_by for a in amendments if a.table == name}))
            originals = told.filter(pc.invert(pc.is_in(told.column("seq"), value_set=seqs))).drop_columns(
                ["replaced_by", "replaced_reason"]
            )
            times, syms = told.column("time").cast("int64").to_pylist(), told.column("sym").to_pylist()
            done = set(zip(told.column("replaced_by").to_pylist(), times, syms, strict=True))
            applied = [a for a in amendments if (a.amended_by, a.time, a.sym) in done]
            made[name] = apply(tables[name], originals, applied).made
        return made

    def _touches(self, file: File) -> bool:
        inside = self.span is None or (file.first_time < self.span[1] and file.last_time >= self.span[0])
        return inside and file.last_seq >= self.first

    def _whole(self, file: File) -> bool:
        inside = self.span is None or (file.first_time >= self.span[0] and file.last_time < self.span[1])
        return inside and file.first_seq >= self.first and self.kind(file) != REPLACED


def within(rows: pa.Table, span: tuple[int, int] | None) -> pa.Table:
    """Return the rows with times in [start, end), ns since 1970 UTC; all for None."""
    if span is None:
        return rows
    times = rows.column("time").cast("int64").to_numpy()
    return rows.filter(pa.array((times >= span[0]) & (times < span[1])))


def between(rows: pa.Table, first: int, last: int) -> pa.Table:
    """Return the rows with seqs from `first` to `last`."""
    seqs: np.ndarray = rows.column("seq").to_numpy()
    if not len(seqs) or (seqs.min() >= first and seqs.max() <= last):
        return rows
    return rows.filter(pa.array((seqs >= first) & (seqs <= last)))
