"""Plants whose journal is mirrored by servers of NATS, those that follow them, and their journals compared."""

import contextlib
import itertools
from collections.abc import Callable

from faults import FaultyPlant
from nats_cluster import NatsCluster

from mirror.promoting import Promoted, promote
from plant.errors import PlantError
from plant.journal.segments import Segments
from plant.runtime.settings import load

Start = Callable[..., FaultyPlant]
Fingerprint = tuple[int, int]


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


def standby(start: Start, servers: NatsCluster, name: str) -> FaultyPlant:
    """Start a plant that follows a stream and may take it over."""
    return start("tickerplant", toml=servers.mirror(name=name) + following(servers, name))


def with_standby(far: FaultyPlant) -> str:
    """Return what a plant.toml says of a plant that goes on in its place."""
    ports = far.settings.tickerplant
    return (
        f"[[standby]]\ningest_port = {ports.ingest_port}\npublish_port = {ports.publish_port}\n"
        f"journal_port = {ports.journal_port}\n"
    )


def take_over(far: FaultyPlant, name: str) -> Promoted:
    """Promote a plant, and start it again as what it is then."""
    far.until(lambda: f"stream=plant-{name}" in far.log("tickerplant"), lambda: far.log("tickerplant"))
    done: list[Promoted] = []

    def promoted() -> bool:
        with contextlib.suppress(PlantError):
            done.append(promote(load(far.config), 0.6))
        return bool(done)

    far.until(promoted, lambda: far.log("tickerplant")[-2000:])
    far.settings = load(far.config)
    assert not far.settings.upstream.followed
    far.restart("tickerplant")
    far.start("mirror")
    return done[0]
