"""Recorded frames of a venue as a feed: through the same parser, and the same seams, as when they came.

So a venue's odd day becomes a test. The rows are the same, in the same order, in every run with the same files and
settings: a restarted process goes on at the row after the last one that the plant accepted.
"""

import heapq
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from feedhandler.capture import frames_of
from feedhandler.feed import NS_PER_SECOND, Batch
from feedhandler.kinds import class_of
from feedhandler.settings import FeedSettings, PlantPath
from feedhandler.venue.columns import batches
from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import ORDERED, Malformed, OtherRow, Row, Skipped
from feedhandler.venue.feed import VenueFeed, notes_of
from feedhandler.venue.seams import Seams
from plant.errors import SettingsError
from plant.files.file_names import files_of

FRAMES_AT_ONCE = 1_000

_Line = tuple[int, int, bytes | None, str]  # when it came, number of the file, frame or body, what that answers


class ReplayedFeedSettings(FeedSettings):
    """[[feeds]] kind = "replayed": recorded frames of a venue, played at any speed; no key, no network."""

    venue: str = Field(description='the kind whose frames they are, e.g. "binance"')
    paths: tuple[PlantPath, ...] = Field(
        min_length=1, description="files of frames, plain, gzip or zstd, or patterns; relative to plant.toml"
    )
    speed: float = Field(0.0, ge=0, description="1 real time, 60 sixty times faster, 0 as fast as it goes")
    symbols: tuple[str, ...] = Field((), description="only these; empty: all")
    options: dict[str, Any] = Field({}, description="keys of the venue's own, e.g. {channels = [...], interval = '5m'}")
    folder: PlantPath = Field("", validate_default=True, description="of a venue's module of your own")


class _Batch(NamedTuple):
    received_ns: int
    batch: Batch


class ReplayedFeed:
    """Files of frames, merged by the time at which they came; each is a connection of its own.

    Raises ValueError for a file that is missing, or a venue that has no parser.
    """

    Settings = ReplayedFeedSettings
    replayable = True

    def __init__(self, settings: ReplayedFeedSettings) -> None:
        self._settings = settings
        self._files = [Path(file) for path in settings.paths for file in files_of(path)]
        if missing := [file for file in self._files if not file.is_file()]:
            raise ValueError(f"there is no file {missing[0]}")
        self._dialogue, self._history, self._options = _parser_of(settings)
        self._seams = Seams(self._dialogue.numbered, fetches=False)
        self._wanted = {self._options.names.get(sym, sym) for sym in settings.symbols}
        self._ours = {venues: ours for ours, venues in self._options.names.items()}
        self._batches = self._played()
        self._next: _Batch | None = None
        self._skip = self._sent = 0
        self._frames = self._malformed = 0
        self._first_malformed = self._trouble = ""
        self._clock: tuple[int, int] | None = None  # (time of the call, time of arrival) when it began
        self._finished = False

    def start(self, accepted: int) -> None:
        """Go on at row `accepted`, counted from 0 in the order of the frames."""
        self._skip = accepted

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        if self._finished:
            time.sleep(timeout_s)
            return []
        if self._next is None:
            self._next = next(self._batches, None)
            if self._next is None:
                self._finished = True
                return []
        if self._settings.speed:
            begun_ns, origin_ns = self._clock = self._clock or (now_ns, self._next.received_ns)
            early_ns = self._next.received_ns - origin_ns - int((now_ns - begun_ns) * self._settings.speed)
            if early_ns > 0:
                time.sleep(min(timeout_s, early_ns / self._settings.speed / NS_PER_SECOND))
                return []
        (table, columns), self._next = self._next.batch, None
        count = len(columns["time"])
        self._sent += count
        return [(table, columns)]

    @property
    def finished(self) -> bool:
        return self._finished

    def status(self) -> str:
        parts = [f"{self._frames:,} frames, {self._sent:,} rows" + (", finished" if self._finished else "")]
        if self._malformed:
            parts.append(f"{self._malformed:,} malformed (first: {self._first_malformed})")
        if self._seams.repeats:
            parts.append(f"{self._seams.repeats:,} repeated trades dropped")
        if self._skip:
            parts.append(f"the plant holds {self._skip:,} rows more than these files have: were they changed?")
        return "; ".join([*parts, *([self._trouble] if self._trouble else [])])

    def close(self) -> None:
        self._batches = iter(())

    def _played(self) -> Iterator[_Batch]:
        """Yield all batches that the plant does not have yet."""
        dialogues: list[Any] = [None] * len(self._files)
        at_once = 1 if self._settings.speed else FRAMES_AT_ONCE
        rows: list[Row | Skipped] = []
        received_ns = count = 0
        for received_ns, number, frame, url in heapq.merge(
            *map(self._frames_of, range(len(self._files))), key=_by_time
        ):
            if not url and (frame is None or dialogues[number] is None):
                dialogues[number] = self._dialogue(self._options)
            if frame is None:
                continue
            self._frames += 1
            count += 1
            rows += (
                self._answered(url, frame, received_ns) if url else self._parsed(dialogues[number], frame, received_ns)
            )
            if count >= at_once:
                yield from self._batched(rows, received_ns)
                rows, count = [], 0
        yield from self._batched(rows, received_ns)
        yield from self._batched([], received_ns + 3_600 * NS_PER_SECOND)  # what still waits for something missing

    def _frames_of(self, number: int) -> Iterator[_Line]:
        try:
            for found in frames_of(self._files[number]):
                yield found.received_ns, number, found.frame, found.url
        except ValueError as error:
            self._trouble = str(error)

    def _parsed(self, dialogue: Any, frame: bytes, received_ns: int) -> list[Row | Skipped]:
        rows = []
        try:
            for event in dialogue.parse(frame, received_ns):
                if type(event) in ORDERED:
                    if not self._wanted or _sym_of(event) in self._wanted:
                        rows.append(event)
                elif isinstance(event, Malformed):
                    self._note(event.reason)
        except Exception as error:  # a frame that the parser did not expect costs itself only
            self._note(f"{type(error).__name__}: {error}, found {frame[:120].decode('utf-8', 'replace')!r}")
        return rows

    def _answered(self, url: str, body: bytes, received_ns: int) -> list[Row]:
        """Return the rows of an answer of REST."""
        if self._history is None:
            return []
        try:
            found = self._history.recorded(url, body, received_ns)
        except Unreadable as error:
            self._note(f"{url.partition('?')[0]}: {error}")
            return []
        return [row for row in found if not self._wanted or _sym_of(row) in self._wanted]

    def _note(self, reason: str) -> None:
        self._malformed += 1
        self._first_malformed = self._first_malformed or reason

    def _batched(self, rows: list[Row | Skipped], received_ns: int) -> Iterator[_Batch]:
        now = received_ns / NS_PER_SECOND
        on = self._seams.take(rows, now) + self._seams.impatient(now)
        found = batches(on, self._settings.name, self._ours)
        if self._seams.notes:
            found += notes_of(self._seams.notes, received_ns, self._settings.name)
            self._seams.notes.clear()
        for table, columns in found:
            count = len(columns["time"])
            skipped = min(self._skip, count)
            self._skip -= skipped
            if skipped < count:
                yield _Batch(received_ns, (table, {name: values[skipped:] for name, values in columns.items()}))


def _by_time(found: _Line) -> tuple[int, int]:
    return found[0], found[1]


def _sym_of(row: Row | Skipped) -> Any:
    return row.columns.get("sym") if isinstance(row, OtherRow) else row.sym


def _parser_of(settings: ReplayedFeedSettings) -> tuple[Any, Any, Any]:
    """Return the venue's Dialogue, its History or None, and settings. Raises ValueError."""
    try:
        made_of = class_of(settings.venue, Path(settings.folder))
    except SettingsError as error:
        raise ValueError(str(error)) from None
    if not issubclass(made_of, VenueFeed):
        raise ValueError(f"venue: expected a kind with a parser of frames, found {settings.venue!r}")
    given = {"symbols": settings.symbols} if settings.symbols else {}
    options = made_of.Settings.model_validate({**given, **settings.options, "name": settings.name})
    keys = ("",) * len(made_of.key_variables)  # nothing is asked for
    history = made_of.history(options, keys) if made_of.history is not None else None
    return made_of.dialogue, history, options
