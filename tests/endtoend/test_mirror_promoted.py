"""A plant that follows takes over the stream: which of two writes there, and what the other one does."""

import asyncio
import shutil
import time

import nats
import pytest
from chance import FEW, SEED, times
from mirrored_plants import Start, following, level, same_journal, standby, take_over, with_standby
from nats_cluster import NatsCluster

from mirror.promoting import promote
from mirror.verifying import compare
from plant.errors import PlantError


@pytest.mark.timeout(240)
def test_a_standby_takes_over_and_the_old_plant_is_fenced(start: Start, servers: NatsCluster) -> None:
    far = standby(start, servers, "promoted")
    first = start("tickerplant", toml=servers.mirror(name="promoted", compress=True) + with_standby(far))
    first.start("mirror")
    feed = first.publisher("feed")
    for i in range(1, 101):
        feed.publish("trades", {"time": time.time_ns(), "sym": "A", "price": 1.0, "size": float(i)})
    feed.flush()
    first.until(lambda: far.position()["seq"] > 0, lambda: first.log("mirror"))
    with pytest.raises(PlantError, match=r"plant-promoted still grows: .*`plant down` there"):
        promote(far.settings, 1.0)
    first.until(lambda: level(first, far), lambda: first.log("mirror"))
    for name in ("tickerplant", "mirror"):
        first.kill(name)
        first.mortal.add(name)
    for i in range(101, 201):
        feed.publish("trades", {"time": time.time_ns(), "sym": "A", "price": 1.0, "size": float(i)})
    done = take_over(far, "promoted")
    feed.flush(30)
    batches = far.journal()
    assert [b.seq for b in batches] == list(range(1, len(batches) + 1))
    numbers = [n for b in batches if b.table == "trades" for n in b.columns["size"].tolist()]
    assert numbers == [float(n) for n in range(1, 201)]
    assert far.position()["seq"] > done.seq
    first.start("tickerplant")
    first.processes["mirror"] = first.spawn("mirror")
    assert first.processes["mirror"].wait(30) == 1
    assert "JournalDiverged: plant-promoted goes on with other rows" in first.log("mirror")
    assert "another plant took it over" in first.log("mirror")
    far.until(lambda: first.position()["role"] == "fenced", lambda: str(first.position()))
    with pytest.raises(PlantError, match="promoted already"):
        promote(far.settings, 0.1)
    third = start("tickerplant", toml=following(servers, "promoted"))
    assert same_journal(far, third)


@times("kills", 8, timeout_s=1200)
@pytest.mark.timeout(300)
def test_with_ack_mirrored_no_acknowledged_row_is_lost_when_the_machine_burns(
    start: Start, servers: NatsCluster, kills: int
) -> None:
    for kill in range(1 if kills == FEW else kills):
        name = f"burns-{kills}-{kill}"
        far = standby(start, servers, name)
        first = start("tickerplant", toml=servers.mirror(name=name, compress=True) + with_standby(far), ack="mirrored")
        first.start("mirror")
        feed = first.feed("a,b", 3000)
        first.reach(2000)
        time.sleep(first.chance.uniform(0.05, 0.5))
        acknowledged = {source: max(first.acknowledged(source)) for source in ("a", "b")}
        for process in ("tickerplant", "mirror"):
            first.kill(process)
            first.processes.pop(process)
        shutil.rmtree(first.settings.plant.data)
        take_over(far, name)
        first.reach(1000)
        first.finish_feeds()
        batches = far.journal("trades", "bars")
        for source in ("a", "b"):
            known = max(first.acknowledged(source))
            assert known > acknowledged[source]
            numbers = sorted(
                n for b in batches for n, s in zip(
                    b.columns["size" if b.table == "trades" else "volume"].tolist(),
                    b.columns["source"].tolist(), strict=True,
                ) if s == source
            )  # fmt: skip
            assert numbers == [float(n) for n in range(1, len(numbers) + 1)], f"{source}: rows missing or doubled"
            assert len(numbers) >= known
        assert feed not in first.processes
        print(f"\nburnt: seed {SEED}, {len(batches):,} batches, {acknowledged} acknowledged before")
        far.kill("mirror")
        far.processes.pop("mirror")


async def _removed(servers: NatsCluster, name: str) -> None:
    client = await nats.connect(servers.servers[0])
    await client.jetstream().delete_stream(f"plant-{name}")
    await client.close()


@pytest.mark.timeout(180)
def test_a_stream_that_was_removed_is_made_again_by_the_plant_that_took_over_and_fences_the_old_one(
    start: Start, servers: NatsCluster
) -> None:
    far = standby(start, servers, "removed")
    first = start("tickerplant", toml=servers.mirror(name="removed"))
    first.start("mirror")
    first.until(lambda: far.position()["seq"] > 3, lambda: first.log("mirror"))
    for process in ("tickerplant", "mirror"):
        first.kill(process)
        first.mortal.add(process)
    take_over(far, "removed")
    far.until(lambda: far.position()["mirrored"] > 0, lambda: far.log("mirror"))
    asyncio.run(_removed(servers, "removed"))
    mirrored = far.position()["seq"]
    far.until(lambda: far.position()["mirrored"] > mirrored, lambda: far.log("mirror"))
    first.start("tickerplant")
    first.processes["mirror"] = first.spawn("mirror")
    assert first.processes["mirror"].wait(30) == 1
    assert "another plant took it over" in first.log("mirror")
    assert first.position()["role"] == "fenced"
    assert far.position()["role"] == ""
    assert compare(far.settings, lambda done, of: None).same


@pytest.mark.timeout(180)
def test_of_two_plants_with_one_data_folder_copied_whole_one_is_fenced(start: Start, servers: NatsCluster) -> None:
    """They have the same owner's name, so that only the place in the stream, and what is there, tells them apart."""
    toml = servers.mirror(name="copied")
    first, second = (start("tickerplant", toml=toml) for _ in range(2))
    first.start("mirror")
    first.until(lambda: first.position()["mirrored"] > 3, lambda: first.log("mirror"))
    for plant in (first, second):
        plant.mortal |= {"tickerplant", "mirror"}
        plant.kill("tickerplant")
    first.kill("mirror")
    shutil.rmtree(second.settings.plant.data)
    shutil.copytree(first.settings.plant.data, second.settings.plant.data)
    both = (first, second)
    for plant in both:
        plant.start("tickerplant")
    for plant in both:
        plant.processes["mirror"] = plant.spawn("mirror")
    logs = "\n".join(plant.log("mirror")[-1500:] for plant in both)
    first.until(lambda: any(plant.processes["mirror"].poll() is not None for plant in both), lambda: logs)
    (fenced,) = (plant for plant in both if plant.processes["mirror"].poll() is not None)
    (writes,) = (plant for plant in both if plant is not fenced)
    assert "JournalDiverged: plant-copied goes on with other rows than this journal" in fenced.log("mirror")
    assert fenced.position()["role"] == "fenced"
    seq = writes.position()["seq"]
    writes.until(lambda: writes.position()["mirrored"] > seq, lambda: writes.log("mirror"))
    assert writes.position()["role"] == ""
    assert compare(writes.settings, lambda done, of: None).same
