"""Bars from trades or from finer bars: plant.query.questions.Resample says by which rules.

Rows come in parts, each grouped by symbol. A part gives partial bars, which know the times of their first and last
price; partial bars of the same symbol and interval are then put together. So no part waits for another, and rows of one
interval may lie in any of them.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from plant.errors import QueryError
from plant.query import questions
from plant.query.limits import Budget
from plant.query.parallel import shared
from plant.rows.columns import Columns, Symbols, taken
from plant.rows.intervals import interval_name, interval_ns, months_of
from plant.rows.ordering import group_starts, grouped, joined, ranks, time_order
from plant.rows.schema import Table
from plant.rows.times import time_of_day, zone_of

_DAY_NS = 86_400 * 10**9
_MONDAY_NS = 4 * _DAY_NS  # 1970-01-05: weeks begin on Mondays
_FEW_ROWS = 5_000
"""The starts of so few bars are computed in less time than it takes to find out that they are all the same."""

_OHLC = ("open", "high", "low", "close")


def source_columns(declaration: Table, question: questions.Resample) -> tuple[str, ...]:
    """Return the columns that bars are made from. Raises QueryError if the table has neither trades nor bars."""
    names = set(declaration.names)
    if {*_OHLC, "volume", "interval"} <= names:
        return ("time", "sym", *_OHLC, "volume", "interval")
    if {"price", "size"} <= names:
        return ("time", "sym", "price", "size")
    raise QueryError(f"resample needs price and size, or bars; {question.table} has {', '.join(declaration.names)}")


def resample(parts: Iterable[Columns], question: questions.Resample, budget: Budget | None = None) -> Columns:
    """Return bars, in order of time, then of the symbol's name.

    Columns time, sym, interval, open, high, low, close, volume, vwap. `parts` hold the columns of `source_columns`,
    grouped by symbol, by time, then arrival, within each part; a later part's rows came later.
    """
    grid = Grid(question)
    held: set[str] = set()
    partial: list[Columns] = []

    def fitting() -> Iterator[Columns]:
        for part in parts:
            if not len(part["time"]):
                continue
            if "interval" in part:
                interval = part["interval"]
                held.update(interval.names[c] for c in np.flatnonzero(np.bincount(interval.codes)).tolist())
                check_finer(sorted(held), question)
            yield part

    for found in shared(lambda part: _partial(_prices(part), grid), fitting()):
        if len(found["time"]):
            partial.append(found)
        if budget:
            budget.check()
    bars = _together(partial) if partial else _no_bars()
    bars["vwap"] = bars.pop("value") / np.where(bars["volume"] > 0, bars["volume"], np.nan)
    return arranged(bars, question, budget)


def arranged(bars: Columns, question: questions.Resample, budget: Budget | None = None) -> Columns:
    """Return bars, grouped by symbol's name, by time, as an answer has them: filled, if that is asked, and ordered."""
    if question.empty == "fill":
        bars = _filled(bars, Grid(question), budget)
    bars["interval"] = Symbols([interval_name(question.interval)], np.zeros(len(bars["time"]), dtype=np.int32))
    bars = {n: bars[n] for n in ("time", "sym", "interval", *_OHLC, "volume", "vwap")}
    order = time_order(bars["time"])
    return bars if order is None else taken(bars, order)


class Grid:
    """Where bars begin."""

    def __init__(self, question: questions.Resample) -> None:
        interval = interval_name(question.interval)
        self._step = interval_ns(interval)
        self._months = months_of(interval)
        self._first = _MONDAY_NS if interval.endswith("w") else 0
        daily = question.at is not None or question.zone is not None
        self._at = time_of_day(question.at or "00:00") if daily else None
        self._zone = zone_of(question.zone or "UTC")

    @property
    def longest_ns(self) -> int:
        """What no bar is longer than: a day of 25 hours, where clocks change, is more than its interval."""
        return self._step if self._at is None else self._step + _DAY_NS

    def bar_starts(self, codes: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return where the bars begin of rows grouped by symbol, by time, int64[k]."""
        if len(times) > _FEW_ROWS:
            first, last = self.starts(np.array([times.min(), times.max()])).tolist()
            if first == last:  # a day's VWAP: rows of one bar of each symbol
                return group_starts(codes)
        if self._at is None and not self._months:
            return group_starts(codes, (times - self._first) // self._step)
        return group_starts(codes, self.starts(times))

    def starts(self, times: np.ndarray) -> np.ndarray:
        """Return for each time the start of its bar, int64[n]."""
        if self._months:
            month = times.astype("M8[ns]").astype("M8[M]").astype(np.int64) // self._months * self._months
            return _month_starts(month)
        if self._at is None:
            return (times - self._first) // self._step * self._step + self._first
        if not len(times):
            return times
        days = self._days(int(times.min()), int(times.max()))
        day = days[np.searchsorted(days, times, side="right") - 1]
        if self._step == _DAY_NS:
            return day
        return day + (times - day) // self._step * self._step

    def between(self, first: int, last: int) -> np.ndarray:
        """Return all starts from one to another, both included, int64[k]."""
        if self._months:
            months = np.array([first, last]).astype("M8[ns]").astype("M8[M]").astype(np.int64).tolist()
            return _month_starts(np.arange(months[0], months[1] + 1, self._months))
        if self._at is None:
            return first + np.arange((last - first) // self._step + 1) * self._step  # exact, unlike a step of arange
        days = self._days(first, last)
        if self._step == _DAY_NS:
            all_starts = days
        else:
            pairs = zip(days[:-1].tolist(), days[1:].tolist(), strict=True)
            all_starts = np.concatenate([np.arange(a, b, self._step) for a, b in pairs])
        return all_starts[(all_starts >= first) & (all_starts <= last)]

    def count(self, first: int, last: int) -> int:
        """Return about how many starts there are from one to another."""
        return (last - first) // self._step + 1

    def _days(self, first: int, last: int) -> np.ndarray:
        """Return the beginnings of the days from the one that holds `first` to the one after `last`, int64[k]."""
        hour, minute, second = self._at or (0, 0, 0)
        day = dt.date(1970, 1, 1) + dt.timedelta(days=first // _DAY_NS - 2)
        count = (last - first) // _DAY_NS + 6
        found = []
        for _ in range(count):
            moment = dt.datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=self._zone)
            found.append(int(moment.timestamp()) * 10**9)
            day += dt.timedelta(days=1)
        return np.array(found, dtype=np.int64)


def _month_starts(months: np.ndarray) -> np.ndarray:
    """Return where months begin that are counted since January 1970, int64[n] ns."""
    return months.astype("M8[M]").astype("M8[ns]").astype(np.int64)


def check_finer(held: list[str], question: questions.Resample) -> None:
    """Raise QueryError if bars of these intervals do not make those asked for."""
    if len(held) > 1:
        raise QueryError(
            f"resample: the rows have bars of {' and '.join(held)}; choose one with where={{'interval': {held[0]!r}}}"
        )
    of_months = (months_of(question.interval), months_of(held[0]))
    whole = interval_ns("1d") if of_months[0] and not of_months[1] else interval_ns(question.interval)
    if (of_months[1] and not of_months[0]) or whole % interval_ns(held[0]):
        raise QueryError(f"resample: bars of {held[0]} do not make bars of {question.interval}")


def _prices(part: Columns) -> Columns:
    """Return open, high, low, close, typical price and size of each row, whatever the rows are; without null ints."""
    part = _without_nulls(part)
    if "price" in part:
        price = part["price"]
        typical = price.astype(np.float64, copy=False)  # of ints too: what was paid may be more than an int holds
        return {**dict.fromkeys(_OHLC, price), "typical": typical, **{n: part[n] for n in ("time", "sym", "size")}}
    typical = (part["high"] + part["low"] + part["close"]) / 3
    return {**{n: part[n] for n in ("time", "sym", *_OHLC)}, "typical": typical, "size": part["volume"]}


def _without_nulls(part: Columns) -> Columns:
    """Return rows whose ints are all known: those of an unknown price are left out, an unknown size is 0."""
    masked = {n: c for n, c in part.items() if isinstance(c, np.ma.MaskedArray)}
    if not masked:
        return part
    known = np.ones(len(part["time"]), dtype=bool)
    for name in masked.keys() - {"size", "volume"}:
        known &= ~np.ma.getmaskarray(masked[name])
    return taken({**part, **{n: c.filled(0) for n, c in masked.items()}}, known)


def _partial(rows: Columns, grid: Grid) -> Columns:
    """Return the bars of one part; `value` is what was paid, `opened` and `closed` are when its prices are of."""
    if not len(rows["time"]):
        return _no_bars()
    new = grid.bar_starts(rows["sym"].codes, rows["time"])
    last = _ends(new, len(rows["time"]))
    size = rows["size"]
    high, low = np.maximum.reduceat(rows["high"], new), np.minimum.reduceat(rows["low"], new)
    volume, value = np.add.reduceat(size, new), np.add.reduceat(rows["typical"] * size, new)
    opened, closed = rows["open"][new], rows["close"][last]
    if np.isnan([high, low, volume, opened, closed]).any():  # seldom: nulls, which every sum passes on
        unpriced = np.isnan([rows[n] for n in _OHLC]).any(axis=0)
        if unpriced.any():
            return _partial(taken(rows, ~unpriced), grid) if not unpriced.all() else _no_bars()
        size = np.nan_to_num(size)
        volume, value = np.add.reduceat(size, new), np.add.reduceat(rows["typical"] * size, new)
    return {
        "time": grid.starts(rows["time"][new]), "sym": rows["sym"][new],
        "opened": rows["time"][new], "closed": rows["time"][last],
        "open": opened, "high": high, "low": low, "close": closed, "volume": volume, "value": value,
    }  # fmt: skip


def _ends(new: np.ndarray, count: int) -> np.ndarray:
    """Return where the last row of each bar is, int64[k], given the first ones."""
    last = np.empty_like(new)
    np.subtract(new[1:], 1, out=last[:-1])
    last[-1:] = count - 1
    return last


def _no_bars() -> Columns:
    numbers = {n: np.empty(0) for n in (*_OHLC, "volume", "value")}
    whole = {n: np.empty(0, dtype=np.int64) for n in ("time", "opened", "closed")}
    return {**whole, "sym": Symbols([], np.empty(0, dtype=np.int32)), **numbers}


def _together(partial: list[Columns]) -> Columns:
    """Return one bar for the partial bars of each symbol and interval, grouped by symbol's name, by time."""
    bars = {name: joined([p[name] for p in partial]) for name in partial[0]}
    if len(partial) == 1 and bars["sym"].codes[0] == bars["sym"].codes[-1]:  # one symbol's, in order and whole
        return {name: column for name, column in bars.items() if name not in ("opened", "closed")}
    order = grouped(ranks(bars["sym"]), bars["time"])  # stable: those of one interval stay in order of arrival
    bars = taken(bars, order)
    new = group_starts(bars["sym"].codes, bars["time"])
    first, last = new, _ends(new, len(order))
    again = np.ones(len(order), dtype=bool)
    again[new] = False
    again = np.flatnonzero(again)
    opened, closed = bars["opened"], bars["closed"]
    if (opened[again] < opened[again - 1]).any() or (closed[again] < closed[again - 1]).any():  # rows came late
        begins = np.zeros(len(order), dtype=np.int64)
        begins[new] = 1
        groups = np.cumsum(begins)
        first = np.lexsort((order, opened, groups))[new]
        last = np.lexsort((order, closed, groups))[last]
    return {
        "time": bars["time"][new], "sym": bars["sym"][new],
        "open": bars["open"][first], "high": np.maximum.reduceat(bars["high"], new),
        "low": np.minimum.reduceat(bars["low"], new), "close": bars["close"][last],
        **{n: np.add.reduceat(bars[n], new) for n in ("volume", "value")},
    }  # fmt: skip


def _filled(bars: Columns, grid: Grid, budget: Budget | None) -> Columns:
    """Return the bars, grouped by symbol, and those of intervals without rows between them."""
    if not len(bars["time"]):
        return bars
    begins = group_starts(bars["sym"].codes)
    ends = np.append(begins[1:], len(bars["time"])) - 1
    spans = list(zip(bars["time"][begins].tolist(), bars["time"][ends].tolist(), strict=True))
    if budget:
        budget.rows(sum(grid.count(a, b) for a, b in spans))
    before: list[Any] = []
    time: list[np.ndarray] = []
    for begin, end, span in zip(begins.tolist(), ends.tolist(), spans, strict=True):
        starts = grid.between(*span)
        time.append(starts)
        before.append(begin + np.searchsorted(bars["time"][begin : end + 1], starts, side="right") - 1)
    source, times = np.concatenate(before), np.concatenate(time)
    found = {**taken(bars, source), "time": times}
    empty = bars["time"][source] != times
    for name in ("open", "high", "low"):
        found[name][empty] = found["close"][empty]
    found["volume"][empty], found["vwap"][empty] = 0.0, np.nan
    return found
