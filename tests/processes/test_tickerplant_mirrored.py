"""The tickerplant and its mirror's word: when publishers are acknowledged, and what a fenced plant says and does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from one_tickerplant import Plant, hello, upd

from plant.errors import JournalError
from plant.journal import fence as fencing
from plant.journal.fence import FENCED, fenced_in, unfence
from plant.wire import messages
from tickerplant import mirrored as module
from tickerplant.control import Control


class Mirror:
    """Says to a tickerplant what a mirror says, by its socket for questions."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant

    def say(self, question: dict[str, Any]) -> tuple[str, Any]:
        """Return ("ok" or "error", the body) of the answer; what publishers were told is in the plant's log."""
        self._plant.log.clear()
        answers: list[list[bytes]] = []

        class Socket:
            def send_multipart(self, frames: list[Any], flags: int = 0) -> None:
                answers.append(frames)

        control: Control = self._plant.process.control
        real, control.socket = control.socket, Socket()  # type: ignore[assignment]
        control.answer([b"mirror", b"1", msgpack.packb(question)])
        control.socket = real
        ((_, _, status, body),) = answers
        return status.decode(), msgpack.unpackb(body)

    def mirrored(self, seq: int, epoch: int = 0) -> tuple[str, Any]:
        return self.say(messages.mirrored(seq, epoch))

    def told(self) -> list[tuple[bytes, tuple[int, int]]]:
        """Return (verb, (source_seq, seq)) of each message to a publisher."""
        return [(frames[1], messages.ack_of(frames[2])) for frames in self._plant.log]


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path, "batch", ack="mirrored")
    yield made
    made.close()


@pytest.fixture
def mirror(plant: Plant) -> Mirror:
    return Mirror(plant)


def test_rows_are_published_at_once_and_acknowledged_once_they_are_mirrored(plant: Plant, mirror: Mirror) -> None:
    assert plant.turn(hello(), upd(1)) == [b"trades\0", (b"peer", b"welcome"), (b"peer", b"held")]
    assert plant.turn(upd(2)) == [b"trades\0", (b"peer", b"held")]
    assert mirror.mirrored(1) == ("ok", {"mirrored": 1})
    assert mirror.told() == [(b"ack", (1, 1))]
    assert plant.process._position().mirrored == 1
    plant.turn(hello())
    assert msgpack.unpackb(plant.log[0][2]) == {"source_seq": 1, "seq": 2, "held": 2}
    mirror.mirrored(2)
    assert mirror.told() == [(b"ack", (2, 2))]
    plant.turn(hello())
    assert msgpack.unpackb(plant.log[0][2]) == {"source_seq": 2, "seq": 2}
    assert plant.turn(upd(2)) == [(b"peer", b"ack")]


def test_a_restarted_plant_acknowledges_nothing_before_the_mirror_has_told_it_all(plant: Plant, mirror: Mirror) -> None:
    plant.turn(hello(), upd(1))
    mirror.mirrored(1)
    plant.turn(upd(2))
    plant.close()
    plant.start()
    plant.turn(hello())
    assert msgpack.unpackb(plant.log[0][2]) == {"source_seq": 0, "seq": 2, "held": 2, "unsure": True}
    mirror.mirrored(1)
    assert mirror.told() == []
    mirror.mirrored(2)
    assert mirror.told() == [(b"ack", (2, 2))]


def test_a_silent_mirror_is_in_the_state_and_one_that_speaks_again_is_not(
    plant: Plant, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.turn(hello(), upd(1))
    plant.process.mirrored.look()
    assert plant.process.vitals.state == "ok"
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    plant.process.mirrored.look()
    assert "acknowledgements wait for the mirror, it has told nothing since" in plant.process.vitals.state
    monkeypatch.undo()
    mirror.mirrored(1)
    plant.process.mirrored.look()
    assert plant.process.vitals.state == "ok"


def test_a_word_that_cannot_be_is_refused(plant: Plant, mirror: Mirror) -> None:
    plant.turn(hello(), upd(1))
    assert mirror.mirrored(2)[1]["message"] == "mirrored: expected a seq up to 1, found 2"
    assert "was copied from tickerplant 7, this is" in mirror.mirrored(1, epoch=7)[1]["message"]
    assert "expected whole numbers" in mirror.say({"ask": "mirrored", "seq": "1"})[1]["message"]
    assert "expected a reason in words" in mirror.say({"ask": "diverged", "reason": " "})[1]["message"]
    assert mirror.told() == []
    assert mirror.mirrored(1, epoch=plant.process.epoch)[0] == "ok"


def test_with_the_usual_setting_the_mirror_s_word_is_told_and_nothing_waits(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "batch")
    try:
        assert plant.turn(hello(), upd(1)) == [b"trades\0", (b"peer", b"welcome"), (b"peer", b"ack")]
        assert Mirror(plant).mirrored(1) == ("ok", {"mirrored": 1})
        assert plant.log == []
        assert plant.process._position().mirrored == 1
    finally:
        plant.close()


def test_a_fenced_plant_takes_and_acknowledges_nothing_also_after_a_restart_until_a_person_says_so(
    plant: Plant, mirror: Mirror
) -> None:
    plant.turn(hello(), upd(1))
    status, said = mirror.say(messages.diverged("the stream has another record at seq 1"))
    assert status == "ok"
    assert "another record at seq 1" in said["fenced"]
    (frames,) = plant.log
    assert messages.refused_of(frames[2]).args[0].startswith("this plant is fenced and takes no rows: the stream has")
    for _ in range(2):
        assert plant.turn(hello(), upd(2)) == [(b"peer", b"error"), (b"peer", b"error")]
        assert msgpack.unpackb(plant.log[0][2])["error"] == "TakesNoRows"
        assert mirror.mirrored(1)[1]["error"] == "TakesNoRows"
        assert plant.process._position().role == messages.FENCED
        assert "fenced" in plant.process.vitals.state
        plant.process._heartbeat()
        assert plant.journaled() == [1]
        plant.close()
        plant.start()
    plant.close()
    assert unfence(plant.process.journal.folder) == "the stream has another record at seq 1"
    assert unfence(plant.process.journal.folder) == ""
    plant.start()
    assert plant.turn(hello(), upd(2))[0] == b"trades\0"
    assert plant.process._position().role == ""


def test_a_fence_that_cannot_be_written_down_holds_for_now_and_is_told(
    plant: Plant, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    plant.turn(hello())
    monkeypatch.setattr(fencing, "replace_file", fail)
    assert "cannot note that the plant is fenced" in mirror.say(messages.diverged("taken over"))[1]["message"]
    assert plant.turn(upd(1)) == [(b"peer", b"error")]
    assert fenced_in(plant.process.journal.folder) == ""
    monkeypatch.undo()
    assert mirror.say(messages.diverged("taken over"))[0] == "ok"
    assert fenced_in(plant.process.journal.folder) == "taken over"


def test_a_fence_file_that_says_nothing_is_one_and_one_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    assert fenced_in(tmp_path) == ""
    (tmp_path / FENCED).write_text("\n")
    assert "says no reason" in fenced_in(tmp_path)
    (tmp_path / FENCED).unlink()
    (tmp_path / FENCED).mkdir()
    with pytest.raises(JournalError, match="cannot read whether the plant is fenced"):
        fenced_in(tmp_path)
