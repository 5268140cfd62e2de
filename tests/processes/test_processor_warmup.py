"""An engine that starts from history gives out nothing again, and goes on as one that has had every bar."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from past import SCHEMA, Closed, Past

from plant.calendars.assignment import Calendars
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import declaration_of, declared
from plant.intake.forms import columns_of
from plant.journal.files import segment_at, segment_paths
from plant.rows.batch import Batch
from plant.rows.columns import Columns
from plant.rows.evolution import as_declared
from plant.rows.ordering import joined
from plant.runtime.settings import Settings
from plant.wire.decoding import Merge, read_until
from processor.candles.closer import Closer
from processor.counting import Counting
from processor.engine import Engine
from processor.recorded import EVERY, bars_ahead, bars_before
from processor.vectors.batch import computed
from processor.warmup import warm_up

WRITTEN = Path(__file__).parents[1] / "support/written_by_0_1"
DAY = pd.Timestamp("2026-11-18 14:30", tz="UTC")
NOW = pd.Timestamp("2026-11-30", tz="UTC").value
WALK = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.004, 301)))
TURNED = np.concatenate([100 - 0.2 * np.arange(80), 84 + 1.5 * np.arange(40)])
"""Closes that fall, and then rise: the averages cross long after the bars that make them known."""


def bars(sym: str, first: int, closes: np.ndarray) -> list[dict[str, Any]]:
    """Bars of the minutes from `first` on."""
    return [
        {"time": DAY.value + i * 60 * 10**9, "sym": sym, "interval": "1m", "volume": 1.0, "source": "x"}
        | dict.fromkeys(("open", "high", "low", "close"), float(close))
        for i, close in enumerate(closes, first)
    ]


def none(table: str) -> Columns:
    return columns_of(SCHEMA[table], {column.name: [] for column in SCHEMA[table].columns})


class Computing:
    """An engine, and who tells it which bars are closed."""

    def __init__(self) -> None:
        settings = Settings()
        self.engine = Engine(settings.declarations, settings.rules)
        self.counting = Counting(settings.calendars, "regular")
        self.closer = Closer(self.counting.sessions_of)
        self.had: dict[str, list[Columns]] = {"indicators": [], "signals": []}
        self._settled = False

    def begin(self, history: Closed) -> None:
        warm_up(self.engine, self.closer, self.counting, history, SCHEMA, lambda interval: 2_000)  # type: ignore[arg-type]

    def take(self, batch: Batch) -> None:
        if batch.table in self.had:
            self.had[batch.table].append(batch.columns)
        elif batch.table == "bar_closes":
            self.engine.take_closes(batch.columns)
            self.closer.take(batch)
        else:
            self.engine.take_bars(batch.columns)
            self.closer.take(batch)

    def taken(self, rows: list[dict[str, Any]]) -> None:
        self.take(Batch("bars", columns_of(SCHEMA["bars"], rows), 0, 0, 0, SCHEMA["bars"].key))

    def tick(self) -> dict[str, Columns]:
        """Return what is given out once all that may be closed is."""
        if (closes := self.closer.due(NOW)) is not None:
            self.take(Batch("bar_closes", closes, 0, 0, 0))
        if self._settled:
            found = self.engine.tick()
        else:
            given = [joined_columns([none(table), *parts]) for table, parts in self.had.items()]
            found, self._settled = self.engine.settle(*given), True
        return {name: columns for name, columns in found._asdict().items() if columns is not None}


def joined_columns(parts: list[Columns]) -> Columns:
    return {name: joined([part[name] for part in parts]) for name in parts[0]}


def plain(columns: Columns, since: dict[str, int]) -> list[tuple[Any, ...]]:
    """Return rows of each symbol from a time on, rounded as what is equal may differ by rounding."""
    names = list(columns)
    rows = zip(*(columns[name].tolist() for name in names), strict=True)
    found = [dict(zip(names, row, strict=True)) for row in rows]
    kept = [row for row in found if row["time"] >= since[row["sym"]]]
    return sorted(tuple(f"{v:.9g}" if isinstance(v, float) else v for v in row.values()) for row in kept)


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    made = Past(tmp_path)
    yield made
    made.close()


def test_nothing_is_given_out_again_and_new_bars_are_computed_as_from_all(past: Past) -> None:
    whole, old = Computing(), [*bars("P", 0, WALK[:300]), *bars("Q", 0, TURNED[:80])]
    whole.taken(old)
    past.put("bars", *old)
    for name, columns in whole.tick().items():
        rows = Batch(name, columns, 0, 0, 0, SCHEMA[name].key).rows()
        past.put(name, *rows)
    past.put("bar_closes", *(last_close(old, sym) for sym in ("P", "Q")))
    past.close_day()

    again = Computing()
    again.begin(Closed(past.store.folder))
    assert not again.tick()
    new = [*bars("P", 300, WALK[300:]), *bars("Q", 80, TURNED[80:])]
    again.taken(new)
    whole.taken(new)
    found, wanted = again.tick(), whole.tick()
    since = {"P": new[0]["time"], "Q": new[1]["time"]}
    for name in ("indicators", "signals"):
        assert plain(found[name], {"P": 0, "Q": 0}) == plain(wanted[name], since)
    assert {"golden_cross", "macd_cross_up"} <= set(found["signals"]["signal"].tolist())
    assert not np.isnan(found["indicators"]["ema_50"]).any()


def last_close(rows: list[dict[str, Any]], sym: str) -> dict[str, Any]:
    """Return the row of bar_closes of a symbol's last bar."""
    last = [row for row in rows if row["sym"] == sym][-1]
    return {"time": last["time"] + 60 * 10**9, "sym": sym, "market_time": last["time"], "interval": "1m"}


def test_a_history_without_closes_counts_all_but_its_newest_bars_as_closed(past: Past) -> None:
    past.put("bars", *bars("P", 0, WALK[:300]))
    past.close_day()
    again, whole = Computing(), Computing()
    again.begin(Closed(past.store.folder))
    whole.taken(bars("P", 0, WALK[:300]))
    found, wanted = again.tick(), whole.tick()
    last = {"P": bars("P", 299, WALK[:1])[0]["time"]}
    assert plain(found["indicators"], {"P": 0}) == plain(wanted["indicators"], last)


def test_what_an_earlier_version_gave_out_is_not_given_out_again() -> None:
    """Its signals have no state, and it has no row of what is closed."""
    again, history = Computing(), Closed(WRITTEN / "history")
    again.begin(history)
    behind = [
        batch for path in segment_paths(WRITTEN / "journal") for batch in batches_of(path) if batch.seq > history.closed
    ]
    assert {"bars", "indicators"} == {batch.table for batch in behind}
    for batch in behind:
        again.take(batch)
    found = again.tick()
    had = joined_columns(again.had["indicators"])
    times = {*zip(had["sym"].tolist(), had["time"].tolist(), strict=True)}
    new = found.get("indicators", none("indicators"))
    assert not times & {*zip(new["sym"].tolist(), new["time"].tolist(), strict=True)}


def batches_of(path: Path) -> list[Batch]:
    """Return the bars, indicators and signals of a segment, in the order they came, as the processor takes them."""
    segment = segment_at(path)
    chunk = segment.read(segment.first_seq, 2**24)
    wanted = {i: t for i, t in segment.tables.items() if t.name in ("bars", "indicators", "signals")}
    found, _ = read_until(chunk, wanted, 2**62)
    return [as_declared(batch, SCHEMA[batch.table]) for batch in Merge().batches(found)]


def test_bars_ahead_are_those_that_count_however_many_between_do_not() -> None:
    counting = Counting(Calendars({"XNYS": ("A",)}, {}), "regular")
    start = pd.Timestamp("2026-11-23", tz="UTC").value
    every = columns_of(SCHEMA["bars"], bars("A", 0, np.arange(3 * 1440) + 1.0))
    every["time"] = start + np.arange(3 * 1440) * 60 * 10**9
    regular = counting.counted(every)["time"]
    asked = []

    def select(end: int | None, last: int) -> Columns:
        which = np.flatnonzero(every["time"] < (2**62 if end is None else end))[-last:]
        asked.append(len(which))
        return {name: column[which] for name, column in every.items()}

    for wanted, end in ((400, None), (5, regular[3]), (10_000, None), (390, regular[780])):
        found = bars_ahead(select, counting, wanted, end)["time"]
        before = regular if end is None else regular[regular < end]
        assert found.tolist() == before[-wanted:].tolist()


def test_how_many_bars_are_needed_ahead() -> None:
    def ahead(interval: str, **entry: Any) -> int:
        return bars_before(declared([{"name": "x", **entry}], defaults=False), interval)

    assert ahead("1m", kind="ema", period=9) == 400
    assert ahead("1m", kind="ema", period=50) == 2_000
    assert (ahead("1m", kind="vwap"), ahead("1h", kind="vwap"), ahead("odd", kind="vwap")) == (1440, 400, 400)
    assert ahead("1m", kind="obv") == ahead("1m", kind="AD") == EVERY


@pytest.mark.parametrize("part", range(4))
def test_what_was_before_the_bars_ahead_is_forgotten_by_every_kind_but_those_that_are_told(part: int) -> None:
    count = 3_000
    chance = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(chance.normal(0, 0.003, count)))
    open = close * np.exp(chance.normal(0, 0.001, count))
    prices = {"open": open, "high": np.maximum(open, close) * 1.001, "low": np.minimum(open, close) * 0.999}
    every = {
        "time": np.arange(count) * 60 * 10**9,
        **prices,
        "close": close,
        "volume": chance.integers(1, 99, count) * 1.0,
    }
    for kind in list(CATALOGUE.values())[part::4]:
        named = {key: "close" for key, column in kind.inputs if not column}
        one = declaration_of({"name": "x", "kind": kind.name, **named})
        ahead = bars_before((one,), "1m")
        if ahead > count - 100:
            continue
        whole, cut = (computed([one], {name: x[-size:] for name, x in every.items()}) for size in (count, ahead + 50))
        for column, values in whole.items():
            now, then = values[-50:], cut[column][-50:]
            scale = np.fmax(np.fmax(np.abs(now), np.abs(then)), close[-50:])
            with np.errstate(invalid="ignore"):
                same = (np.abs(now - then) <= 1e-12 * scale) | (np.isnan(now) & np.isnan(then))
            assert same.all(), f"{kind.name}: {column} differs by {np.nanmax(np.abs(now - then))}; is it ENDLESS?"
