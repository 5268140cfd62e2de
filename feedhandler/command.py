"""The command `plant feeds`: the feeds of plant.toml, checked as their processes do, and what each kind may be told."""

import json
from typing import Any

import typer
from pydantic.fields import FieldInfo
from rich.markup import escape

from feedhandler.feed import Feed
from feedhandler.kinds import GROUP, checked, class_of
from plant.command.terminal import Config, err, out, overview
from plant.errors import SettingsError
from plant.runtime.entry_points import names
from plant.runtime.settings import Settings, load

app = typer.Typer(add_completion=False)


@app.command()
def feeds(config: Config = None) -> None:
    """Check the feeds of plant.toml, and show the kinds there are with their settings. Exit code 1: one is wrong."""
    settings = load(config)
    wrong = _print_feeds(settings)
    own = {f.kind for f in settings.feeds if ":" in f.kind}
    for kind in [*names(GROUP), *sorted(own)]:
        try:
            _print_kind(kind, class_of(kind, settings.file.parent))
        except SettingsError as error:
            out.print(f"\n{escape(kind)}\n  {escape(str(error))}", highlight=False)
    for reason in wrong:
        err.print(f"\n{reason}", style="red", markup=False, highlight=False)
    if wrong:
        raise typer.Exit(1)


def _print_feeds(settings: Settings) -> list[str]:
    """Print a line for each feed; return what is wrong."""
    table = overview("feed", "kind", "settings", numbers=())
    wrong = []
    for section in settings.feeds:
        try:
            checked(section, settings.file)
            found = "[green]good[/]"
        except SettingsError as error:
            wrong.append(str(error))
            found = "[red]wrong[/]"
        table.add_row(section.label, section.kind, found)
    out.print(table)
    return wrong


def _print_kind(kind: str, made_of: type[Feed]) -> None:
    table = overview("  key", "default", "meaning", numbers=())
    for key, field in made_of.Settings.model_fields.items():
        table.add_row(f"  {key}", escape(_default(field)), escape(field.description or ""))
    (line, *_) = (made_of.__doc__ or "").splitlines() or [""]
    out.print(f"\n[bold]{escape(kind)}[/]  {escape(line)}", highlight=False)
    out.print(table, highlight=False)


def _default(field: FieldInfo) -> str:
    """Return a default as it would stand in plant.toml."""
    if field.is_required():
        return "(must be given)"
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    return "" if value is None else json.dumps(value, default=str)
