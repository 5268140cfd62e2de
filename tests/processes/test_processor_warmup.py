"""An engine that starts from history gives out nothing again, and goes on as one that has had every bar."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from past import SCHEMA, Past

from hdb.reader.answering import HistoryAnswerer
from plant.client.asker import Asker
from plant.history.catalogue import Catalogue
from plant.intake.forms import columns_of
from plant.journal.files import segment_at, segment_paths
from plant.query import questions
from plant.rows.batch import Batch
from plant.rows.columns import Columns
from plant.rows.evolution import as_declared
from plant.wire.decoding import Merge, read_until
from processor.engine import Engine
from processor.warmup import warm_up

WRITTEN = Path(__file__).parents[1] / "support/written_by_0_1"
DAY = pd.Timestamp("2026-11-18 14:30", tz="UTC")
NOW = pd.Timestamp("2026-11-30", tz="UTC").value
WALK = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.004, 301)))
TURNED = np.concatenate([100 - 0.2 * np.arange(80), 84 + 1.5 * np.arange(40)])
"""Closes that fall, and then rise: the averages cross long after the bars that make them known."""


class Closed(Asker):
    """The history in a folder as of its last closed day, asked as the processor asks the hdb."""

    def __init__(self, folder: Path) -> None:
        super().__init__("arrow", dt.UTC)
        self._answerer = HistoryAnswerer(folder, SCHEMA)
        self.closed = Catalogue.load(folder).closed

    def answer_to(self, question: questions.Question, timeout_s: float | None = None) -> pa.Table:
        """Return the answer to a question."""
        return self._answerer.answer(questions.question_of({**question.to_wire(), "as_of": self.closed}))

    def _looked_into(self) -> None:
        return None


def bars(sym: str, first: int, closes: np.ndarray) -> list[dict[str, Any]]:
    """Bars of the minutes from `first` on."""
    return [
        {"time": DAY.value + i * 60 * 10**9, "sym": sym, "interval": "1m", "volume": 1.0, "source": "x"}
        | dict.fromkeys(("open", "high", "low", "close"), float(close))
        for i, close in enumerate(closes, first)
    ]


def taken(engine: Engine, rows: list[dict[str, Any]]) -> None:
    engine.take(Batch("bars", columns_of(SCHEMA["bars"], rows), 0, 0, 0, SCHEMA["bars"].key))


def tick(engine: Engine) -> dict[str, Columns]:
    """Return what is given out; the engine hears of it, as of all that comes out of the plant."""
    found = {name: c for name, c in zip(("indicators", "signals"), engine.tick(NOW), strict=True) if c is not None}
    for name, columns in found.items():
        engine.take(Batch(name, columns, 0, 0, 0))
    return found


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
    whole, old = Engine(5), [*bars("P", 0, WALK[:300]), *bars("Q", 0, TURNED[:80])]
    taken(whole, old)
    past.put("bars", *old)
    for name, columns in tick(whole).items():
        rows = Batch(name, columns, 0, 0, 0, SCHEMA[name].key).rows()
        past.put(name, *rows)
    past.close_day()

    engine = Engine(5)
    warm_up(engine, Closed(past.store.folder), SCHEMA)  # type: ignore[arg-type]
    assert not tick(engine)
    new = [*bars("P", 300, WALK[300:]), *bars("Q", 80, TURNED[80:])]
    taken(engine, new)
    taken(whole, new)
    found, wanted = tick(engine), tick(whole)
    since = {"P": new[0]["time"], "Q": new[1]["time"]}
    for name in ("indicators", "signals"):
        assert plain(found[name], {"P": 0, "Q": 0}) == plain(wanted[name], since)
    assert {"golden_cross", "macd_cross_up"} <= set(found["signals"]["signal"].tolist())
    assert not np.isnan(found["indicators"]["ema_50"]).any()


def test_what_an_earlier_version_gave_out_is_not_given_out_again() -> None:
    """Its signals have no state."""
    engine, history = Engine(5), Closed(WRITTEN / "history")
    warm_up(engine, history, SCHEMA)  # type: ignore[arg-type]
    behind = [
        batch for path in segment_paths(WRITTEN / "journal") for batch in batches_of(path) if batch.seq > history.closed
    ]
    assert {"bars", "indicators"} == {batch.table for batch in behind}
    for batch in behind:
        engine.take(batch)
    assert tick(engine) == {}


def batches_of(path: Path) -> list[Batch]:
    """Return the bars, indicators and signals of a segment, in the order they came, as the processor takes them."""
    segment = segment_at(path)
    chunk = segment.read(segment.first_seq, 2**24)
    wanted = {i: t for i, t in segment.tables.items() if t.name in ("bars", "indicators", "signals")}
    found, _ = read_until(chunk, wanted, 2**62)
    return [as_declared(batch, SCHEMA[batch.table]) for batch in Merge().batches(found)]
