"""From bars to rows of `indicators` and `signals`: what the processor does on each tick of its timer, without sockets.

A bar is closed once its interval has passed by the clock, and a later bar of its series has come or GRACE_NS passed,
too. Closed bars advance the indicators; the first that is not is shown with what its indicators would be if it closed
now. A correction of a closed bar, or one that comes late, computes its series anew from its first bar. A row is given
out only if it differs from what the plant already has by more than rounding, and a signal once, so a timer that fires
often, or a processor that starts again, publishes nothing twice. A signal that the corrected series does not have is
withdrawn.

A series need not begin with its first bar ever (`Engine.begin`): rows that would be computed from too few bars are then
not given out, and what was given out for them stays.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from plant.errors import QueryError
from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, Texts
from plant.rows.intervals import interval_ns
from processor.indicators import COLUMNS, LARGEST_CLOSE, Indicators
from processor.signals import RULES, settle, signals

GRACE_NS = 5 * 10**9
"""A bar may still be revised for so long after its interval has passed."""

ROUNDING = 1e-12
"""Values that differ by less, relative to themselves or to the close, are the same."""


class Bar(NamedTuple):
    """What happened in one interval."""

    open: float
    high: float
    low: float
    close: float
    volume: float


VALUES = (*Bar._fields, *COLUMNS)

Row = tuple[float, ...]


class Event(NamedTuple):
    """A signal of a bar as the plant has it; `state` is "" or WITHDRAWN."""

    side: str
    price: float
    detail: str
    state: str = ""


WITHDRAWN = "withdrawn"
"""The state of a signal that the corrected series does not have."""


@dataclass(slots=True)
class Series:
    """The bars of one symbol and interval, and how far they are computed."""

    slot: int
    sym: str
    interval: str
    step_ns: int
    bars: dict[int, Bar] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    newest: int = -1
    committed: int = -1
    previous: dict[str, float] = field(default_factory=dict)
    given: dict[int, Row] = field(default_factory=dict)
    signalled: dict[tuple[int, str], Event] = field(default_factory=dict)
    begins: int = -1  # bars before it were not read
    trusted: int = -1  # rows of bars before it would be computed from too few

    @property
    def forming(self) -> int:
        """The first bar that is not closed; there must be one."""
        return min(t for t in self.changed if t > self.committed)


class Engine:
    """Compute indicators and signals of every series with at least `min_bars` bars."""

    def __init__(self, min_bars: int = 5) -> None:
        self.min_bars = min_bars
        self._indicators = Indicators()
        self._series: dict[tuple[str, str], Series] = {}
        self._open: set[tuple[str, str]] = set()  # with changed bars, or with one still forming
        self.passed_over = 0  # bars older than what was read of their series

    @property
    def waiting(self) -> bool:
        """Whether there are bars that a tick might compute."""
        return bool(self._open)

    def begin(self, sym: str, interval: str, begins: int, trusted: int) -> None:
        """Let a series begin with the bar at `begins`, and rows be given out for those from `trusted` on (ns UTC)."""
        if series := self._of((sym, interval)):
            series.begins, series.trusted = begins, trusted

    def take(self, batch: Batch) -> None:
        """Take a batch of `bars`, or of the plant's own `indicators` and `signals`, as they come out of the plant."""
        if batch.table == "bars":
            self._take_bars(batch)
        elif batch.table == "indicators":
            for (key, time), row in zip(_keys(batch), _rows(batch, VALUES), strict=True):
                if series := self._of(key):
                    series.given[time] = row
        elif batch.table == "signals":
            names, events = batch.columns["signal"].tolist(), _rows(batch, Event._fields)
            for (key, time), name, event in zip(_keys(batch), names, events, strict=True):
                if series := self._of(key):
                    side, price, detail, state = event
                    series.signalled[time, name] = Event(side, price, detail, state or "")

    def tick(self, now_ns: int) -> tuple[Columns | None, Columns | None]:
        """Return the new rows of `indicators` and of `signals`, None for none; `now_ns` says which bars are closed."""
        found = _Found()
        single: list[Series] = []
        for key in sorted(self._open):
            series = self._series[key]
            if len(series.bars) < self.min_bars:
                continue
            closed = self._due(series, now_ns)
            if len(closed) == 1:
                single.append(series)  # the common case: all symbols in one pass of numpy
            elif closed:
                values = self._indicators.run(series.slot, [series.bars[t].close for t in closed])
                self._close(series, closed, values, slice(None), found)
        if single:
            times = [self._due(s, now_ns)[0] for s in single]
            values = self._indicators.update(
                [s.slot for s in single], [s.bars[t].close for s, t in zip(single, times, strict=True)]
            )
            for i, (series, time) in enumerate(zip(single, times, strict=True)):
                self._close(series, [time], values, slice(i, i + 1), found)
        self._show_forming(found)
        return found.indicators(), found.signals()

    def _take_bars(self, batch: Batch) -> None:
        for (key, time), bar in zip(_keys(batch), map(Bar._make, _rows(batch, Bar._fields)), strict=True):
            series = self._of(key)
            if series is None or series.bars.get(time) == bar or abs(bar.close) > LARGEST_CLOSE:
                continue
            if time < series.begins:
                self.passed_over += 1
                continue
            series.bars[time] = bar
            series.changed.add(time)
            series.newest = max(series.newest, time)
            self._open.add(key)

    def _of(self, key: tuple[str, str]) -> Series | None:
        """Return the series of (sym, interval), None if the interval is not one we can close bars of."""
        series = self._series.get(key)
        if series is None:
            try:
                step = interval_ns(key[1])
            except QueryError:
                return None
            series = self._series[key] = Series(len(self._series), *key, step)
            self._indicators.grow(len(self._series))
        return series

    def _due(self, series: Series, now_ns: int) -> list[int]:
        """Return the closed bars to commit, oldest first; after a correction, all of them."""
        if any(t <= series.committed for t in series.changed):
            self._indicators.reset(series.slot)
            series.committed, series.previous = -1, {}
            series.changed = set(series.bars)
        last = series.newest if series.newest + series.step_ns + GRACE_NS <= now_ns else series.newest - 1
        last = min(last, now_ns - series.step_ns)  # a bar stamped ahead of the clock closes none before it
        return sorted(t for t in series.changed if series.committed < t <= last)

    def _close(
        self, series: Series, times: list[int], values: Mapping[str, np.ndarray], where: slice, found: "_Found"
    ) -> None:
        lists = {name: values[name][where].tolist() for name in COLUMNS}
        for i, time in enumerate(times):
            current = {name: lists[name][i] for name in COLUMNS}
            if time >= series.trusted:
                price = series.bars[time].close
                found.add_row(series, time, (*series.bars[time], *current.values()))
                now = {s.signal: Event(s.side, price, s.detail) for s in signals(series.previous, current)}
                for rule in RULES:
                    found.add_event(series, time, rule.signal, now.get(rule.signal))
            series.previous = settle(series.previous, current)
        series.committed = times[-1]
        series.changed = {t for t in series.changed if t > series.committed}

    def _show_forming(self, found: "_Found") -> None:
        ready = [s for key in sorted(self._open) if len((s := self._series[key]).bars) >= self.min_bars]
        forming = [s for s in ready if s.newest > s.committed]
        if forming:
            bars = [s.bars[s.forming] for s in forming]
            values = self._indicators.peek([s.slot for s in forming], [bar.close for bar in bars])
            for i, (series, bar) in enumerate(zip(forming, bars, strict=True)):
                found.add_row(series, series.forming, (*bar, *(float(values[name][i]) for name in COLUMNS)))
        self._open -= {(s.sym, s.interval) for s in ready if s.newest <= s.committed and not s.changed}


@dataclass(slots=True)
class _Found:
    """Rows collected during a tick."""

    rows: list[tuple[int, str, str, Row]] = field(default_factory=list)
    events: list[tuple[int, str, str, str, Event]] = field(default_factory=list)

    def add_row(self, series: Series, time: int, row: Row) -> None:
        before = series.given.get(time)
        if before is None or not _same(before, row):
            series.given[time] = row
            self.rows.append((time, series.sym, series.interval, row))

    def add_event(self, series: Series, time: int, signal: str, event: Event | None) -> None:
        """Add what has become of a signal of a bar: raised, raised otherwise than before, or withdrawn."""
        before = series.signalled.get((time, signal))
        if event is None and before is not None:
            event = before._replace(state=WITHDRAWN)
        if event is not None and event != before:
            series.signalled[time, signal] = event
            self.events.append((time, series.sym, series.interval, signal, event))

    def indicators(self) -> Columns | None:
        if not self.rows:
            return None
        values = np.array([row for *_, row in self.rows])
        return {
            "time": np.array([r[0] for r in self.rows]),
            "sym": Symbols.of(r[1] for r in self.rows),
            "interval": Symbols.of(r[2] for r in self.rows),
            **{name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(VALUES)},
        }

    def signals(self) -> Columns | None:
        if not self.events:
            return None
        time, sym, interval, signal, events = zip(*self.events, strict=True)
        side, price, detail, state = zip(*events, strict=True)
        return {
            "time": np.array(time),
            "sym": Symbols.of(sym),
            "interval": Symbols.of(interval),
            "signal": Symbols.of(signal),
            "side": Symbols.of(side),
            "price": np.array(price),
            "detail": Texts.of(detail),
            "state": Symbols.of(state),
        }


def _same(a: Row, b: Row) -> bool:
    """Return whether two rows are of the same bar, and their indicators the same but for rounding."""
    known, close = len(Bar._fields), abs(b[Bar._fields.index("close")])
    return a[:known] == b[:known] and all(
        x == y or (math.isnan(x) and math.isnan(y)) or abs(x - y) <= ROUNDING * max(abs(x), abs(y), close)
        for x, y in zip(a[known:], b[known:], strict=True)
    )


def _keys(batch: Batch) -> Iterable[tuple[tuple[str, str], int]]:
    columns = batch.columns
    syms, intervals = columns["sym"].tolist(), columns["interval"].tolist()
    return zip(zip(syms, intervals, strict=True), columns["time"].tolist(), strict=True)


def _rows(batch: Batch, names: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
    return zip(*(batch.columns[name].tolist() for name in names), strict=True)
