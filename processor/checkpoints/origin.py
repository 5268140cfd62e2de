"""What a checkpoint is of: the settings that its state depends on, and the journal that it stands in."""

import hashlib
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from plant.indicators.own import load_own
from plant.runtime.settings import Settings
from plant.stream.stream import Mark
from plant.transport.request import Requester
from plant.wire import messages
from plant.wire.envelope import header_at

ASK_S = 2.0
"""Longest the tickerplant may take for an answer."""

_PACKAGES = ("tickplant", "numpy", "TA-Lib", "exchange_calendars")
"""Whose versions the state depends on, too."""


def settings_hash(settings: Settings) -> str:
    """Return a hash of all that the processor's state depends on: settings, declarations, code.

    Raises SettingsError for declarations that cannot be used.
    """
    own = settings.processor
    known: dict[str, Any] = {
        "processor": own.model_dump(include={"min_bars", "intervals", "session", "grace_s"}),
        "bars": settings.bars.model_dump(),
        "calendars": [(feed.label, feed.calendar_code) for feed in settings.feeds],
        "indicators": [repr(one) for one in settings.declarations],
        "own": [_code_of(one.kind, settings.file.parent) for one in settings.declarations if one.own],
        "rules": [(one.name, one.side, one.when.text, one.intervals, one.symbols) for one in settings.rules],
        "annotations": settings.annotations.model_dump(),
        "tables": {name: table.schema_id for name, table in settings.table_schema.items()},
        "packages": [_version(package) for package in _PACKAGES],
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()


def why_not_in(journal: Requester, mark: Mark) -> str:
    """Return why a journal does not go on from a mark, "" if it does. Raises Unavailable."""
    beat, found = journal.ask(ASK_S, **messages.ask_journal(mark.seq, max_bytes=0))
    first = messages.beat_of(beat).first_seq
    if first > mark.complete + 1:
        return f"the journal begins at seq {first:,}, the checkpoint stands at {mark.complete:,}"
    header = header_at(found, 0) if found else None
    if mark.seq and (header is None or (header.seq, header.header_crc) != (mark.seq, mark.checksum)):
        return f"the checkpoint is of another journal: its record {mark.seq:,} is not in this one"
    return ""


def _code_of(kind: str, folder: Path) -> str:
    """Return a hash of the module of an indicator of the user's own."""
    path = getattr(sys.modules[load_own(kind, folder).__module__], "__file__", None)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
