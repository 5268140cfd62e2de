"""The trade ids of one source's newest days, for a source that promises each id once within (source, sym, day).

A state machine without sockets and files. What a turn adds waits until the turn is in the journal (`settle`), or is
forgotten with it (`drop`), so that the ids are always those of rows that the plant has.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from plant.history.days import Days
from plant.rows.columns import Columns, Symbols
from plant.wire.messages import Repeats
from tickerplant.repeats.id_table import IdTable

DAYS = 2
"""The newest days of a source whose ids are remembered."""

AHEAD_NS = 86_400 * 10**9
"""A trade further ahead of the clock is not compared: one wrong time must not push out the ids of today."""

_NONE, _FIRST = np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
_UINT64 = 2**64 - 1
_OF_SYM, _OF_SOURCE = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9  # odd: the constants of splitmix64


class Verdict(NamedTuple):
    """What the ids of a batch's rows say.

    repeats    positions of the rows that are in the plant already, int64[k]
    conflicts  of those whose id is, with another price or size, int64[k]
    unchecked  rows with an id that were not compared: of a day behind the newest two, or far ahead of the clock
    fresh      day -> id -> what is beside it, of the rows that are new
    """

    repeats: np.ndarray
    conflicts: np.ndarray
    unchecked: int
    fresh: dict[int, dict[int, int]]


class TradeIds:
    """At least the newest `most` / 2 ids of each of the newest two days, at most `most`; `forgotten` ones are counted.

    An id is remembered as a 64-bit hash of (id, sym, source), and 32 bits of its price and size. Python's hash of bytes
    is keyed anew in every process (SipHash), so that nobody can make two ids alike. Two trades with one
    hash, which ten million ids a day have once in a million days, differ in price and size: that is a conflict, which
    is told with the row.
    """

    def __init__(self, days: Days, most: int) -> None:
        self.forgotten = self._told = 0
        self._days = days
        self._half = max(most // 2, 1)
        self._known: dict[int, tuple[IdTable, IdTable | None]] = {}  # day -> its newer ids, its older ones
        self._staged: dict[int, dict[int, int]] = {}
        self._span = (0, 0, 0)  # the day of the last row: from, to (ns), its number

    @property
    def newest(self) -> list[int]:
        """The days whose ids are remembered, days since 1970, in order."""
        return sorted(self._known)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(table.nbytes for tables in self._known.values() for table in tables if table is not None)

    def check(self, columns: Columns, bad: np.ndarray, now: int) -> Verdict:
        """Compare the rows of a batch, but those at the positions `bad`, with what came before, and with each other.

        Nothing is remembered before `keep`. `now` is ns since 1970.
        """
        if len(columns["time"]) == 1 and not len(bad) and (single := self._check_single(columns)) is not None:
            return single
        found = self.keyed(columns, bad)
        kept = self._known.keys() | self._staged.keys()
        if not found.keys() <= kept:
            latest = int(self._days_of(np.array([now + AHEAD_NS]))[0])
            kept = set(sorted({*kept, *(day for day in found if day <= latest)})[-DAYS:])
        repeats: list[int] = []
        conflicts: list[int] = []
        fresh: dict[int, dict[int, int]] = {}
        unchecked = 0
        for day, (rows, keys, beside) in found.items():
            if day not in kept:
                unchecked += len(rows)
                continue
            known, before = self._find(day, keys)
            new = dict(zip(keys.tolist(), beside.tolist(), strict=True))
            staged = self._staged.get(day, {})
            if not known.any() and len(new) == len(rows) and staged.keys().isdisjoint(new):
                fresh[day] = new
                continue
            new = fresh[day] = {}
            each = (column.tolist() for column in (rows, keys, beside, known, before))
            for row, key, value, there, first in zip(*each, strict=True):
                if not there:
                    first = staged.get(key, new.get(key))
                if first is None:
                    new[key] = value
                else:
                    (repeats if first == value else conflicts).append(row)
        return Verdict(_positions(repeats), _positions(conflicts), unchecked, fresh)

    def _check_single(self, columns: Columns) -> Verdict | None:
        """Return the verdict on a row of the day of the row before, None if it is of another; for less."""
        begin, end, day = self._span
        tables = self._known.get(day)
        if tables is None or not begin <= int(columns["time"][0]) < end:
            return None
        ((trade_id,), (sym,), (source,)) = (columns[name].tolist() for name in ("trade_id", "sym", "source"))
        if not trade_id:
            return Verdict(_NONE, _NONE, 0, {})
        key = hash(trade_id.encode()) + hash(sym) * _OF_SYM + hash(source) * _OF_SOURCE & _UINT64
        price, size = int(_bits(columns["price"])[0]), int(_bits(columns["size"])[0])
        value = (price * _OF_SYM + size * _OF_SOURCE & _UINT64) >> 32
        first = self._staged.get(day, {}).get(key)
        for table in tables:
            first = table.get(key) if first is None and table is not None else first
        if first is None:
            return Verdict(_NONE, _NONE, 0, {day: {key: value}})
        return Verdict(_FIRST, _NONE, 0, {}) if first == value else Verdict(_NONE, _FIRST, 0, {})

    def keep(self, verdict: Verdict) -> None:
        """Note that the new rows of a verdict go into the present turn."""
        for day, new in verdict.fresh.items():
            self._staged.setdefault(day, {}).update(new)

    def counted(self, verdict: Verdict) -> Repeats:
        """Return what there is to tell the source of a verdict, and of what was forgotten since this was asked last."""
        forgotten, self._told = self.forgotten - self._told, self.forgotten
        return Repeats(len(verdict.repeats), len(verdict.conflicts), verdict.unchecked, forgotten)

    def settle(self) -> None:
        """Remember what was kept: the turn is in the journal."""
        for day, new in self._staged.items():
            keys, beside = np.fromiter(new, np.uint64, len(new)), np.fromiter(new.values(), np.uint32, len(new))
            self.remember(day, keys, beside)
        self._staged = {}

    def drop(self) -> None:
        """Forget what was kept: the turn could not be written."""
        self._staged = {}

    def remember(self, day: int, keys: np.ndarray, beside: np.ndarray) -> None:
        """Remember ids of a day (days since 1970), unless it is behind the newest two.

        `keys` are uint64[n], each once, the newest last; `beside` is uint32[n].
        """
        if day not in self._known:
            self._known[day] = IdTable(), None
            for old in self.newest[:-DAYS]:
                del self._known[old]
        if day not in self._known:
            return
        for at in range(0, len(keys), self._half):
            some = slice(at, at + self._half)
            newer, older = self._known[day]
            if len(newer) + len(keys[some]) > self._half:
                self.forgotten += len(older or ())
                newer, older = IdTable(), newer
                self._known[day] = newer, older
            newer.add(keys[some], beside[some])

    def keyed(self, columns: Columns, bad: np.ndarray = _NONE) -> dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return by day the positions of the rows that have an id, but `bad` ones, their keys, what is beside each."""
        texts = columns["trade_id"]
        wanted = np.diff(texts.offsets) > 0
        wanted[bad] = False
        rows = np.flatnonzero(wanted)
        if not len(rows):
            return {}
        if len(rows) < len(wanted):
            texts = texts[rows]
            columns = {name: columns[name][rows] for name in ("time", "sym", "source", "price", "size")}
        data = bytes(texts.data)
        hashes = [hash(data[start:end]) for start, end in pairwise(texts.offsets.tolist())]
        keys = np.array(hashes, dtype=np.int64).view(np.uint64)
        keys += _mixed(_hashes(columns["sym"]), _hashes(columns["source"]))
        beside = (_mixed(_bits(columns["price"]), _bits(columns["size"])) >> np.uint64(32)).astype(np.uint32)
        days = self._days_of(columns["time"])
        return {day: (rows[where], keys[where], beside[where]) for day, where in _divided(days)}

    def _find(self, day: int, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        newer, older = self._known.get(day, (None, None))
        if newer is None:
            return np.zeros(len(keys), dtype=bool), np.zeros(len(keys), dtype=np.uint32)
        known, beside = newer.find(keys)
        if older is not None and not known.all():
            also, before = older.find(keys)
            beside[also & ~known] = before[also & ~known]
            known |= also
        return known, beside

    def _days_of(self, times: np.ndarray) -> np.ndarray:
        """Return the day of each time, days since 1970: that of the row before, most often."""
        begin, end, day = self._span
        if not (begin <= times.min() and times.max() < end):
            days = self._days.day_of(times)
            begin, end = self._days.bounds(days[-1].item())
            self._span = begin, end, int(days[-1].astype(np.int64))
            return days.astype(np.int64)
        return np.full(len(times), day, dtype=np.int64)


def _positions(rows: list[int]) -> np.ndarray:
    return np.array(sorted(rows), dtype=np.int64)


def _mixed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = one * np.uint64(_OF_SYM) + other * np.uint64(_OF_SOURCE)
    return mixed


def _hashes(symbols: Symbols) -> np.ndarray:
    return np.array([hash(name) for name in symbols.names], dtype=np.int64).view(np.uint64)[symbols.codes]


def _bits(numbers: np.ndarray) -> np.ndarray:
    """Return the bits of floats, uint64[n], the same for equal ones: of every NaN, of 0 and of -0."""
    found = numbers + 0.0
    if (odd := found != found).any():
        found[odd] = np.nan
    return found.view(np.uint64)


def _divided(days: np.ndarray) -> Iterator[tuple[int, np.ndarray | slice]]:
    """Yield each day, and where it is."""
    if (days == days[0]).all():
        yield int(days[0]), slice(None)
        return
    for day in np.unique(days).tolist():
        yield day, days == day
