"""What installed packages bring to the plant, by entry points: kinds of feeds, commands of processes.

A package names it in its pyproject.toml, under a group of the plant's; ours are named in the same way:

    [project.entry-points."tickplant.feeds"]
    mine = "my_package.feed:MyFeed"

Finding the names reads the packages' metadata and imports nothing.
"""

import importlib.metadata
from importlib.metadata import EntryPoint
from typing import Any

from plant.errors import SettingsError


def names(group: str) -> list[str]:
    """Return the names that installed packages have in a group, in order."""
    return sorted(importlib.metadata.entry_points(group=group).names)


def named(group: str, name: str) -> EntryPoint:
    """Return the entry point of a name. Raises SettingsError if there is none, or if packages disagree on it."""
    found = list(importlib.metadata.entry_points(group=group, name=name))
    if not found:
        raise SettingsError(
            f"no {name!r} is installed; {group} has {', '.join(names(group)) or 'nothing'}. Install its package (ours: "
            "`make install`), or correct the name"
        )
    if len({entry.value for entry in found}) > 1:
        raise SettingsError(f"{name!r} means several things: {', '.join(map(_shown, found))}; uninstall all but one")
    return found[0]


def loaded(entry: EntryPoint) -> Any:
    """Import what an entry point names. Raises SettingsError, whatever goes wrong in the import."""
    try:
        return entry.load()
    except Exception as error:  # the module is somebody else's
        raise SettingsError(f"{_shown(entry)} cannot be imported: {type(error).__name__}: {error}") from None


def _shown(entry: EntryPoint) -> str:
    return f"{entry.value} (of {entry.dist.name})" if entry.dist else entry.value
