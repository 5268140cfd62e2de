"""What a picture shows, read from the plant."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from api.pictures.notes import age_note
from api.pictures.viewport import PRICES, Overlay, PlainBars, Viewport
from plant.calendars.sessions import REGULAR, Sessions
from plant.client.connection import Connection
from plant.errors import QueryError, UnknownColumn
from plant.indicators.catalogue import CATALOGUE
from plant.query.questions import Candles
from plant.rows.arrow import columns_from_arrow
from plant.rows.columns import Columns, taken
from plant.rows.intervals import interval_name
from plant.rows.schema import META_COLUMNS
from plant.runtime.settings import Settings
from plant.serving.origins import origin_notes
from plant.state.annotations import selected, state_of
from plant.state.newest import Row, rows_of_columns

BARS, MOST_BARS = 180, 5_000
"""Bars that a picture shows if nothing is said, and at most."""

_WITHDRAWN = "withdrawn"

_LOOKED_AT = 100
"""So many stored bars tell where those are from that are made of them."""


@dataclass(frozen=True)
class Shown:
    """What a picture is asked to show.

    last          how many of the newest bars; end: only bars before that time, ns UTC
    overlays      columns of `indicators`, e.g. ema_20
    annotations   whether zones, levels and marks are drawn
    """

    sym: str
    interval: str
    last: int = BARS
    end: int | None = None
    overlays: tuple[str, ...] = ()
    annotations: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.last <= MOST_BARS:
            raise QueryError(f"a picture shows 1 to {MOST_BARS:,} bars, found {self.last:,}")


def read_viewport(
    db: Connection, settings: Settings, shown: Shown, now: int, processor: Connection | None = None
) -> Viewport:
    """Return what a picture shows, as of the seq that the plant had when it was asked for.

    db          a connection to history and today as one, whose frames are Arrow
    now         the time, ns UTC
    processor   makes bars of an interval that is not stored; None: there are none of it then

    A symbol without such bars gives a viewport without any. Raises QueryError for an interval or a number of bars that
    cannot be, UnknownColumn for an overlay that nobody computes, and what the connection's questions raise.
    """
    interval = interval_name(shown.interval)
    seq = max(0, int(db.status()["seq"]))
    rows = _read(db, settings, "bars", shown.sym, where={"interval": interval}, last=shown.last, end=shown.end)
    sources = set(rows["source"].tolist())
    if not len(rows["time"]) and processor is not None:
        rows, sources = _made(db, settings, processor, shown, interval)
    good = np.isfinite(np.stack([rows[name] for name in PRICES])).all(axis=0) if len(rows["time"]) else rows["time"] > 0
    times = rows["time"][good]
    sessions = _sessions(settings, shown.sym, sources)
    day = interval.endswith(("d", "w", "M"))
    extended = None if sessions.continuous or day else sessions.kinds(times) != REGULAR
    ended = int(sessions.ends(times[-1:], interval)[0]) if len(times) else now
    plain = {name: np.ascontiguousarray(rows[name][good]) for name in (*PRICES, "volume")}
    bars = PlainBars(times, **plain, extended=extended, forming=shown.end is None and ended > now)
    notes, faint = origin_notes(sources, settings.feeds)
    if len(times) and shown.end is None and (old := age_note(min(ended, now), interval, now, sessions)):
        notes.append(old)
    newest = [_newest(rows)]
    beside: dict[str, Any] = {"notes": tuple(notes), "faint": faint, "aging": shown.end is None}
    if len(times):
        beside["overlays"], seq_of_them = _overlays(db, settings, shown, interval, times)
        span = {"start": int(times[0]), "end": shown.end}
        signals = _rows(db, settings, "signals", shown.sym, where={"interval": interval}, **span)
        beside["signals"] = [row for row in signals if row["state"] != _WITHDRAWN]
        fills = _rows(db, settings, "fills", shown.sym, where=[("market_time", ">=", int(times[0]))])
        beside["fills"] = [row for row in fills if row["account"] in {each.name for each in settings.accounts}]
        newest += [seq_of_them, *(row["seq"] for row in (*signals, *fills))]
        if shown.annotations:
            events = _read(db, settings, "annotations", shown.sym)
            beside["annotations"] = _in_force(settings, events, interval)
            newest.append(_newest(events))
    zone = ZoneInfo(sessions.zone) if not sessions.continuous else settings.zone
    return Viewport(shown.sym, interval, bars, zone=zone, seq=max(seq, *newest), newest=max(newest), **beside)


def _newest(rows: Columns) -> int:
    """Return the seq of the newest row, 0 for none; rows that were made have none of their own."""
    return int(rows["seq"].max()) if "seq" in rows and len(rows["seq"]) else 0


def _made(
    db: Connection, settings: Settings, processor: Connection, shown: Shown, interval: str
) -> tuple[Columns, set[str]]:
    """Return bars that the processor makes of stored ones, and the sources of those; none of a symbol without any."""
    stored = _read(db, settings, "bars", shown.sym, last=_LOOKED_AT)
    names = settings.table_schema["bars"].names
    if not len(stored["time"]):
        return stored, set()
    question = Candles((shown.sym,), interval, None, shown.end, shown.last, "extended")
    made = columns_from_arrow(processor.answer_to(question), settings.table_schema["bars"], names)
    return made, set(stored["source"].tolist())


def _sessions(settings: Settings, sym: str, sources: set[str]) -> Sessions:
    calendars = settings.calendars
    feed = next(iter(sorted(source.removeprefix("built:") for source in sources)), "")
    return calendars.sessions(calendars.code(sym, feed))


def _read(db: Connection, settings: Settings, table: str, sym: str, **terms: Any) -> Columns:
    declared = settings.table_schema[table]
    names = (*declared.names, *META_COLUMNS)
    found = db.select(table, sym, columns=names, frames="arrow", **terms)
    return columns_from_arrow(found, declared, names)


def _rows(db: Connection, settings: Settings, table: str, sym: str, **terms: Any) -> list[Row]:
    return rows_of_columns(_read(db, settings, table, sym, **terms), settings.table_schema[table].times)


def _in_force(settings: Settings, events: Columns, interval: str) -> Sequence[Row]:
    """Return the annotations that are for this interval or for all, without those that are deleted."""
    events = taken(events, np.lexsort((events["seq_row"], events["seq"])))
    kept = selected(state_of(events, whole=not settings.hdb.keep_days), interval={interval})
    return rows_of_columns(kept, settings.table_schema["annotations"].times)


def _overlays(
    db: Connection, settings: Settings, shown: Shown, interval: str, times: np.ndarray
) -> tuple[tuple[Overlay, ...], int]:
    """Return the columns of `indicators` that are asked for, beside bars at `times`, and the newest seq of them."""
    if not shown.overlays:
        return (), 0
    of = {column: declaration for declaration in settings.declarations for column in declaration.columns}
    for name in shown.overlays:
        if name not in of:
            raise UnknownColumn.named(name, "indicators", of)
    columns = ("time", "seq", *dict.fromkeys(shown.overlays))
    terms: dict[str, Any] = {"where": {"interval": interval}, "start": int(times[0]), "end": int(times[-1]) + 1}
    found = db.select("indicators", shown.sym, columns=columns, frames="arrow", **terms)
    rows = columns_from_arrow(found, settings.table_schema["indicators"], columns)
    at = np.searchsorted(times, np.asarray(rows["time"], np.int64))
    right = times[np.minimum(at, len(times) - 1)] == rows["time"]
    overlays = []
    for name in columns[2:]:
        values = np.full(len(times), np.nan)
        values[at[right]] = rows[name][right]
        kind = CATALOGUE.get(of[name].kind)
        pane = kind.pane if kind is not None else "own"
        levels = kind.levels if kind is not None else ()
        overlays.append(Overlay(name.replace("_", " "), values, pane, of[name].name, levels))
    return tuple(overlays), _newest(rows)
