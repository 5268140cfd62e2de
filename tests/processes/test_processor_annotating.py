"""Detectors in the processor that begin with history: nothing is given out again, and what is missing is."""

from pathlib import Path
from typing import Any

from detector_bars import ALL, all_bars, closes_of, columns, detected, found_by, in_order, sessions_of, walk
from past import DAY, NEXT, SCHEMA, Closed, Past

from plant.detectors.detectors import Detectors
from processor.annotating import Annotating

MISSING = 7


def rows_of_bars(bars: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return rows of `bars` of all intervals."""
    return [
        {"time": b.time, "sym": "BTC", "interval": interval, "open": b.o, "high": b.h, "low": b.l, "close": b.c,
         "volume": 1.0, "source": "x"}
        for interval, some in bars.items() for b in some
    ]  # fmt: skip


def test_without_a_checkpoint_it_gives_out_what_history_does_not_have_and_goes_on(tmp_path: Path) -> None:
    bars = all_bars(walk(5, "BTC", "2026-11-18", 2, 0.1), "BTC")
    old = {interval: [b for b in some if b.end <= NEXT] for interval, some in bars.items()}
    rows = in_order("BTC", bars)
    before = detected(in_order("BTC", old))
    assert before[-MISSING]["time"] > DAY
    past = Past(tmp_path)
    past.put("bars", *rows_of_bars(old))
    for interval, some in old.items():
        past.put("bar_closes", *closes_of("BTC", interval, some[-1:]))
    past.put("annotations", *before[:-MISSING])
    past.close_day()
    past.close()

    detectors = Detectors(ALL, sessions_of)
    annotating = Annotating(detectors)
    annotating.warm_up(Closed(past.store.folder), SCHEMA)  # type: ignore[arg-type]
    annotating.settle()
    assert repr(sorted_rows(found_by(detectors))) == repr(sorted_rows(before[-MISSING:]))
    detectors.take_closes(columns(rows))  # those that it had are passed over
    assert repr(sorted_rows(found_by(detectors))) == repr(sorted_rows(detected(rows)[len(before) :]))


def sorted_rows(rows: list[dict[str, Any]]) -> list[Any]:
    """Return rows by id and version, their columns by name."""
    rows = sorted(rows, key=lambda row: (row["id"], row["version"]))
    return [sorted((name, repr(value)) for name, value in row.items()) for row in rows]
