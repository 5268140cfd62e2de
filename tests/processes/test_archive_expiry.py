"""Snapshots that are too old go, and files that nothing names any longer; what can be looked back at stays."""

import threading
from pathlib import Path

import pytest
from archives import CHANGES, archive, archiving, assert_level, iceberg_rows, killed_at, tables_of
from histories import History
from history_files import HOURS
from plain_rows import NOON, bar, trade

from archive.archiving import Archiving
from archive.expiry import expired, named
from archive.stores import FolderStore
from plant.history.catalogue import Catalogue


def day(history: History, number: int, close: float = 1.0) -> Catalogue:
    """Publish rows of a day of November, 20 + number, and of the first day, which is closed again; close both."""
    for noon in (NOON, NOON + number * 24 * HOURS):
        history.publish("bars", [bar(noon, close=close + number)])
        history.publish("trades", [trade(noon + number, "A", close)])
    history.part(f"2026-11-{20 + number}")
    return history.close()


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history whose first day was closed five times, archived each time."""
    made = History(tmp_path / "data")
    for number in range(5):
        day(made, number)
        archive(made, tmp_path / "warehouse")
    return made


def all_there(made: Archiving, warehouse: Path) -> None:
    """Every file that is named is there, and no other."""
    files = {p for p in warehouse.rglob("*") if p.suffix in (".parquet", ".avro")}
    assert files == {Path(uri.removeprefix("file://")) for uri in named(made._tables)}


def test_which_snapshots_show_an_end_of_day_that_is_kept() -> None:
    days = [(1, "2026-11-01"), (2, "2026-11-10"), (3, ""), (4, "2026-11-20")]
    assert expired(days, "2026-11-20", 30.0) == []
    assert expired(days, "2026-11-20", 19.0) == []  # the first shows the 1st of November, and all up to the 9th
    assert expired(days, "2026-11-20", 10.0) == [1]
    assert expired(days, "2026-11-20", 9.5) == [1]
    assert expired(days, "2026-11-21", 1.0) == [1, 2, 3]
    assert expired([], "2026-11-20", 1.0) == []


def test_old_snapshots_go_with_their_files_and_the_kept_ones_show_what_they_showed(
    tmp_path: Path, history: History
) -> None:
    made = archive(history, tmp_path / "warehouse")
    all_there(made, tmp_path / "warehouse")
    shown = {
        (name, s.summary["tickplant.closed_day"]): iceberg_rows(table, s.snapshot_id)
        for name, table in tables_of(made).items()
        for s in table.snapshots()
    }
    before = len(made._store.sizes())
    made = archive(history, tmp_path / "warehouse", snapshots_days=2.0)
    assert_level(history.folder, made)
    left = {}
    for name, table in tables_of(made).items():
        for snapshot in table.snapshots():
            closed_day = snapshot.summary["tickplant.closed_day"]
            left[name, closed_day] = iceberg_rows(table, snapshot.snapshot_id)
            assert made._manifest.tables[name] == table.metadata_location
    assert left == {key: rows for key, rows in shown.items() if key[1] >= "2026-11-22"}
    assert len(made._store.sizes()) < before
    all_there(made, tmp_path / "warehouse")


def test_files_of_others_stay(tmp_path: Path, history: History) -> None:
    others = [tmp_path / "warehouse" / name for name in ("trades/notes.parquet", "mine/2026-11-20.7.parquet")]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"theirs")
    archive(history, tmp_path / "warehouse", snapshots_days=1.0)
    assert all(path.exists() for path in others)


@pytest.mark.parametrize("moment", range(1, 30, 9))
def test_killed_meanwhile_it_lets_go_of_the_rest_and_of_nothing_else(
    tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    monkeypatch.setattr("archives.CHANGES", (*CHANGES, (FolderStore, "remove")))
    day(history, 6)
    with killed_at(moment):
        archive(history, tmp_path / "warehouse", snapshots_days=2.0)
    made = archiving(history, tmp_path / "warehouse", snapshots_days=2.0)
    made.run(threading.Event())
    made.close()
    assert_level(history.folder, made)
    all_there(made, tmp_path / "warehouse")
