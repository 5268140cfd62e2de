"""A recorded file as a feed: as fast as it goes, in its own time, or sixty times faster.

The rows are the same, in the same order, in every run with the same files and arguments, so that a restarted process
goes on at the row after the last one that the plant accepted.
"""

import time
from typing import Any, Literal

from pydantic import Field

from feedhandler.feed import NS_PER_DAY, NS_PER_SECOND, Batch
from feedhandler.settings import FeedSettings, PlantPath
from plant.files.file_names import files_of
from plant.transfer.reader import Reader


class RecordedFeedSettings(FeedSettings):
    """[[feeds]] kind = "recorded": files of bars, trades or quotes, played at any speed."""

    name: str = Field("recorded", description="what the rows carry as their source; the kind if empty")
    paths: tuple[PlantPath, ...] = Field(
        min_length=1, description="CSV, Excel or Parquet files, or patterns; relative to plant.toml"
    )
    table: Literal["bars", "trades", "quotes"] = Field("bars", description="the table of the rows")
    columns: dict[str, str | float] = Field({}, description="our column name to the file's, or to a number")
    scale: dict[str, float] = Field({}, description="factor of a column, e.g. {price = 1e-4}")
    sym: str | None = Field(None, description="symbol of all rows; else a column, else the file's name")
    interval: str = Field("", description="interval of bars whose file has no such column; else the name's, else 1m")
    time_zone: str = Field("UTC", description="zone of times without one")
    stamp: Literal["start", "end"] = Field("start", description="which edge of the bar its time marks")
    unit: Literal["", "s", "ms", "us", "ns", "calendar"] = Field("", description="of times in digits; else by column")
    day_first: bool | None = Field(None, description="whether 04/03/2024 is in March; else by column")
    decimal: Literal["", ".", ","] = Field("", description="the decimal mark; else as the file's numbers show")
    encoding: str = Field("", description="of text files, e.g. cp1252; else UTF-8 or UTF-16")
    speed: float = Field(0.0, ge=0, description="1 real time, 60 sixty times faster, 0 as fast as it goes")
    shift_to_today: bool = Field(False, description="move all rows by whole days, so that the last one is of today")
    symbols: tuple[str, ...] = Field((), description="only these; empty: all")


class RecordedFeed:
    """Replay bars, trades or quotes from CSV (also .csv.gz), Excel or Parquet files, merged by time.

    The files of a pattern ("data/*_1min.csv") are taken in order of name. Usual names of columns are found without
    `columns`. A symbol that nothing gives is the file's name without dates and such. The plant's `time` is always
    the start of a bar. With a speed, pauses at night are replayed too.
    shift_to_today moves all rows by one whole number of days of 24 hours, so that the last one falls on the UTC day of
    the first poll; times of day stay, and rows may lie ahead of the clock. After a restart on another day the
    remaining rows fall on that day. batch_rows: rows per poll at most.

    Raises ValueError, with what was expected and what the file has, for a missing file or column, or a bad setting.
    All rows are held in memory, about 60 bytes each.
    """

    Settings = RecordedFeedSettings
    replayable = True

    def __init__(self, settings: RecordedFeedSettings, *, batch_rows: int = 1_000) -> None:
        self._table = settings.table
        self._speed = settings.speed
        self._shift_to_today = settings.shift_to_today
        self._batch_rows = batch_rows
        self._source = settings.name
        reader = Reader(
            table=settings.table,
            columns=settings.columns,
            sym=settings.sym,
            interval=settings.interval,
            time_zone=settings.time_zone,
            stamp=settings.stamp,
            scale=settings.scale,
            unit=settings.unit,
            day_first=settings.day_first,
            decimal=settings.decimal,
            encoding=settings.encoding,
        )
        rows = reader.read([file for path in settings.paths for file in files_of(path)])
        self._rows = rows.only(settings.symbols) if settings.symbols else rows
        self._next = 0
        self._ahead = 0  # rows that the plant holds beyond the end of the files
        self._clock: tuple[int, int] | None = None  # (time of the call, time in the recording) when the replay began
        self._shift_ns: int | None = None

    def start(self, accepted: int) -> None:
        """Go on at row `accepted`, counted from 0 in order of time."""
        self._next = min(accepted, len(self._rows.time))
        self._ahead = accepted - self._next

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        if self.finished:
            time.sleep(timeout_s)
            return []
        times = self._rows.time
        if self._shift_ns is None:
            days = now_ns // NS_PER_DAY - int(times[-1]) // NS_PER_DAY
            self._shift_ns = days * NS_PER_DAY if self._shift_to_today else 0
        first, last = self._next, min(self._next + self._batch_rows, len(times))
        if self._speed:
            begun_ns, origin_ns = self._clock = self._clock or (now_ns, int(times[first]))
            reached_ns = origin_ns + int((now_ns - begun_ns) * self._speed)
            last = first + int(times[first:last].searchsorted(reached_ns, side="right"))
            if first == last:
                wait_s = (int(times[first]) - reached_ns) / self._speed / NS_PER_SECOND
                time.sleep(min(timeout_s, wait_s))
                return []
        self._next = last
        return [(self._table, self._columns(first, last, self._shift_ns))]

    @property
    def finished(self) -> bool:
        return self._next >= len(self._rows.time)

    def status(self) -> str:
        parts = [f"row {self._next:,} of {len(self._rows.time):,}" + (", finished" if self.finished else "")]
        if self._rows.skipped:
            parts.append(f"{self._rows.skipped:,} rows skipped (first: {self._rows.reason})")
        if self._ahead:
            parts.append(f"the plant holds {self._ahead:,} rows more than these files have: were they changed?")
        return "; ".join(parts)

    def close(self) -> None:
        """Nothing is held open: the files were read when the feed was made."""

    def _columns(self, first: int, last: int, shift_ns: int) -> dict[str, Any]:
        rows = slice(first, last)
        texts = {name: values[rows].tolist() for name, values in self._rows.texts.items()}
        return {
            "time": self._rows.time[rows] + shift_ns,
            "sym": [self._rows.names[code] for code in self._rows.sym[rows].tolist()],
            **({"interval": texts["interval"]} if self._table == "bars" else {}),
            **{name: values[rows].copy() for name, values in self._rows.numbers.items()},
            "source": [self._source] * (last - first),
            **({"trade_id": texts["trade_id"]} if self._table == "trades" else {}),
        }
