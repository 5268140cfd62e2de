"""The kinds of feeds: how the `kind` of a [[feeds]] names a class, and a feed made of what plant.toml says of it.

- "simulated" is the name of an entry point in the group `tickplant.feeds`. The plant's own kinds are declared like
  those of any other package, in its pyproject.toml: [project.entry-points."tickplant.feeds"] mine = "my_module:MyFeed".
- "my_module:MyFeed" is the class itself, in a my_module.py beside plant.toml, or in a module that is installed.
"""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar, cast

from pydantic import ValidationError

from feedhandler.feed import MEMBERS, Batch, Feed
from feedhandler.settings import FeedSettings
from plant.errors import SettingsError
from plant.runtime import entry_points
from plant.runtime.sections import MISCONFIGURED, FeedSection
from plant.runtime.settings import explained

GROUP = "tickplant.feeds"
"""The group of entry points that are kinds of feeds."""


def class_of(kind: str, folder: Path) -> type[Feed]:
    """Return the class that a kind names, `folder` being that of plant.toml. Raises SettingsError."""
    if ":" in kind:
        entry = EntryPoint(kind, kind, GROUP)
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    else:
        entry = entry_points.named(GROUP, kind)
    found = entry_points.loaded(entry)
    if not isinstance(found, type):
        raise SettingsError(f"{entry.value} is no feed: expected a class, found {found!r}")
    if missing := [name for name in MEMBERS if not hasattr(found, name)]:
        lacking, wanted = ", ".join(missing), ", ".join(MEMBERS)
        raise SettingsError(f"{entry.value} is no feed: it has no {lacking}; a feed has {wanted}")
    settings = found.Settings  # type: ignore[attr-defined]
    if not (isinstance(settings, type) and issubclass(settings, FeedSettings)):
        raise SettingsError(f"{entry.value}: expected Settings derived from FeedSettings, found {settings!r}")
    return cast(type[Feed], found)


def checked(section: FeedSection, file: Path) -> tuple[type[Feed], FeedSettings]:
    """Return the class of a [[feeds]] of the plant.toml `file`, and its settings. Raises SettingsError."""
    try:
        made_of = class_of(section.kind, file.parent)
        keys = {**section.own_keys, "name": section.label}
        return made_of, made_of.Settings.model_validate(keys, context={"folder": file.parent})
    except ValidationError as error:
        known = ", ".join(made_of.Settings.model_fields)
        reason = f"{explained(error)}; the keys of kind {section.kind!r} are {known}"
    except SettingsError as error:
        reason = str(error)
    raise SettingsError(_placed(section, file, reason))


def made(section: FeedSection, file: Path) -> Feed:
    """Return the feed that a [[feeds]] of the plant.toml `file` wants. Raises SettingsError."""
    made_of, settings = checked(section, file)
    try:
        return made_of(settings)
    except ValueError as error:
        raise SettingsError(_placed(section, file, str(error))) from None


def module_file(kind: str, folder: Path) -> Path | None:
    """Return where the module of a class of one's own lies beside plant.toml, None if `kind` names none there."""
    module, colon, _ = kind.partition(":")
    file = folder.joinpath(*module.split(".")).with_suffix(".py")
    return file if colon and file.is_file() else None


class Misconfigured:
    """In the place of a feed that cannot be made: it has no rows, and its status says why."""

    Settings: ClassVar[type[FeedSettings]] = FeedSettings
    replayable = False
    finished = True

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def start(self, accepted: int) -> None:
        """Nothing begins."""

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        return []

    def status(self) -> str:
        return f"{MISCONFIGURED}: {self._reason}"

    def close(self) -> None:
        """Nothing is open."""


def _placed(section: FeedSection, file: Path, reason: str) -> str:
    return f"{file}, feed {section.label!r}: {reason}"
