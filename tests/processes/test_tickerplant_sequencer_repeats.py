"""Trades that a venue sends again: dropped, told and counted, whatever was resent or could not be written."""

import json
from typing import Any

import msgpack
import numpy as np
import pytest
from random_rows import columns_from

from plant.journal.position import Position
from plant.rows.tables import schema_of
from plant.wire.envelope import MORE
from plant.wire.messages import Repeats, hello, repeats_of
from plant.wire.record import decode, encode, records, source_id_of
from tickerplant.sequencer import Sequencer

SCHEMA = schema_of()
TRADES = SCHEMA["trades"]
NOW = 1_763_640_000_000_000_000
FEED = source_id_of("venue")
Told = list[tuple[str, str]]


def new(position: Position | None = None, promise: bool = True) -> Sequencer:
    made = Sequencer(SCHEMA, position or Position())
    made.begin()
    made.message([b"p", *hello("venue", 1, promise)], NOW)
    made.begin()
    return made


def record(last: int, *trade_ids: str, **change: list[Any]) -> bytearray:
    """A record of trades of size 5 whose last row is the source's row `last`."""
    count = len(trade_ids)
    rows: dict[str, list[Any]] = {"time": [NOW] * count, "sym": ["A"] * count, "price": [10.0] * count}
    rows |= {"size": [5.0] * count, "source": ["venue"] * count, "trade_id": list(trade_ids)}
    return encode(TRADES, columns_from(TRADES, rows | change), FEED, last)


def update(sequencer: Sequencer, *made: bytearray) -> None:
    sequencer.message([b"p", b"upd", b"".join(made)], NOW)


def journaled(sequencer: Sequencer) -> tuple[list[str], Told]:
    """Return the trade ids that the turn would journal, and (sym, reason) of its rejects."""
    ids: list[str] = []
    rejects: Told = []
    for chunk in sequencer.turn.chunks:
        for header, start in records(chunk):
            batch = decode(SCHEMA.by_id[header.schema_id], header, bytes(chunk[start:]))
            if batch.table == "trades":
                ids += batch.columns["trade_id"].tolist()
            else:
                rejects += zip(batch.columns["sym"].tolist(), batch.columns["reason"].tolist(), strict=True)
    return ids, rejects


def counted(sequencer: Sequencer) -> list[Repeats]:
    return [repeats_of(body) for _, verb, body in sequencer.turn.answers if verb == b"repeats"]


def test_trades_sent_again_are_dropped_counted_and_told() -> None:
    sequencer = new()
    update(sequencer, record(3, "9001", "9002", "9003"), record(6, "9002", "9003", "9004"))
    told = "dropped 2 repeated trades, already in the plant (unique_trade_ids): '9002' to '9003'"
    assert journaled(sequencer) == (["9001", "9002", "9003", "9004"], [("A", told)])
    assert counted(sequencer) == [Repeats(dropped=2)]
    assert sequencer.position.sources[FEED] == 6


def test_without_the_promise_nothing_is_dropped() -> None:
    sequencer = new(promise=False)
    update(sequencer, record(3, "9001", "9002", "9003"), record(6, "9002", "9003", "9004"))
    assert len(journaled(sequencer)[0]) == 6
    assert not counted(sequencer)


def test_a_trade_without_an_id_is_never_a_repeat_nor_one_of_another_symbol_source_or_day() -> None:
    sequencer = new()
    update(sequencer, record(3, "1", "", ""), record(4, "1", sym=["B"]), record(5, "1", source=["other"]))
    update(sequencer, record(6, "1", time=[NOW - 86_400 * 10**9]))
    assert len(journaled(sequencer)[0]) == 6
    assert not counted(sequencer)


def test_one_whose_id_came_with_another_price_or_size_is_refused_with_its_row() -> None:
    sequencer = new()
    update(sequencer, record(1, "1"), record(4, "1", "2", "1", size=[6.0, 5.0, 5.0], price=[10.0, 10.0, 11.0]))
    ids, rejects = journaled(sequencer)
    assert ids == ["1", "2"]
    reason = (
        "trade_id '1' came before on its day with another price or size, but the source promises unique_trade_ids; "
        "the earlier trade stands"
    )
    assert rejects == [("A", reason)] * 2
    assert counted(sequencer) == [Repeats(conflicts=2)]


def test_a_record_of_which_every_row_came_again_is_in_the_journal_as_what_was_told_of_it() -> None:
    """Else a restarted tickerplant would take it for one that never came, and number the source's rows otherwise."""
    sequencer = new()
    update(sequencer, record(1, "1"))
    sequencer.begin()
    update(sequencer, record(2, "1"))
    (chunk,) = sequencer.turn.chunks
    ((header, start),) = records(chunk)
    assert (header.source_seq, header.flags) == (2, 0)
    row = decode(SCHEMA["rejects"], header, bytes(chunk[start:])).columns["row"].tolist()
    assert json.loads(row[0]) == {"rows": 1, "first_trade_id": "1", "last_trade_id": "1"}


def test_new_rows_beside_repeats_are_told_as_one_record_of_the_source() -> None:
    sequencer = new()
    update(sequencer, record(2, "1", "2"), record(4, "2", "3", sym=["A", "A"]))
    flags = [header.flags for chunk in sequencer.turn.chunks for header, _ in records(chunk)]
    assert flags == [0, MORE, 0]


def test_rows_that_were_not_acknowledged_and_come_again_are_no_repeats() -> None:
    sequencer = new()
    update(sequencer, record(2, "1", "2"))
    sequencer.begin()
    sequencer.message([b"q", *hello("venue", 1, True)], NOW)
    sequencer.message([b"q", b"upd", record(2, "1", "2")], NOW)
    assert journaled(sequencer) == ([], [])
    assert not counted(sequencer)


def test_what_could_not_be_written_is_no_reason_to_drop_what_is_sent_again() -> None:
    sequencer = new()
    update(sequencer, record(2, "1", "2"))
    sequencer.undo()
    update(sequencer, record(2, "1", "2"))
    assert journaled(sequencer) == (["1", "2"], [])
    sequencer.begin()
    update(sequencer, record(4, "2", "3"))
    assert journaled(sequencer)[0] == ["3"]


def test_a_row_that_is_refused_does_not_make_a_later_good_one_a_repeat() -> None:
    sequencer = new()
    update(sequencer, record(1, "1", price=[-1.0]), record(2, "1"))
    assert journaled(sequencer)[0] == ["1"]


@pytest.mark.parametrize("seed", range(5))
def test_the_journal_holds_each_id_once_however_batches_overlap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sequencer, kept, at, sent = new(), list[str](), 0, 0
    for _ in range(60):
        first, count = max(at - int(rng.integers(0, 40)), 0), int(rng.integers(1, 50))
        at, sent = max(at, first + count), sent + count
        update(sequencer, record(sent, *(str(n) for n in range(first, first + count))))
        if rng.random() < 0.2:  # the disk was full: the publisher sends it again
            sequencer.undo()
            update(sequencer, record(sent, *(str(n) for n in range(first, first + count))))
        kept += journaled(sequencer)[0]
        sequencer.begin()
    assert kept == [str(n) for n in range(at)]


def test_the_promise_is_a_word_of_the_hello_and_others_do_not_hear_of_it() -> None:
    assert msgpack.unpackb(hello("venue", 1, True)[1]) == {"source": "venue", "session": 1, "unique_trade_ids": True}
    assert msgpack.unpackb(hello("venue", 1)[1]) == {"source": "venue", "session": 1}
