"""The commands of `plant`, each imported when it is typed, and for `plant --help`: one does not wait for the others.

Processes and other packages bring commands by entry points of the group `tickplant.commands`:

    [project.entry-points."tickplant.commands"]
    feeds = "feedhandler.command:app"

The name is what is typed after `plant`; the typer app is that command, or has it. One of the core keeps its name.
"""

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

import typer
from rich.markup import escape
from typer.core import TyperGroup
from typer.main import get_command, get_group

from plant.command.terminal import err
from plant.errors import SettingsError
from plant.runtime.entry_points import loaded, named, names

GROUP = "tickplant.commands"
"""The group of entry points that are commands."""


class ProcessCommands(TyperGroup):
    """The commands of the core, and those that are installed.

    modules   where a command of the core is, by its name: in a typer app called `app`
    """

    modules: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all names, the core's first; one of its names that others claim too is told on stderr."""
        core = [*self.modules, *super().list_commands(ctx)]
        brought = names(GROUP)
        for name in brought:
            if name in core:
                err.print(
                    f"plant: {name!r} is a command of the plant; the entry point {GROUP} of that name is refused: "
                    f"{named(GROUP, name).value}. Its package must call it otherwise",
                    style="red", markup=False, highlight=False,
                )  # fmt: skip
        return [*core, *(name for name in brought if name not in core)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command of the core, else the installed one, else None; one that is broken says so when it runs."""
        if cmd_name in self.modules:
            group = get_group(importlib.import_module(self.modules[cmd_name]).app)
            command = group.commands.get(cmd_name, group)
            command.name = cmd_name
            return command
        core = super().get_command(ctx, cmd_name)
        if core is not None or cmd_name not in names(GROUP):
            return core
        try:
            return _brought(cmd_name)
        except SettingsError as error:
            return _refused(cmd_name, f"the command {cmd_name!r} is refused: {error}")


def _brought(name: str) -> Any:
    entry = named(GROUP, name)
    app = loaded(entry)
    if not isinstance(app, typer.Typer):
        raise SettingsError(f"expected a typer app at {entry.value}, found {app!r}")
    try:
        command = get_command(app)
    except RuntimeError as error:  # typer's: no command in it, a parameter of a type that it does not know
        raise SettingsError(f"{entry.value}: {error}") from None
    return getattr(command, "commands", {}).get(name, command)


def _refused(name: str, reason: str) -> Any:
    app = typer.Typer(add_completion=False)

    @app.command(name, help=escape(reason), context_settings={"ignore_unknown_options": True})
    def refuse(arguments: list[str] = typer.Argument(None, hidden=True)) -> None:  # noqa: B008
        raise SettingsError(reason)

    return get_command(app)
