"""One Parquet file of the history: which of its row groups a question needs, and their rows as columns.

Rows are sorted by sym, time, seq, so the row groups of a symbol are found by bisection of the statistics in the
footer, and nothing else is read. Footers are kept, for files never change; a file is open only while it is read, so
that what the writer removes is gone from the disk once nobody reads it.
"""

import functools
import sys
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plant.errors import HistoryError
from plant.history.catalogue import ArchivedFile, File
from plant.history.layout import REPLACED
from plant.rows.arrow import columns_from_arrow, kind_of
from plant.rows.schema import Table

FOOTER_BYTES = 256 * 2**20
"""Footers kept, as they are in the files; in memory they take several times that."""

_AT_ONCE = 32
"""Row groups whose symbols are read at once."""

Bounds = tuple[str, str]
"""The first and the last symbol of a row group."""

Span = tuple[str, str, bool]
"""The first and the last symbol of a row group in a column, and whether it may have nulls."""

_UNKNOWN = ("", "", True)
_ZEROS = pa.array(np.zeros(65_536, dtype=np.int32))


class MissingFile(HistoryError):
    """A file of the catalogue is not there: it was replaced since the catalogue was read, or is lost."""

    @classmethod
    def of(cls, path: Path) -> "MissingFile":
        """Return the error for the file that should be at `path`."""
        return cls(f"{path} is missing; restore it from a backup, or make the day again with `plant rebuild`")


class Footers:
    """The footers of files that were read lately; any thread.

    `archived` opens a file that only the archive has (hdb.reader.archived); None: such days are not answered about.
    """

    def __init__(
        self, limit_bytes: int = FOOTER_BYTES, archived: "Callable[[ArchivedFile], Footer] | None" = None
    ) -> None:
        self._limit = limit_bytes
        self.archived = archived
        self._known: OrderedDict[tuple[Path, str, bool], Footer] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def of(self, folder: Path, file: File) -> "Footer":
        """Return the footer of a file. Raises HistoryError if the file is missing or damaged."""
        far = isinstance(file, ArchivedFile)  # under the same path, once the history has it no longer
        key = folder, file.path, far
        with self._lock:
            footer = self._known.get(key)
            if footer is not None:
                self._known.move_to_end(key)
                return footer
        if isinstance(file, ArchivedFile) and self.archived is not None:
            footer = self.archived(file)
        else:
            footer = Footer(folder / file.path, file)
        with self._lock:
            if key not in self._known:
                self._known[key] = footer
                self._bytes += footer.bytes
            while self._bytes > self._limit and len(self._known) > 1:
                self._bytes -= self._known.popitem(last=False)[1].bytes
        return footer


class Footer:
    """What a file says of its rows without reading them. Raises HistoryError as `Footers.of` does."""

    apart = False
    """Whether it lies elsewhere, so that what is needed is better read in few pieces."""

    def __init__(self, path: Path, file: File) -> None:
        self.path = path
        self.file = file
        self._path = str(path)
        with self._explaining(), self._opened() as source:
            self.metadata = pq.read_metadata(source)
        self.bytes = self.metadata.serialized_size
        self.names = frozenset(self.metadata.schema.names)
        if self.metadata.num_rows != file.rows:
            raise _damaged(path, f"expected {file.rows:,} rows as in the catalogue, found {self.metadata.num_rows:,}")
        self._symbols: tuple[str, ...] | None = None
        self._known_spans: dict[tuple[int, str], Span | None] = {}
        self._known_times: dict[int, tuple[int, int]] = {}
        self._place = {self.metadata.schema.column(i).path: i for i in range(self.metadata.num_columns)}

    def groups(self, sym: Iterable[str] | None, start: int | None, end: int | None) -> list[int]:
        """Return the row groups that may have rows of these symbols, with times of [start, end)."""
        found: Iterable[int] = range(self.metadata.num_row_groups)
        if sym is not None:
            found = sorted({group for name in sym for group in self._groups_of(name)})
        if (start is not None and start > self.file.first_time) or (end is not None and end <= self.file.last_time):
            found = [g for g in found if _meet(self._times(g), start, end)]
        return list(found)

    def ends(self, groups: Sequence[int]) -> np.ndarray:
        """Return where each of some row groups ends, when these are read one after the other: int64[n]."""
        return np.cumsum([self.rows_of(g) for g in groups])

    def rows_of(self, group: int) -> int:
        """Return the number of rows of a row group."""
        return int(self.metadata.row_group(group).num_rows)

    def is_only(self, group: int, name: str) -> bool:
        """Return whether all rows of a row group are of one symbol."""
        return self._bounds(group) == (name, name)

    def begin_at(self, groups: Iterable[int], start: int) -> bool:
        """Return whether no row of some row groups is earlier than `start`."""
        return self.file.first_time >= start or all(self._times(g)[0] >= start for g in groups)

    def end_before(self, groups: Iterable[int], end: int) -> bool:
        """Return whether every row of some row groups is earlier than `end`."""
        return self.file.last_time < end or all(self._times(g)[1] < end for g in groups)

    def symbols(self, table: Table) -> tuple[str, ...]:
        """Return the names of all symbols, sorted. Row groups of one symbol need not be read for it."""
        if self._symbols is None:
            several = [g for g in range(self.metadata.num_row_groups) if len(set(self._bounds(g))) > 1]
            names = {self._bounds(g)[0] for g in range(self.metadata.num_row_groups)}
            for start in range(0, len(several), _AT_ONCE):
                found = self.read(several[start : start + _AT_ONCE], table, ["sym"])
                names.update(columns_from_arrow(found, table, ["sym"])["sym"].names)
            self._symbols = tuple(sys.intern(name) for name in sorted(names))
        return self._symbols

    def read(self, groups: Sequence[int], table: Table, columns: Iterable[str], threads: bool = False) -> pa.Table:
        """Return the rows of some row groups, with those of the columns that the file has; without any, with `time`.

        threads   columns are decoded by several; not where pieces are shared among the CPUs (plant.query.parallel)
        """
        there = [name for name in dict.fromkeys(columns) if name in self.names]
        symbols = [name for name in there if kind_of(table, name) == "symbol"]
        alike = {name: value for name in symbols if (value := self._one_value(groups, name)) is not None}
        if alike:
            others = [name for name in there if name not in alike] or ["time"]
            found = self.read(groups, table, others, threads)
            return pa.table(
                [_constant(alike[n], found.num_rows) if n in alike else found.column(n) for n in there], there
            )
        return self._read(groups, table, there or ["time"], symbols, threads)

    def _opened(self) -> pa.NativeFile:
        """Return the file, open. Raises HistoryError if it has another size."""
        source = pa.OSFile(self._path)
        if source.size() != self.file.bytes:
            size = source.size()
            source.close()
            raise _damaged(self.path, f"expected {self.file.bytes:,} bytes as in the catalogue, found {size:,}")
        return source

    def _explaining(self) -> AbstractContextManager[None]:
        return _explaining(self.path)

    def _read(
        self, groups: Sequence[int], table: Table, columns: Sequence[str], symbols: Sequence[str], threads: bool
    ) -> pa.Table:
        """Return columns of some row groups, read from the file; `symbols` are those that become dictionaries."""
        options = {"metadata": self.metadata, "read_dictionary": symbols, "page_checksum_verification": True}
        with (
            self._explaining(),
            self._source() as source,
            pq.ParquetFile(source, pre_buffer=self.apart, **options) as opened,
        ):
            return opened.read_row_groups(list(groups), columns=list(columns), use_threads=threads)

    def _source(self) -> pa.NativeFile:
        """Return the file, open; its size was looked at before."""
        return pa.OSFile(self._path)

    def _groups_of(self, name: str) -> Iterable[int]:
        count = self.metadata.num_row_groups
        if self.file.path.startswith(f"{REPLACED}/"):  # of 0.1, it holds several days, one sorted behind the other
            for group in range(count):
                first, last = self._bounds(group)
                if first <= name <= last:
                    yield group
            return
        group = bisect_left(range(count), name, key=lambda g: self._bounds(g)[1])
        while group < count and self._bounds(group)[0] <= name:
            yield group
            group += 1

    def _one_value(self, groups: Iterable[int], name: str) -> str | None:
        """Return the symbol that all rows of some row groups have in a column; None if there is none, or not one."""
        bounds = {self._spans(group, name) for group in groups}
        (span,) = bounds if len(bounds) == 1 else (None,)
        return span[0] if span is not None and span[0] == span[1] and not span[2] else None

    def _bounds(self, group: int) -> Bounds:
        span = self._spans(group, "sym")
        if span is None:
            raise _damaged(self.path, f"row group {group} has no statistics of sym")
        return span[0], span[1]

    def _spans(self, group: int, name: str) -> Span | None:
        """Return the first and the last symbol of a row group in a column, as far as statistics tell."""
        known = self._known_spans.get((group, name), _UNKNOWN)
        if known is _UNKNOWN:
            stored = self.metadata.row_group(group).column(self._place[name]).statistics
            known = None
            if stored is not None and stored.has_min_max:
                some_null = not stored.has_null_count or stored.null_count > 0
                known = sys.intern(stored.min), sys.intern(stored.max), some_null
            self._known_spans[group, name] = known
        return known

    def _times(self, group: int) -> tuple[int, int]:
        known = self._known_times.get(group)
        if known is not None:
            return known
        stored = self.metadata.row_group(group).column(self._place["time"]).statistics
        if stored is None or not stored.has_min_max:
            return self.file.first_time, self.file.last_time
        found = self._known_times[group] = stored.min_raw, stored.max_raw
        return found


def _constant(value: str, count: int) -> pa.Array:
    codes = _ZEROS.slice(0, count) if count <= len(_ZEROS) else pa.array(np.zeros(count, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(codes, _one_name(value), safe=False)


@functools.lru_cache(64)
def _one_name(value: str) -> pa.Array:
    return pa.array([value])


def _meet(times: tuple[int, int], start: int | None, end: int | None) -> bool:
    return (start is None or times[1] >= start) and (end is None or times[0] < end)


class _explaining(AbstractContextManager[None]):
    """Turn what goes wrong with a file into HistoryError, naming it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise MissingFile.of(self._path) from None
        if isinstance(error, OSError | pa.ArrowException | UnicodeDecodeError):
            raise _damaged(self._path, str(error)) from None


def _damaged(path: Path, reason: str) -> HistoryError:
    return HistoryError(
        f"{path} is damaged: {reason.splitlines()[0] if reason else 'it cannot be read'}; restore it from a backup, "
        "or make the day again with `plant rebuild`"
    )
