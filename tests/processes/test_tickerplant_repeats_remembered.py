"""The ids that a source has sent are read from the journal, however it lies on disk, before the source is welcomed."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from journals import SCHEMA, TRADES
from random_rows import columns_from

from plant.history.days import Days
from plant.journal.journal import Journal
from plant.wire.envelope import stamp
from plant.wire.messages import hello
from plant.wire.record import encode, source_id_of
from tickerplant.repeats import remembered
from tickerplant.repeats.remembered import Remembered
from tickerplant.repeats.trade_ids import TradeIds
from tickerplant.sequencer import Sequencer
from tickerplant.upkeep import Upkeep

DAY = 86_400 * 10**9
TODAY = time.time_ns() // DAY * DAY
FEED, OTHER = source_id_of("feed"), source_id_of("other")
NONE = np.zeros(0, dtype=np.int64)


class Written:
    """A journal of trades of two sources."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder, SCHEMA, 2**20)

    def trades(self, source: int, day_ns: int, *trade_ids: str, batch: int = 1) -> None:
        """Append trades in records of `batch` rows."""
        position, at = self.journal.position, 0
        while some := trade_ids[at : at + batch]:
            at += batch
            position.seq += 1
            position.table_seqs["trades"] = position.table_seqs.get("trades", 0) + 1
            position.sources[source] = position.sources.get(source, 0) + len(some)
            made = encode(TRADES, columns(day_ns, *some), source, position.sources[source])
            stamp(made, 0, position.seq, position.table_seqs["trades"], day_ns)
            self.journal.append([made], position.seq)

    def roll(self) -> None:
        """Begin a new segment."""
        self.journal.segment_bytes = 1
        assert self.journal.roll_if_full()
        self.journal.segment_bytes = 2**20


def columns(day_ns: int, *trade_ids: str) -> dict[str, Any]:
    count = len(trade_ids)
    rows: dict[str, list[Any]] = {"time": [day_ns] * count, "sym": ["A"] * count, "price": [1.0] * count}
    return columns_from(TRADES, rows | {"size": [1.0] * count, "source": ["x"] * count, "trade_id": list(trade_ids)})


def read(folder: Path, most: int = 1000) -> TradeIds:
    of_sources = Remembered(folder, Days(), most)
    assert of_sources.of(FEED) is None
    of_sources.read_wanted()
    deadline = time.monotonic() + 10
    while not of_sources.ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ids = of_sources.of(FEED)
    assert ids is not None
    assert not of_sources.ready()
    assert of_sources.of(FEED) is ids
    return ids


def repeats(ids: TradeIds, *trade_ids: str, day_ns: int = TODAY) -> list[bool]:
    found = ids.check(columns(day_ns, *trade_ids), NONE, time.time_ns()).repeats.tolist()
    return [place in found for place in range(len(trade_ids))]


@pytest.mark.parametrize("batch", [1, 7])
def test_the_ids_of_a_source_are_those_of_its_rows_in_every_segment(tmp_path: Path, batch: int) -> None:
    written = Written(tmp_path)
    for first in (0, 100, 200):
        written.trades(FEED, TODAY, *(str(n) for n in range(first, first + 50)), batch=batch)
        written.trades(OTHER, TODAY, *(str(n) for n in range(first + 50, first + 100)), batch=batch)
        written.trades(FEED, TODAY, f"last {first}")
        written.roll()
    written.trades(OTHER, TODAY, "not the feed's")
    Upkeep(written.journal, compress=True).round()
    assert list(tmp_path.glob("*.zst"))
    ids = read(tmp_path)
    assert all(repeats(ids, *(str(n) for n in range(50)), "last 0", "last 100", "last 200", "249"))
    assert not any(repeats(ids, *(str(n) for n in range(50, 100)), "not the feed's", "250"))
    written.journal.close()


def test_a_segment_that_is_compressed_while_it_is_read_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(tmp_path)
    written.trades(FEED, TODAY, "1", "2", "3")
    written.roll()
    found = remembered.present_segment

    def compressed_meanwhile(path: Path) -> Any:
        segment = found(path)
        if segment.first_seq == 1:
            Upkeep(written.journal, compress=True).round()
        return segment

    monkeypatch.setattr(remembered, "present_segment", compressed_meanwhile)
    ids = read(tmp_path)
    assert not list(tmp_path.glob("*01.journal"))
    assert repeats(ids, "1", "2", "3", "4") == [True, True, True, False]
    written.journal.close()


def test_the_newest_two_days_of_the_source_count_and_segments_from_before_them_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: Any = None
    for days in (9, 3, 2, 0):  # the feed was silent since the day before yesterday; each segment begins with its day
        day_ns = TODAY - days * DAY
        monkeypatch.setattr("plant.journal.journal.time.time_ns", lambda day_ns=day_ns: day_ns - 1)
        if written is None:
            written = Written(tmp_path)
        else:
            written.roll()
        written.trades(FEED if days else OTHER, day_ns, "1", "2")
    monkeypatch.undo()
    first = sorted(tmp_path.glob("*.journal"))[0]
    first.write_bytes(b"no segment: reading it would fail")
    ids = read(tmp_path)
    for days, known in ((9, False), (3, True), (2, True)):
        assert repeats(ids, "1", "2", "3", day_ns=TODAY - days * DAY) == [known, known, False]
    written.journal.close()


def test_the_newest_ids_of_a_segment_are_kept_longest(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.trades(FEED, TODAY, *(str(n) for n in range(100)))
    ids = read(tmp_path, most=40)
    assert all(repeats(ids, *(str(n) for n in range(80, 100))))
    written.journal.close()


def test_more_ids_than_are_remembered_are_read_from_the_newest_on(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for first in range(0, 100, 10):
        written.trades(FEED, TODAY, *(str(n) for n in range(first, first + 10)))
        written.roll()
    ids = read(tmp_path, most=40)
    assert all(repeats(ids, *(str(n) for n in range(80, 100))))
    assert not any(repeats(ids, *(str(n) for n in range(50))))
    written.journal.close()


def test_a_source_is_welcomed_once_its_ids_are_known_and_nobody_of_its_name_publishes_meanwhile(
    tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    written = Written(tmp_path)
    written.trades(FEED, TODAY, "1", "2")
    remembered = Remembered(tmp_path, Days())
    sequencer = Sequencer(SCHEMA, written.journal.position, remembered=remembered)
    now = time.time_ns()

    def verbs() -> list[tuple[bytes, bytes]]:
        return [(peer, verb) for peer, verb, _ in sequencer.turn.answers]

    sequencer.begin()
    sequencer.message([b"elder", *hello("feed", 1)], now)
    assert verbs() == [(b"elder", b"welcome")]
    sequencer.begin()
    sequencer.message([b"younger", *hello("feed", 2, True)], now)
    assert verbs() == [(b"elder", b"error")]
    sequencer.begin()
    for peer in (b"elder", b"younger"):
        sequencer.message([peer, b"upd", encode(TRADES, columns(TODAY, "3"), FEED, 3)], now)
    assert verbs() == [(b"elder", b"hello?"), (b"younger", b"hello?")]
    remembered.read_wanted()
    eventually(remembered.ready)
    sequencer.begin()
    sequencer.welcome_arrived(now)
    assert verbs() == [(b"younger", b"welcome")]
    sequencer.message([b"younger", b"upd", encode(TRADES, columns(TODAY, "2", "3"), FEED, 4)], now)
    assert verbs()[1:] == [(b"younger", b"repeats")]
    written.journal.close()


def test_a_source_that_publishes_without_the_promise_is_read_anew_when_it_gives_it_again(tmp_path: Path) -> None:
    written = Written(tmp_path)
    remembered = Remembered(tmp_path, Days())
    for trade_id in ("1", "2"):
        written.trades(FEED, TODAY, trade_id)
        assert remembered.of(FEED) is None
        remembered.read_wanted()
        remembered._read[FEED].join()
        ids = remembered.of(FEED)
        assert ids is not None
        assert repeats(ids, "1", "2") == [True, trade_id == "2"]
        remembered.forget(FEED)
    written.journal.close()
