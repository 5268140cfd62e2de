"""The tickerplant, one turn at a time: what reaches the file, the subscribers and the publishers, and when."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from one_tickerplant import Plant, Wire, hello, upd
from random_rows import columns_from, trades

from plant.errors import JournalError
from plant.journal.segment import Segment
from plant.rows.tables import schema_of
from plant.wire.messages import ack_of
from plant.wire.record import encode, records, source_id_of
from tickerplant.fanout import MESSAGE_BYTES, messages


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path, "batch")
    yield made
    made.close()


def test_a_turn_is_published_then_answered_then_acknowledged(plant: Plant) -> None:
    assert plant.turn(hello(), upd(1)) == [b"trades\0", (b"peer", b"welcome"), (b"peer", b"ack")]
    assert ack_of(plant.log[-1][2]) == (1, 1)
    assert plant.turn(hello(), upd(2), upd(1)) == [b"trades\0", (b"peer", b"welcome"), (b"peer", b"ack")]
    assert ack_of(plant.log[-1][2]) == (2, 2)
    assert msgpack.unpackb(plant.log[1][2]) == {"source_seq": 1, "seq": 1}


def test_nothing_is_published_or_acknowledged_before_it_is_written_and_synced(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write, real_sync = os.writev, os.fdatasync

    def write(fd: int, chunks: list[bytes]) -> int:
        plant.log.append([b"written"])
        return real_write(fd, chunks)

    def sync(fd: int) -> None:
        plant.log.append([b"synced"])
        real_sync(fd)

    plant.turn(hello())
    monkeypatch.setattr(os, "writev", write)
    monkeypatch.setattr(os, "fdatasync", sync)
    assert plant.turn(upd(1)) == [b"written", b"synced", b"trades\0", (b"peer", b"ack")]


@pytest.mark.parametrize("call", ["writev", "fdatasync"])
def test_a_turn_that_could_not_be_kept_is_neither_published_nor_answered_and_comes_again(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    plant.turn(hello(), upd(1))
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        assert plant.turn(hello(), upd(2)) == []
        assert "No space left on device" in plant.process.vitals.state
    assert plant.turn(hello(), upd(2)) == [b"trades\0", (b"peer", b"welcome"), (b"peer", b"ack")]
    assert plant.process.vitals.state == "ok"
    assert plant.journaled() == [1, 2]
    assert plant.process.keeper.synced == plant.process.keeper.written == 2


def test_a_restarted_plant_knows_which_publisher_of_a_name_is_the_newest(plant: Plant) -> None:
    plant.turn(hello(2), upd(1))
    plant.close()
    plant.start()
    assert plant.turn(hello(1), upd(2)) == [(b"peer", b"error"), (b"peer", b"hello?")]
    assert msgpack.unpackb(plant.log[0][2])["error"] == "SourceTaken"
    assert plant.turn(hello(2), upd(2)) == [b"trades\0", (b"peer", b"welcome"), (b"peer", b"ack")]


def test_nobody_is_welcomed_whose_name_could_not_be_written_down(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        assert plant.turn(hello()) == []
        assert plant.turn(hello()) == []
        assert "cannot note who publishes: No space left on device" in plant.process.vitals.state
    assert plant.turn(hello()) == [(b"peer", b"welcome")]


def test_a_segment_that_cannot_be_begun_costs_no_row(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bool:
        raise JournalError("cannot begin a segment: No space left on device")

    plant.turn(hello())
    with monkeypatch.context() as patch:
        patch.setattr(plant.process.journal, "roll_if_full", fail)
        assert plant.turn(upd(1)) == [b"trades\0", (b"peer", b"ack")]
        assert "cannot begin a segment" in plant.process.vitals.state
    assert plant.turn(upd(2)) == [b"trades\0", (b"peer", b"ack")]
    assert plant.journaled() == [1, 2]


def test_records_are_grouped_into_messages_of_bounded_size_in_order() -> None:
    sizes = [10, 20, MESSAGE_BYTES - 30, 1, MESSAGE_BYTES + 5, 7, MESSAGE_BYTES]
    groups = list(messages([bytes(size) for size in sizes]))
    assert [[len(record) for record in group] for group in groups] == [sizes[:3], [1], sizes[4:5], [7], sizes[6:]]
    assert list(messages([])) == []


def test_ahead_of_a_long_record_go_empty_messages_that_count_for_its_length(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZeroMQ counts the messages that wait for a subscriber: 1000 of 8 MiB would be 8 GiB."""
    plant.turn(hello())
    table = schema_of()["trades"]
    columns = columns_from(table, trades(1, 1) | {"trade_id": ["x" * (3 * MESSAGE_BYTES)]})
    record = bytes(encode(table, columns, source_id_of("feed"), 1))
    assert plant.turn([b"upd", record]) == [*[b"trades\0"] * 4, (b"peer", b"ack")]
    assert [len(frames) for frames in plant.log[:4]] == [1, 1, 1, 2]
    assert plant.turn(upd(2)) == [b"trades\0", (b"peer", b"ack")]


def test_a_question_about_a_segment_without_an_index_waits_for_the_upkeep_and_capture_goes_on(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    plant.turn(hello(), *map(upd, range(1, 10)))
    plant.process.journal.segment_bytes = 1
    plant.turn(upd(10))
    plant.close()
    for index in plant.process.journal.folder.glob("*.index"):
        index.unlink()
    held = threading.Event()
    walk = Segment.walk
    monkeypatch.setattr(Segment, "walk", lambda self: (held.wait(30), walk(self))[1])
    plant.start()
    sent: list[Any] = []
    control = plant.process.control
    socket, control.socket = control.socket, Wire(sent)  # type: ignore[assignment]
    for request_id in (b"1", b"2"):
        control.answer([b"reader", request_id, msgpack.packb({"ask": "journal", "seq": 1})])
    control.answer([b"reader 2", b"7", msgpack.packb({"ask": "status"})])
    assert [frames[:3] for frames in sent] == [[b"reader 2", b"7", b"ok"]]
    assert plant.turn(hello(), upd(11)) == [b"trades\0", (b"peer", b"welcome"), (b"peer", b"ack")]
    held.set()
    eventually(lambda: control.answer_later() or len(sent) > 1)
    assert sent[1][:3] == [b"reader", b"2", b"ok"], "only the newest question of a peer is answered"
    assert [h.source_seq for h, _ in records(sent[1][4])] == list(range(1, 11))
    control.socket = socket
