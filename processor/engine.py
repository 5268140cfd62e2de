"""From bars and what closed them to rows of `indicators` and `signals`: the processor's arithmetic, without sockets.

A row of `bar_closes` closes a bar: indicators and rules advance by it, all series in one pass of numpy. What forms is
shown with what its indicators would be if it closed now. Both happen when the timer fires (`tick`), and a row is given
out only if it differs, by more than rounding, from what the plant has.

A correction of a closed bar, or one that comes late, makes its series stale: it is computed anew (`renew`) from bars
that the plant holds, beginning far enough before the correction for what was before to have been forgotten. A signal
that the corrected series does not have is withdrawn.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plant.calendars.sessions import Sessions
from plant.conditions.evaluator import Evaluator
from plant.conditions.rules import Rule
from plant.indicators.declarations import Declaration
from plant.rows.columns import Columns
from processor.checkpoints.saved import Saved
from processor.counting import TradingDays
from processor.open_bars import NEVER, PRICES, Floats, Ints, OpenBars
from processor.outcome import Event, EventRow, Outcome, Rows, differ, events_of, indicator_columns, signal_columns
from processor.renewal import Anew, Known, Stale
from processor.series import Series, turns_of
from processor.vectors.declared import DeclaredIndicators

_MANY = 32
"""More bars of a series that close at once are computed as a series, if there are no more such series than that."""


class Engine:
    """Compute what is declared, and the rules, of every series with at least `min_bars` closed or forming bars.

    `folder` is that of plant.toml, for classes of the user's own. `sessions_of(sym)` are those of a symbol's calendar,
    for what begins anew with each trading day; None: those are days of UTC.
    """

    def __init__(
        self,
        declarations: Sequence[Declaration],
        rules: Sequence[Rule],
        min_bars: int = 5,
        folder: Path | None = None,
        sessions_of: Callable[[str], Sessions] | None = None,
    ) -> None:
        self.series = Series()
        self.bars = OpenBars()
        self.indicators = DeclaredIndicators(declarations, folder)
        self._rules = [(rule, Evaluator(rule.when)) for rule in rules]
        self._watched = np.zeros((len(rules), 0), bool)
        self._min_bars = min_bars
        by_day = any(one.own or "session" in one.inputs for one in declarations)
        self._days = TradingDays(sessions_of) if by_day and sessions_of else None
        self._counts = np.zeros(0, np.int64)  # closed bars of each series
        self._closes: list[tuple[Ints, Ints, Floats]] = []
        self._computed: list[Rows] = []  # and not given out
        self._events: list[EventRow] = []  # likewise: slot, time, signal, event
        self._shown = Rows.none(len(self.indicators.columns))  # by slot: what was given out last
        self._given: list[Rows] = []  # what the plant had of bars that were open when a series began
        self._settled = False

    @property
    def waiting(self) -> bool:
        """Whether a tick might give out something."""
        return bool(self._closes or self._computed or self._events or self.bars.any_changed)

    def take_bars(self, rows: Columns) -> None:
        """Take rows of `bars` as they come out of the plant."""
        self.bars.take(*self._of(rows, "time"))

    def take_closes(self, rows: Columns) -> None:
        """Take rows of `bar_closes` as they come out of the plant."""
        self._closes.append(self._of(rows, "market_time"))

    def tick(self) -> Outcome:
        """Return what is new since the last tick; nothing before `settle`."""
        self.advance()
        if not self._settled:
            return Outcome(None, None)
        forming = self._forming()
        may = self._may_be_given(forming.slots)
        self.bars.show_again(forming.slots[~may])
        rows = Rows.joined([self._ripe(self._joined(self._computed)), forming[may]])
        rows = rows[self._unlike_shown(rows)]
        self._show(rows)
        return self._outcome(rows, self._ripe_events())

    def settle(self, given: Columns, signals: Columns) -> Outcome:
        """Return what the plant should have and has not, once the journal is replayed.

        `given` and `signals` are the rows it has, of bars behind those that the engine began with.
        """
        self.advance()
        self._settled = True
        shown = self._shown[self._shown.times != NEVER]  # of a checkpoint
        had = Rows.joined([shown, *self._given, Rows.of(self.series, given, self.indicators.columns)])
        self._given.clear()
        self._grow()
        self._show(had)
        computed = self._joined(self._computed)
        rows = self._ripe(computed[differ(computed, had)])  # what waits was compared as well
        self._show(rows)
        known = events_of(self.series, signals)
        self._events = [one for one in self._events if known.get(one[:3]) != one[3]]
        return self._outcome(rows, self._ripe_events())

    def advance(self) -> None:
        """Compute the bars that closed."""
        closes, self._closes = self._closes, []
        if not closes:
            return
        slots, times, values = (np.concatenate(parts) for parts in zip(*closes, strict=True))
        crowded = np.bincount(slots) > _MANY
        many = crowded[slots] & (crowded.sum() <= _MANY)
        new = np.zeros(len(slots), bool)
        self.bars.compare(slots, times, values)
        for chosen in turns_of(slots):
            new[chosen] = self.bars.close(slots[chosen], times[chosen], values[chosen])
        for chosen in turns_of(slots[new & ~many], np.flatnonzero(new & ~many)):
            self._note(*self._close(slots[chosen], times[chosen], values[chosen]))
        for slot in np.unique(slots[new & many]).tolist():
            mine = new & (slots == slot)
            self._note(*self._go_on(slot, times[mine], values[mine]))

    def _note(self, rows: Rows, events: list[EventRow]) -> None:
        self._computed.append(rows)
        self._events += events

    def stale(self) -> list[Stale]:
        """Return the series that must be computed anew, oldest correction first."""
        found = sorted(self.bars.stale.items(), key=lambda item: item[1])
        return [Stale(slot, *self.series.name(slot), since, int(self.bars.closed[slot])) for slot, since in found]

    def anew(self, one: Stale, has: Known, wanted: int) -> Anew:
        """Compute a series anew from what the plant has of it.

        If that is not `whole`, rows of its first `wanted` bars are computed from too few, and left out.
        """
        self._grow()
        rows, events = self._run(one.slot, has.times, has.values)
        trusted = one.since
        if not has.whole and len(has.times):
            trusted = max(trusted, int(has.times[min(wanted, len(has.times) - 1)]))
        ours = {rule.name for (rule, _), so in zip(self._rules, self._watched[:, one.slot], strict=True) if so}
        return Anew(
            rows[rows.times >= trusted],
            has.given[has.given.times >= trusted],
            {(time, name): event for _, time, name, event in events if time >= trusted},
            {key: event for key, event in has.events.items() if trusted <= key[0] <= one.until and key[1] in ours},
        )

    def renew(self, stale: Sequence[Stale], known: Iterable[Known], wanted: Callable[[str], int]) -> Outcome:
        """Compute series anew from what the plant has of them, and return what it should have and has not.

        `wanted(interval)` is how many bars that needs ahead of the first that counts (`anew`).
        """
        found_rows: list[Rows] = []
        changed: list[EventRow] = []
        for one, has in zip(stale, known, strict=True):
            anew = self.anew(one, has, wanted(one.interval))
            found_rows.append(anew.rows[differ(anew.rows, anew.given)])
            changed += [(one.slot, *key, event) for key, event in anew.changed_events()]
            del self.bars.stale[one.slot]
        since = np.full(len(self.series), np.iinfo(np.int64).max)
        since[[one.slot for one in stale]] = [one.since for one in stale]
        before = self._joined(self._computed)
        before = before[(before.times < since[before.slots]) & self._unlike_shown(before)]
        self._events = [event for event in self._events if event[1] < since[event[0]]]
        rows = self._joined(found_rows)
        ripe = self._may_be_given(rows.slots)
        self._computed = [before, rows[~ripe]]
        rows = rows[ripe]
        self._show(rows)
        self.bars.show_again(np.array([s.slot for s in stale], np.int64))
        events, waiting = self._parted(changed)
        self._events += waiting
        return self._outcome(rows, events)

    def begin(self, sym: str, interval: str, times: Ints, values: Floats) -> None:
        """Begin a series with bars that are closed, for which nothing is given out."""
        slot = self.series.slot(sym, interval)
        self._grow()
        self._run(slot, times, values)
        self.bars.closed[slot] = times[-1] if len(times) else NEVER

    def had(self, given: Columns) -> None:
        """Take rows of `indicators` that were given out of bars behind those that a series began with."""
        self._given.append(Rows.of(self.series, given, self.indicators.columns))
        self._grow()

    def saved(self) -> Saved:
        """Return the state, for a checkpoint: as if all that was given out had come back."""
        closes = [*self._closes, (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, len(PRICES))))]
        computed = self._joined(self._computed)
        return {
            "series": self.series.saved(),
            "bars": self.bars.saved(),
            "indicators": self.indicators.arrays(),
            "rules": [evaluator.arrays() for _, evaluator in self._rules],
            "counts": self._counts.copy(),
            "closes": Rows(*(np.concatenate(part) for part in zip(*closes, strict=True))).saved(),
            "computed": computed.saved(),
            "events": list(self._events),
            "shown": self._shown.copy().saved(),
        }

    def restore(self, saved: Saved) -> None:
        """Go on from there, one that is new; `settle` is to be called once what came since was taken.

        Series with indicators whose state is not stored are to be computed anew from their last closed bar on. Raises
        ValueError for the state of something else.
        """
        self.series.restore(saved["series"])
        self.bars.restore(saved["bars"])
        self.indicators.restore(saved["indicators"])
        for (_, evaluator), arrays in zip(self._rules, saved["rules"], strict=True):
            evaluator.restore(arrays, len(self.series))
        self._grow()
        self._counts = saved["counts"]
        closes = Rows.of_saved(saved["closes"])
        self._closes, self._computed = [(closes.slots, closes.times, closes.values)], [Rows.of_saved(saved["computed"])]
        self._events = [(slot, time, name, Event(*event)) for slot, time, name, event in saved["events"]]
        self._shown = Rows.of_saved(saved["shown"])
        for slot in np.flatnonzero(self.indicators.lacking & (self.bars.closed != NEVER)).tolist():
            self.bars.doubt(slot, int(self.bars.closed[slot]))

    def _of(self, rows: Columns, time: str) -> tuple[Ints, Ints, Floats]:
        slots = self.series.of(rows["sym"], rows["interval"])
        self._grow()
        return slots, rows[time], np.stack([rows[name] for name in PRICES], axis=1)

    def _grow(self) -> None:
        old, new = len(self._counts), len(self.series)
        if new == old:
            return
        self.bars.grow(new)
        self.indicators.grow(new)
        if self._days:
            self._days.grow([self.series.name(slot)[0] for slot in range(old, new)])
        for _, evaluator in self._rules:
            evaluator.grow(new)
        self._counts = np.concatenate([self._counts, np.zeros(new - old, np.int64)])
        names = [self.series.name(slot) for slot in range(old, new)]
        self.indicators.cover_from(old, names)
        watched = np.ones((len(self._rules), len(names)), bool)
        for i, (rule, _) in enumerate(self._rules):
            if rule.intervals or rule.symbols:
                watched[i] = [rule.watches(*name) for name in names]
        self._watched = np.concatenate([self._watched, watched], axis=1)
        self._shown = self._shown.grown(new)

    def _bars_of(self, slots: Ints, times: Ints, values: Floats) -> dict[str, Any]:
        """Return the columns of bars as indicators take them in."""
        bars: dict[str, Any] = {"time": times, **{name: values[:, i] for i, name in enumerate(PRICES)}}
        return bars | {"session": self._days.of(slots, times)} if self._days else bars

    def _close(self, slots: Ints, times: Ints, values: Floats) -> tuple[Rows, list[EventRow]]:
        """Close one bar in each of some slots."""
        bars = self._bars_of(slots, times, values)
        found = self.indicators.update(slots, bars)
        self._counts[slots] += 1
        columns = bars | found
        events = []
        for (rule, evaluator), watched in zip(self._rules, self._watched[:, slots], strict=True):
            which = np.flatnonzero(watched)
            if not len(which):
                continue
            named = {name: columns[name][which] for name in (*evaluator.columns, *rule.told)}
            found_here = evaluator.events(slots[which], named)
            places = list(found_here)
            where = which[places]
            rows = zip(slots[where].tolist(), times[where].tolist(), values[where, 3].tolist(), strict=True)
            told = np.column_stack([np.zeros((len(places), 0)), *(named[name][places] for name in rule.told)]).tolist()
            for (slot, time, price), sentence, numbers in zip(rows, found_here.values(), told, strict=True):
                events.append((slot, time, rule.name, Event(rule.side, price, rule.detail(sentence, numbers))))
        return Rows(slots, times, np.column_stack([values, *found.values()])), events

    def _run(self, slot: int, times: Ints, values: Floats) -> tuple[Rows, list[EventRow]]:
        """Compute a series from its first bar."""
        self.indicators.reset([slot])
        for _, evaluator in self._rules:
            evaluator.reset([slot])
        self._counts[slot] = 0
        return self._go_on(slot, times, values)

    def _go_on(self, slot: int, times: Ints, values: Floats) -> tuple[Rows, list[EventRow]]:
        """Close some bars of one series."""
        self._counts[slot] += len(times)
        bars = self._bars_of(np.full(len(times), slot), times, values)
        computed = np.column_stack([np.zeros((len(times), 0)), *self.indicators.run(slot, bars).values()])
        rows = Rows(np.full(len(times), slot), times, np.hstack([values, computed]))
        return rows, self._events_along(slot, times, values, computed)

    def _events_along(self, slot: int, times: Ints, values: Floats, computed: Floats) -> list[EventRow]:
        named: dict[str, Any] = {name: values[:, i] for i, name in enumerate(PRICES)}
        named |= {name: computed[:, i] for i, name in enumerate(self.indicators.columns)}
        events = []
        for (rule, evaluator), watched in zip(self._rules, self._watched[:, slot].tolist(), strict=True):
            for i, sentence in (evaluator.run_events(slot, named) if watched and len(times) else {}).items():
                detail = rule.detail(sentence, [float(named[name][i]) for name in rule.told])
                events.append((slot, int(times[i]), rule.name, Event(rule.side, float(values[i, 3]), detail)))
        return events

    def _forming(self) -> Rows:
        slots, times, values = self.bars.forming()
        bars = self._bars_of(slots, times, values)
        return Rows(slots, times, np.column_stack([values, *self.indicators.peek(slots, bars).values()]))

    def _ripe(self, rows: Rows) -> Rows:
        """Return rows of series that may be given out; the others wait."""
        ripe = self._may_be_given(rows.slots)
        self._computed = [] if ripe.all() else [rows[~ripe]]
        return rows[ripe]

    def _ripe_events(self) -> list[EventRow]:
        """Return events of such series; the others wait."""
        found, self._events = self._parted(self._events)
        return found

    def _parted(self, events: list[EventRow]) -> tuple[list[EventRow], list[EventRow]]:
        """Return events of series that may be given out, and the others."""
        may = self._may_be_given(np.array([event[0] for event in events], np.int64)).tolist()
        rows = list(zip(events, may, strict=True))
        return [event for event, so in rows if so], [event for event, so in rows if not so]

    def _may_be_given(self, slots: Ints) -> Any:
        """Return which series have bars enough, and are not to be computed anew, bool[n]."""
        enough = self._counts[slots] + self.bars.forms(slots) >= self._min_bars
        return enough & ~np.isin(slots, list(self.bars.stale)) if self.bars.stale else enough

    def _outcome(self, rows: Rows, events: list[EventRow]) -> Outcome:
        columns = indicator_columns(self.series, rows, self.indicators.columns)
        return Outcome(columns, signal_columns(self.series, events))

    def _unlike_shown(self, rows: Rows) -> Any:
        shown = self._shown[rows.slots]
        return (shown.times != rows.times) | rows.unlike(shown)

    def _show(self, rows: Rows) -> None:
        rows = rows[np.argsort(rows.times, kind="stable")]  # one that revises an older bar may come later
        newer = rows.times >= self._shown.times[rows.slots]
        self._shown.put(rows[newer])

    def _joined(self, parts: list[Rows]) -> Rows:
        return Rows.joined(parts) if parts else self._shown[:0]
