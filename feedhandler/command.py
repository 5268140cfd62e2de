"""The commands `plant feeds`, the feeds of plant.toml and their kinds, and `plant backfill`, a venue's past."""

import datetime as dt
import json
import time
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo
from rich.markup import escape

from feedhandler.backfilling import (
    Fetching,
    Part,
    as_file,
    compare_with,
    finished_before,
    nothing_new,
    parts_of,
    series_of,
    venue_of,
)
from feedhandler.feed import Feed
from feedhandler.kinds import GROUP, checked, class_of
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.settings import keys_of
from plant.client.connect import connect, publisher
from plant.command.terminal import Config, err, out, overview, steps
from plant.errors import QueryError, SettingsError
from plant.progress import Step
from plant.rows.intervals import interval_name
from plant.rows.times import nanoseconds
from plant.runtime.entry_points import names
from plant.runtime.sections import FeedSection
from plant.runtime.settings import Settings, load
from plant.transfer.importing import TABLE, publish_file, until_seen
from plant.transport import sockets

app = typer.Typer(add_completion=False)

ANSWER_S = 60.0
"""Longest an answer of the plant may take."""

MOST_SHOWN = 20
"""Parts of a plan that are named."""


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


@app.command()
def backfill(
    feed: Annotated[str, typer.Argument(help="A feed of plant.toml, by its name.")],
    sym: Annotated[str, typer.Argument(help="The symbol, as the feed's rows have it.")],
    start: Annotated[str, typer.Argument(help="From when on, e.g. 2026-11-01; UTC unless it names a zone.")],
    end: Annotated[str, typer.Argument(help="Until when, exclusive.")],
    table: Annotated[
        list[str] | None, typer.Option(help="trades, bars, quotes; else those of the feed's channels.")
    ] = None,
    interval: Annotated[str, typer.Option(help="Of bars; else the feed's.")] = "",
    write: Annotated[bool, typer.Option("--write/--dry-run", help="Fetch and write, or only tell the plan.")] = True,
    config: Config = None,
) -> None:
    """Fill history from a venue's REST. Run again, it goes on where it was. Exit code 1: some of it is not to be had.

    The rows go through the tickerplant, to the days of their own time. What the plant has already is not written again.
    """
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    venue = venue_of(_section(settings, feed), settings.file)
    try:
        found = _plan(venue, sym, start, end, table, interval)
        with connect(config=config, timeout_s=ANSWER_S, warn_unknown=False) as db:
            done = finished_before(db)
            wanted = [part for part in found if part.title not in done]
            print(f"{feed}: {len(found):,} parts, {len(found) - len(wanted):,} of them there already")
            for part in wanted[:MOST_SHOWN]:
                print(f"  {part.title}")
            if len(wanted) > MOST_SHOWN:
                print(f"  and {len(wanted) - MOST_SHOWN:,} more")
            if not write:
                print("nothing was fetched; without --dry-run it is")
                return
            lost = [part.title for part in wanted if not _filled(venue, part, settings, db, config)]
    finally:
        venue.close()
    if lost:
        err.print(
            f"not to be had as a whole: {', '.join(lost)}; the same command tries again", style="red", markup=False
        )
        raise typer.Exit(1)


def _section(settings: Settings, label: str) -> FeedSection:
    for section in settings.feeds:
        if section.label == label:
            return section
    raise SettingsError(f"no feed {label!r} in plant.toml; feeds are {', '.join(f.label for f in settings.feeds)}")


def _plan(venue: Fetching, sym: str, start: str, end: str, table: list[str] | None, interval: str) -> list[Part]:
    """Return the parts to be fetched. Raises QueryError for times that are none, SettingsError if there is no past."""
    now_ns = time.time_ns()
    first, last = nanoseconds(start, dt.UTC), min(nanoseconds(end, dt.UTC), now_ns)
    if first >= last:
        raise QueryError(f"expected START before END, and before now, found {start} and {end}")
    series = series_of(venue, table or (), interval_name(interval) if interval else "")
    if not table:
        venues = venue.settings.names.get(sym, sym)
        series = [(name, of) for name, of in series if venue.has(Hole(name, venues, of, 0, 1))]
    if not series:
        channels = ", ".join(venue.settings.channels)
        raise SettingsError(f"the venue has no past of the channels {channels}; --table names another table")
    return parts_of(venue, series, sym, first, last, now_ns)


def _filled(venue: Fetching, part: Part, settings: Settings, db: Any, config: str | None) -> bool:
    """Fetch a part and publish what is new of it; return whether it is there as a whole."""
    with steps(part.title) as step:
        rows, missing = venue.fetch(part.hole, step("fetching"))
        file = as_file(part, rows, settings.table_schema[part.hole.table], venue.settings)
        count = len(file.wanted)
        written = _written(venue, file, settings, db, step, config, whole=not missing)
    print(f"{part.title}: {count:,} rows, {written:,} written{f'; missing: {missing}' if missing else ''}")
    return not missing


def _written(
    venue: Fetching, file: Any, settings: Settings, db: Any, step: Step, config: str | None, whole: bool
) -> int:
    with publisher(file.name, config=config, unit="ns") as feed:
        until_seen(db, feed.flush())
        if not feed.accepted or not whole:
            compare_with(db, file, venue.settings.name, step("comparing"))
        if not whole:
            feed.publish(file.table.name, {name: values[file.wanted] for name, values in file.columns.items()})
            return len(file.wanted)
        if not len(file.wanted) and not feed.accepted:
            feed.publish(TABLE, nothing_new(file))
            return 0
        return publish_file(feed, db, settings.table_schema[TABLE], file, step("writing"))


def _print_feeds(settings: Settings) -> list[str]:
    """Print a line for each feed; return what is wrong."""
    table = overview("feed", "kind", "settings", numbers=())
    wrong = []
    for section in settings.feeds:
        try:
            made_of, _ = checked(section, settings.file)
            found = f"[green]good[/]{_lacking(made_of)}"
        except SettingsError as error:
            wrong.append(str(error))
            found = "[red]wrong[/]"
        table.add_row(section.label, section.kind, found)
    out.print(table)
    return wrong


def _lacking(made_of: type[Feed]) -> str:
    """Return which keys of the venue the environment lacks, of which the feeds' own may have them; "" if none."""
    try:
        keys_of(getattr(made_of, "key_variables", ()), getattr(made_of, "page", "docs/feeds.md"))
    except ValueError as error:
        return f", but {error}"
    return ""


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
