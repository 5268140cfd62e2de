"""The journal mirrored in JetStream, and read back: real servers, real processes, killed."""

import contextlib
import itertools
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chance import FEW, SEED, times
from faults import FaultyPlant
from nats_cluster import NatsCluster, cluster

from mirror.promoting import Promoted, promote
from mirror.verifying import compare
from plant.errors import PlantError
from plant.journal.segments import Segments
from plant.runtime.lifecycle import EXIT_SETTINGS
from plant.runtime.settings import load

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


@pytest.mark.timeout(180)
def test_two_mirrors_of_one_plant_write_each_record_once(start: Start, servers: NatsCluster) -> None:
    first = start("tickerplant", toml=servers.mirror(name="two"))
    second = start("tickerplant")
    own = f'heartbeat_s = 0.2\nname = "second"\ndata = "{first.settings.plant.data}"\n'
    second.config.write_text(first.config.read_text().replace("heartbeat_s = 0.2\n", own))
    first.start("mirror")
    second.start("mirror")
    far = start("tickerplant", toml=following(servers, "two"))
    first.feed("a", 3000)
    for _ in range(3):
        met = first.log("mirror").count("wrong last sequence") + second.log("mirror").count("wrong last sequence")
        first.until(
            lambda m=met: first.log("mirror").count("wrong last sequence")
            + second.log("mirror").count("wrong last sequence") > m + 2, "the two never met",
        )  # fmt: skip
        first.strike("mirror")
    first.finish_feeds()
    second.kill("mirror")
    second.mortal.add("mirror")
    print(f"\ntwo mirrors: {len(same_journal(first, far)):,} records")


@pytest.mark.timeout(180)
def test_without_a_majority_the_plant_goes_on_and_the_mirror_catches_up(start: Start, servers: NatsCluster) -> None:
    first = start("tickerplant", "rdb", toml=servers.mirror(name="quorum"))
    first.start("mirror")
    far = start("tickerplant", toml=following(servers, "quorum"))
    first.feed("a", 2000)
    first.reach(1000)
    for server in (0, 1):
        servers.kill(server)
    first.reach(4000)
    rdb = first.ask()

    def shown() -> str:
        found = rdb.last("heartbeats", frames="arrow").to_pylist()
        return "; ".join(row["state"] for row in found if row["sym"] == "mirror")

    first.until(lambda: "begins anew" in shown() and "batches behind" in shown(), shown)
    first.reach(1000)
    for server in (0, 1):
        servers.start(server)
    first.until(lambda: "ok; 0 batches behind" in shown() or "ok; 1 batches" in shown(), shown)
    first.finish_feeds()
    print(f"\nquorum: {len(same_journal(first, far)):,} records")


@pytest.mark.parametrize(
    ("options", "keys", "said"),
    [
        (
            {"size": 1, "sync": "2m"},
            {},
            "does not sync what it acknowledges, .*: set sync_interval: always",
        ),
        ({"size": 1, "max_payload": "1MB"}, {}, "takes messages of 1,048,576 bytes, .*: set max_payload: 9MB"),
        ({"size": 1}, {"replicas": 3}, r"cannot be kept by 3 servers: .*or set \[mirror\] replicas = 1"),
    ],
    ids=["does not sync", "small payload", "one server"],
)
def test_servers_that_keep_less_than_was_asked_for_are_refused(
    start: Start, tmp_path: Path, options: dict[str, Any], keys: dict[str, Any], said: str
) -> None:
    with cluster(tmp_path / "nats", **options) as one:
        plant = start("tickerplant", toml=one.mirror(**keys))
        process = plant.processes["mirror"] = plant.spawn("mirror")
        plant.mortal.add("mirror")
        assert process.wait(30) == EXIT_SETTINGS
        assert re.search(said, plant.log("mirror").splitlines()[-1])


def test_a_stream_with_fewer_replicas_is_refused_and_unchecked_syncing_is_told(
    start: Start, servers: NatsCluster
) -> None:
    plant = start("tickerplant", "rdb", toml=servers.mirror(name="few", replicas=1, monitor=[]))
    plant.start("mirror")
    rdb = plant.ask()

    def shown() -> list[str]:
        return [r["state"] for r in rdb.last("heartbeats", frames="arrow").to_pylist() if r["sym"] == "mirror"]

    plant.until(lambda: any("not checked whether the servers sync: set [mirror] monitor" in s for s in shown()), shown)
    plant.kill("mirror")
    plant.config.write_text(plant.config.read_text().replace("replicas = 1", "replicas = 3"))
    plant.processes["mirror"] = plant.spawn("mirror")
    plant.mortal.add("mirror")
    assert plant.processes["mirror"].wait(30) == EXIT_SETTINGS
    last = plant.log("mirror").splitlines()[-1]
    assert "plant-few is kept by 1 of the servers, [mirror] replicas says 3" in last


def test_a_mirror_whose_journal_is_another_one_ends_with_journal_diverged(start: Start, servers: NatsCluster) -> None:
    toml = servers.mirror(name="other")
    first, second = (start("tickerplant", toml=toml) for _ in range(2))
    first.feed("a", 500, 500)
    first.start("mirror")
    first.wait_feeds()
    first.until(lambda: "state=ok" in first.log("mirror"), lambda: first.log("mirror"))
    second.processes["mirror"] = second.spawn("mirror")
    second.mortal.add("mirror")
    assert second.processes["mirror"].wait(30) == 1
    assert "JournalDiverged: plant-other goes on with other rows than this journal" in second.log("mirror")


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


@pytest.mark.timeout(240)
def test_a_standby_takes_over_and_the_old_plant_is_fenced(start: Start, servers: NatsCluster) -> None:
    far = standby(start, servers, "promoted")
    first = start("tickerplant", toml=servers.mirror(name="promoted") + with_standby(far))
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
        first = start("tickerplant", toml=servers.mirror(name=name) + with_standby(far), ack="mirrored")
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


def test_stream_and_journal_are_compared(start: Start, servers: NatsCluster) -> None:
    first = start("tickerplant", toml=servers.mirror(name="compared"))
    first.start("mirror")
    first.feed("a", 2000, 3000)
    first.wait_feeds()
    found = compare(first.settings, lambda done, of: None)
    assert found.same
    assert found.records > 10
    other = start("tickerplant", toml=servers.mirror(name="compared"))
    other.until(lambda: other.position()["seq"] > 2, "no heartbeats")
    found = compare(other.settings, lambda done, of: None)
    assert not found.same
    assert "seq 1: another record in the stream than in the journal" in found.differences


NEWS = '[[tables]]\nname = "news"\ncolumns = [["time", "time"], ["sym", "symbol"], ["headline", "text"]]\n'
GROWN = NEWS.replace('["headline", "text"]', '["headline", "text"], ["weight", "float"]')
FLASH = NEWS.replace('"news"', '"flash"')


def test_a_journal_whose_beginning_was_removed_and_whose_tables_changed_is_copied_as_it_is(
    start: Start, servers: NatsCluster
) -> None:
    first = start("tickerplant", toml=servers.mirror(name="begun") + NEWS)
    folder = first.settings.plant.data / "journal"
    told = {"time": time.time_ns(), "sym": "A", "headline": "as declared then"}
    for tables in (NEWS, FLASH + NEWS, GROWN):  # each start with other tables begins a segment
        text = first.config.read_text()
        first.config.write_text(text[: text.index("[[tables]]")] + tables)
        first.restart("tickerplant")
        for name in ("news", "flash") if tables == FLASH + NEWS else ("news",):
            feed = first.publisher(f"{name}-{len(tables)}")
            feed.publish(name, told)
            feed.flush()
            feed.close()
    first.kill("tickerplant")
    segments = sorted(folder.glob("*.journal*"))
    for path in segments:
        if path.name.startswith(segments[0].name[:20]):
            path.unlink()
    first.start("tickerplant", "mirror")
    far = start("tickerplant", "rdb", toml=following(servers, "begun") + GROWN)
    far.until(lambda: level(first, far), lambda: far.log("tickerplant"))
    begun = first.position()["first_seq"]
    assert begun > 1
    assert far.position()["first_seq"] == begun
    db = far.ask()
    far.until(lambda: db.count("news") == 2, lambda: f"{db.count('news')} rows; {far.log('rdb')}")
    for plant in (first, far):
        plant.kill("tickerplant")
        plant.mortal |= {"tickerplant", "rdb"}
    ours, theirs = fingerprints(first), fingerprints(far)
    both = min(len(ours), len(theirs))
    assert ours[:both] == theirs[:both]
    assert both > 3
    one, two = (Segments(plant.settings.plant.data / "journal")[0].header for plant in (first, far))
    assert one["sources"] == two["sources"]
    assert one["table_seqs"] == two["table_seqs"]
    assert "flash" in {t.name for t in Segments(far.settings.plant.data / "journal").tables()}
