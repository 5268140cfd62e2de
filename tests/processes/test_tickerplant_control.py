"""Questions about the journal that wait for what is still to come."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from one_tickerplant import Plant, Wire, hello, upd

from plant.wire import messages
from plant.wire.record import records


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path, "batch")
    real, made.process.control.socket = made.process.control.socket, Wire([])  # type: ignore[assignment]
    yield made
    made.process.control.socket = real
    made.close()


def ask(plant: Plant, peer: bytes, **question: Any) -> None:
    plant.process.control.answer([peer, b"1", msgpack.packb(messages.ask_journal(**question))])


def answers(plant: Plant) -> list[tuple[bytes, list[int]]]:
    """Return who was answered since, and the seqs of the records."""
    log = plant.process.control.socket.log  # type: ignore[attr-defined]
    found = [(frames[0], [header.seq for header, _ in records(frames[4])]) for frames in log]
    log.clear()
    return found


def test_a_question_that_may_wait_is_answered_once_its_record_is_there(plant: Plant) -> None:
    plant.turn(hello(), upd(1))
    ask(plant, b"mirror", seq=1, wait=True)
    assert answers(plant) == [(b"mirror", [1])], "there is something: nothing waits"
    ask(plant, b"mirror", seq=2, wait=True)
    ask(plant, b"other", seq=2)
    plant.process.control.answer_later()
    assert answers(plant) == [(b"other", [])]
    plant.turn(upd(2), upd(3))
    plant.process.control.answer_later()
    assert answers(plant) == [(b"mirror", [2, 3])]
    plant.process.control.answer_later()
    assert not answers(plant)


def test_a_question_that_waited_in_vain_is_answered_with_nothing(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "WAIT_S", 0.0)
    ask(plant, b"mirror", seq=1, wait=True)
    assert not answers(plant)
    plant.process.control.answer_later()
    assert answers(plant) == [(b"mirror", [])]


def test_of_a_peer_that_asks_again_the_newest_question_waits(plant: Plant) -> None:
    ask(plant, b"mirror", seq=1, wait=True)
    ask(plant, b"mirror", seq=2, wait=True)
    plant.turn(hello(), upd(1))
    plant.process.control.answer_later()
    assert not answers(plant)
    plant.turn(upd(2))
    plant.process.control.answer_later()
    assert answers(plant) == [(b"mirror", [2])]
