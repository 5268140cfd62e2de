"""The files of a journal's folder: which segments there are, and what their names say (docs/journal.md)."""

from pathlib import Path
from typing import Any

from plant.errors import JournalError
from plant.journal.compressed import COMPRESSED_SUFFIX, CompressedSegment
from plant.journal.segment import PLAIN_SUFFIX, Segment


def segment_paths(folder: Path) -> list[Path]:
    """Return the segments of a journal, in order; where a crash left a plain and a compressed one, the compressed."""
    found = {p.name[: -len(PLAIN_SUFFIX)]: p for p in folder.glob(f"*{PLAIN_SUFFIX}")}
    found |= {p.name[: -len(COMPRESSED_SUFFIX)]: p for p in folder.glob(f"*{COMPRESSED_SUFFIX}")}
    return [found[name] for name in sorted(found)]


def existing_paths(folder: Path) -> list[Path]:
    """Return the segments of a journal, at least one, in order. Raises JournalError if there is no journal."""
    if not (paths := segment_paths(folder)):
        raise JournalError(f"{folder}: no journal here (no *.journal files); is [plant] data right?")
    return paths


def paths_between(folder: Path, first: int, last: int | None) -> list[Path]:
    """Return the segments that may have records numbered `first` to `last` (None: to the end), in order."""
    paths = segment_paths(folder)
    starts = [first_seq_of(path) for path in paths]
    return [
        path
        for path, start, following in zip(paths, starts, [*starts[1:], None], strict=True)
        if (last is None or start <= last) and (following is None or following > first)
    ]


def name_of(path: Path) -> str:
    """Return the name of a segment, plain and compressed alike: the seq of its first record, in 20 digits."""
    return path.name.split(".")[0]


def first_seq_of(path: Path) -> int:
    """Return the seq of a segment's first record, as its name says it."""
    return int(name_of(path))


def segment_at(path: Path, header: dict[str, Any] | None = None) -> Segment:
    """Return the segment of a file, by its suffix. Raises JournalError as Segment does."""
    return (CompressedSegment if path.name.endswith(COMPRESSED_SUFFIX) else Segment)(path, header)


def present_segment(path: Path) -> Segment:
    """Return a segment that may have been compressed since its folder was listed.

    Raises FileNotFoundError if it was removed, JournalError as Segment does.
    """
    try:
        return segment_at(path)
    except FileNotFoundError:
        for other in segment_paths(path.parent):
            if name_of(other) == name_of(path):
                return segment_at(other)
        raise
