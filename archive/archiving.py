"""An archive at work: it looks at what is wanted and at what is there, and does the next step until nothing is left."""

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from archive.copies import Unfit, file_of, make, prove
from archive.expiry import expire, nobodys
from archive.iceberg import Tables
from archive.manifest import Manifest
from archive.s3 import S3Store
from archive.steps import (
    NO_MANIFEST,
    Commit,
    Lost,
    Note,
    Present,
    Step,
    Tell,
    Upload,
    Wanted,
    after,
    next_step,
    table_of,
)
from archive.stores import FolderStore, Store
from archive.waiting import meanwhile
from plant.data_folder import PARTIAL, lock, replace_file, sync_folder
from plant.errors import HistoryError, SettingsError
from plant.history.catalogue import Catalogue
from plant.history.layout import history_folder
from plant.history.partition_file import check_bytes, checksum
from plant.history.warehouse import MANIFEST, Warehouse, archived_in, note_archived, noted_at
from plant.runtime.archiving import ArchiveSettings
from plant.runtime.lifecycle import log

NO_VERSION = '"00000000000000000000000000000000"'
"""An ETag that nothing has."""


@dataclass
class Done:
    """What was done so far: files and bytes put into the store, snapshots made, and of which catalogue all is there.

    copied_s, proved_s, put_s   seconds that files were read and written anew; checked, before and after; put there
    """

    files: int = 0
    bytes: int = 0
    snapshots: int = 0
    generation: int = -1
    copied_s: float = 0.0
    proved_s: float = 0.0
    put_s: float = 0.0


class Archiving:
    """The archive of the history in a plant's `data` folder.

    Raises HistoryError if another archive writes it, or the place it is to be written to is another plant's or cannot
    be written safely; SettingsError for what is missing; Unavailable if the store or the catalogue does not answer.
    """

    def __init__(self, settings: ArchiveSettings, data: Path, environment: Mapping[str, str] = os.environ) -> None:
        place = settings.place
        if place is None:
            raise SettingsError("no [archive] warehouse, so days are copied nowhere; docs/archive.md has examples")
        self.warehouse: Warehouse = place
        self.done = Done()
        self._snapshots_days, self._swept = settings.snapshots_days, ""
        self._history = history_folder(data)
        self._work = data / "archive"
        with contextlib.ExitStack() as opened:
            self._hold(opened)
            self.owner = self._owner()
            self._store: Store = S3Store(place) if place.is_s3 else FolderStore(place)
            opened.callback(self._store.close)
            self._tables = Tables(settings, place, data, environment, self.owner)
            self._manifest, self._version = self._claimed()
            self._opened = opened.pop_all()
        self._noted: tuple[int, ...] = ()
        self._present: Present | None = None
        self._level: Wanted | None = None
        self._refused: dict[str, str] = {}
        """Files that could not be archived at the last attempt, by name, with a sentence about each."""

    def close(self) -> None:
        """Let go of it."""
        self._opened.close()

    def forget(self) -> None:
        """Look at what is there anew before the next step."""
        self._present = self._level = None

    def run(self, stopping: threading.Event, progress: Callable[[str], None] = lambda line: None) -> bool:
        """Bring the archive level with the newest catalogue; return whether there was anything to do.

        A file that cannot be archived waits, and takes nothing from the others: HistoryError is raised once all else is
        done. Raises Unavailable, HistoryError for what concerns all of it, and archive.copies.Interrupted once
        `stopping` is set.
        """
        wanted = Wanted.by(Catalogue.load(self._history))
        self._manifest.check_age(wanted)
        if wanted.same_files(self._level) and self._noted == noted_at(self._history):
            self.done.generation = wanted.generation
            return False
        before, self._refused = self._refused, {}
        try:
            worked = self._steps(wanted, stopping, progress)
            if self._snapshots_days and not self._refused and wanted.closed_day > self._swept:
                self._sweep(wanted, stopping, progress)
            for name in self._refused.keys() - before.keys():
                log.warning("archive", waiting=name, why=self._refused[name])
            for name in before.keys() - self._refused.keys():
                log.info("archive", waits_no_more=name)
            if self._refused:
                raise HistoryError(waiting_sentence(self._refused))
        except BaseException:
            self.forget()
            raise
        self._level, self.done.generation = wanted, wanted.generation
        return worked

    def look(self) -> Present:
        """Return what there is, by asking the store and the catalogue."""
        planned = self._tables.planned()
        objects = self._store.sizes()
        manifest = self._manifest
        lost = manifest.names - objects.keys()
        told = manifest.tables == self._tables.locations and lost <= set(manifest.waiting)
        said = (manifest.names, manifest.closed, frozenset(manifest.waiting)) if told else NO_MANIFEST
        return Present(objects, planned, said, archived_in(self._history, self.warehouse.place))

    def _steps(self, wanted: Wanted, stopping: threading.Event, progress: Callable[[str], None]) -> bool:
        if self._present is None or self._level is None or wanted.closed != self._level.closed:
            progress("looking at what is there")
            self._present = self.look()
            self._refused |= self._manifest.changed(wanted, self._present.objects)
        else:
            self._present = replace(self._present, noted=archived_in(self._history, self.warehouse.place))
        worked, now = False, self._meanwhile(wanted)
        while not stopping.is_set() and (step := next_step(now, self._present)) is not None:
            progress(shown(step, now))
            try:
                size = self._do(step, now, stopping)
            except Unfit as error:
                self._refuse(error, wanted)
                now = self._meanwhile(wanted)
                continue
            assert not isinstance(step, Lost)
            self._present = after(self._present, step, now, size)
            worked = True
        self._noted = noted_at(self._history)
        return worked

    def _sweep(self, wanted: Wanted, stopping: threading.Event, progress: Callable[[str], None]) -> None:
        """Let go of snapshots that are too old, and then of files that nothing names any longer."""
        progress("letting go of snapshots")
        if snapshots := expire(self._tables, wanted.closed_day, self._snapshots_days):
            self._present = None
            self._steps(wanted, stopping, progress)  # the manifest names the tables' metadata as they are now
        if stopping.is_set() or self._present is None or self._refused:
            return
        kept = set(wanted.files) | self._manifest.names
        files = list(nobodys(self._tables, list(self._present.objects), kept))
        for name in files:
            self._store.remove(name)
        objects = {n: size for n, size in self._present.objects.items() if n not in set(files)}
        self._present, self._swept = replace(self._present, objects=objects), wanted.closed_day
        if snapshots or files:
            log.info("archive", snapshots_gone=snapshots, files_gone=len(files))

    def _refuse(self, error: Unfit, wanted: Wanted) -> None:
        """Let a file wait. Raises the error if that leads nowhere, or another catalogue wants no such file."""
        newest = Wanted.by(Catalogue.load(self._history))
        if error.name in self._refused or (error.name in wanted.local and error.name not in newest.files):
            raise error
        self._refused[error.name] = str(error)

    def _meanwhile(self, wanted: Wanted) -> Wanted:
        """Return what is wanted for as long as what was refused waits."""
        if not self._refused:
            return wanted
        assert self._present is not None
        found = meanwhile(wanted.tables, self._present.planned, self._refused)
        kept = {n: file_of(self.warehouse.filesystem, self.warehouse.path(n), n)[0] for n in sorted(found.kept)}
        return wanted.meanwhile(found.held, kept, frozenset(self._refused))

    def _do(self, step: Step, wanted: Wanted, stopping: threading.Event) -> int:
        """Do a step; return the size of the file it put into the store."""
        if isinstance(step, Upload):
            return self._upload(step, stopping)
        if isinstance(step, Commit):
            files = {n: f for n, f in wanted.files.items() if table_of(f) == step.table}
            facts = {"generation": wanted.generation, "closed": wanted.closed, "closed_day": wanted.closed_day}
            self.done.snapshots += self._tables.commit(step.table, files, facts)
        elif isinstance(step, Tell):
            self._tell(wanted)
        elif isinstance(step, Note):
            note_archived(self._history, wanted.generation, wanted.closed, wanted.held, self.warehouse.place)
        else:
            raise Unfit(
                step.name,
                f"{self.warehouse.uri(step.name)} is missing, and the history has it no longer: somebody removed it; "
                "restore it, from the store's versions or a backup",
            )
        return 0

    def _upload(self, step: Upload, stopping: threading.Event) -> int:
        copy = self._work / f"{step.file.path.replace('/', '-')}{PARTIAL}"
        moments = [time.perf_counter()]

        def passed() -> float:
            moments.append(time.perf_counter())
            return moments[-1] - moments[-2]

        try:
            try:
                check_bytes(self._history, step.file)
            except HistoryError as error:
                raise Unfit(step.file.path, str(error)) from None
            self.done.proved_s += passed()
            make(self._history, step.file, copy, stopping)
            self.done.copied_s += passed()
            prove(copy, step.file, stopping)
            crc, size = checksum(copy)
            self.done.proved_s += passed()
            if self._store.put(step.file.path, copy, crc):
                self.done.files += 1
                self.done.bytes += size
            self.done.put_s += passed()
        finally:
            copy.unlink(missing_ok=True)
        return size

    def _tell(self, wanted: Wanted) -> None:
        assert self._present is not None
        told = self._manifest.sizes
        sizes = {**self._present.objects, **{n: told[n] for n in wanted.waiting if n in told}}  # as they should be
        manifest = Manifest.of(self.owner, wanted, sizes, dict(self._tables.locations))
        version = self._store.replace(MANIFEST, manifest.encoded(), self._version)
        if version is None:
            self._manifest, self._version = self._claimed()  # an answer that was lost, or another archive
            raise HistoryError(f"{self.warehouse.uri(MANIFEST)} was replaced meanwhile; it is read again")
        self._manifest, self._version = manifest, version

    def _claimed(self) -> tuple[Manifest, str]:
        """Return the manifest that is there, made if there is none. Raises HistoryError if it is another archive's."""
        first = Manifest(self.owner)
        where = self.warehouse.uri(MANIFEST)
        found = self._store.read(MANIFEST)
        if found is None:
            self._store.replace(MANIFEST, first.encoded(), None)
            found = self._store.read(MANIFEST)
        if found is None:
            raise HistoryError(f"{where} was written and cannot be read again; may these keys read there?")
        manifest = Manifest.decoded(found[0], where)
        if manifest.owner != self.owner:
            raise HistoryError(
                f"{where} is written by another archive ({manifest.owner}; this one is {self.owner}): name another "
                f"[archive] warehouse. If that one is gone for good, write its name into {self._work / 'owner'}"
            )
        if self._store.replace(MANIFEST, found[0], None) is not None:
            raise HistoryError(
                f"{self.warehouse.endpoint or self.warehouse.place} replaces a file although asked to make it only if "
                "it is not there (If-None-Match): two archives could write at once; use a store that keeps to it"
            )
        if self._store.replace(MANIFEST, found[0], NO_VERSION) is not None:
            raise HistoryError(
                f"{self.warehouse.endpoint or self.warehouse.place} replaces a file although asked to do so only if "
                "it is another one still (If-Match): two archives could undo each other's work; use a store that "
                "keeps to it"
            )
        return manifest, found[1]

    def _hold(self, opened: contextlib.ExitStack) -> None:
        try:
            self._work.mkdir(parents=True, exist_ok=True)
            held = lock(
                self._work,
                lambda holder: HistoryError(
                    f"{self._work}: another process (pid {holder}) archives this history; stop it (the program archive)"
                ),
            )
        except OSError as error:
            raise HistoryError(f"{self._work}: cannot be written: {error.strerror}") from None
        opened.callback(os.close, held)
        for left in self._work.glob(f"*{PARTIAL}"):
            left.unlink()

    def _owner(self) -> str:
        """Return what tells this archive from others; made once, kept in the data folder."""
        path = self._work / "owner"
        if not path.exists():
            replace_file(path, uuid.uuid4().hex.encode())
            sync_folder(self._work)
        return path.read_text().strip()


def shown(step: Step, wanted: Wanted) -> str:
    """Return what a step does, in a line."""
    if isinstance(step, Upload):
        return f"copying {step.file.path}, {step.file.rows:,} rows"
    if isinstance(step, Commit):
        return f"{step.table}: snapshot of {wanted.closed_day}, {len(step.add)} files more, {len(step.drop)} gone"
    return "replacing the manifest" if isinstance(step, Tell) else "telling the history"


def waiting_sentence(refused: Mapping[str, str]) -> str:
    """Return what is said of files that wait."""
    first, *more = sorted(refused)
    others = f" ({len(more):,} more wait: {', '.join(more[:3])}{', ...' if more[3:] else ''})" if more else ""
    return f"{refused[first]}{others}; all else is archived"
