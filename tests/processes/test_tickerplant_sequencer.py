"""The tickerplant's decisions: what is journaled, what is refused, and what each publisher is told."""

import json
import struct
import zlib
from typing import Any

import msgpack
import numpy as np
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rows import columns_from, trades

from plant.journal.position import Position
from plant.rows.batch import Batch
from plant.rows.schema import Table
from plant.rows.tables import schema_of
from plant.wire import record as wire_record
from plant.wire.envelope import HEADER_BYTES, MORE, Header, number
from plant.wire.record import decode, encode, source_id_of
from tickerplant import sequencer as module
from tickerplant.sequencer import Own, Sequencer

law = settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)
SCHEMA = schema_of()
TRADES = SCHEMA["trades"]
NOW = 1_700_000_000_000_000_000
FEED = source_id_of("feed")


def new(position: Position | None = None) -> Sequencer:
    made = Sequencer(SCHEMA, position or Position())
    made.begin()
    return made


def welcomed(position: Position | None = None, peer: bytes = b"p1") -> Sequencer:
    made = new(position)
    hello(made, peer)
    made.begin()
    return made


def hello(sequencer: Sequencer, peer: bytes, name: object = "feed", session: object = 1) -> None:
    sequencer.message([peer, b"hello", msgpack.packb({"source": name, "session": session})], NOW)


def record(last: int, count: int = 1, **change: list[Any]) -> bytearray:
    """A record of trades whose last row is the source's row `last`."""
    columns = columns_from(TRADES, trades(last - count + 1, count) | change)
    return encode(TRADES, columns, FEED, last)


def upd(sequencer: Sequencer, *records: bytearray, peer: bytes = b"p1") -> None:
    sequencer.message([peer, b"upd", b"".join(records)], NOW)


def batches(sequencer: Sequencer) -> list[tuple[Header, Batch]]:
    """Return what the turn would journal, read as any reader does."""
    found = []
    for chunk in sequencer.turn.chunks:
        for header, start in wire_record.records(chunk):
            found.append((header, decode(SCHEMA.by_id[header.schema_id], header, bytes(chunk[start:]))))
    return found


def said(sequencer: Sequencer) -> list[tuple[bytes, bytes, dict[str, Any]]]:
    return [(peer, verb, msgpack.unpackb(body)) for peer, verb, body in sequencer.turn.answers]


def answers(sequencer: Sequencer) -> list[tuple[bytes, bytes, str]]:
    return [(peer, verb, str(fields.get("message", fields))) for peer, verb, fields in said(sequencer)]


def state(position: Position) -> tuple[int, dict[str, int], dict[int, int]]:
    return position.seq, dict(position.table_seqs), dict(position.sources)


def test_good_rows_are_numbered_stamped_and_acknowledged() -> None:
    sequencer = welcomed(Position(10, {"trades": 4, "bars": 6}, {FEED: 3, 99: 5}))
    sent = record(5, 2)
    upd(sequencer, sent, record(6))
    (first, batch), (second, _) = batches(sequencer)
    assert (first.seq, first.table_seq, first.received, first.source_seq, first.rows) == (11, 5, NOW, 5, 2)
    assert (second.seq, second.table_seq, second.source_seq) == (12, 6, 6)
    found = {name: column.tolist() for name, column in batch.columns.items()}
    assert {name: found[name] for name in trades(4, 2)} == trades(4, 2)
    assert state(sequencer.position) == (12, {"trades": 6, "bars": 6}, {FEED: 6, 99: 5})
    assert list(sequencer.turn.acks) == [b"p1"]
    assert said(sequencer) == []
    assert (sequencer.turn.first_seq, sequencer.turn.rows) == (11, 3)


def test_each_publisher_of_a_turn_is_told_the_seq_of_its_own_last_record() -> None:
    sequencer = welcomed(Position(10))
    hello(sequencer, b"p2", "other")
    upd(sequencer, record(1), record(2))
    columns = columns_from(TRADES, trades(1, 1))
    upd(sequencer, encode(TRADES, columns, source_id_of("other"), 1), peer=b"p2")
    assert {peer: source.seq for peer, source in sequencer.turn.acks.items()} == {b"p1": 12, b"p2": 13}
    sequencer.undo()
    sequencer.begin()
    upd(sequencer, record(0))  # we have it: it came at some seq before
    assert {peer: source.seq for peer, source in sequencer.turn.acks.items()} == {b"p1": 0}


def test_what_is_published_is_what_is_journaled_in_runs_of_one_table() -> None:
    sequencer = welcomed()
    quotes = SCHEMA["quotes"]
    quote = {
        "time": [1],
        "sym": ["A"],
        "bid": [1.0],
        "ask": [1.0],
        "bid_size": [1.0],
        "ask_size": [1.0],
        "source": [""],
    }
    upd(sequencer, record(1), record(2))
    upd(sequencer, encode(quotes, columns_from(quotes, quote), FEED, 3))
    upd(sequencer, record(4))
    assert [name for name, _ in sequencer.turn.runs] == ["trades", "quotes", "trades"]
    assert [chunk for _, chunks in sequencer.turn.runs for chunk in chunks] == sequencer.turn.chunks
    assert [h.seq for h, _ in batches(sequencer)] == [1, 2, 3, 4]


def test_a_repetition_is_acknowledged_and_not_kept() -> None:
    sequencer = welcomed(Position(5, {"trades": 5}, {FEED: 5}))
    upd(sequencer, record(4), record(5, 3))
    assert sequencer.turn.chunks == []
    assert list(sequencer.turn.acks) == [b"p1"]
    assert said(sequencer) == []
    assert state(sequencer.position) == (5, {"trades": 5}, {FEED: 5})


@pytest.mark.parametrize(("last", "count"), [(7, 1), (100, 3), (6, 2)])
def test_rows_that_do_not_follow_on_are_asked_for_again(last: int, count: int) -> None:
    """Beyond a gap, or partly known: the publisher hears where we stand."""
    sequencer = welcomed(Position(5, {"trades": 5}, {FEED: 5}))
    upd(sequencer, record(last, count))
    assert sequencer.turn.chunks == []
    assert said(sequencer) == [(b"p1", b"again", {"source_seq": 5})]
    assert state(sequencer.position) == (5, {"trades": 5}, {FEED: 5})


def test_bad_rows_go_to_rejects_with_reason_and_the_good_ones_around_them_are_kept() -> None:
    sequencer = welcomed()
    upd(sequencer, record(4, 4, price=[1.0, -1.0, 2.0, float("nan")], sym=["A", "B", "C", ""]))
    (kept, good), (refused, bad) = batches(sequencer)
    assert good.table == "trades"
    assert good.columns["price"].tolist() == [1.0, 2.0]
    assert good.columns["trade_id"].tolist() == ["1", "3"]
    assert (kept.flags, refused.flags) == (MORE, 0)
    assert (kept.source_seq, refused.source_seq) == (4, 4)
    assert bad.table == "rejects"
    assert bad.columns["reason"].tolist() == ["price must be a positive finite number", "sym must not be empty"]
    assert bad.columns["sym"].tolist() == ["B", "?"]
    assert bad.columns["table_name"].tolist() == ["trades"] * 2
    assert bad.columns["source"].tolist() == ["feed"] * 2
    assert bad.columns["time"].tolist() == [NOW] * 2
    assert [json.loads(row)["price"] for row in bad.columns["row"].tolist()] == [-1.0, "nan"]
    assert sequencer.position.sources == {FEED: 4}
    assert said(sequencer) == []
    sequencer.begin()
    upd(sequencer, record(4, 4), record(5))
    assert [h.source_seq for h, _ in batches(sequencer)] == [5]


def test_a_batch_of_bad_rows_alone_leaves_no_empty_record() -> None:
    sequencer = welcomed()
    upd(sequencer, record(1, price=[0.0]))
    ((header, batch),) = batches(sequencer)
    assert (batch.table, header.flags, header.source_seq) == ("rejects", 0, 1)


def test_many_rejects_are_split_into_records_that_belong_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REJECTS_IN_ONE", 3)
    sequencer = welcomed()
    upd(sequencer, record(9, 9, price=[1.0] + [-1.0] * 8))
    found = batches(sequencer)
    assert [(b.table, len(b), h.flags) for h, b in found] == [
        ("trades", 1, MORE),
        ("rejects", 3, MORE),
        ("rejects", 3, MORE),
        ("rejects", 2, 0),
    ]
    refused = [json.loads(row)["trade_id"] for _, b in found[1:] for row in b.columns["row"].tolist()]
    assert refused == [str(i) for i in range(2, 10)]


def test_rejects_that_fit_in_no_record_refuse_their_batch_and_leave_nothing_half_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Were the good rows kept and the batch not, its publisher would send it for ever, and they came each time."""
    sequencer = welcomed()
    sent = record(9, 9, price=[1.0] + [-1.0] * 8)
    monkeypatch.setattr("plant.wire.envelope.MAX_PAYLOAD", len(sent) - HEADER_BYTES)
    monkeypatch.setattr("plant.wire.record.MAX_PAYLOAD", len(sent) - HEADER_BYTES)
    upd(sequencer, sent)
    ((header, batch),) = batches(sequencer)
    assert (batch.table, len(batch), header.flags, header.source_seq) == ("rejects", 1, 0, 9)
    assert sequencer.position.sources == {FEED: 9}
    ((_, verb, text),) = answers(sequencer)
    assert verb == b"error"
    assert "9 rows up to row 9 of 'feed' went to rejects: rejects: a batch of" in text


def test_a_batch_of_an_unknown_table_is_rejected_whole_and_its_publisher_told() -> None:
    sequencer = welcomed()
    news = Table.declared({"name": "news", "columns": [["time", "time"], ["sym", "symbol"]]})
    upd(sequencer, encode(news, columns_from(news, {"time": [1, 2], "sym": ["A", "B"]}), FEED, 2), record(3))
    (refused, batch), (after, _) = batches(sequencer)
    assert (batch.table, refused.source_seq, after.source_seq) == ("rejects", 2, 3)
    assert batch.columns["sym"].tolist() == ["?"]
    assert json.loads(batch.columns["row"].tolist()[0])["rows"] == 2
    ((peer, verb, text),) = answers(sequencer)
    assert (peer, verb) == (b"p1", b"error")
    assert f"no table with schema id {news.schema_id:#010x}" in text
    assert said(sequencer)[0][2]["error"] == "BadRows"


def test_rows_of_a_publisher_that_knows_an_earlier_declaration_are_those_of_one_that_leaves_columns_out() -> None:
    before = Table(TRADES.name, TRADES.columns[:-1])
    sequencer = Sequencer(SCHEMA, Position(), earlier=[before, Table("gone", TRADES.columns)])
    hello(sequencer, b"p1")
    sequencer.begin()
    rows = trades(1, 3) | {"price": [1.0, -1.0, 3.0]}
    del rows["trade_id"]
    upd(sequencer, encode(before, columns_from(before, rows), FEED, 3), record(4))
    (good, batch), (_, refused), (_, after) = batches(sequencer)
    assert (good.schema_id, good.flags, batch.columns["trade_id"].tolist()) == (TRADES.schema_id, MORE, ["", ""])
    assert batch.columns["size"].tolist() == [rows["size"][0], rows["size"][2]]
    assert refused.columns["reason"].tolist() == ["price must be a positive finite number"]
    assert after.columns["trade_id"].tolist() == trades(4, 1)["trade_id"]
    assert (sequencer.position.sources, said(sequencer)) == ({FEED: 4}, [])


def test_a_batch_that_cannot_be_decoded_is_rejected_whole_and_its_publisher_told() -> None:
    sequencer = welcomed()
    columns = columns_from(TRADES, trades(1, 2))
    columns["sym"].codes = np.array([0, 9], dtype=np.int32)
    upd(sequencer, encode(TRADES, columns, FEED, 2))
    ((_, batch),) = batches(sequencer)
    assert batch.columns["reason"].tolist() == ["trades.sym: codes from 0 to 9, but 1 strings"]
    assert batch.columns["table_name"].tolist() == ["trades"]
    assert "went to rejects: trades.sym" in answers(sequencer)[0][2]
    assert sequencer.position.sources == {FEED: 2}


@pytest.mark.parametrize(
    "sent",
    [
        encode(TRADES, columns_from(TRADES, trades(1, 1)), FEED + 1, 1),
        encode(TRADES, columns_from(TRADES, trades(1, 1)), FEED, 1, MORE),
        encode(TRADES, columns_from(TRADES, trades(1, 0)), FEED, 1),
        record(1)[:-1],
        b"GET / HTTP/1.1\r\n" * 10,
    ],
    ids=["another source", "flags", "no rows", "cut short", "not ours"],
)
def test_a_record_that_is_not_in_order_is_an_error_answer_and_those_before_it_are_kept(sent: bytes) -> None:
    sequencer = welcomed()
    upd(sequencer, record(1))
    upd(sequencer, record(2), bytearray(sent))
    assert [h.source_seq for h, _ in batches(sequencer)] == [1, 2]
    assert [(peer, verb) for peer, verb, _ in answers(sequencer)] == [(b"p1", b"error")]
    assert said(sequencer)[0][2]["error"] == "WireError"


def test_a_hello_is_answered_with_the_last_row_held() -> None:
    sequencer = new(Position(10, {}, {FEED: 3}))
    hello(sequencer, b"p1")
    hello(sequencer, b"p2", "another")
    assert said(sequencer) == [
        (b"p1", b"welcome", {"source_seq": 3, "seq": 10}),
        (b"p2", b"welcome", {"source_seq": 0, "seq": 10}),
    ]


def test_a_peer_that_said_no_hello_is_asked_for_it_and_nothing_is_kept() -> None:
    sequencer = new()
    upd(sequencer, record(1), peer=b"stranger")
    assert said(sequencer) == [(b"stranger", b"hello?", {})]
    assert sequencer.turn.chunks == []
    assert not sequencer.turn.acks


def test_of_two_publishers_of_one_name_the_newer_wins_whoever_comes_first() -> None:
    for first, second in ((1, 2), (2, 1)):
        sequencer = new()
        hello(sequencer, b"p%d" % first, session=first)
        hello(sequencer, b"p%d" % second, session=second)
        refusals = [(peer, fields["error"]) for peer, verb, fields in said(sequencer) if verb == b"error"]
        assert refusals == [(b"p1", "SourceTaken")]
        sequencer.begin()
        upd(sequencer, record(1), peer=b"p1")
        upd(sequencer, record(1), peer=b"p2")
        assert said(sequencer) == [(b"p1", b"hello?", {})]
        assert len(sequencer.turn.chunks) == 1
        assert list(sequencer.turn.acks) == [b"p2"]


def test_a_publisher_that_reconnects_keeps_its_name_and_its_old_connection_loses_it() -> None:
    sequencer = welcomed()
    hello(sequencer, b"p2")
    assert [verb for _, verb, _ in said(sequencer)] == [b"welcome"]
    upd(sequencer, record(1), peer=b"p1")
    upd(sequencer, record(1), peer=b"p2")
    assert said(sequencer)[1:] == [(b"p1", b"hello?", {})]
    assert list(sequencer.turn.acks) == [b"p2"]


def test_nobody_may_publish_under_the_tickerplants_own_name() -> None:
    """Its heartbeats advance the number of that source: a publisher's rows would pass for repetitions of them."""
    sequencer = new()
    hello(sequencer, b"p1", Own.NAME)
    assert said(sequencer)[0][2]["error"] == "SourceTaken"
    upd(sequencer, record(1))
    assert sequencer.turn.chunks == []


def test_undo_restores_everything_and_the_next_turn_is_as_if_the_first_never_was() -> None:
    sequencer = welcomed(Position(7, {"trades": 3}, {FEED: 2}))
    held = sequencer.position
    Own(sequencer).add("trades", columns_from(TRADES, trades(1, 2)), NOW)
    upd(sequencer, record(3), record(4, price=[-1.0]), record(9))
    hello(sequencer, b"p9", "another")
    assert state(sequencer.position)[0] == 10
    sequencer.undo()
    assert state(sequencer.position) == (7, {"trades": 3}, {FEED: 2})
    assert sequencer.position is held  # the journal holds the same object
    turn = sequencer.turn
    assert (turn.first_seq, turn.chunks, turn.runs, turn.acks, turn.answers, turn.rows) == (8, [], [], {}, [], 0)
    sequencer.begin()
    upd(sequencer, record(3))
    assert [(h.seq, h.table_seq, h.source_seq) for h, _ in batches(sequencer)] == [(8, 4, 3)]


def test_own_rows_are_numbered_as_those_of_any_publisher() -> None:
    sequencer = new(Position(4, {"heartbeats": 2}, {source_id_of("tickerplant"): 6}))
    heartbeats = SCHEMA["heartbeats"]
    beat = {"time": [NOW], "sym": ["tickerplant"], "pid": [1], "seq_seen": [2], "rows": [3], "rate": [1.0]}
    for _ in range(2):
        Own(sequencer).add("heartbeats", columns_from(heartbeats, beat | {"memory": [5], "state": ["ok"]}), NOW)
    found = [(h.seq, h.table_seq, h.source_id, h.source_seq, h.received) for h, _ in batches(sequencer)]
    source = source_id_of("tickerplant")
    assert found == [(5, 3, source, 7, NOW), (6, 4, source, 8, NOW)]
    assert sequencer.turn.acks == {}


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"hello"],
        [b"hello", b""],
        [b"hello", b"\xc1"],
        [b"hello", msgpack.packb([])],
        [b"hello", msgpack.packb(5)],
        [b"hello", msgpack.packb({})],
        [b"hello", msgpack.packb({"source": "x"})],
        [b"hello", msgpack.packb({"source": "", "session": 1})],
        [b"hello", msgpack.packb({"source": 5, "session": 1})],
        [b"hello", msgpack.packb({"source": "x", "session": "1"})],
        [b"hello", msgpack.packb({"source": "x", "session": 1}), b"more"],
        [b"upd"],
        [b"bye", b""],
        [b"", b"hello", msgpack.packb({"source": "x", "session": 1})],
    ],
    ids=repr,
)
def test_a_message_of_any_other_form_is_an_error_answer_that_says_what_is_taken(frames: list[bytes]) -> None:
    sequencer = new()
    sequencer.message([b"p1", *frames], NOW)
    ((peer, verb, text),) = answers(sequencer)
    assert (peer, verb) == (b"p1", b"error")
    assert text.startswith('the ingest socket takes [b"hello", msgpack {source, session}]')
    assert sequencer.turn.chunks == []


@law
@given(st.lists(st.binary(max_size=100), max_size=4), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255))))
def test_no_message_raises_and_none_breaks_the_numbering(frames: list[bytes], changes: list[tuple[int, int]]) -> None:
    sequencer = welcomed()
    sequencer.message([b"p1", *frames], NOW)
    mangled = record(3, 3)
    for place, value in changes:
        mangled[place % len(mangled)] = value
    payload = bytes(mangled[HEADER_BYTES:])
    struct.pack_into("<II", mangled, 56, len(payload), zlib.crc32(payload))
    number(mangled, 3)
    sequencer.message([b"p1", b"upd", bytes(mangled)], NOW)
    found = batches(sequencer)
    assert [h.seq for h, _ in found] == list(range(1, len(found) + 1))
    assert sequencer.position.seq == len(found)
