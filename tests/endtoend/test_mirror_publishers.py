"""Two publishers of one name and a plant that takes over: neither's rows pass for the other's."""

import time
from pathlib import Path

import pytest
from faults import FaultyPlant
from mirrored_plants import Start, level, standby, take_over, with_standby
from nats_cluster import NatsCluster

from plant.errors import SourceTaken
from plant.stream.publisher import Publisher
from plant.stream.spool import Spool
from plant.stream.spooling import SpoolingPublisher


def publish(feed: Publisher, first: int, count: int) -> None:
    for number in range(first, first + count):
        feed.publish("trades", {"time": time.time_ns(), "sym": "A", "price": 1.0, "size": float(number)})


def sizes(plant: FaultyPlant) -> list[float]:
    return [size for batch in plant.journal("trades") for size in batch.columns["size"].tolist()]


def numbers(first: int, count: int) -> list[float]:
    return [float(number) for number in range(first, first + count)]


def burn(plant: FaultyPlant) -> None:
    """Kill a plant, which may come back."""
    for process in ("tickerplant", "mirror"):
        plant.kill(process)
        plant.mortal.add(process)


@pytest.mark.timeout(180)
def test_an_older_process_that_reaches_the_promoted_plant_first_is_refused_and_the_newer_one_loses_no_row(
    start: Start, servers: NatsCluster
) -> None:
    far = standby(start, servers, "older")
    first = start("tickerplant", toml=servers.mirror(name="older") + with_standby(far))
    first.start("mirror")
    schema, there = first.settings.table_schema, far.settings.address(far.settings.tickerplant.ingest_port)
    older = Publisher("feed", ["tcp://127.0.0.1:9", there], schema)  # cut off from the first plant
    publish(older, 1001, 5)
    newer = Publisher("feed", [first.settings.ingest_address, there], schema)
    publish(newer, 1, 10)
    newer.flush(30)
    first.until(lambda: level(first, far), lambda: first.log("mirror"))
    with newer._lock:  # it hangs, so that the older one is the first
        burn(first)
        publish(newer, 11, 20)
        take_over(far, "older")
        far.until(lambda: older._fatal or older.connected, lambda: far.log("tickerplant")[-2000:])
        far.until(lambda: older._fatal or not older.waiting, lambda: str(older.waiting))
    newer.flush(30)
    assert [size for size in sizes(far) if size < 1000] == numbers(1, 30)
    with pytest.raises(SourceTaken, match="a newer publisher is called 'feed'"):
        older.flush(5)
    assert len(sizes(far)) == 30, "nor is a row of the older one there"
    for one in (older, newer):
        one.close(0)


@pytest.mark.timeout(180)
def test_a_new_publisher_that_an_old_plant_welcomed_first_has_all_its_rows_in_the_promoted_one(
    start: Start, servers: NatsCluster
) -> None:
    far = standby(start, servers, "welcomed")
    toml = servers.mirror(name="welcomed") + with_standby(far)
    first = start("tickerplant", toml=toml, ack="mirrored")
    first.start("mirror")
    with first.publisher("feed") as before:
        publish(before, 1, 5)
        before.flush(30)
        first.until(lambda: level(first, far), lambda: first.log("mirror"))
        burn(first)
        take_over(far, "welcomed")
        publish(before, 6, 6)
        before.flush(30)
    first.start("tickerplant")  # under its old address, and its mirror has not looked yet
    with first.publisher("feed") as new:
        assert new.address == first.settings.ingest_address
        publish(new, 101, 3)
        first.until(lambda: len(sizes(first)) == 8, lambda: str(new.waiting))
        publish(new, 104, 17)
        first.processes["mirror"] = first.spawn("mirror")
        assert first.processes["mirror"].wait(30) == 1
        new.flush(60)
        assert new.address == far.settings.ingest_address
    assert sizes(far) == numbers(1, 11) + numbers(101, 20)


@pytest.mark.timeout(120)
def test_what_a_spool_has_is_not_taken_for_what_another_process_published_meanwhile(
    start: Start, tmp_path: Path
) -> None:
    plant = start("tickerplant")
    plant.mortal.add("tickerplant")
    address, schema = plant.settings.ingest_address, plant.settings.table_schema

    def spooling() -> SpoolingPublisher:
        return SpoolingPublisher("feed", address, schema, Spool(tmp_path / "spool", 10**9))

    feed = spooling()
    publish(feed, 1, 3)
    feed.flush()
    plant.kill("tickerplant")
    publish(feed, 4, 10)
    plant.until(lambda: feed.spooling, lambda: str(feed.waiting))
    feed.close(0)
    plant.start("tickerplant")
    with plant.publisher("feed") as other:
        publish(other, 101, 2)  # as many as the first two records of the spool have
    feed = spooling()
    feed.flush()
    feed.close()
    assert sizes(plant) == numbers(1, 3) + numbers(101, 2) + numbers(4, 10)
