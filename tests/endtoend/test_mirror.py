"""The journal mirrored in JetStream, and read back: real servers, real processes, killed."""

import itertools
import time
from collections.abc import Callable, Iterator

import pytest
from chance import SEED, times
from faults import FaultyPlant
from nats_cluster import NatsCluster, cluster

from plant.journal.segments import Segments

Start = Callable[..., FaultyPlant]
Fingerprint = tuple[int, int]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    """Return three servers; a test that kills one starts it again."""
    with cluster(tmp_path_factory.mktemp("nats")) as running:
        yield running


def fingerprints(plant: FaultyPlant) -> list[Fingerprint]:
    """Return (seq, header_crc) of each record in the journal on disk; the crc covers the payload's, too."""
    folder = plant.settings.plant.data / "journal"
    return [(header.seq, header.header_crc) for segment in Segments(folder) for header, _ in segment.scan()]


def following(servers: NatsCluster, name: str) -> str:
    """Return the section [upstream] of a plant.toml that follows the stream of this name."""
    listed = ", ".join(f'"{server}"' for server in servers.servers)
    return f'[upstream]\nstream = [{listed}]\nname = "{name}"\n'


def level(one: FaultyPlant, two: FaultyPlant) -> bool:
    """Return whether both are at the same seq; heartbeats of the first may still come."""
    return bool(one.position()["seq"] == two.position()["seq"])


def same_journal(first: FaultyPlant, far: FaultyPlant) -> list[Fingerprint]:
    """Stop writing, wait until both are level, and compare record by record."""
    first.until(lambda: level(first, far), lambda: f"{first.log('mirror')[-2000:]}\n{far.log('tickerplant')[-2000:]}")
    for plant in (first, far):
        plant.kill("tickerplant")
        plant.mortal.add("tickerplant")
    ours, theirs = fingerprints(first), fingerprints(far)
    last = min(ours[-1][0], theirs[-1][0])
    ours, theirs = ([each for each in found if each[0] <= last] for found in (ours, theirs))
    wrong = [pair for pair in itertools.zip_longest(ours, theirs) if pair[0] != pair[1]]
    assert not wrong, f"{len(wrong)} of {len(ours)} records differ, first {wrong[:3]}"
    assert [seq for seq, _ in ours] == list(range(1, len(ours) + 1))
    return ours


@times("kills", 13, timeout_s=900)
@pytest.mark.timeout(240)
def test_the_journal_made_from_the_stream_is_the_same_whatever_is_killed(
    start: Start, servers: NatsCluster, kills: int
) -> None:
    name = f"kills-{kills}"
    first = start("tickerplant", toml=servers.mirror(name=name))
    first.start("mirror")
    far = start("tickerplant", toml=following(servers, name))
    first.feed("a,b", 4000)
    first.reach(2000)
    order = ["mirror", "leader", "tickerplant", "mirror", "tickerplant"]
    more = ["leader", "mirror", "leader", "tickerplant", "mirror", "leader", "mirror", "leader"]
    for victim in (order + more)[:kills]:
        time.sleep(first.chance.uniform(0.05, 0.4))
        if victim == "leader":
            first.until(lambda: servers.leader(f"plant-{name}") is not None, "the stream has no leader")
            leader = servers.leader(f"plant-{name}")
            assert leader is not None
            servers.kill(leader)
            first.faults += 1
            before = far.position()["seq"]
            first.until(lambda b=before: far.position()["seq"] > b + 50, lambda: first.log("mirror")[-2000:])
            servers.start(leader)
        else:
            first.strike(victim)
            first.reach(500)
    first.finish_feeds()
    same = same_journal(first, far)
    print(f"\nmirror: seed {SEED}, {kills} kills, {len(same):,} records of {first.reached():,} rows acknowledged")
