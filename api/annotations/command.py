"""The command `plant annotations`: what there is on charts, now or as of then; and what a person draws."""

import json
import math
from typing import Annotated, Any

import numpy as np
import typer
from rich.markup import escape

from plant.client.arguments import moment_of
from plant.client.connect import connect
from plant.command.terminal import Config, err, out, overview
from plant.control.annotations import NoAnnotation, pen_of, source_of
from plant.control.writing import ASK_S
from plant.errors import BadRows
from plant.rows.arrow import columns_from_arrow
from plant.rows.columns import Columns
from plant.rows.intervals import interval_name
from plant.rows.schema import META_COLUMNS
from plant.rows.tables import schema_of
from plant.rows.tables_service import ANNOTATION_KINDS, ANNOTATION_STATES
from plant.runtime.settings import Settings, load
from plant.state.annotations import history_of, selected, state_of
from plant.state.newest import Row, rows_of_columns

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Annotations: zones, levels, lines, markers on charts.",
)

Id = Annotated[str, typer.Argument(help="Its id, as `plant annotations list` shows it.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, one object a line.")]
Price = Annotated[
    float | None, typer.Option("--price", help="Of a level, a text, a marker; of a line where it begins.")
]
PriceEnd = Annotated[float | None, typer.Option("--price-end", help="Of a line where it ends.")]
Top = Annotated[float | None, typer.Option("--top", help="Of a zone.")]
Bottom = Annotated[float | None, typer.Option("--bottom", help="Of a zone.")]
Interval = Annotated[str | None, typer.Option("--interval", help="Bars it is for, e.g. 5m; else all.")]
Start = Annotated[str | None, typer.Option("--start", help='When it begins, e.g. "09:30" or "2026-11-20 09:30".')]
End = Annotated[str | None, typer.Option("--end", help='When it ends; "" (change): it goes on.')]
Text = Annotated[str | None, typer.Option("--text", help="What is written on it.")]
Colour = Annotated[str | None, typer.Option("--colour", help="#rrggbb, or a name such as red.")]
Width = Annotated[float | None, typer.Option("--width", help="Of its lines, px.")]
Opacity = Annotated[float | None, typer.Option("--opacity", help="Of a zone's area, 0 to 1.")]

_TABLE = schema_of()["annotations"]
_NAMES = (*_TABLE.names, *META_COLUMNS)
_PRICES = ("price", "price_end", "top", "bottom")


@app.command("list")
def list_(
    sym: Annotated[list[str] | None, typer.Option("--sym", help="Of this symbol; several times.")] = None,
    interval: Annotated[list[str] | None, typer.Option("--interval", help="Of these bars, and those for all.")] = None,
    kind: Annotated[list[str] | None, typer.Option("--kind", help=", ".join(ANNOTATION_KINDS))] = None,
    state: Annotated[list[str] | None, typer.Option("--state", help=", ".join(ANNOTATION_STATES))] = None,
    low: Annotated[float | None, typer.Option("--low", help="That reach above this price.")] = None,
    high: Annotated[float | None, typer.Option("--high", help="That reach below this price.")] = None,
    start: Annotated[str | None, typer.Option("--start", help="That are there from this time on.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="That begin before this time.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="As of this moment: what could be known then.")] = None,
    as_of_seq: Annotated[int | None, typer.Option("--as-of-seq", help="As of this seq: what the plant knew.")] = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Show the annotations there are, or were: newest version of each, without what is deleted."""
    for told, known in ((kind, ANNOTATION_KINDS), (state, ANNOTATION_STATES)):
        for name in told or ():
            if name not in known:
                raise BadRows(f"expected one of {', '.join(known)}, found {name!r}")
    settings = load(config)
    first, last, when = (_moment(text, settings) for text in (start, end, at))
    rows = state_of(_events(settings, config, sym=sym or None), when, as_of_seq, not settings.hdb.keep_days)
    of = None if interval is None else [interval_name(name) for name in interval]
    rows = selected(rows, interval=of, kind=kind, state=state, low=low, high=high, start=first, end=last)
    found = rows_of_columns(rows, _TABLE.times)
    if as_json:
        return _print_json(found)
    table = overview(
        "sym", "kind", "what", "prices", "begins", "ends", "state", "by", "version", "id", numbers=("prices",)
    )
    for row in found:
        table.add_row(*(escape(text) for text in _line(row, settings)))
    out.print(table, highlight=False)
    err.print(f"{len(found)} annotations", highlight=False)


@app.command()
def show(name: Id, as_json: Json = False, config: Config = None) -> None:
    """Show all versions of an annotation that count, oldest first, with who wrote each and why."""
    settings = load(config)
    rows = rows_of_columns(
        history_of(_events(settings, config, where={"id": name}), name, not settings.hdb.keep_days), _TABLE.times
    )
    if not rows:
        raise NoAnnotation(f"there never was an annotation {name!r}; `plant annotations list` shows those there are")
    if as_json:
        return _print_json(rows)
    newest = rows[-1]
    gone = ", deleted" if newest["action"] == "delete" else ""
    out.print(
        f"{escape(newest['sym'])} {newest['kind']} {escape(newest['text'] or newest['type'])}{gone}", highlight=False
    )
    table = overview(
        "version", "time", "action", "prices", "begins", "ends", "state", "by", "why", "seq", numbers=("seq",)
    )
    for row in rows:
        _, _, _, prices, begins, ends, state, by, version, _ = _line(row, settings)
        told = (version, _stamp(row["time"], settings), row["action"], prices, begins, ends, state, by)
        table.add_row(*(escape(text) for text in (*told, row["reason"], f"{row['seq']:,}")))
    out.print(table, highlight=False)


@app.command()
def add(
    sym: Annotated[str, typer.Argument(help="The symbol, e.g. AAPL.")],
    kind: Annotated[str, typer.Argument(help="level, zone, line, text or marker.")],
    price: Price = None,
    price_end: PriceEnd = None,
    top: Top = None,
    bottom: Bottom = None,
    start: Start = None,
    end: End = None,
    interval: Interval = None,
    text: Text = None,
    colour: Colour = None,
    width: Width = None,
    opacity: Opacity = None,
    config: Config = None,
) -> None:
    """Draw an annotation, and print its id. It begins now, if no start is told."""
    settings = load(config)
    told = _told(settings, price, price_end, top, bottom, start or "now", end, interval, text, colour, width, opacity)
    with pen_of(config) as pen:
        _say(pen.create({"sym": sym, "kind": kind, **told}, source_of()), "is drawn")


@app.command()
def change(
    name: Id,
    price: Price = None,
    price_end: PriceEnd = None,
    top: Top = None,
    bottom: Bottom = None,
    start: Start = None,
    end: End = None,
    interval: Interval = None,
    text: Text = None,
    colour: Colour = None,
    width: Width = None,
    opacity: Opacity = None,
    version: Annotated[int | None, typer.Option("--version", help="Only if this is still its newest.")] = None,
    config: Config = None,
) -> None:
    """Change what is told of an annotation that somebody drew."""
    told = _told(load(config), price, price_end, top, bottom, start, end, interval, text, colour, width, opacity)
    if not told:
        raise BadRows("say what is to be otherwise, e.g. --price 191.5")
    with pen_of(config) as pen:
        _say(pen.update(name, told, source_of(), version), "is changed")


@app.command()
def copy(name: Id, config: Config = None) -> None:
    """Draw a copy of an annotation, also of one that the plant found."""
    with pen_of(config) as pen:
        _say(pen.copy(name, source_of()), f"is drawn, a copy of {name}")


@app.command()
def delete(
    name: Id,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the row.")] = "",
    version: Annotated[int | None, typer.Option("--version", help="Only if this is still its newest.")] = None,
    config: Config = None,
) -> None:
    """Delete an annotation. Its history is kept; what the plant found it does not find again."""
    with pen_of(config) as pen:
        _say(pen.delete(name, source_of(), version, reason), "is deleted")


def _events(settings: Settings, config: str | None, **terms: Any) -> Columns:
    with connect(config=config, frames="arrow", timeout_s=ASK_S, warn_unknown=False) as db:
        found = db.select("annotations", columns=_NAMES, **terms)
        return columns_from_arrow(found, _TABLE, _NAMES)


def _told(settings: Settings, *values: Any) -> dict[str, Any]:
    """Return what was told of an annotation, in the order of the options, as the fields it is drawn of."""
    *prices, start, end, interval, text, colour, width, opacity = values
    fields = dict(zip(_PRICES, prices, strict=True)) | {"interval": interval, "text": text}
    fields |= {"start_at": _moment(start, settings), "end_at": _moment(end or None, settings)}
    style = {"colour": colour, "width": width, "opacity": opacity}
    fields["style"] = {name: value for name, value in style.items() if value is not None} or None
    found = {name: value for name, value in fields.items() if value is not None}
    return found | ({"end_at": None} if end == "" else {})


def _moment(text: str | None, settings: Settings) -> int | None:
    return None if text is None else moment_of(text, settings.zone)


def _say(row: Row, what: str) -> None:
    out.print(
        f"[bold]{escape(row['id'])}[/] {escape(what)}: version {row['version']}, seq {row['seq']:,}", highlight=False
    )


def _line(row: Row, settings: Settings) -> tuple[str, ...]:
    prices = " ".join(f"{row[name]:.10g}" for name in _PRICES if not math.isnan(row[name]))
    what = row["text"] if row["type"] == "user" else f"{row['type']} {row['text']}".strip()
    times = (_stamp(row[name], settings) for name in ("start_at", "end_at"))
    told = (row["sym"], row["kind"], what, prices, *times, row["state"], row["source"], str(row["version"]), row["id"])
    return tuple(map(str, told))


def _stamp(time: int | None, settings: Settings) -> str:
    """Return a time in the plant's zone, to the second."""
    if time is None:
        return ""
    import pandas as pd

    return f"{pd.Timestamp(time, tz='UTC').tz_convert(settings.zone):%Y-%m-%d %H:%M:%S}"


def _print_json(rows: list[Row]) -> None:
    """Print rows as objects of JSON, one a line: times in UTC (RFC 3339), null for what is not known."""
    for row in rows:
        told = {name: _iso(row[name]) if name in (*_TABLE.times, "time", "received") else row[name] for name in _NAMES}
        print(json.dumps({n: None if isinstance(v, float) and math.isnan(v) else v for n, v in told.items()}))


def _iso(time: int | None) -> str | None:
    return None if time is None else str(np.datetime64(time, "ns")).rstrip("0").rstrip(".") + "Z"
