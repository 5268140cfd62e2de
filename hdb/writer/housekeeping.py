"""What is done to closed days when there is time: small months become one file, old days go."""

import datetime as dt
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from hdb.writer.closing import Interrupted
from hdb.writer.store import Store, conserved
from plant.history.catalogue import ArchivedFile, Catalogue, File
from plant.history.layout import day_path
from plant.history.merging import merged, schema_of_files
from plant.history.partition_file import PartitionFile, check_bytes
from plant.history.warehouse import archived_in
from plant.runtime.lifecycle import log


class Housekeeping:
    """Keeps the closed days of `store` in few files, and not for longer than wanted.

    compact_mb   the days of a table whose month is over and takes no more than this, MiB, become one file; 0: never
    keep_days    days that ended so many days before the last closed one are removed; 0: none
    archive      None, or how long days are kept that then only the archive has, 0: for ever. With an archive nothing is
                 removed that it has not said it holds, and the catalogue still names what was
    place        where that archive lies; "": wherever
    """

    def __init__(
        self, store: Store, compact_mb: float, keep_days: float, archive: float | None = None, place: str = ""
    ) -> None:
        self.store = store
        self.compact_mb = compact_mb
        self.keep_days = keep_days
        self.archive = archive
        self.place = place

    def work(self, stopping: threading.Event) -> bool:
        """Do one thing if there is one to do, and return whether there was. Raises HistoryError or Interrupted."""
        if gone := self.expired(self.store.catalogue):
            only_there = [] if self.archive is None else [ArchivedFile(**asdict(f)) for f in gone]
            self.store.change(lambda c: {"files": [f for f in c.files if f not in gone],
                                         "replaced": tuple(f for f in c.replaced if f not in gone),
                                         "archived": (*c.archived, *only_there)})  # fmt: skip
            log.info("history", removed=len(gone), until=max(f.last_day for f in gone), archived=len(only_there))
            return True
        if let_go := self.let_go(self.store.catalogue):
            self.store.change(lambda c: {"archived": tuple(f for f in c.archived if f not in let_go)})
            log.info("history", let_go=len(let_go), until=max(f.last_day for f in let_go))
            return True
        for files in self.small_months(self.store.catalogue):
            self._compact(files, stopping)
            return True
        return False

    def expired(self, catalogue: Catalogue) -> list[File]:
        """Return the files that hold only days too old to be kept; with an archive, those of them that it holds."""
        gone = _before(self.keep_days, catalogue, (*catalogue.files, *catalogue.replaced))
        if not gone or self.archive is None:
            return gone
        held = archived_in(self.store.folder, self.place)
        return [f for f in gone if f.path in held]

    def let_go(self, catalogue: Catalogue) -> list[File]:
        """Return the files of days that only the archive has, and that are too old for it as well."""
        return _before(self.archive or 0.0, catalogue, catalogue.archived)

    def small_months(self, catalogue: Catalogue) -> list[list[File]]:
        """Return the days that are to become one file: of one table and one month that is over, two files at least."""
        months: dict[tuple[str, str], list[File]] = {}
        for file in catalogue.files:
            if file.first_day[:7] < catalogue.closed_day[:7]:
                months.setdefault((file.table, file.first_day[:7]), []).append(file)
        most = self.compact_mb * 2**20
        return [files for files in months.values() if len(files) > 1 and sum(f.bytes for f in files) <= most]

    def _compact(self, files: Sequence[File], stopping: threading.Event) -> None:
        table = self.store.table(files[0].table, files)
        folder, cut = self.store.folder, f"g{self.store.catalogue.generation + 1}"
        path = day_path(table.name, files[0].first_day[:7], cut)
        for file in files:
            check_bytes(folder, file)
        schema = schema_of_files(folder, table, files)
        days, rows = (files[0].first_day, files[-1].last_day), sum(f.rows for f in files)
        with PartitionFile(folder, path, table, *days, schema, rows, cut=cut) as made:
            for piece in merged(folder, table, files, [], schema, every_row=True):
                if stopping.is_set():
                    raise Interrupted(f"joining {table.name} {files[0].first_day[:7]}")
                made.write(piece.rows)
            month = conserved(made.finish(), files)
            made.place()
        self.store.change(lambda c: {"files": [*(f for f in c.files if f not in files), month]})
        log.info("history", month=path, days=len(files), rows=month.rows)


def _before(keep_days: float, catalogue: Catalogue, files: Iterable[File]) -> list[File]:
    """Return those that hold only days which ended so many days before the last closed one; none if that is 0."""
    if not keep_days or not catalogue.closed_day:
        return []
    first = str(dt.date.fromisoformat(catalogue.closed_day) - dt.timedelta(days=keep_days))
    return [f for f in files if f.last_day < first]
