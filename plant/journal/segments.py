"""The segments of a journal, as one sequence of records to read."""

import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from plant.data_folder import sync_folder
from plant.errors import JournalError
from plant.journal.files import segment_at, segment_paths
from plant.journal.index import Damage, index_path
from plant.journal.segment import NotIndexed, Segment
from plant.rows.schema import Table

LOADED_INDEXES = 8
"""Closed segments whose index stays in memory; one takes about 1 MB."""


class Segments(Sequence[Segment]):
    """The segments in a folder, the oldest first. Raises JournalError if one cannot be read.

    One thread reads; others may exchange and remove closed segments meanwhile. `damage` is what was found, each once;
    `unindexed` a segment that a reader waits for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damage: list[Damage] = []
        self.unindexed: Segment | None = None
        self._known_damage: set[Damage] = set()
        self._present = [segment_at(path) for path in segment_paths(folder)]
        self._exchanging = threading.Lock()

    @overload
    def __getitem__(self, at: int) -> Segment: ...
    @overload
    def __getitem__(self, at: slice) -> list[Segment]: ...
    def __getitem__(self, at: int | slice) -> Segment | list[Segment]:
        return self._present[at]

    def __len__(self) -> int:
        return len(self._present)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._present)

    @property
    def first_seq(self) -> int:
        """The seq of the first record there is, if none was lost: what came before was removed."""
        return self._present[0].first_seq

    def tables(self) -> list[Table]:
        """Return the declaration of every table in any segment, each schema id once; those in force now come last."""
        found: dict[int, Table] = {}
        for segment in reversed(self._present):
            found = {**{i: t for i, t in segment.tables.items() if i not in found}, **found}
        return list(found.values())

    def add(self, begun: Segment) -> None:
        """Let a segment be the last one; one of the same file, which held nothing, goes."""
        with self._exchanging:
            self._present = [*(s for s in self._present if s.path != begun.path), begun]

    def exchange(self, old: Segment, new: Segment | None) -> None:
        """Let `new` take the place of a closed segment; None removes it. Then delete the file of `old`. Any thread."""
        with self._exchanging:
            self._present = [s if s is not old else new for s in self._present if s is not old or new]  # type: ignore[misc]
        index_path(old.path).unlink(missing_ok=True)
        old.path.unlink()
        sync_folder(self.folder)

    def read(self, seq: int, max_bytes: int = 2**20, check: bool = False, walk: bool = True) -> bytes:
        """Return whole records from the first whose seq is at least `seq`, about `max_bytes`; empty at the end.

        What cannot be read is passed over, and is in `damage` once. `check` verifies every record on the way, for a
        reader that was handed a damaged one. Unless it may `walk`, NotIndexed is raised for a closed segment that would
        have to be gone through first, which takes seconds; it is `unindexed` until the upkeep has done that.
        """
        while True:
            present = self._present
            index = max(bisect_right(present, seq, key=lambda s: s.first_seq) - 1, 0)
            try:
                for before, segment in zip([None, *present[index:]], present[index:], strict=False):
                    if before is not None:
                        self._note_hole(before, segment, seq)
                    try:
                        found = segment.read(seq, max_bytes, check, walk)
                    except NotIndexed:
                        self.unindexed = segment
                        raise
                    self.note(segment.damage)
                    if found:
                        self._limit_indexes(present)
                        return found
                return b""
            except FileNotFoundError as error:
                if self._present is present:  # nobody compressed or removed it here
                    raise JournalError(f"{error.filename}: the segment is gone; `plant journal verify` tells") from None

    def note(self, damage: Sequence[Damage]) -> None:
        """Add to `damage` what is new."""
        for found in damage:
            if found not in self._known_damage:
                self._known_damage.add(found)
                self.damage.append(found)

    def _note_hole(self, before: Segment, segment: Segment, seq: int) -> None:
        """Note that a whole segment is missing, if nothing from `seq` to the beginning of `segment` was found."""
        if segment.first_seq > seq and not any(d.outcome == "skipped" for d in before.damage):
            detail = f"seqs {seq:,} to {segment.first_seq - 1:,} are in no segment"
            end = before.path.stat().st_size
            self.note([Damage(before.path.name, end, end, detail, "skipped")])

    @staticmethod
    def _limit_indexes(present: Sequence[Segment]) -> None:
        """Forget the indexes of the closed segments that were not read for longest."""
        loaded = [s for s in present[:-1] if s.indexed and s.blocks is not None]
        for segment in sorted(loaded, key=lambda s: s.read_at)[: max(len(loaded) - LOADED_INDEXES, 0)]:
            segment.blocks = None
