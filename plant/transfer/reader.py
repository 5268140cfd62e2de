"""Recorded files as rows of one table: CSV (also .csv.gz), Excel and Parquet in, columns in order of time out.

A file of somebody else's making has other names, other clocks and broken lines. Names are found by alias or given,
times become UTC nanoseconds, numbers are read from the file's own text, and a row that cannot be read is left out and
counted while its neighbours are kept. How files are opened is in `recording_files.py`, how single values are read in
`recording_values.py`.
"""

import glob
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from plant.errors import QueryError
from plant.rows.times import interval_ns
from plant.transfer.formats import open_file
from plant.transfer.values import Rejects, read_numbers, read_texts, read_times, scaled

NUMBERS: dict[str, tuple[str, ...]] = {
    "bars": ("open", "high", "low", "close", "volume"),
    "trades": ("price", "size"),
    "quotes": ("bid", "ask", "bid_size", "ask_size"),
}
"""Tables that can be replayed, and their numeric columns, each of which a file must have or `columns` must fix."""

TEXTS: dict[str, tuple[str, ...]] = {"bars": ("interval",), "trades": ("trade_id",), "quotes": ()}
"""Text columns that a file may have."""

ALIASES: dict[str, tuple[str, ...]] = {
    "time": ("datetime", "timestamp", "ts_utc", "ts", "date_time", "open_time", "ts_event", "date"),
    "sym": ("symbol", "ticker", "instrument", "pair"),
    "open": ("o", "open_price", "first"),
    "high": ("h", "high_price", "max"),
    "low": ("l", "low_price", "min"),
    "close": ("c", "close_price", "last"),
    "price": ("last", "last_price", "trade_price"),
    "size": ("quantity", "qty", "amount", "volume", "last_size"),
    "volume": ("vol", "v", "qty"),
    "bid": ("bid_price", "best_bid", "bidprice"),
    "ask": ("ask_price", "best_ask", "askprice", "offer"),
    "bid_size": ("bid_quantity", "bid_qty", "bidsize", "bid_volume"),
    "ask_size": ("ask_quantity", "ask_qty", "asksize", "ask_volume"),
    "trade_id": ("tradeid", "id", "trade_no"),
}
"""Other names of our columns, the first that a file has is taken; upper and lower case and blanks do not matter."""

_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?|")
_DAY_ALONE = re.compile(r"[T ]00:00(:00(\.0+)?)?$")
"""What stands behind a date that a sheet keeps as a moment."""


@dataclass(frozen=True)
class Recording:
    """Rows in order of time: `time` int64 UTC ns, `sym` int32 codes into `names`, `numbers` float64, `texts` str.

    lines     int64, where each row stands in its file; `unit` says what is counted: "line" or "row"
    skipped   rows that could not be read; `reasons` are (line, why) of the first of them
    reason    the first of these, with the file's name
    where     our column name to the file's
    """

    time: np.ndarray
    sym: np.ndarray
    names: np.ndarray
    numbers: dict[str, np.ndarray]
    texts: dict[str, list[str]]
    lines: np.ndarray
    skipped: int
    reason: str
    reasons: list[tuple[int, str]]
    unit: str
    where: dict[str, str]

    def only(self, symbols: Collection[str]) -> "Recording":
        """Return the rows of `symbols`, in the same order."""
        return self._taken(np.isin(self.sym, [code for code, name in enumerate(self.names) if name in symbols]))

    def in_order(self) -> "Recording":
        """Return the rows in order of time, those of one time as they stand."""
        return self._taken(np.argsort(self.time, kind="stable"))

    def _taken(self, rows: np.ndarray) -> "Recording":
        return replace(
            self,
            time=self.time[rows],
            sym=self.sym[rows],
            numbers={name: values[rows] for name, values in self.numbers.items()},
            texts={name: np.array(each, dtype=object)[rows].tolist() for name, each in self.texts.items()},
            lines=self.lines[rows],
        )


@dataclass(frozen=True)
class Reader:
    """How files are read.

    table       "bars", "trades" or "quotes"
    columns     our name -> the file's name of it ({"time": "datetime"}), or a number for all rows ({"volume": 0});
                usual names (`ALIASES`) are found without it
    sym         of all rows; without it the file's column, or else the file's name up to the first "_" or "." decides
    interval    of bars whose file has no such column
    time_zone   of times without an offset
    stamp       "start" or "end": which edge of its interval a bar is stamped with in the file; `time` is the start
    scale       our name -> factor ({"price": 1e-4} for prices in hundredths of a cent)

    Raises ValueError for an argument that cannot be used.
    """

    table: str
    columns: Mapping[str, str | float] = field(default_factory=dict)
    sym: str | None = None
    interval: str = "1m"
    time_zone: str = "UTC"
    stamp: str = "start"
    scale: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table, stamp = self.table, self.stamp
        if table not in NUMBERS:
            raise ValueError(f"table: expected one of {', '.join(NUMBERS)}, found {table!r}")
        names = ("time", "sym", *NUMBERS[table], *TEXTS[table])
        for option, mapping, known in (("columns", self.columns, names), ("scale", self.scale, NUMBERS[table])):
            if unknown := sorted(set(mapping) - set(known)):
                raise ValueError(f"{option}: {table} has {', '.join(known)}, found {', '.join(map(repr, unknown))}")
        for name, given in self.columns.items():
            if not isinstance(given, str) and (name not in NUMBERS[table] or isinstance(given, bool)):
                raise ValueError(f"columns: expected the name of a column for {name}, found {given!r}")
        if stamp not in ("start", "end") or (stamp == "end" and table != "bars"):
            raise ValueError(f'stamp: expected "start", or "end" for bars, found {stamp!r} for {table}')
        try:
            ZoneInfo(self.time_zone)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(
                f"time_zone: expected a name such as America/New_York, found {self.time_zone!r}"
            ) from error
        try:
            interval_ns(self.interval)
        except QueryError as error:
            raise ValueError(f"interval: {error}") from None

    def read(self, paths: Sequence[Path]) -> Recording:
        """Return the rows of all `paths`, merged by time; rows of one time stay in the order of paths, then of file.

        Raises ValueError that names the file, and what it has, when a file or a column is missing or unreadable.
        """
        parts = [self.file(path) for path in paths]
        names = sorted({name for part in parts for name in part.names})
        code = {name: number for number, name in enumerate(names)}
        codes = [np.array([code[name] for name in part.names], dtype=np.int32)[part.sym] for part in parts]
        return Recording(
            time=np.concatenate([part.time for part in parts]),
            sym=np.concatenate(codes),
            names=np.array(names, dtype=object),
            numbers={name: np.concatenate([part.numbers[name] for part in parts]) for name in parts[0].numbers},
            texts={name: [text for part in parts for text in part.texts[name]] for name in TEXTS[self.table]},
            lines=np.concatenate([part.lines for part in parts]),
            skipped=sum(part.skipped for part in parts),
            reason=next((part.reason for part in parts if part.reason), ""),
            reasons=[each for part in parts for each in part.reasons],
            unit=parts[0].unit,
            where=parts[0].where,
        ).in_order()

    def file(self, path: Path) -> Recording:
        """Return the rows of one file, in its order. Raises ValueError as `read` does."""
        file = open_file(path)
        where = self._locate(path, file.names)
        clock = _clock_of(file.names, where["time"])
        rows = file.read(sorted({*where.values(), *clock}))
        count = rows.num_rows
        rejects = Rejects(file)

        times = read_times(_dated(rows, where["time"], clock), self.time_zone, rejects)
        numbers = {}
        for name in NUMBERS[self.table]:
            fixed = self.columns.get(name)
            if name in where:
                numbers[name] = scaled(read_numbers(rows[where[name]], name, rejects), self.scale.get(name, 1.0))
            elif isinstance(fixed, int | float):
                numbers[name] = np.full(count, float(fixed))
        texts = {name: read_texts(rows[where[name]]) if name in where else [""] * count for name in TEXTS[self.table]}
        if self.table == "bars":
            texts["interval"] = [text.strip() or self.interval for text in texts["interval"]]
            times = times - self._lag(texts["interval"], rejects)
        syms = (
            [text.strip() for text in read_texts(rows[where["sym"]])] if "sym" in where else [self._name(path)] * count
        )
        rejects.add(np.array([not text for text in syms], dtype=bool), "sym", "a symbol", syms)

        kept = ~rejects.rows
        codes, names = pd.factorize(np.array(syms, dtype=object)[kept])
        reasons = rejects.reasons
        return Recording(
            time=times[kept],
            sym=codes.astype(np.int32),
            names=names,
            numbers={name: values[kept] for name, values in numbers.items()},
            texts={name: [text for text, keep in zip(each, kept, strict=True) if keep] for name, each in texts.items()},
            lines=file.lines[kept],
            skipped=rejects.count,
            reason=f"{path.name}, {file.unit} {reasons[0][0]:,}, {reasons[0][1]}" if reasons else "",
            reasons=reasons,
            unit=file.unit,
            where={**where, **({"time": " + ".join(clock)} if clock else {})},
        )

    def _locate(self, path: Path, found: Sequence[str]) -> dict[str, str]:
        """Map each of our columns that is to be read to the file's name of it."""
        has = f"{path} has the columns {', '.join(repr(name) for name in found)}"
        folded = {_fold(name): name for name in reversed(found)}
        where = {}
        for name in ("time", "sym", *NUMBERS[self.table], *TEXTS[self.table]):
            given = self.columns.get(name)
            if isinstance(given, str):
                if given not in found:
                    raise ValueError(f"columns: expected {name} in the column {given!r}, but {has}")
                where[name] = given
            elif given is None and not (name == "sym" and self.sym):
                alias = next((folded[each] for each in (name, *ALIASES.get(name, ())) if each in folded), None)
                if alias is not None:
                    where[name] = alias
                elif name == "time" or name in NUMBERS[self.table]:
                    number = "" if name == "time" else ", or a number for all rows"
                    raise ValueError(f"{self.table}: no column {name}: {has}; name it in `columns`{number}")
        return where

    def _lag(self, intervals: list[str], rejects: Rejects) -> np.ndarray:
        """What to take off each row's time to have the start of its bar, int64 ns."""
        if self.stamp == "start":
            return np.zeros(len(intervals), dtype=np.int64)
        lengths: dict[str, int] = {}
        for interval in set(intervals):
            try:
                lengths[interval] = interval_ns(interval)
            except QueryError:
                lengths[interval] = 0
        lag = np.array([lengths[interval] for interval in intervals], dtype=np.int64)
        rejects.add(lag == 0, "interval", 'an interval such as "1m"', intervals)
        return lag

    def _name(self, path: Path) -> str:
        return self.sym or re.split(r"[_.]", path.name)[0]


def files_of(path: str | os.PathLike[str]) -> list[Path]:
    """Return the files of a path or of a pattern ("data/*_1min.csv"), by name; raises ValueError if none matches.

    A file whose own name has a bracket in it is meant as it stands.
    """
    text = os.fspath(path)
    if not glob.has_magic(text) or Path(text).exists():
        return [Path(text)]
    found = sorted(glob.glob(text, recursive=True))
    if not found:
        raise ValueError(f"paths: no file matches {text} (looked in {Path.cwd()})")
    return [Path(each) for each in found]


def _fold(name: str) -> str:
    return re.sub(r"\s+", "_", name.strip().lower())


def _clock_of(names: Sequence[str], time: str) -> tuple[str, ...]:
    """Return the two columns of a time that is divided into date and time of day; empty if it is not."""
    folded = {_fold(name): name for name in reversed(names)}
    pair = tuple(folded[name] for name in ("date", "time") if name in folded)
    return pair if len(pair) == 2 and time in pair else ()


def _dated(rows: Any, time: str, clock: tuple[str, ...]) -> Any:
    """Return the column of times; if the column `time` holds times of day, with the dates ahead of them."""
    if not clock:
        return rows[time]
    dates, times = (read_texts(rows[name]) for name in clock)
    if not all(_TIME_OF_DAY.fullmatch(text.strip()) for text in times):
        return rows[time]
    return pa.array([f"{_DAY_ALONE.sub('', d.strip())} {t.strip()}" for d, t in zip(dates, times, strict=True)])
