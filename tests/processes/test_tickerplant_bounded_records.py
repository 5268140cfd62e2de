"""Rows divided into pieces: the same rows in order, each piece a record of bounded size, whatever the rows hold."""

from typing import Any

import msgpack
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rows import columns_from, trades

from plant.journal.position import Position
from plant.rows.tables import schema_of
from plant.wire.envelope import HEADER_BYTES, MORE
from plant.wire.payload import encode_payload
from plant.wire.record import decode, encode, records, source_id_of
from tickerplant import bounded_records as module
from tickerplant.bounded_records import pieces, too_long
from tickerplant.sequencer import Sequencer

law = settings(max_examples=examples(150), deadline=None, derandomize=True, database=None)
SCHEMA = schema_of()
TRADES = SCHEMA["trades"]
FEED = source_id_of("feed")
LIMIT = 400
NOW = 1_700_000_000_000_000_000


@pytest.fixture(autouse=True)
def _small_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECORD_BYTES", LIMIT)


def plain(columns: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: column.tolist() for name, column in columns.items()}


texts = st.text(st.characters(codec="utf-8"), max_size=60)


@law
@given(st.lists(st.tuples(texts, texts), max_size=40))
def test_pieces_are_the_rows_in_order_and_fit_unless_a_row_alone_does_not(rows: list[tuple[str, str]]) -> None:
    ids, syms = [i for i, _ in rows], [s for _, s in rows]
    columns = columns_from(TRADES, trades(1, len(rows)) | {"trade_id": ids, "sym": syms})
    long = {int(i) for i in too_long(columns)}
    found: dict[str, list[Any]] = {name: [] for name in columns}
    for piece in pieces(columns):
        start, count = len(found["time"]), len(piece["time"])
        assert count > 0
        size = len(encode_payload(TRADES, piece))
        assert size <= LIMIT or (count == 1 and start in long)
        for name, values in plain(piece).items():
            found[name] += values
    assert found == plain(columns)


def sent(count: int, **change: list[Any]) -> Sequencer:
    sequencer = Sequencer(SCHEMA, Position())
    sequencer.begin()
    sequencer.message([b"peer", b"hello", msgpack.packb({"source": "feed", "session": 1})], NOW)
    columns = columns_from(TRADES, trades(1, count) | change)
    sequencer.message([b"peer", b"upd", bytes(encode(TRADES, columns, FEED, count))], NOW)
    return sequencer


def journaled(sequencer: Sequencer) -> list[tuple[str, int, int, list[str]]]:
    """Return (table, flags, source_seq, trade ids or reasons) of each record of the turn."""
    found = []
    for chunk in sequencer.turn.chunks:
        assert len(chunk) - HEADER_BYTES <= LIMIT
        ((header, start),) = records(chunk)
        batch = decode(SCHEMA.by_id[header.schema_id], header, bytes(chunk[start:]))
        column = "trade_id" if batch.table == "trades" else "reason"
        found.append((batch.table, header.flags, header.source_seq, batch.columns[column].tolist()))
    return found


def test_a_large_batch_is_journaled_as_several_records_that_belong_together() -> None:
    found = journaled(sent(20))
    assert len(found) > 2
    assert [i for *_, ids in found for i in ids] == [str(n) for n in range(1, 21)]
    assert [flags for _, flags, *_ in found] == [MORE] * (len(found) - 1) + [0]
    assert {seq for *_, seq, _ in found} == {20}


def test_a_row_that_fits_in_no_record_goes_to_rejects_and_those_around_it_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plant.intake.rejects.ROW_CHARS", 50)
    sequencer = sent(3, trade_id=["1", "x" * LIMIT, "3"], price=[1.0, 1.0, 1.0])
    assert [(table, values) for table, _, _, values in journaled(sequencer)] == [
        ("trades", ["1", "3"]),
        ("rejects", ["a row may have at most 400 bytes"]),
    ]
    assert sequencer.position.sources == {FEED: 3}
    sequencer = sent(2, sym=["y" * LIMIT, "B"])
    assert [values for *_, values in journaled(sequencer)] == [["2"], ["a row may have at most 400 bytes"]]


def test_a_row_both_long_and_bad_has_the_reason_of_the_bad_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plant.intake.rejects.ROW_CHARS", 50)
    sequencer = sent(2, trade_id=["1", "x" * LIMIT], price=[1.0, -1.0])
    assert journaled(sequencer)[-1][-1] == ["price must be a positive finite number"]


def test_many_long_rejects_are_divided_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plant.intake.rejects.ROW_CHARS", 100)
    sequencer = sent(12, price=[-1.0] * 12)
    found = journaled(sequencer)
    assert len(found) > 3
    assert sum(len(reasons) for *_, reasons in found) == 12
    assert found[-1][1] == 0
