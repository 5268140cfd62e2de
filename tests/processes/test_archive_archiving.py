"""An archive of a real history: its rows are those of the history, whatever happened to either, and no file is twice.

In a folder, with Iceberg's catalogue in SQLite; the same in a real S3 store is in tests/endtoend/test_archive.py.
"""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archives import (
    DAY,
    archive,
    archiving,
    assert_level,
    day,
    history_rows,
    iceberg_rows,
    killed_at,
    one_day,
    tables_of,
)
from chance import SOAK
from histories import History
from history_files import HOURS
from plain_rows import NOON, SCHEMA, bar

from archive.archiving import Archiving
from archive.stores import FolderStore
from hdb.writer.housekeeping import Housekeeping
from plant.errors import HistoryError, SettingsError, Unavailable
from plant.history.amending import amendment
from plant.history.catalogue import Catalogue
from plant.history.warehouse import MANIFEST, archived_in
from plant.runtime.archiving import ArchiveSettings


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history of one closed day."""
    return one_day(tmp_path / "data")


def test_the_rows_of_closed_days_are_in_icebergs_tables_to_the_nanosecond(tmp_path: Path, history: History) -> None:
    made = archive(history, tmp_path / "warehouse")
    assert_level(history.folder, made)
    assert (made.done.files, made.done.snapshots) == (2, 2)
    trades = tables_of(made)["trades"]
    summary = trades.current_snapshot().summary
    assert summary["tickplant.closed"] == str(history.store.catalogue.closed)
    assert summary["tickplant.closed_day"] == "2026-11-20"
    assert len(list(trades.scan("month = '2026-12'").plan_files())) == 0
    again = archive(history, tmp_path / "warehouse")
    assert (again.done.files, again.done.snapshots) == (0, 0)


def amended(history: History) -> None:
    """Amend a trade of the first day; the second day's end applies it."""
    columns = (*SCHEMA["trades"].names, "seq", "seq_row")
    (file,) = history.store.catalogue.days_of("trades")
    first = {name: value for name, value in history.rows_of(file)[0].items() if name in columns}
    change = amendment(SCHEMA["trades"], first, {"price": 1.5}, "a slip")
    history.publish("amendments", [change.columns(NOON + DAY)])
    day(history, 1)


def month(history: History) -> None:
    """Have November become one file of each table."""
    day(history, 1)
    day(history, 11)
    house = Housekeeping(history.store, 16.0, 0.0)
    while house.work(threading.Event()):
        pass


CHANGED: dict[str, Callable[[History], Any]] = {
    "a day": lambda history: day(history, 1),
    "a late row": lambda history: day(history, 1, bar(NOON + 7 * HOURS)),
    "a revised row": lambda history: day(history, 1, bar(NOON, close=77.0)),
    "an amended row": amended,
    "a month": month,
}


@pytest.mark.parametrize("what", CHANGED)
def test_whatever_changes_is_one_snapshot_and_the_one_before_has_the_rows_from_before(
    tmp_path: Path, history: History, what: str
) -> None:
    made = archive(history, tmp_path / "warehouse")
    before = {
        name: (table.current_snapshot().snapshot_id, iceberg_rows(table)) for name, table in tables_of(made).items()
    }
    CHANGED[what](history)
    made = archive(history, tmp_path / "warehouse")
    assert_level(history.folder, made)
    for name, table in tables_of(made).items():
        count = len(table.snapshots())
        assert count == (2 if name in before else 1), f"{name}: {count} snapshots"
    for name, (snapshot, rows) in before.items():
        assert iceberg_rows(tables_of(made)[name], snapshot) == rows
    assert ("replaced/bars" in tables_of(made)) == (what == "a revised row")
    assert ("replaced/trades" in tables_of(made)) == (what == "an amended row")


def test_days_go_once_the_archive_has_them_and_stay_there(tmp_path: Path, history: History) -> None:
    house = Housekeeping(history.store, 0.0, 1.0, 0.0)
    day(history, 1, bar(NOON, close=77.0))
    day(history, 4)
    everything = history_rows(history.folder, history.store.catalogue.days_of("bars"))
    assert not house.work(threading.Event())  # the archive has said nothing yet
    archive(history, tmp_path / "warehouse")
    assert archived_in(history.folder) == {f.path for f in history.store.catalogue.every_file()}
    assert house.work(threading.Event())
    assert not house.work(threading.Event())
    catalogue = Catalogue.load(history.folder)
    assert {f.first_day for f in catalogue.files} == {"2026-11-24"}
    assert {f.path for f in catalogue.archived} == archived_in(history.folder) - {f.path for f in catalogue.files}
    made = archive(history, tmp_path / "warehouse")
    assert (made.done.files, made.done.snapshots) == (0, 0)  # nothing changed for it
    assert iceberg_rows(tables_of(made)["bars"]) == everything
    day(history, 1, bar(NOON + DAY + 30, close=1.0))  # rows for a day that only the archive has
    made = archive(history, tmp_path / "warehouse")
    assert_level(history.folder, made)
    assert Catalogue.load(history.folder).archived == catalogue.archived


def test_what_only_the_archive_has_goes_from_there_too_in_one_snapshot(tmp_path: Path, history: History) -> None:
    day(history, 4)
    archive(history, tmp_path / "warehouse")
    house = Housekeeping(history.store, 0.0, 1.0, 3.0)
    while house.work(threading.Event()):
        pass
    assert not Catalogue.load(history.folder).archived
    made = archive(history, tmp_path / "warehouse")
    assert_level(history.folder, made)
    trades = tables_of(made)["trades"]
    assert len(trades.snapshots()) == 2
    first = trades.snapshots()[0].snapshot_id
    assert sum(iceberg_rows(trades, first).values()) == 2 * sum(iceberg_rows(trades).values()) == 8


MOMENTS = 100
"""More moments than there are at which an archive can be killed while it works at the second day."""


@pytest.mark.parametrize("moment", range(0 if SOAK else 6, MOMENTS, 1 if SOAK else 8))
def test_killed_at_any_step_it_goes_on_and_nothing_is_there_twice(
    tmp_path: Path, history: History, moment: int
) -> None:
    archive(history, tmp_path / "warehouse")
    day(history, 1, bar(NOON, close=77.0))
    with killed_at(moment) as done:
        archive(history, tmp_path / "warehouse")
    assert (done[-1] == "killed") == (moment < len(done))
    assert len(done) < MOMENTS
    made = archive(history, tmp_path / "warehouse")
    assert_level(history.folder, made)
    assert {len(t.snapshots()) for n, t in tables_of(made).items() if "/" not in n} == {2}
    assert made._manifest.names == {f.path for f in history.store.catalogue.every_file()}
    assert archived_in(history.folder) == made._manifest.names


def test_a_second_archive_of_the_history_and_one_of_another_are_refused(tmp_path: Path, history: History) -> None:
    first = archiving(history, tmp_path / "warehouse")
    with pytest.raises(HistoryError, match=r"another process \(pid \d+\) archives this history; stop it"):
        archiving(history, tmp_path / "elsewhere")
    other = History(tmp_path / "other")
    day(other, 0)
    with pytest.raises(HistoryError, match=r"another archive \(pid \d+\) writes there"):
        archiving(other, tmp_path / "warehouse")
    first.close()
    with pytest.raises(HistoryError, match=r"is written by another archive .* name another"):
        archiving(other, tmp_path / "warehouse")


@pytest.mark.parametrize("ignored", ["If-Match", "If-None-Match"])
def test_a_store_that_keeps_to_no_condition_is_refused_at_the_start(
    tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch, ignored: str
) -> None:
    replace = FolderStore.replace

    def whatever_is_there(store: FolderStore, name: str, data: bytes, version: str | None) -> str | None:
        if (version is None) == (ignored == "If-None-Match"):
            found = store.read(name)
            version = found and found[1]
        return replace(store, name, data, version)

    monkeypatch.setattr(FolderStore, "replace", whatever_is_there)
    with pytest.raises(HistoryError, match=rf"\({ignored}\): two archives could .*; use a store that keeps to it"):
        archiving(history, tmp_path / "warehouse")


def test_a_file_that_was_added_twice_and_one_that_is_nobodys_are_found_and_put_right(
    tmp_path: Path, history: History
) -> None:
    made = archive(history, tmp_path / "warehouse")
    trades = tables_of(made)["trades"]
    (task,) = trades.scan().plan_files()
    foreign = tmp_path / "foreign.parquet"
    shutil.copyfile(task.file.file_path.removeprefix("file://"), foreign)
    trades.add_files([task.file.file_path], check_duplicate_files=False)
    trades.add_files([f"file://{foreign}"], check_duplicate_files=False)
    assert sum(iceberg_rows(tables_of(made)["trades"]).values()) == 12
    made = archive(history, tmp_path / "warehouse")
    assert made.done.snapshots == 1
    assert_level(history.folder, made)


def test_a_handle_that_is_stale_commits_nothing(tmp_path: Path, history: History) -> None:
    """With `add_files` of pyiceberg a file would be there twice: somebody was at work since the table was loaded."""
    made = archiving(history, tmp_path / "warehouse")
    made.run(threading.Event())
    day(history, 1)
    stale = made._tables._catalog.load_table
    table = stale(("tickplant", "trades"))
    made.run(threading.Event())
    made._tables._catalog.load_table = lambda identifier: table if identifier[1] == "trades" else stale(identifier)
    day(history, 2)
    with pytest.raises(Unavailable, match="CommitFailedException: Table has been updated"):
        made.run(threading.Event())
    made._tables._catalog.load_table = stale
    made.run(threading.Event())
    made.close()
    assert_level(history.folder, made)


def test_a_catalogue_that_was_lost_is_taken_from_the_warehouse_again(tmp_path: Path, history: History) -> None:
    made = archive(history, tmp_path / "warehouse")
    first = tables_of(made)["trades"].current_snapshot().snapshot_id
    made._tables._catalog.engine.dispose()
    (tmp_path / "data" / "archive" / "catalog.db").unlink()
    half = tmp_path / "warehouse" / "trades" / "metadata" / "00009-half.metadata.json"
    half.write_text('{"format-version": 2, ')  # of an archive that was killed while it wrote
    day(history, 1)
    made = archive(history, tmp_path / "warehouse")
    assert_level(history.folder, made)
    assert tables_of(made)["trades"].snapshots()[0].snapshot_id == first


def test_a_damaged_file_of_the_history_is_not_archived(tmp_path: Path, history: History) -> None:
    (file,) = history.store.catalogue.days_of("trades")
    path = history.folder / file.path
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(HistoryError, match="damaged: expected"):
        archive(history, tmp_path / "warehouse")
    assert not (tmp_path / "warehouse" / file.path).exists()


def test_a_file_of_another_plant_under_the_same_name_is_refused(tmp_path: Path, history: History) -> None:
    other = History(tmp_path / "other")
    day(other, 0, bar(NOON + 10, close=3.0))
    day(other, 3)
    (mine,) = history.store.catalogue.days_of("trades")
    theirs = other.store.catalogue.days_of("trades")[0]
    archive(other, tmp_path / "theirs")
    place = tmp_path / "warehouse" / mine.path
    place.parent.mkdir(parents=True)
    shutil.copyfile(tmp_path / "theirs" / theirs.path, place)
    with pytest.raises(HistoryError, match=r"expected the archive's copy of .*, found that of"):
        archive(history, tmp_path / "warehouse")


def test_what_it_cannot_work_with_is_refused_in_a_sentence(tmp_path: Path, history: History) -> None:
    with pytest.raises(SettingsError, match=r"no \[archive\] warehouse"):
        Archiving(ArchiveSettings(), history.data)
    with pytest.raises(SettingsError, match="the environment has no AWS_ACCESS_KEY_ID"):
        ArchiveSettings(warehouse="s3://plant/history").place.access  # type: ignore[union-attr]  # noqa: B018
    (tmp_path / "warehouse").mkdir()
    (tmp_path / "warehouse" / MANIFEST).write_text("{}")
    with pytest.raises(HistoryError, match="expected a manifest of ours"):
        archiving(history, tmp_path / "warehouse")
