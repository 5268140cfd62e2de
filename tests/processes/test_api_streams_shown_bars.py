"""Bars as a client sees them: which are closed, and the row that says so."""

import json
from typing import Any

import numpy as np

from api.streams.shown.bars import Bar, Bars, ByClock
from api.streams.shown.channels import wanted_of
from plant.calendars.assignment import Calendars
from plant.rows.batch import Batch
from plant.rows.columns import Symbols
from plant.rows.tables import schema_of

SCHEMA = schema_of()
MINUTE = 60 * 10**9
WANTED = wanted_of({"channel": "bars"}, SCHEMA)


def bars(seq: int, *every: tuple[str, int, float]) -> Batch:
    syms, minutes, closes = zip(*every, strict=True)
    numbers = {name: np.array(closes) for name in ("open", "high", "low", "close", "volume", "vwap", "trades")}
    columns: dict[str, Any] = {"time": np.array(minutes) * MINUTE, "sym": Symbols.of(syms)}
    columns |= {"interval": Symbols.of(["1m"] * len(syms)), **numbers, "source": Symbols.of(["x"] * len(syms))}
    ordered = {name: columns[name] for name in SCHEMA["bars"].names}
    return Batch("bars", ordered, seq, seq, 0, SCHEMA["bars"].key, times=SCHEMA["bars"].times)


def closes(seq: int, *every: tuple[str, int]) -> Batch:
    syms, minutes = zip(*every, strict=True)
    at = np.array(minutes) * MINUTE
    columns: dict[str, Any] = {"time": at + MINUTE, "sym": Symbols.of(syms), "market_time": at}
    return Batch("bar_closes", {**columns, "interval": Symbols.of(["1m"] * len(syms))}, seq, seq, 0)


def told(update: Any) -> list[tuple[str, float, bool]]:
    rows = map(json.loads, update.piece(WANTED).rows)
    return [(row["sym"], row["close"], row["closed"]) for row in rows]


def test_a_bar_is_told_whole_when_it_is_closed() -> None:
    fold = Bars(SCHEMA["bars"])
    assert told(fold.update(bars(1, ("A", 0, 1.0), ("B", 0, 2.0)))) == [("A", 1.0, False), ("B", 2.0, False)]
    assert told(fold.update(bars(2, ("A", 0, 1.5), ("A", 1, 3.0)))) == [("A", 1.5, False), ("A", 3.0, False)]
    update = fold.update(closes(3, ("A", 0)))
    assert told(update) == [("A", 1.5, True)]
    piece = update.piece(WANTED)
    assert piece.keys == (("A", "1m", 0),)
    assert piece.seq == 3
    row = json.loads(piece.rows[0])
    assert [*row] == [*SCHEMA["bars"].names, "closed"]
    assert row["vwap"] == 1.5


def test_a_correction_of_a_closed_bar_is_of_a_closed_one() -> None:
    fold = Bars(SCHEMA["bars"])
    fold.update(bars(1, ("A", 0, 1.0)))
    fold.update(closes(2, ("A", 0)))
    assert told(fold.update(bars(3, ("A", 0, 9.0), ("A", 1, 1.0)))) == [("A", 9.0, True), ("A", 1.0, False)]


def test_a_bar_that_did_not_come_by_is_missing_until_it_is_known() -> None:
    fold = Bars(SCHEMA["bars"])
    batch = closes(5, ("A", 0), ("B", 0))
    fold.know(bars(1, ("B", 0, 4.0)).arrow())
    assert fold.missing(batch) == [Bar("A", "1m", 0)]
    fold.know(bars(1, ("A", 0, 7.0)).arrow())
    assert fold.missing(batch) == []
    assert told(fold.update(batch)) == [("A", 7.0, True), ("B", 4.0, True)]


def test_a_bar_older_than_those_that_are_remembered_is_told_once_it_was_looked_up() -> None:
    fold = Bars(SCHEMA["bars"])
    for minute in range(10):
        fold.update(bars(minute + 1, ("A", minute, float(minute))))
    batch = closes(11, ("A", 2), ("A", 9))  # a processor that was away makes up for what it missed
    assert fold.missing(batch) == [Bar("A", "1m", 2 * MINUTE)]
    fold.know(bars(3, ("A", 2, 2.0), ("A", 9, 1.0)).arrow())  # an answer that is behind what came by here
    assert fold.missing(batch) == []
    assert told(fold.update(batch)) == [("A", 2.0, True), ("A", 9.0, True)]
    assert fold.missing(closes(12, ("A", 2))), "what was looked up is not kept"


def test_a_bar_whose_end_has_passed_is_closed_whoever_sent_it() -> None:
    ended = ByClock(Calendars({}, {}), 2.0, lambda: 2 * MINUTE + 2 * 10**9)
    fold = Bars(SCHEMA["bars"], ended)
    update = fold.update(bars(1, ("BTC/USD", 0, 1.0), ("BTC/USD", 1, 1.0), ("BTC/USD", 2, 1.0)))
    assert [closed for _, _, closed in told(update)] == [True, True, False]


def test_what_is_remembered_of_a_series_does_not_grow() -> None:
    fold = Bars(SCHEMA["bars"])
    for minute in range(10):
        fold.update(bars(minute + 1, ("A", minute, 1.0)))
    assert [bar.time for bar in fold.missing(closes(11, *(("A", m) for m in range(10))))] == [
        minute * MINUTE for minute in range(7)
    ]


def test_of_a_large_batch_the_newest_rows_are_remembered() -> None:
    fold = Bars(SCHEMA["bars"])
    fold.update(bars(1, *(("A", minute, float(minute)) for minute in range(50)), ("A", 49, 7.0), ("B", 0, 2.0)))
    assert told(fold.update(closes(2, ("A", 49), ("B", 0), ("A", 48)))) == [
        ("A", 7.0, True),
        ("B", 2.0, True),
        ("A", 48.0, True),
    ]
    assert len(fold.missing(closes(3, ("A", 46), ("A", 47)))) == 1
