"""A plant that follows another; subscribers that conflate; how far each subscriber is behind."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
import zmq
from running import RunningPlant, until_live

from plant.client.connect import publisher, subscribe, subscriber_of
from plant.errors import Refused
from plant.journal.segment import Segment
from plant.runtime.sections import StandbySection
from plant.runtime.standby import followed_addresses
from plant.stream.subscriber import Subscriber
from plant.wire.messages import FOLLOWS, topic_of

Start = Callable[..., RunningPlant]
PORTS = ("ingest_port", "publish_port", "journal_port")


def trades(first: int, count: int, sym: str = "AAPL") -> dict[str, Any]:
    """Return trades whose ids and prices count up."""
    now = time.time_ns()
    numbers = range(first, first + count)
    return {
        "time": [now + n for n in numbers],
        "sym": [sym] * count,
        "price": [n + 1.0 for n in numbers],
        "size": [1.0] * count,
        "trade_id": [str(n) for n in numbers],
    }


def chained(start: Start, first: RunningPlant, **options: Any) -> RunningPlant:
    """Start a plant that follows `first`."""
    ports, address = first.settings.tickerplant, first.settings.address
    toml = f'name = "far"\n[upstream]\npublish = "{address(ports.publish_port)}"\n' \
           f'journal = "{address(ports.journal_port)}"\ningest = "{address(ports.ingest_port)}"\n'  # fmt: skip
    return start("tickerplant", "rdb", name="far", toml=toml, **options)


def journaled(plant: RunningPlant, table: str = "trades") -> list[tuple[int, int, list[str]]]:
    """Return (seq, table_seq, trade ids) of each batch in the plant's journal."""
    found = plant.journal(table)
    return [(b.seq, b.table_seq, b.columns["trade_id"].tolist()) for b in found]


def test_a_subscriber_that_comes_to_a_plant_that_lags_waits_for_it(
    start_plant: Start, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plant.transport.sockets.SILENCE_S", 1.0)
    first = start_plant("tickerplant")
    far = chained(start_plant, first)
    feed = first.publisher("feed")
    feed.publish("trades", trades(1, 10))
    feed.flush()
    eventually(lambda: far.position()["seq"] >= 1, what=lambda: far.log("tickerplant"))
    far.kill("tickerplant")
    feed.publish("trades", trades(11, 10))
    feed.flush()
    addresses = (far.settings.publish_address, far.settings.journal_address)
    seen: list[str] = []
    settings = first.settings
    subscriber = Subscriber(
        settings.table_schema, ("trades",), settings.publish_address, settings.journal_address, standby=(addresses,)
    )

    def read() -> list[str]:
        for batch in subscriber.poll(0.02):
            seen.extend(batch.columns["trade_id"].tolist())
        return seen

    with subscriber:
        eventually(lambda: len(read()) == 20 and subscriber.caught_up)
        first.kill("tickerplant")
        far.start("tickerplant")
        eventually(lambda: read() and subscriber.role == FOLLOWS)
        until = time.monotonic() + 1.5  # by then it goes round; nothing is handed on, nor taken for gone
        while time.monotonic() < until:
            assert len(read()) == 20
        first.start("tickerplant")
        feed.publish("trades", trades(21, 10))
        feed.flush()
        eventually(lambda: len(read()) == 30, what=lambda: f"{seen}; {far.log('tickerplant')[-1000:]}")
    assert seen == [str(n) for n in range(1, 31)]


def test_a_chained_plant_has_the_same_rows_under_the_same_numbers_whatever_is_killed(
    start_plant: Start, eventually: Any
) -> None:
    first = start_plant("tickerplant")
    feed = first.publisher("feed")
    feed.publish("trades", trades(1, 50))
    feed.flush()
    far = chained(start_plant, first)
    eventually(lambda: far.ask().count("trades") == 50, what=lambda: far.log("tickerplant"))
    for i in range(60):
        feed.publish("trades", trades(51 + 10 * i, 10))
        if i == 20:
            far.restart("tickerplant")
        if i == 40:
            first.restart("tickerplant")
    feed.flush(15)
    eventually(lambda: far.ask().count("trades") == 650, 15, lambda: far.ask())
    assert journaled(far) == journaled(first)
    numbers = [int(i) for _, _, ids in journaled(first) for i in ids]
    assert numbers == list(range(1, 651))


def test_a_chained_plant_starts_again_with_the_tables_that_were_added_to_the_first(
    start_plant: Start, eventually: Any
) -> None:
    first = start_plant("tickerplant")
    far = chained(start_plant, first)
    eventually(lambda: far.ask().status()["seq"] > 0)
    news = '[[tables]]\nname = "news"\ncolumns = [["time", "time"], ["sym", "symbol"], ["headline", "text"]]\n'
    for plant in (first, far):
        plant.config.write_text(plant.config.read_text() + news)
    first.restart("tickerplant")
    feed = first.publisher("feed")
    feed.publish("news", {"time": time.time_ns(), "sym": "A", "headline": "first"})
    feed.flush()
    assert far.processes["tickerplant"].wait(20) == 1
    assert "restarted with other declarations of tables: news; give this plant.toml" in far.log("tickerplant")
    far.start("tickerplant")
    assert far.processes["rdb"].wait(20) == 1
    far.start("rdb")
    eventually(lambda: far.ask().status()["caught_up"] and far.ask().count("news") == 1, 15, lambda: far.log("rdb"))


def test_a_chained_plant_has_the_rows_of_tables_as_they_were_declared_before(
    start_plant: Start, eventually: Any
) -> None:
    news = '[[tables]]\nname = "news"\ncolumns = [["time", "time"], ["sym", "symbol"], ["headline", "text"]]\n'
    first = start_plant("tickerplant", toml=news)
    feed = first.publisher("feed")
    feed.publish("news", {"time": time.time_ns(), "sym": "A", "headline": "first"})
    feed.flush()
    grown = news.replace('["headline", "text"]', '["headline", "text"], ["weight", "float"]')
    first.config.write_text(first.config.read_text().replace(news, grown))
    first.restart("tickerplant")
    feed = first.publisher("other")
    feed.publish("news", {"time": time.time_ns(), "sym": "A", "headline": "second", "weight": 2.0})
    feed.flush()
    ports, address = first.settings.tickerplant, first.settings.address
    upstream = f'[upstream]\npublish = "{address(ports.publish_port)}"\njournal = "{address(ports.journal_port)}"\n'
    far = start_plant("tickerplant", "rdb", name="far", toml=upstream + grown)
    eventually(lambda: far.ask().count("news") == 2, what=lambda: far.log("tickerplant"))
    assert far.ask().select("news")["headline"].tolist() == ["first", "second"]
    far.restart("tickerplant")
    far.restart("rdb")
    eventually(lambda: far.ask().status()["caught_up"] and far.ask().count("news") == 2, what=lambda: far.log("rdb"))


def test_a_chained_plant_that_was_down_while_the_first_lost_its_tail_refuses_to_mix_the_two(
    start_plant: Start, eventually: Any
) -> None:
    first = start_plant("tickerplant")
    feed = first.publisher("feed")
    for i in range(10):
        feed.publish("trades", trades(10 * i, 10))
        feed.flush()
    far = chained(start_plant, first)
    eventually(lambda: far.ask().count("trades") == 100)
    for name in ("rdb", "tickerplant"):
        far.kill(name)
        far.processes.pop(name)
    first.kill("tickerplant")
    (segment,) = (first.settings.plant.data / "journal").glob("*.journal")
    offsets = [offset for _, offset in Segment(segment).scan()]
    os.truncate(segment, offsets[len(offsets) // 2])
    first.start("tickerplant")
    other = first.publisher("other")
    for i in range(20):
        other.publish("trades", trades(1000 + 10 * i, 10))
        other.flush()
    process = far.processes["tickerplant"] = far.spawn("tickerplant")
    assert process.wait(20) == 1
    last = far.log("tickerplant").splitlines()[-1]
    assert "JournalDiverged" in last
    assert "the journal has no longer what was published as" in last
    assert "move the folder away" in last
    folder = far.settings.plant.data / "journal"
    folder.rename(folder.with_name("journal-before"))
    far.start("tickerplant", "rdb")
    ids = [int(i) for _, _, ids in journaled(first) for i in ids]
    eventually(lambda: far.ask().count("trades") == len(ids))
    assert journaled(far) == journaled(first)


def test_nobody_publishes_into_a_chained_plant(start_plant: Start, eventually: Any) -> None:
    first = start_plant("tickerplant")
    far = chained(start_plant, first)
    with pytest.raises(Refused, match=r"follows tcp://.*publish there"):
        far.publisher("stray")
    eventually(lambda: "rdb@far" in far.position()["readers"] or "rdb" in far.position()["readers"])


def test_who_knows_both_publishes_into_the_first_and_reads_on_from_the_chained_one(
    start_plant: Start, eventually: Any
) -> None:
    first = start_plant("tickerplant")
    far = chained(start_plant, first)
    ports, address = far.settings.tickerplant, far.settings.address
    both = [address(ports.ingest_port), first.settings.ingest_address]
    with publisher("feed", both, config=str(first.config)) as feed:
        assert feed.address == both[1]
        feed.publish("trades", trades(0, 10))
        feed.flush()
    known = first.settings.model_copy(update={"standby": (StandbySection(**ports.model_dump(include=set(PORTS))),)})
    assert followed_addresses(known) == ((far.settings.publish_address, far.settings.journal_address),)
    seen: list[str] = []
    with subscriber_of(known, ("trades",)) as live:
        eventually(lambda: seen.extend(i for b in live.poll(0.02) for i in b.columns["trade_id"].tolist()) or seen)
        eventually(lambda: far.ask().count("trades") == 10)
        first.kill("tickerplant")
        eventually(lambda: live.poll(0.02) == [] and live.role == FOLLOWS and live.caught_up, 30)
        assert live.publish_address == far.settings.publish_address
        first.restart("tickerplant")
        first.publisher("another").publish("trades", trades(10, 10))
        eventually(
            lambda: seen.extend(i for b in live.poll(0.02) for i in b.columns["trade_id"].tolist()) or len(seen) == 20
        )
    assert seen == [str(n) for n in range(20)]


def test_a_conflating_subscriber_has_the_newest_row_of_each_symbol(start_plant: Start, eventually: Any) -> None:
    plant = start_plant("tickerplant")
    feed = plant.publisher("feed")
    slow = subscribe("trades", conflate=True, config=str(plant.config))
    eventually(lambda: slow.poll(0.05) == [] and slow.caught_up)
    for i in range(100):
        feed.publish("trades", trades(i, 10, sym="AAPL" if i % 2 else "TSLA"))
    feed.flush()
    seen: dict[str, float] = {}
    rows = 0

    def newest() -> bool:
        nonlocal rows
        for batch in slow.poll(0.05):
            rows += len(batch)
            seen.update((r["sym"], r["price"]) for r in batch.rows())
        return seen == {"TSLA": 108.0, "AAPL": 109.0}

    eventually(newest, what=lambda: seen)
    assert rows < 100, "a conflating subscriber was given every step"
    slow.close()


def test_a_stopped_subscriber_misses_nothing_and_its_lag_is_seen(start_plant: Start, eventually: Any) -> None:
    plant = start_plant("tickerplant", "rdb", publish_queue=20)
    feed = plant.publisher("feed")
    feed.publish("trades", trades(0, 1))
    feed.flush()
    eventually(lambda: plant.ask().count("trades") == 1 and plant.position()["readers"].get("rdb") == 0)
    plant.kill("rdb", signal.SIGSTOP)
    for i in range(300):
        feed.publish("trades", trades(1 + 1000 * i, 1000))
    feed.flush(30)
    eventually(lambda: plant.position()["readers"].get("rdb", 0) > 50, what=lambda: plant.position()["readers"])
    plant.kill("rdb", signal.SIGCONT)
    db = plant.ask()
    eventually(lambda: db.count("trades") == 300_001, 20, lambda: db)
    assert db.sql("select count(distinct trade_id) n from trades")["n"].tolist() == [300_001]
    eventually(lambda: {"opened", "healed"} <= set(db.select("gaps")["state"]), what=lambda: db.select("gaps"))
    eventually(lambda: plant.position()["readers"].get("rdb") == 0)


def test_long_records_for_a_subscriber_that_reads_nothing_cost_a_bounded_memory(start_plant: Start) -> None:
    """Its queue holds 100 messages: of 1 MiB each, the tickerplant would grow by 100 MiB."""
    plant = start_plant("tickerplant", publish_queue=100)
    feed = plant.publisher("feed")
    stopped = zmq.Context.instance().socket(zmq.SUB)
    stopped.setsockopt(zmq.RCVHWM, 1)
    stopped.setsockopt(zmq.RCVBUF, 2**16)
    stopped.setsockopt(zmq.SUBSCRIBE, topic_of("trades"))
    stopped.connect(plant.settings.address(plant.settings.tickerplant.publish_port))
    process = psutil.Process(plant.processes["tickerplant"].pid)
    try:
        for i in range(140):
            feed.publish("trades", trades(i, 1) | {"trade_id": ["x" * 2**20]})
            feed.flush()
            if i == 20:
                before = process.memory_info().rss
        grown = process.memory_info().rss - before
    finally:
        stopped.close(0)
    assert grown < 50 * 2**20, f"{grown:,} bytes"
    live = plant.subscriber("trades")
    assert sum(len(b) for b in until_live(live)) == 140


def test_a_timer_of_n_ms_publishes_in_batches_and_loses_nothing(start_plant: Start, eventually: Any) -> None:
    plant = start_plant("tickerplant", batch_ms=100)
    feed = plant.publisher("feed")
    live = subscriber_of(plant.settings, ("trades",), since=None)
    eventually(lambda: live.poll(0.05) == [] and live.caught_up)
    ids: list[str] = []
    for i in range(30):
        feed.publish("trades", trades(i, 1))
        feed.flush()
    eventually(lambda: ids.extend(r for b in live.poll(0.05) for r in b.columns["trade_id"].tolist()) or len(ids) == 30)
    assert ids == [str(i) for i in range(30)]
    assert not live.stream.gaps
    live.close()
