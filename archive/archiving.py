"""An archive at work: it looks at what is wanted and at what is there, and does the next step until nothing is left."""

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from archive.copies import make, prove
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
from plant.data_folder import PARTIAL, lock, replace_file, sync_folder
from plant.errors import HistoryError, SettingsError
from plant.history.catalogue import Catalogue
from plant.history.layout import history_folder
from plant.history.partition_file import check_bytes, checksum
from plant.history.warehouse import MANIFEST, Warehouse, archived_in, note_archived
from plant.runtime.archiving import ArchiveSettings


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
        self._present: Present | None = None
        self._level: Wanted | None = None

    def close(self) -> None:
        """Let go of it."""
        self._opened.close()

    def forget(self) -> None:
        """Look at what is there anew before the next step."""
        self._present = self._level = None

    def run(self, stopping: threading.Event, progress: Callable[[str], None] = lambda line: None) -> bool:
        """Bring the archive level with the newest catalogue; return whether there was anything to do.

        Raises HistoryError, Unavailable, and archive.copies.Interrupted once `stopping` is set.
        """
        wanted = Wanted.by(Catalogue.load(self._history))
        self._manifest.check_age(wanted)
        if wanted.same_files(self._level):
            self.done.generation = wanted.generation
            return False
        try:
            worked = self._steps(wanted, stopping, progress)
        except BaseException:
            self.forget()
            raise
        self._level, self.done.generation = wanted, wanted.generation
        return worked

    def look(self) -> Present:
        """Return what there is, by asking the store and the catalogue."""
        planned = self._tables.planned()
        objects = self._store.sizes()
        told = self._manifest.tables == self._tables.locations and self._manifest.names <= objects.keys()
        manifest = (self._manifest.names, self._manifest.closed) if told else NO_MANIFEST
        return Present(objects, planned, manifest, archived_in(self._history, self.warehouse.place))

    def _steps(self, wanted: Wanted, stopping: threading.Event, progress: Callable[[str], None]) -> bool:
        if self._present is None or self._level is None or wanted.closed != self._level.closed:
            progress("looking at what is there")
            self._present = self.look()
            self._manifest.check_files(wanted, self._present.objects)
        worked = False
        while not stopping.is_set() and (step := next_step(wanted, self._present)) is not None:
            progress(shown(step, wanted))
            size = self._do(step, wanted, stopping)
            assert not isinstance(step, Lost)
            self._present = after(self._present, step, wanted, size)
            worked = True
        return worked

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
            note_archived(self._history, wanted.generation, wanted.closed, wanted.files, self.warehouse.place)
        else:
            raise HistoryError(
                f"{self.warehouse.uri(step.name)} is missing, and the history has it no longer: somebody removed it; "
                "restore it, from the store's versions or a backup"
            )
        return 0

    def _upload(self, step: Upload, stopping: threading.Event) -> int:
        copy = self._work / f"{step.file.path.replace('/', '-')}{PARTIAL}"
        moments = [time.perf_counter()]

        def passed() -> float:
            moments.append(time.perf_counter())
            return moments[-1] - moments[-2]

        try:
            check_bytes(self._history, step.file)
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
        manifest = Manifest.of(self.owner, wanted, self._present.objects, dict(self._tables.locations))
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
