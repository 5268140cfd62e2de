"""The command `plant indicators`: the catalogue, or one kind of it."""

import json
from typing import Annotated

import typer
from rich.markup import escape

from plant.command.terminal import out, overview
from plant.errors import SettingsError, nearest_names
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.kinds import Kind

app = typer.Typer(add_completion=False)


@app.command()
def indicators(
    name: Annotated[str, typer.Argument(help="One kind, e.g. ut_bot, or RSI of TA-Lib; without it, all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for machines.")] = False,
) -> None:
    """Show the kinds of indicators that a declaration in plant.toml may name, or one with its parameters."""
    kinds = [_named(name)] if name else list(CATALOGUE.values())
    if as_json:
        found = [kind.data() for kind in kinds]
        print(json.dumps(found[0] if name else found))
    elif name:
        _print_kind(kinds[0])
    else:
        table = overview("kind", "is", "parameters", "outputs", numbers=())
        for kind in kinds:
            table.add_row(kind.name, escape(kind.title), _defaults(kind), _outputs(kind))
        out.print(table, highlight=False)


def _named(name: str) -> Kind:
    if name not in CATALOGUE:
        near = nearest_names(name, CATALOGUE, 3)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise SettingsError(f"there is no kind of indicator {name!r}; {hint}`plant indicators` lists them")
    return CATALOGUE[name]


def _print_kind(kind: Kind) -> None:
    out.print(f"[bold]{kind.name}[/]  {escape(kind.title)}", highlight=False)
    levels = f", with lines at {', '.join(f'{level:g}' for level in kind.levels)}" if kind.levels else ""
    pane = "over the price" if kind.pane == "price" else "a pane of its own"
    lines = overview("  what", "", numbers=())
    lines.show_header = False
    lines.add_row("  category", escape(kind.category))
    lines.add_row("  inputs", ", ".join(f"{key} = {column or '?'}" if key else column for key, column in kind.inputs))
    lines.add_row("  outputs", _outputs(kind))
    lines.add_row("  drawn", pane + levels)
    lines.add_row("  warm-up", f"{kind.warm_up(kind.defaults)} bars with the defaults")
    lines.add_row("  source", escape(kind.source))
    out.print(lines, highlight=False)
    if kind.parameters:
        table = overview(
            "  parameter", "type", "default", "least", "most", "meaning", numbers=("default", "least", "most")
        )
        for p in kind.parameters:
            bounds = ("" if bound is None else f"{bound:,}" for bound in (p.least, p.most))
            table.add_row(f"  {p.name}", p.type.__name__, json.dumps(p.default), *bounds, escape(p.meaning))
        out.print()
        out.print(table, highlight=False)


def _defaults(kind: Kind) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in kind.defaults.items())


def _outputs(kind: Kind) -> str:
    return ", ".join(f"NAME_{output}" if output else "NAME" for output in kind.outputs)
