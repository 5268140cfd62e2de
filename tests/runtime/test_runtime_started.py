"""What a supervised process was started with, and what has changed in plant.toml since."""

import os
from pathlib import Path

import pytest

from plant.runtime.settings import Settings, load
from plant.runtime.started import changes, keep_started, started_with


def settings_of(folder: Path, text: str) -> Settings:
    (folder / "plant.toml").write_text(text)
    return load(folder / "plant.toml")


def test_a_supervised_process_is_found_with_the_settings_of_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, '[rdb]\nport = 6006\n[[feeds]]\nkind = "simulated"\nseed = 9\n')
    keep_started(settings, tmp_path)
    assert started_with(tmp_path, "rdb", os.getpid()) is None, "nobody supervises us"
    monkeypatch.setenv("SUPERVISOR_PROCESS_NAME", "rdb")
    keep_started(settings, tmp_path)
    monkeypatch.setenv("PLANT_RDB__PORT", "7006")
    found = started_with(tmp_path, "rdb", os.getpid())
    assert found is not None
    assert found.model_dump() == settings.model_dump()
    assert started_with(tmp_path, "rdb", os.getpid() + 1) is None, "the record is another process's"
    (tmp_path / "rdb.started.json").write_text("half of it")
    assert started_with(tmp_path, "rdb", os.getpid()) is None


def test_only_what_a_process_reads_at_its_start_has_changed_for_it(tmp_path: Path) -> None:
    before = settings_of(tmp_path, "")
    table = '[[tables]]\nname = "news"\ncolumns = [["time", "time"], ["sym", "symbol"]]\n'
    now = settings_of(
        tmp_path,
        '[rdb]\nkeep_gb = 2.0\n[hdb]\nport = 6007\n[plant]\nheartbeat_s = 2.0\n[[feeds]]\nkind = "recorded"\n' + table,
    )
    shared = ["plant.heartbeat_s: 1.0, now 2.0", "hdb.port: 5007, now 6007", "tables: none, now news"]
    assert changes("hdb", before, now) == shared
    assert changes("rdb", before, now) == [shared[0], "rdb.keep_gb: 0.0, now 2.0", *shared[1:]]
    assert changes("rdb", now, now) == []
    declared = settings_of(
        tmp_path,
        '[processor]\ndefaults = false\n[[indicators]]\nname = "fast"\nkind = "ema"\n'
        '[[signals]]\nname = "up"\nside = "buy"\nwhen = "close > fast"\n',
    )
    columns = ["processor.defaults: true, now false", "indicators: none, now fast"]
    assert changes("tickerplant", before, declared) == columns
    assert changes("processor", before, declared) == [*columns, "signals: none, now up"]
