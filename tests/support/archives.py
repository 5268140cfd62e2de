"""Archives for tests: of a history in a folder, and what Iceberg's tables have of rows, beside what the history has."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
from histories import Found, History
from history_files import HOURS
from plain_rows import NOON, bar, trade
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import PyArrowFile

import archive.archiving as archiving_module
from archive import s3, stores
from archive.archiving import Archiving
from plant.history.catalogue import Catalogue, File
from plant.history.projection import of_history, restored
from plant.runtime.archiving import ArchiveSettings

DAY = 24 * HOURS


def one_day(data: Path) -> History:
    """Return a history of one closed day in a plant's data folder."""
    made = History(data)
    day(made, 0)
    return made


def day(history: History, number: int, *more: dict[str, Any], price: float = 100.0) -> Catalogue:
    """Publish four trades and three bars of a day of November, 20 + number, and more bars; close it."""
    noon = NOON + number * DAY
    history.publish(
        "trades", [trade(noon + i * 1001, ("A", "B")[i % 2], price + i, trade_id=f"t{i}") for i in range(4)]
    )
    history.publish("bars", [bar(noon + i * HOURS, close=price / 10 + i) for i in range(3)])
    for row in more:
        history.publish("bars", [row])
    return closed(history, number)


def closed(history: History, number: int) -> Catalogue:
    """Close a day."""
    history.part(f"2026-11-{20 + number}" if number <= 10 else f"2026-12-{number - 10:02}")
    return history.close()


def archiving(history: History, warehouse: Path | str, **more: Any) -> Archiving:
    """Return an archive of a history, ready to work."""
    return Archiving(ArchiveSettings(warehouse=str(warehouse), **more), history.data)


def archive(history: History, warehouse: Path | str, **more: Any) -> Archiving:
    """Archive a history, and return the archive, closed."""
    made = archiving(history, warehouse, **more)
    try:
        made.run(threading.Event())
    finally:
        made.close()
    return made


def tables_of(made: Archiving) -> dict[str, Any]:
    """Return Iceberg's tables of an archive, loaded anew: "trades", "replaced/trades", ..."""
    catalog = made._tables._catalog
    found = {}
    for namespace, prefix in (("tickplant", ""), ("tickplant_replaced", "replaced/")):
        if catalog.namespace_exists(namespace):
            for *_, name in catalog.list_tables(namespace):
                found[f"{prefix}{name}"] = catalog.load_table((namespace, name))
    return found


def iceberg_rows(table: Any, snapshot_id: int | None = None) -> Found:
    """Return the rows of a table of Iceberg's as it reads them, as they were in the history."""
    rows = table.scan(snapshot_id=snapshot_id).to_arrow()
    return found_in(restored(rows, of_history(rows.schema)))


def history_rows(folder: Path, files: Iterable[File]) -> Found:
    """Return the rows of files of a history."""
    total: Found = Counter()
    for file in files:
        total += found_in(pq.read_table(folder / file.path))
    return total


def found_in(rows: pa.Table) -> Found:
    """Return rows so that they can be compared: times as ns, columns by name, those without a value left out."""
    columns = {}
    for name in rows.column_names:
        column = rows.column(name)
        columns[name] = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
    names = sorted(columns)
    values = zip(*(columns[name] for name in names), strict=True)
    return Counter(tuple((n, v) for n, v in zip(names, row, strict=True) if v is not None) for row in values)


def assert_level(folder: Path, made: Archiving) -> None:
    """Iceberg's newest snapshots have the rows of the catalogue, table by table and day by day, and no file twice."""
    catalogue = Catalogue.load(folder)
    tables = tables_of(made)
    for prefix, files in (("", catalogue.files), ("replaced/", catalogue.replaced)):
        for name in {f.table for f in files}:
            of_table = [f for f in files if f.table == name]
            table = tables[f"{prefix}{name}"]
            planned = sorted(made.warehouse.name(t.file.file_path) for t in table.scan().plan_files())
            gone = [f.path for f in catalogue.archived_of(name, bool(prefix))]
            assert planned == sorted([*(f.path for f in of_table), *gone])
            if not gone:
                assert iceberg_rows(table) == history_rows(folder, of_table)
    wanted = {f.table for f in catalogue.files}
    assert {n for n, t in tables.items() if "/" not in n and list(t.scan().plan_files())} == wanted


class Killed(BaseException):
    """What an archive that is killed does not see."""


@contextmanager
def killed_at(step: int) -> Iterator[list[str]]:
    """Let the archive die at the step-th moment at which something changes, before or behind it; yield the changes."""
    done: list[str] = []

    def dying(name: str, change: Any) -> Any:
        def at_step(*arguments: Any, **options: Any) -> Any:
            _count(f"before {name}")
            found = change(*arguments, **options)
            _count(f"after {name}")
            return found

        return at_step

    def _count(name: str) -> None:
        if len(done) >= step:
            raise Killed
        done.append(name)

    with ExitStack() as patched:
        for owner, name in CHANGES:
            patched.enter_context(mock.patch.object(owner, name, dying(name, getattr(owner, name))))
        try:
            yield done
        except Killed:
            done.append("killed")


CHANGES: tuple[tuple[Any, str], ...] = (
    (stores.FolderStore, "put"),
    (stores.FolderStore, "replace"),
    (s3.S3Store, "put"),
    (s3.S3Store, "replace"),
    (SqlCatalog, "create_table"),
    (SqlCatalog, "commit_table"),
    (PyArrowFile, "create"),
    (archiving_module, "note_archived"),
)
"""What changes something: in the store, in Iceberg's catalogue, its files beside, in the history's folder."""
