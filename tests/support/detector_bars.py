"""Bars for detectors: random walks over sessions, recorded days, as rows of `bar_closes`; and what detectors found."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from candle_plant import columns_of_rows, plain
from plain_detectors import MINUTE, B, Days, Events, bars_of
from recordings import RECORDINGS

from plant.calendars.assignment import Calendars
from plant.calendars.sessions import Sessions
from plant.detectors.definitions import TYPES, types_of
from plant.detectors.detectors import Detectors
from plant.detectors.machine import DetectorTerms
from plant.rows.columns import Columns

Minutes = dict[int, tuple[float, float, float, float]]
COLUMNS = (
    "type", "kind", "interval", "start_at", "end_at", "price", "price_end", "top", "bottom", "state", "strength",
    "text",
)  # fmt: skip

CALENDARS = Calendars({"XNYS": ("AAPL", "SPY")}, {})
ALL = DetectorTerms(types_of(TYPES), intervals=("5m", "15m"))


def sessions_of(sym: str) -> Sessions:
    """Return the sessions of AAPL and SPY, and of everything else those of UTC."""
    return CALENDARS.sessions(CALENDARS.code(sym))


def days_of(sym: str) -> Days:
    """Return the same, plainly."""
    return Days(CALENDARS.code(sym))


def walk(seed: int, sym: str, first: str, count: int, present: float, tick: float = 0.25) -> Minutes:
    """Return 1m bars of `count` days from a date on, each with that chance; prices are whole ticks around 100."""
    chance, days = np.random.default_rng(seed), days_of(sym)
    start = pd.Timestamp(first, tz="UTC").value
    day, price, found = days.day_of(start + 16 * 60 * MINUTE), 100.0, {}
    for number in range(day, day + count):
        times = np.arange(days.pre(number), days.post(number), MINUTE)
        price += tick * int(chance.integers(-8, 9))  # overnight
        for time in times[chance.random(len(times)) < present].tolist():
            o = price + tick * int(chance.integers(-1, 2))
            c = max(o + tick * int(chance.normal(0, 2.5)), 10.0)
            reach = tick * chance.integers(0, 3, 2)
            found[time] = (o, max(o, c) + float(reach[0]), min(o, c) - float(reach[1]), c)
            price = c
    return found


def all_bars(minutes: Minutes, sym: str, intervals: Iterable[str] = ("1m", "5m", "15m", "1d")) -> dict[str, list[B]]:
    """Return the bars of each interval, of whole days."""
    return {interval: bars_of(minutes, interval, days_of(sym)) for interval in intervals}


def closes_of(sym: str, interval: str, bars: Sequence[B]) -> list[dict[str, Any]]:
    """Return rows of `bar_closes`."""
    return [
        {"time": b.end, "sym": sym, "market_time": b.time, "interval": interval, "open": b.o, "high": b.h, "low": b.l,
         "close": b.c, "volume": 1.0, "bar_seq": 1}
        for b in bars
    ]  # fmt: skip


def in_order(sym: str, bars: dict[str, list[B]]) -> list[dict[str, Any]]:
    """Return rows of `bar_closes` of all intervals as a plant decides them: by their ends, smaller ones first."""
    lengths = {"1m": 1, "5m": 5, "15m": 15, "1d": 1440}
    rows = [
        (b.end, lengths[i], b.time, row)
        for i, some in bars.items()
        for b, row in zip(some, closes_of(sym, i, some), strict=True)
    ]
    return [row for *_, row in sorted(rows, key=lambda one: one[:3])]


def columns(rows: Sequence[dict[str, Any]]) -> Columns:
    """Return rows of `bar_closes` as columns."""
    return columns_of_rows("bar_closes", rows)


def found_by(detectors: Detectors) -> list[dict[str, Any]]:
    """Return the rows that are to be published."""
    rows = detectors.due()
    return plain(rows) if rows is not None else []


def detected(rows: Sequence[dict[str, Any]], terms: DetectorTerms = ALL, at_once: int = 1000) -> list[dict[str, Any]]:
    """Return the rows of `annotations` of rows of `bar_closes`, taken so many at once."""
    detectors, found = Detectors(terms, sessions_of), []
    detectors.settle()
    for start in range(0, len(rows), at_once):
        detectors.take_closes(columns(rows[start : start + at_once]))
        found += found_by(detectors)
    return found


def by_id(rows: Iterable[dict[str, Any]]) -> Events:
    """Return the events of each id, whose versions are 1, 2, 3, ..."""
    found: Events = {}
    for row in rows:
        events = found.setdefault(row["id"], [])
        assert row["version"] == len(events) + 1, row
        assert row["source"] == "auto"
        assert row["reason"]
        events.append((row["time"], row["action"], {name: row[name] for name in COLUMNS}))
    return found


def differences(found: Events, wanted: Events) -> list[Any]:
    """Return what differs, of what a plain event says."""
    wrong: list[Any] = [
        (id_, "missing" if id_ in wanted else "too much") for id_ in sorted(found.keys() ^ wanted.keys())
    ]
    for id_ in sorted(found.keys() & wanted.keys()):
        one, other = found[id_], wanted[id_]
        steps = [(time, action) for time, action, _ in one], [(time, action) for time, action, _ in other]
        if steps[0] != steps[1]:
            wrong.append((id_, [(*e[:2], e[2]["state"]) for e in one], [(*e[:2], e[2]["state"]) for e in other]))
            continue
        for (time, _, has), (_, _, should) in zip(one, other, strict=True):
            wrong += [
                (id_, time, name, has[name], value) for name, value in should.items() if not _equal(has[name], value)
            ]
    return wrong


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (one != one and other != other) or math.isclose(one, other, rel_tol=1e-12)
    return bool(one == other)


def recorded_minutes(sym: str) -> Minutes:
    """Return recorded 1m bars: of equities with pre- and post-market, or of crypto. Skips where there are none."""
    import pytest

    folder = RECORDINGS / ("lean_us_equity/minute" if sym in ("AAPL", "SPY") else "lean_crypto")
    if not folder.is_dir():
        pytest.skip(f"no recorded bars in {folder}")
    pattern = f"{sym}_*_minute_tradebars.csv" if sym in ("AAPL", "SPY") else f"*_{sym}_2018*_minute_tradebars.csv"
    (path,) = folder.glob(pattern)
    rows = pd.read_csv(path)
    times = pd.DatetimeIndex(pd.to_datetime(rows["ts_utc"], utc=True)).as_unit("ns").asi8.tolist()
    scale, more = (1e4, "_e4") if "open_e4" in rows else (1.0, "")
    prices = zip(*((rows[f"{name}{more}"] / scale).tolist() for name in ("open", "high", "low", "close")), strict=True)
    return dict(zip(times, prices, strict=True))
