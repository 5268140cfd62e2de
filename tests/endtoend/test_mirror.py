"""The journal mirrored in JetStream, and read back: real servers, real processes, killed."""

import time

import pytest
from chance import SEED, times
from mirrored_plants import Start, fingerprints, following, level, same_journal
from nats_cluster import NatsCluster

from mirror.verifying import compare
from plant.journal.segments import Segments


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
