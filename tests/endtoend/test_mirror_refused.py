"""Servers and streams that keep less than was asked for: the mirror says so, and does not begin."""

import re
from pathlib import Path
from typing import Any

import pytest
from mirrored_plants import Start
from nats_cluster import NatsCluster, cluster

from plant.runtime.lifecycle import EXIT_SETTINGS


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
