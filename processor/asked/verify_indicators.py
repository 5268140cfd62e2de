"""Indicators and signals of a day computed anew from the bars that the plant holds, compared with those it gave out.

The question `recompute` of the processor, which `plant verify --indicators` asks. Computed is what a correction of the
day's first bar would give, so by the same code, and from as many bars ahead of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from plant.client.plant_connection import PlantConnection
from plant.query.answers import Answerer, Selecting, Source
from plant.query.limits import Budget
from plant.query.questions import Question, Recompute
from plant.runtime.settings import Settings
from processor.counting import Counting
from processor.engine import Engine
from processor.open_bars import NEVER, PRICES
from processor.outcome import WITHDRAWN, Event
from processor.recorded import RecordedSeries
from processor.renewal import Anew, Stale

MOST_ROWS = 1000
"""Differences that one answer names at most."""

NOTHING = ""
"""Told in the place of a row, or of an event, that is not there."""


class Difference(NamedTuple):
    """One value that is not what it should be; `column` "" means the whole row. Its fields are the answer's columns."""

    table: str
    sym: str
    interval: str
    time: int
    column: str
    stored: str
    recomputed: str


class Compared(NamedTuple):
    """What was found of one series: rows of indicators and signals compared, what differs, what could not be told."""

    rows: tuple[int, int]
    differences: list[Difference]
    unknown: list[str]


class RecomputingAnswerer(Answerer):
    """Answers the processor's questions, `recompute` among them."""

    def __init__(self, tables: Mapping[str, Source], sql: Selecting, recompute: Callable[..., pa.Table]) -> None:
        super().__init__(tables, sql)
        self._recompute = recompute

    def answer(self, question: Question, budget: Budget | None = None) -> pa.Table:
        """Return the answer. Raises as Answerer does, and what rdb and hdb answer to `recompute`."""
        if isinstance(question, Recompute):
            return self._recompute(question, budget or Budget())
        return super().answer(question, budget)


class Recomputer:
    """Computes days anew, of what `plant` holds, as `settings` declare it; any thread.

    The answer has the fields of Difference as columns, and as metadata how many `series`, rows of `indicators` and of
    `signals` were compared, how many `differing` there are, and as `unknown` what could not be compared.
    """

    def __init__(self, plant: PlantConnection, settings: Settings) -> None:
        self._plant, self._settings = plant, settings
        self._schema, self._declarations = settings.table_schema, settings.declarations

    def __call__(self, question: Recompute, budget: Budget) -> pa.Table:
        """Return the answer to a question. Raises Unavailable, HistoryError, QueryLimit, Cancelled."""
        own, folder = self._settings.processor, self._settings.file.parent
        counting = Counting(self._settings.calendars, own.session)
        recorded = RecordedSeries(self._plant, self._schema, self._declarations, counting, folder)
        engine = Engine(self._declarations, self._settings.rules, own.min_bars, folder, counting.sessions_of)
        found: list[Difference] = []
        unknown: list[str] = []
        series = indicators = signals = 0
        for sym, interval in self._series(question):
            budget.check()
            last = self._last_closed(sym, interval, question)
            stale = Stale(engine.series.slot(sym, interval), sym, interval, question.start, last)
            known = recorded.known(engine.series, stale)
            anew = engine.anew(stale, known, recorded.wanted(interval))
            compared = compare(stale, anew, engine.indicators.columns, len(known.times) >= own.min_bars)
            series, indicators, signals = series + 1, indicators + compared.rows[0], signals + compared.rows[1]
            found += compared.differences
            unknown += compared.unknown
        facts = {"series": series, "indicators": indicators, "signals": signals, "differing": len(found)}
        told = {**{name: str(count) for name, count in facts.items()}, "unknown": "\n".join(unknown[:MOST_ROWS])}
        return _table(sorted(found, key=lambda one: (one.time, one))[:MOST_ROWS]).replace_schema_metadata(told)

    def _series(self, question: Recompute) -> list[tuple[str, str]]:
        """Return the series that have bars or indicators in the question's range."""
        terms: dict[str, Any] = {"columns": ["sym", "interval"], "frames": "arrow"}
        found: set[tuple[str, str]] = set()
        for name in ("bars", "indicators"):
            rows = self._plant.select(name, question.sym, question.start, question.end, **terms)
            pairs = rows.group_by(["sym", "interval"]).aggregate([])
            found |= {*zip(pairs.column("sym").to_pylist(), pairs.column("interval").to_pylist(), strict=True)}
        return sorted(found)

    def _last_closed(self, sym: str, interval: str, question: Recompute) -> int:
        """Return the last bar of a series that is closed, or the end of the range if that is earlier."""
        terms: dict[str, Any] = {"where": {"interval": interval}, "frames": "arrow"}
        told = self._plant.select("bar_closes", sym, columns=["market_time"], last=1, **terms)
        if told.num_rows:
            last = told.column(0)[-1].value
        else:  # of before there were such rows: all but the newest
            bars = self._plant.select("bars", sym, columns=["time"], last=2, **terms)
            last = bars.column(0)[0].value if bars.num_rows == 2 else NEVER
        return min(int(last), question.end - 1)


def compare(stale: Stale, anew: Anew, columns: Sequence[str], enough: bool = True) -> Compared:
    """Return how a series that was computed anew differs from what was given out of it.

    `columns` are those of the declared indicators; `enough`: it has so many bars that rows of it are given out at all.
    """
    rows, given, unknown = anew.rows, anew.given, []
    both, at = np.intersect1d(rows.times, given.times, return_indices=True)[1:]
    names = (*PRICES, *columns)
    for i, name in enumerate(columns, len(PRICES)):
        if len(at) and np.isnan(given.values[at, i]).all() and not np.isnan(rows.values[both, i]).all():
            unknown.append(f"{name} of {stale.sym}, {stale.interval}: null in all rows of then; declared since?")
            rows.values[:, i] = np.nan
    different = rows[both].values_unlike(given[at])
    found = [
        Difference(
            "indicators", stale.sym, stale.interval, int(rows.times[both[k]]), names[j],
            _number(given.values[at[k], j]), _number(rows.values[both[k], j]),
        )
        for k, j in zip(*(each.tolist() for each in np.nonzero(different)), strict=True)
    ]  # fmt: skip
    lacking = np.setdiff1d(rows.times, given.times) if enough else rows.times[:0]
    alone = np.setdiff1d(given.times, rows.times)
    for times, told in ((lacking, (NOTHING, "a row")), (alone, ("a row", NOTHING))):
        found += [Difference("indicators", stale.sym, stale.interval, time, "", *told) for time in times.tolist()]
    found += _events_unlike(stale, anew, enough)
    return Compared((len(rows) if enough else len(both), len(anew.events)), found, unknown)


def _events_unlike(stale: Stale, anew: Anew, enough: bool) -> Iterator[Difference]:
    """Yield how the signals that stand differ from those that should."""
    stand = {key: event for key, event in anew.known.items() if event.state != WITHDRAWN}
    for time, name in sorted(anew.events.keys() | stand.keys() if enough else stand):
        now, before = anew.events.get((time, name)), stand.get((time, name))
        if now is None or before is None:
            yield Difference("signals", stale.sym, stale.interval, time, name, _event(before), _event(now))
        elif now != before:
            column = next(c for c in Event._fields if getattr(now, c) != getattr(before, c))
            values = (str(getattr(before, column)), str(getattr(now, column)))
            yield Difference("signals", stale.sym, stale.interval, time, f"{name}.{column}", *values)


def _event(event: Event | None) -> str:
    return f"{event.side} at {event.price}" if event else NOTHING


def _number(value: float) -> str:
    return "null" if np.isnan(value) else repr(float(value))


def _table(found: list[Difference]) -> pa.Table:
    columns = {name: [getattr(one, name) for one in found] for name in Difference._fields}
    times = pa.array(columns.pop("time"), pa.int64()).cast(pa.timestamp("ns", "UTC"))
    texts = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    return pa.table({name: times if name == "time" else texts[name] for name in Difference._fields})
