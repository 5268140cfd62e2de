"""A recorded file as a feed: as fast as it goes, in its own time, or sixty times faster.

The rows are the same, in the same order, in every run with the same files and arguments, so that a restarted process
goes on at the row after the last one that the plant accepted.
"""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from feedhandler.feed import NS_PER_DAY, NS_PER_SECOND, Batch
from plant.transfer.reader import Reader, files_of


class RecordedFeed:
    """Replay bars, trades or quotes from CSV (also .csv.gz), Excel or Parquet files, merged by time.

    paths: one file or several, or patterns such as "data/*_1min.csv", whose files are taken in order of name.
    table: "bars", "trades" or "quotes". symbols: only rows of these, all when empty.
    columns: our name -> the file's name of it ({"time": "datetime"}), or a number for all rows ({"volume": 0}); usual
    names are found without it. scale: our name -> factor ({"price": 1e-4} for prices in hundredths of a cent).
    sym: of all rows; without it the file's column, or else the file's name up to the first "_" or "." decides.
    interval: of bars whose file has no such column. time_zone: of times without an offset. stamp: "start" or "end",
    which edge of its interval a bar is stamped with in the file; the plant's `time` is always the start.
    speed: 0 is as fast as the plant takes it, 1 real time, 60 sixty times faster; pauses at night are replayed too.
    shift_to_today: move all rows by one whole number of days of 24 hours, so that the last one falls on the UTC day of
    the first poll; times of day stay, and rows may lie ahead of the clock. After a restart on another day the
    remaining rows fall on that day.
    batch_rows: rows per poll at most. source: what the rows carry as their source.

    Raises ValueError, with what was expected and what the file has, for a missing file or column or a bad argument.
    All rows are held in memory, about 60 bytes each.
    """

    replayable = True

    def __init__(
        self,
        *,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        table: str = "bars",
        columns: Mapping[str, str | float] | None = None,
        sym: str | None = None,
        interval: str = "1m",
        time_zone: str = "UTC",
        stamp: str = "start",
        speed: float = 0.0,
        shift_to_today: bool = False,
        batch_rows: int = 1_000,
        source: str = "recorded",
        scale: Mapping[str, float] | None = None,
        symbols: Sequence[str] = (),
    ) -> None:
        given = [paths] if isinstance(paths, str | os.PathLike) else paths
        found = [path for each in given for path in files_of(each)]
        if not found:
            raise ValueError("paths: expected at least one file, found none")
        if not speed >= 0:
            raise ValueError(f"speed: expected 0 or more, found {speed}")
        if batch_rows < 1:
            raise ValueError(f"batch_rows: expected 1 or more, found {batch_rows}")
        self._table = table
        self._speed = speed
        self._shift_to_today = shift_to_today
        self._batch_rows = batch_rows
        self._source = source
        rows = Reader(table, dict(columns or {}), sym, interval, time_zone, stamp, dict(scale or {})).read(found)
        self._rows = rows.only(symbols) if symbols else rows
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
        texts = {name: values[rows] for name, values in self._rows.texts.items()}
        return {
            "time": self._rows.time[rows] + shift_ns,
            "sym": self._rows.names[self._rows.sym[rows]].tolist(),
            **({"interval": texts["interval"]} if self._table == "bars" else {}),
            **{name: values[rows].copy() for name, values in self._rows.numbers.items()},
            "source": [self._source] * (last - first),
            **({"trade_id": texts["trade_id"]} if self._table == "trades" else {}),
        }
