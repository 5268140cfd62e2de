"""What the mirror reads of the journal of a running tickerplant."""

import time
from collections.abc import Iterator

import pytest
from running import RunningPlant, all_stopped

from mirror.source import Source
from plant.errors import JournalDiverged
from plant.journal.segments import Segments
from plant.stream.stream import Mark
from plant.transport.request import Requester
from plant.wire.envelope import HEADER_BYTES, Header
from plant.wire.runs import Run

WITHIN_S = 20.0


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlant]:
    with all_stopped() as plants:
        plants.append(made := RunningPlant(tmp_path_factory.mktemp("source") / "plant"))
        made.start("tickerplant")
        feed = made.publisher("feed")
        for i in range(3000):
            feed.publish("trades", {"time": time.time_ns(), "sym": "A", "price": 1.0, "size": float(i)})
            if i < 5:
                feed.flush()
        feed.publish("trades", [{"time": time.time_ns(), "sym": "A", "price": 1.0, "size": 1.0}] * 20_000)
        feed.flush()
        yield made


@pytest.fixture
def sources(plant: RunningPlant) -> Iterator[list[Source]]:
    """Give a list for sources; close them."""
    made: list[Source] = []
    yield made
    for source in made:
        source.close()


def begun(plant: RunningPlant, mark: Mark, gather_s: float = 0.0) -> Source:
    requester = Requester(plant.settings.journal_address, "tickerplant", 5.0)
    return Source(plant.settings, requester, mark, gather_s)


def read(source: Source, up_to: int) -> bytes:
    """Return the bytes of the records up to this seq."""
    deadline, found, reached = time.monotonic() + WITHIN_S, b"", 0
    while reached < up_to:
        for run in source.poll(0.1):
            found, reached = found + bytes_of(run), run.last.seq
        assert time.monotonic() < deadline, f"seq {reached} of {up_to} has come"
    return found


def bytes_of(run: Run) -> bytes:
    return run.message[run.starts[0] - HEADER_BYTES : run.starts[-1] + run.last.length]


def on_disk(plant: RunningPlant) -> list[Header]:
    folder = plant.settings.plant.data / "journal"
    return [header for segment in Segments(folder) for header, _ in segment.scan()]


def test_every_byte_of_the_journal_comes_and_what_is_new_once_it_is_there(
    plant: RunningPlant, sources: list[Source]
) -> None:
    sources.append(source := begun(plant, Mark(0)))
    seq = plant.position()["seq"]
    (path,) = (plant.settings.plant.data / "journal").glob("*.journal")
    found = read(source, seq)
    assert found in path.read_bytes()
    assert source.compared
    assert source.plant_seq >= seq
    feed = plant.publisher("later")
    feed.publish("trades", {"time": time.time_ns(), "sym": "B", "price": 1.0, "size": 1.0})
    feed.flush()
    assert found + read(source, plant.position()["seq"]) in path.read_bytes()


def test_it_goes_on_behind_a_record_that_the_journal_has(plant: RunningPlant, sources: list[Source]) -> None:
    known = on_disk(plant)[3]
    sources.append(source := begun(plant, Mark(known.seq, known.seq, known.header_crc)))
    assert not source.compared
    runs: list[Run] = []
    deadline = time.monotonic() + WITHIN_S
    while not runs and time.monotonic() < deadline:
        runs = source.poll(0.1)
    assert runs[0].first.seq == known.seq + 1
    assert source.compared


def test_a_journal_with_another_record_in_its_place_or_none_has_diverged(
    plant: RunningPlant, sources: list[Source]
) -> None:
    known = on_disk(plant)[3]
    for mark in (Mark(known.seq, known.seq, known.header_crc ^ 1), Mark(10**9, 10**9, 5)):
        sources.append(source := begun(plant, mark))
        with pytest.raises(JournalDiverged):
            read(source, 10**9)


def test_rows_that_come_closely_behind_one_another_are_gathered(plant: RunningPlant, sources: list[Source]) -> None:
    sources.append(source := begun(plant, Mark(0), gather_s=0.3))
    read(source, plant.position()["seq"])
    feed = plant.publisher("close")
    asked = time.monotonic()
    while not source.poll(0.05):  # its own, or a heartbeat
        feed.publish("trades", {"time": time.time_ns(), "sym": "B", "price": 1.0, "size": 1.0})
        feed.flush()
    assert time.monotonic() - asked < WITHIN_S
    begins = time.monotonic()
    feed.publish("trades", {"time": time.time_ns(), "sym": "B", "price": 1.0, "size": 1.0})
    feed.flush()
    while not source.poll(0.05):
        assert time.monotonic() - begins < WITHIN_S
    assert time.monotonic() - begins > 0.2


def test_another_tickerplant_is_noticed(plant: RunningPlant, sources: list[Source]) -> None:
    sources.append(source := begun(plant, Mark(0)))
    read(source, 10)
    plant.restart("tickerplant")
    deadline = time.monotonic() + WITHIN_S
    while not source.restarted:
        source.poll(0.1)
        assert time.monotonic() < deadline
