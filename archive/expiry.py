"""Snapshots and files that are let go of: those by which nobody reads any longer how a table was at an end of day.

pyiceberg takes snapshots out of a table's metadata, and removes no files. So files are removed here, and only those
that can be nobody's: with a name of ours, of a table that the catalogue knows, and named by no snapshot that is left,
not by the manifest, and not wanted. The manifest is replaced in between, since the metadata it named before name what
goes. Whoever is killed meanwhile finds the same to do again.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.fs as pafs

from archive.iceberg import Tables
from archive.waiting import days_of

CLOSED_DAY = "tickplant.closed_day"


def expired(snapshots: Sequence[tuple[int, str]], closed_day: str, days: float) -> list[int]:
    """Return which snapshots of a table show none of the last `days` ends of day.

    snapshots   (id, the day whose end it was made at, "" if it is not ours), oldest first

    >>> expired([(1, "2026-11-01"), (2, "2026-11-10"), (3, "2026-11-20")], "2026-11-20", 7.0)
    [1]
    """
    first = str(dt.date.fromisoformat(closed_day) - dt.timedelta(days=days))
    shown = [i for i, (_, day) in enumerate(snapshots) if day and day <= first]
    return [number for number, _ in snapshots[: shown[-1]]] if shown else []


def expire(tables: Tables, closed_day: str, days: float) -> int:
    """Take snapshots out of all tables that have some to let go of; return how many. Raises Unavailable."""
    count = 0
    for name in tables.locations:
        with tables.loaded(name) as table:
            found = sorted(table.snapshots(), key=lambda s: s.sequence_number or 0)
            days_shown = [(s.snapshot_id, _closed_day(s)) for s in found]
            if gone := expired(days_shown, closed_day, days):
                table.maintenance.expire_snapshots().by_ids(gone).commit()
                count += len(gone)
    return count


def named(tables: Tables) -> set[str]:
    """Return the addresses of all files that any snapshot of any table names: data, and Iceberg's own.

    Raises Unavailable.
    """
    found: set[str] = set()
    for name in tables.locations:
        with tables.loaded(name) as table:
            for snapshot in table.snapshots():
                found.add(snapshot.manifest_list)
                for manifest in snapshot.manifests(table.io):
                    if manifest.manifest_path not in found:
                        found.add(manifest.manifest_path)
                        found |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io)}
    return found


def nobodys(tables: Tables, objects: Sequence[str], kept: set[str]) -> Iterator[str]:
    """Yield the names of the archive's files, and of Iceberg's beside them, that nothing names and nobody wants.

    objects   names of all Parquet files in the store
    kept      names of those that are wanted, or that the manifest names
    """
    warehouse = tables.warehouse
    names = {warehouse.name(uri) for uri in named(tables)} | kept
    for name in objects:
        if name not in names and days_of(name) and _table(name) in tables.locations:
            yield name
    for table in tables.locations if tables.beside else ():
        selector = pafs.FileSelector(warehouse.path(f"{table}/metadata"), allow_not_found=True)
        for file in warehouse.filesystem.get_file_info(selector):
            name = f"{table}/metadata/{file.base_name}"
            if name.endswith(".avro") and name not in names:
                yield name


def _closed_day(snapshot: Any) -> str:
    return str(snapshot.summary[CLOSED_DAY] or "") if snapshot.summary else ""


def _table(name: str) -> str:
    first, _, rest = name.partition("/")
    return f"{first}/{rest.partition('/')[0]}" if first == "replaced" else first
