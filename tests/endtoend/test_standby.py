"""A plant that burns, and its standby: every acknowledged row is there once, and all who spoke to the first go on."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import RunningPlant, all_stopped
from small_mirror import SmallMirror

from plant.client.connect import connect_to, publisher, subscriber_of
from plant.errors import JournalDiverged, TakesNoRows, Unavailable
from plant.runtime.settings import Settings, load
from plant.stream.publisher import Publisher
from plant.stream.spool import Spool
from plant.stream.spooling import SpoolingPublisher

Start = Callable[..., RunningPlant]


def trades(first: int, count: int) -> dict[str, Any]:
    now = time.time_ns()
    numbers = range(first, first + count)
    return {
        "time": [now + n for n in numbers],
        "sym": ["AAPL"] * count,
        "price": [n + 1.0 for n in numbers],
        "size": [1.0] * count,
        "trade_id": [str(n) for n in numbers],
    }


def ids(batches: list[Any]) -> list[int]:
    return [int(i) for batch in batches for i in batch.columns["trade_id"].tolist()]


class Pair:
    """A plant with `ack = "mirrored"`, and the folder of a standby that is started once the first has burned."""

    def __init__(self, start: Start, folder: Path) -> None:
        self.start, self.folder = start, folder
        self.second = start(name="second", ack="mirrored", processes=())
        ports = self.second.settings.tickerplant
        toml = f"[[standby]]\ningest_port = {ports.ingest_port}\npublish_port = {ports.publish_port}\n" \
               f"journal_port = {ports.journal_port}\nrdb_port = {self.second.settings.rdb.port}\n"  # fmt: skip
        self.first = start("tickerplant", name="first", ack="mirrored", toml=toml)
        self.mirror = self.mirrored(self.first)
        self.open: list[Any] = []

    def mirrored(self, plant: RunningPlant) -> SmallMirror:
        ports, address = plant.settings.tickerplant, plant.settings.address
        return SmallMirror(
            plant.settings.table_schema,
            address(ports.publish_port),
            address(ports.journal_port),
            self.second.settings.plant.data / "journal",
        )

    def burn(self) -> None:
        """SIGKILL the first plant, and delete its folder; the mirror ends with its machine."""
        self.first.kill("tickerplant")
        self.first.processes.pop("tickerplant")
        shutil.rmtree(self.first.settings.plant.data)
        self.mirror.close()

    def promote(self) -> None:
        """Start the second plant on what was mirrored."""
        self.second.start("tickerplant")

    def feed(self, name: str = "feed", **options: Any) -> Publisher:
        """Return a publisher that knows both plants."""
        self.open.append(publisher(name, config=str(self.first.config), **options))
        return self.open[-1]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with all_stopped() as plants:

        def start(*names: str, name: str, processes: tuple[str, ...] | None = None, **options: Any) -> RunningPlant:
            plant = RunningPlant(tmp_path / name, **options)
            plants.append(plant)
            plant.start(*(names if processes is None else processes))
            return plant

        made = Pair(start, tmp_path)
        yield made
        for one in made.open:
            with contextlib.suppress(Unavailable):  # nothing mirrors the second plant, so rows wait to the end
                one.close(0) if isinstance(one, Publisher) else one.close()
        if made.mirror._thread.is_alive():
            made.mirror.close()


def test_after_the_first_plant_burned_every_row_is_in_the_second_once_and_all_go_on(
    pair: Pair, eventually: Any
) -> None:
    feed = pair.feed()
    live = subscriber_of(pair.first.settings, ("trades",), None, "start")
    pair.open.append(live)
    seen: list[int] = []

    def see(count: int) -> bool:
        seen.extend(ids(live.poll(0.02)))
        return len(seen) >= count

    for i in range(20):
        feed.publish("trades", trades(1 + 10 * i, 10))
    acknowledged = feed.flush()
    assert pair.first.position()["mirrored"] >= acknowledged
    eventually(lambda: see(200), what=lambda: seen[-3:])
    pair.mirror.hush()  # acknowledged is nothing from here on, though it is journaled, published and copied
    feed.publish("trades", trades(201, 10))
    eventually(lambda: see(210))
    with pytest.raises(Unavailable, match="has not acknowledged"):
        feed.flush(0.3)
    eventually(lambda: "acknowledgements wait for the mirror" in pair.first.position()["state"])
    eventually(lambda: pair.mirror.copied >= (live.stream.cursor or 0))
    pair.burn()
    feed.publish("trades", trades(211, 10))  # kept while no plant is there
    pair.promote()
    eventually(lambda: see(220), 30, lambda: (len(seen), pair.second.log("tickerplant")))
    assert seen == list(range(1, 221))
    assert ids(pair.second.journal("trades")) == list(range(1, 221))
    assert feed.address == pair.second.settings.ingest_address


def test_a_subscriber_that_saw_rows_which_burned_is_told_to_start_again(pair: Pair, eventually: Any) -> None:
    feed = pair.feed()
    feed.publish("trades", trades(1, 10))
    feed.flush()
    pair.mirror.close()  # it copies no more
    live = subscriber_of(pair.first.settings, ("trades",), None, "start")
    pair.open.append(live)
    feed.publish("trades", trades(11, 10))
    seen: list[int] = []
    eventually(lambda: seen.extend(ids(live.poll(0.02))) or len(seen) == 20)
    pair.first.kill("tickerplant")
    pair.first.processes.pop("tickerplant")
    pair.promote()

    def told() -> bool:
        try:
            live.poll(0.02)
        except JournalDiverged:
            return True
        return False

    eventually(told, 30)
    eventually(lambda: ids(pair.second.journal("trades")) == list(range(1, 21)), 30, lambda: feed.address)
    assert feed.waiting > 0, "the second plant acknowledges what is mirrored, and nothing mirrors it"


def test_a_fenced_plant_sends_publishers_and_subscribers_on_and_says_why(pair: Pair, eventually: Any) -> None:
    feed = pair.feed()
    live = subscriber_of(pair.first.settings, ("trades",), None, "start")
    pair.open.append(live)
    feed.publish("trades", trades(1, 10))
    feed.flush()
    seen: list[int] = []
    eventually(lambda: seen.extend(ids(live.poll(0.02))) or len(seen) == 10)
    said = pair.mirror.diverge("the stream has a record of another plant behind seq 10")
    assert "takes no rows" in said["fenced"]
    assert "another plant behind seq 10" in pair.first.position()["state"]
    pair.mirror.close()
    pair.promote()
    feed.publish("trades", trades(11, 10))
    eventually(lambda: seen.extend(ids(live.poll(0.02))) or len(seen) == 20, 30, lambda: (seen[-3:], live.role))
    assert seen == list(range(1, 21))
    alone = pair.first.settings.ingest_address
    with pytest.raises(TakesNoRows, match="this plant is fenced and takes no rows: the stream has a record of another"):
        pair.feed("alone", address=alone)
    with pytest.raises(Unavailable, match="the last one asked said: this plant is fenced"):
        pair.feed("alone", address=[alone, "tcp://127.0.0.1:9"], timeout_s=1.5)


def test_a_feed_s_spool_keeps_what_is_not_mirrored_and_hands_it_to_the_second_plant(
    pair: Pair, eventually: Any, tmp_path: Path
) -> None:
    settings: Settings = load(pair.first.config)
    both = (settings.ingest_address, pair.second.settings.ingest_address)
    feed = SpoolingPublisher("spooled", both, settings.table_schema, Spool(tmp_path / "spool", 10**9))
    pair.open.append(feed)
    feed.wait_connected()
    feed.publish("trades", trades(1, 10))
    feed.flush()
    pair.mirror.close()
    feed.publish("trades", trades(11, 10))
    eventually(lambda: feed._outbox.under_way == 0 and feed.waiting == 1, what=lambda: feed.waiting)
    with feed._lock:
        feed._withdraw()  # as when the outbox is full
    feed.publish("trades", trades(21, 10))
    eventually(lambda: ids(pair.first.journal("trades")) == list(range(1, 31)))
    assert feed.spool.rows == 20, "held by one disk is not yet safe"
    pair.first.kill("tickerplant")
    pair.first.processes.pop("tickerplant")
    pair.promote()
    feed.publish("trades", trades(31, 10))
    eventually(lambda: ids(pair.second.journal("trades")) == list(range(1, 41)), 30, lambda: feed.address)


def test_connections_ask_the_standby_if_the_first_does_not_answer(pair: Pair) -> None:
    pair.mirror.close()
    pair.promote()
    pair.second.start("rdb")
    with connect_to("rdb", config=str(pair.first.config), timeout_s=1.0) as db:
        assert db.address == pair.second.settings.address(pair.second.settings.rdb.port)
    with pytest.raises(Unavailable):
        connect_to("rdb", port=9, config=str(pair.first.config), timeout_s=0.2)
