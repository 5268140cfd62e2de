"""What is to be done next so that the archive holds what it should: from what is there and what is wanted, no more.

    1  files that the store lacks are put there, one after the other
    2  of each table whose files are not exactly those that are wanted, one snapshot is made that is the difference
    3  the manifest is replaced, by which those read who know nothing of Iceberg
    4  the history is told what the archive holds, which may then be removed from it

Each step only adds to what counts, or puts one whole thing in the place of another; so whoever is killed, at whatever
moment, has done nothing wrong, and looks again at what is there. A day that is closed again, an amendment, a month that
became one file and days that went are all the same to it: other files are wanted than there are.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from plant.history.catalogue import Catalogue, File
from plant.history.layout import REPLACED

Told = tuple[frozenset[str], int, frozenset[str]]
"""What a manifest says: names of files, the seq up to which days are closed, which files wait."""

NO_MANIFEST: Told = (frozenset(), -1, frozenset())


@dataclass(frozen=True)
class Wanted:
    """What the archive is to hold: the closed days of a catalogue, and those that only the archive has.

    files     by name, which is the same in the history and in the archive
    local     names of those that the history has, too
    waiting   names of those that cannot be archived, or are not as they were put there (archive.waiting)
    """

    generation: int
    closed: int
    closed_day: str
    files: Mapping[str, File]
    local: frozenset[str]
    waiting: frozenset[str] = frozenset()

    @classmethod
    def by(cls, catalogue: Catalogue) -> "Wanted":
        """Return what a catalogue asks for."""
        local = {f.path: f for f in (*catalogue.files, *catalogue.replaced)}
        files = {f.path: f for f in catalogue.archived} | local
        return cls(catalogue.generation, catalogue.closed, catalogue.closed_day, files, frozenset(local))

    def same_files(self, other: "Wanted | None") -> bool:
        """Return whether two catalogues ask for the same."""
        return other is not None and (self.closed, self.files) == (other.closed, other.files)

    def meanwhile(self, held: frozenset[str], kept: Mapping[str, File], waiting: frozenset[str]) -> "Wanted":
        """Return what is wanted for as long as some files wait: without `held`, with `kept`."""
        files = {n: f for n, f in self.files.items() if n not in held} | dict(kept)
        return replace(self, files=files, waiting=waiting | held)

    @property
    def told(self) -> Told:
        """What the manifest is to say."""
        return frozenset(self.files), self.closed, self.waiting

    @property
    def held(self) -> frozenset[str]:
        """Names of the files that the archive holds as it should once it is level."""
        return frozenset(self.files) - self.waiting

    @property
    def tables(self) -> dict[str, set[str]]:
        """The names of the files of each table of the archive."""
        found: dict[str, set[str]] = {}
        for name, file in self.files.items():
            found.setdefault(table_of(file), set()).add(name)
        return found


@dataclass(frozen=True)
class Present:
    """What there is.

    objects    names of files in the store, with their sizes
    planned    of each table of Iceberg's that exists, the files of its newest snapshot: each as often as it is there
    manifest   what the manifest says; NO_MANIFEST for one that says of a table's metadata what is no longer true
    noted      what the history was told that the archive holds
    """

    objects: Mapping[str, int]
    planned: Mapping[str, tuple[str, ...]]
    manifest: Told
    noted: frozenset[str]


@dataclass(frozen=True)
class Upload:
    """Put the copy of a file into the store."""

    file: File


@dataclass(frozen=True)
class Commit:
    """Make one snapshot of a table: `add` files to it, `drop` others, of those `again` keep one of several."""

    table: str
    add: frozenset[str]
    drop: frozenset[str]
    again: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Tell:
    """Replace the manifest."""


@dataclass(frozen=True)
class Note:
    """Tell the history what the archive holds."""


@dataclass(frozen=True)
class Lost:
    """A file that is wanted is neither in the store nor in the history: somebody has removed it."""

    name: str


Step = Upload | Commit | Tell | Note | Lost


def next_step(wanted: Wanted, present: Present) -> Step | None:
    """Return what is to be done next, None if the archive is as it should be."""
    for name, file in wanted.files.items():
        if name not in present.objects and name not in wanted.waiting:
            return Upload(file) if name in wanted.local else Lost(name)
    tables = wanted.tables
    for table in sorted(tables.keys() | present.planned.keys()):
        if commit := difference(table, tables.get(table, set()), present.planned.get(table, ())):
            return commit
    if present.manifest != wanted.told:
        return Tell()
    return Note() if present.noted != wanted.held else None


def difference(table: str, wanted: set[str], planned: tuple[str, ...]) -> Commit | None:
    """Return what makes `wanted` of the files that a table has, None if that is nothing."""
    there = Counter(planned)
    again = frozenset(name for name in wanted if there[name] > 1)
    add, drop = frozenset(wanted - there.keys()), frozenset(there.keys() - wanted)
    return Commit(table, add, drop, again) if add or drop or again else None


def after(present: Present, step: Upload | Commit | Tell | Note, wanted: Wanted, size: int = 0) -> Present:
    """Return what there is once a step is done; `size`: that of a file that was put there."""
    if isinstance(step, Upload):
        return replace(present, objects={**present.objects, step.file.path: size})
    if isinstance(step, Commit):
        files = tuple(sorted(wanted.tables.get(step.table, ())))
        return replace(present, planned={**present.planned, step.table: files}, manifest=NO_MANIFEST)
    if isinstance(step, Tell):
        return replace(present, manifest=wanted.told)
    return replace(present, noted=wanted.held)


def table_of(file: File) -> str:
    """Return the table of the archive that a file belongs to: rows that were replaced have one of their own."""
    return f"{REPLACED}/{file.table}" if file.path.startswith(f"{REPLACED}/") else file.table
