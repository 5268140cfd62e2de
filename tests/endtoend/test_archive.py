"""The archive of a real plant in a real S3 store: killed, and with the store away; Iceberg's REST catalogue.

The one that kills does it five times in `make test`, in `make soak` as often as it says (support/chance.py).
"""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from archives import archive, archiving, assert_level, iceberg_rows, tables_of
from chance import SEED, times
from histories import History
from history_files import HOURS
from plain_rows import NOON, bar, trade
from running import RunningPlant
from seaweed import KEY, Seaweed, seaweed

from archive.archiving import Archiving
from archive.s3 import S3Store
from archive.stores import Store
from plant.checksum import crc32
from plant.errors import HistoryError, Unavailable
from plant.history.catalogue import Catalogue
from plant.history.layout import history_folder
from plant.history.warehouse import ARCHIVED, Warehouse

DAY = 24 * HOURS


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """A server with the bucket s3://plant, for all of these tests."""
    with seaweed(tmp_path_factory.mktemp("weed")) as running:
        running.bucket("plant")
        yield running


@pytest.fixture(autouse=True)
def keys(weed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have its keys in the environment."""
    for name, value in weed.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def store_of(weed: Seaweed, prefix: str) -> Store:
    return S3Store(Warehouse(f"s3://plant/{prefix}", weed.endpoint))


def test_a_name_is_made_once_and_replaced_only_as_it_was_read(weed: Seaweed, tmp_path: Path) -> None:
    store, file = store_of(weed, "names"), tmp_path / "file"
    file.write_bytes(b"first")
    assert store.put("a/b c+d.parquet", file, crc32(b"first"))
    file.write_bytes(b"second")
    assert not store.put("a/b c+d.parquet", file, crc32(b"second"))
    found = store.read("a/b c+d.parquet")
    assert found is not None
    assert found[0] == b"first"
    assert store.read("nothing") is None
    version = store.replace("a/b c+d.parquet", b"third", found[1])
    assert version is not None
    assert store.replace("a/b c+d.parquet", b"fourth", found[1]) is None
    assert store.replace("new.parquet", b"1", None) is not None
    assert store.replace("new.parquet", b"2", None) is None
    assert store.sizes() == {"a/b c+d.parquet": 5, "new.parquet": 1}
    for _ in range(2):
        store.remove("a/b c+d.parquet")
    assert store.sizes() == {"new.parquet": 1}
    store.close()


def test_old_snapshots_go_with_their_files(weed: Seaweed, tmp_path: Path) -> None:
    history = History(tmp_path)
    for number in range(3):
        history.publish("bars", [bar(NOON, close=1.0 + number), bar(NOON + number * DAY)])
        history.part(f"2026-11-2{number}")
        history.close()
        made = archive(history, "s3://plant/old", endpoint=weed.endpoint, snapshots_days=1.0)
        assert_level(history.folder, made)
    bars = tables_of(made)["bars"]
    assert [s.summary["tickplant.closed_day"] for s in bars.snapshots()] == ["2026-11-21", "2026-11-22"]
    firsts = [
        name.split(".")[-2] for name in sorted(made._store.sizes()) if name.startswith("bars/month=2026-11/2026-11-20")
    ]
    assert firsts == ["2", "3"]  # of the three files of the first day, those that these snapshots name


def test_a_body_that_is_not_what_was_to_be_sent_is_refused(weed: Seaweed, tmp_path: Path) -> None:
    store, file = store_of(weed, "sums"), tmp_path / "file"
    file.write_bytes(b"rows")
    with pytest.raises((HistoryError, Unavailable), match="400 Bad Request"):
        store.put("a.parquet", file, crc32(b"others"))
    assert store.sizes() == {}
    store.close()


def test_with_wrong_keys_it_says_so(weed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(HistoryError, match=r"403 Forbidden.*does the bucket exist, and may these keys"):
        store_of(weed, "keys").read("x")


def test_two_archives_of_two_plants_cannot_have_one_place(weed: Seaweed, tmp_path: Path) -> None:
    for name in ("one", "two"):
        history = History(tmp_path / name)
        history.publish("trades", [trade(NOON)])
        history.part("2026-11-20")
        history.close()
        if name == "one":
            assert_level(history.folder, archive(history, "s3://plant/two", endpoint=weed.endpoint))
        else:
            with pytest.raises(HistoryError, match="is written by another archive"):
                archiving(history, "s3://plant/two", endpoint=weed.endpoint)


def test_the_same_with_icebergs_rest_catalogue(weed: Seaweed, tmp_path: Path) -> None:
    options = {"warehouse": weed.table_bucket("tables"), "credential": f"{KEY}:${{AWS_SECRET_ACCESS_KEY}}"}
    more = {"endpoint": weed.endpoint, "catalog": weed.catalog, "catalog_options": options}
    history = History(tmp_path)
    for day in range(2):
        history.publish("trades", [trade(NOON + day * DAY + 123)])
        history.publish("bars", [bar(NOON, close=10.0 + day)])
        history.part(f"2026-11-2{day}")
        history.close()
        made = archive(history, "s3://plant/rest", **more)
        assert_level(history.folder, made)
        assert made.done.snapshots == (2 if day == 0 else 3)  # and the rows that were replaced
    first = tables_of(made)["bars"].snapshots()[0].snapshot_id
    ((row, _),) = iceberg_rows(tables_of(made)["bars"], first).items()
    assert ("close", 10.0) in row
    assert archive(history, "s3://plant/rest", **more).done.snapshots == 0


def toml(weed: Seaweed, prefix: str) -> str:
    return f'[archive]\nwarehouse = "s3://plant/{prefix}"\nendpoint = "{weed.endpoint}"\n'


def level(plant: RunningPlant) -> bool:
    """Whether the archive holds all that is closed, as it has told the history."""
    folder = history_folder(plant.settings.plant.data)
    catalogue = Catalogue.load(folder)
    said = json.loads((folder / ARCHIVED).read_text()) if (folder / ARCHIVED).exists() else {}
    held = {f.path for f in (*catalogue.files, *catalogue.replaced, *catalogue.archived)}
    return not catalogue.ends and set(said.get("paths", ())) == held and said.get("closed") == catalogue.closed


@times("kills", 40, timeout_s=1800)
def test_killed_at_any_moment_every_row_is_in_iceberg_once(
    weed: Seaweed, start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any], kills: int
) -> None:
    print(f"seed {SEED}")
    chance, prefix = random.Random(SEED), f"kills-{kills}"
    plant = start_plant(
        "tickerplant", "hdb", "archive", hdb="part_s = 0.1\ncompact_mb = 0.0\n", toml=toml(weed, prefix)
    )
    db, feed = plant.ask("hdb"), plant.publisher("feed")
    today, sent = time.time_ns() // DAY * DAY, 0
    for kill in range(kills):
        for _ in range(2):
            day = today - chance.randrange(1, 5) * DAY
            feed.publish("trades", [trade(day + sent + i, ("A", "B")[i % 2], 1.0 + i) for i in range(50)])
            feed.publish("bars", [bar(day, chance.choice("AB"), close=float(kill + 5))])
            sent += 50
        row = {"time": time.time_ns(), "sym": "test", "day": time.strftime("%Y-%m-%d", time.gmtime()), "state": "end"}
        feed.publish("days", row | {"detail": "again"})
        closed = feed.flush()
        eventually(lambda closed=closed: db.status()["closed"] >= closed, 30, lambda: plant.log("hdb"))
        time.sleep(chance.random() * 1.5)  # not for a result: the moment of the kill
        plant.kill("archive")
        plant.start("archive")
    eventually(lambda: level(plant), 60, lambda: plant.log("archive"))
    settings = plant.settings
    plant.kill("archive")
    made = Archiving(settings.archive, settings.plant.data)
    found = sum(iceberg_rows(tables_of(made)["trades"]).values())
    assert found == sent == db.count("trades")
    assert_level(history_folder(settings.plant.data), made)
    assert not made.run(threading.Event())
    made.close()


def test_while_the_store_is_away_days_wait_in_the_history_and_go_once_it_has_them(
    weed: Seaweed, start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any], dead_port: int
) -> None:
    away = f'[archive]\nwarehouse = "s3://plant/away"\nendpoint = "http://127.0.0.1:{dead_port}"\n'
    plant = start_plant("tickerplant", "hdb", "archive", "rdb", hdb="part_s = 1.0\nkeep_days = 2.0\n", toml=away)
    db, feed, now = plant.ask("hdb"), plant.publisher("feed"), time.time_ns()
    feed.publish("trades", [trade(now - 9 * DAY), trade(now - 8 * DAY), trade(now - HOURS)])
    day = time.strftime("%Y-%m-%d", time.gmtime())
    feed.publish("days", {"time": now, "sym": "test", "day": day, "state": "end", "detail": "again"})
    closed = feed.flush()
    eventually(lambda: db.status()["closed"] >= closed, 30, lambda: plant.log("hdb"))

    def state() -> str:
        rows = plant.ask("rdb").last("heartbeats", sym="archive").to_dict("records")
        return str(rows[0]["state"]) if rows else ""

    eventually(lambda: "does not answer" in state(), 30, lambda: state() + plant.log("archive"))
    assert db.count("trades") == 3
    plant.config.write_text(plant.config.read_text().replace(f"http://127.0.0.1:{dead_port}", weed.endpoint))
    plant.restart("archive")
    eventually(lambda: db.count("trades") == 1, 60, lambda: plant.log("archive") + plant.log("hdb"))
    eventually(lambda: state() == "ok", 30, state)
    catalogue = Catalogue.load(history_folder(plant.settings.plant.data))
    assert [f.rows for f in catalogue.archived if f.table == "trades"] == [1, 1]
    plant.config.write_text(plant.config.read_text().replace("[archive]\n", "[archive]\nread = true\n"))
    plant.restart("hdb")
    eventually(lambda: plant.ask("hdb").count("trades") == 3, 30, lambda: plant.log("hdb"))
    assert plant.whole().select("trades").time.is_monotonic_increasing
    assert plant.whole().count("trades") == 3
