"""What a supervised process was started with: kept beside its log, compared with plant.toml as it stands.

plant.toml is read when a process starts. What is changed later holds from the next start on (but for [[feeds]]), and
until then `plant status` tells which process runs with what; it also finds a process at the port that it has.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from plant.errors import PlantError
from plant.runtime.settings import Settings

_OF_ALL = ("plant", "upstream", "tables", "indicators")
"""The sections that every process reads; of the others one reads its own, and how to find the rest."""

_ALSO = {
    "processor": ("bars", "instruments", "signals"),
    "trading": ("accounts", "instruments"),
    "hdb": ("archive",),
}
"""The sections of another name that a process reads."""

_FOUND_BY = ("port", "ingest_port", "publish_port", "journal_port", "roll_at", "time_zone", "calendar", "defaults")
"""Keys of any section that all read: where the others are, and what decides of the tables' columns."""


def keep_started(settings: Settings, run: Path) -> None:
    """Write down with which settings this process starts, if supervisord runs it; `run` is the folder of logs.

    Raises OSError.
    """
    name = os.environ.get("SUPERVISOR_PROCESS_NAME")
    if name:
        record = {"pid": os.getpid(), "settings": settings.model_dump(mode="json")}
        _record_of(run, name).write_text(json.dumps(record))


def started_with(run: Path, process: str, pid: int | None) -> Settings | None:
    """Return the settings of a process that supervisord says has this pid; None if it has not written them down."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, ValidationError, PlantError):
        record = json.loads(_record_of(run, process).read_text())
        if record["pid"] == pid:
            return Settings.model_validate(record["settings"])
    return None


def changes(process: str, before: Settings, now: Settings) -> list[str]:
    """Return which keys that a process reads at its start have changed, as "rdb.keep_gb: 0.0, now 2.0"."""
    old, new = (_plain(settings) for settings in (before, now))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key) and _reads(process, *key)]
    return [f"{'.'.join(filter(None, key))}: {_shown(old.get(key))}, now {_shown(new.get(key))}" for key in keys]


def _plain(settings: Settings) -> dict[tuple[str, str], Any]:
    """Return (section, key) -> value; [[tables]] is one value."""
    found: dict[tuple[str, str], Any] = {}
    for section, keys in settings.model_dump(mode="json", exclude={"feeds"}).items():
        found |= (
            {(section, key): value for key, value in keys.items()} if isinstance(keys, dict) else {(section, ""): keys}
        )
    return found


def _reads(process: str, section: str, key: str) -> bool:
    return section in (process, *_OF_ALL, *_ALSO.get(process, ())) or key in _FOUND_BY


def _shown(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(table, dict) for table in value):
        return ", ".join(str(table.get("name")) for table in value) or "none"
    return json.dumps(value)


def _record_of(run: Path, process: str) -> Path:
    return run / f"{process}.started.json"
