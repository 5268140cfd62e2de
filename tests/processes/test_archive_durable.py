"""Iceberg's files in a folder: the catalogue points at nothing that a power cut could take."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from archives import archiving
from histories import History
from plain_rows import NOON, bar
from pyiceberg.catalog.sql import SqlCatalog


@pytest.mark.parametrize("change", ["create_table", "commit_table"])
def test_before_the_catalogue_points_at_files_they_and_their_folders_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    warehouse, synced, seen = tmp_path / "warehouse", set(), []
    fsync, changed = os.fsync, getattr(SqlCatalog, change)

    def noted(fd: int) -> None:
        synced.add(Path(f"/proc/self/fd/{fd}").resolve())
        fsync(fd)

    def looked_at(*arguments: Any, **options: Any) -> Any:
        found = changed(*arguments, **options)
        files = [p for p in warehouse.rglob("*/metadata/*") if p.is_file()]
        seen.append(len(files))
        for file in files:
            assert {file, *(p for p in file.parents if p.is_relative_to(warehouse))} <= synced
        return found

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(SqlCatalog, change, looked_at)
    history = History(tmp_path / "data")
    for close in (1.0, 2.0):
        history.publish("bars", [bar(NOON, close=close)])
        history.part("2026-11-20")
        history.close()
        made = archiving(history, warehouse)
        made.run(threading.Event())
        made.close()
    assert seen[0] >= 1
    assert len(seen) >= 2
