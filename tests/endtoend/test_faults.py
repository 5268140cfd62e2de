"""Faults the plant must survive: kills, stops, cuts, full and damaged disks, under load (support/faults.py judges).

Those that kill or cut do it five times in `make test`, in `make soak` as often as they say (support/chance.py).
"""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq
from chance import SEED, times
from cutting_proxy import CuttingProxy
from faults import FaultyPlant
from numbered_feed import BAR_EVERY, BASE, trades
from small_disk import SmallDisk

from plant.errors import WireError
from plant.intake.forms import columns_of
from plant.stream.subscriber import Subscriber
from plant.wire.envelope import HEADER_BYTES, MAGIC, MORE, header_at, number, stamp
from plant.wire.messages import ack_of
from plant.wire.record import encode, source_id_of

STOPPED_RDB_BYTES = 160 * 2**20
"""The tickerplant may grow by so much while a subscriber is stopped, however many rows pass: publish_queue (1000)
messages of 128 KiB, and what a turn needs."""

Start = Callable[..., FaultyPlant]
Proxies = Callable[[int], CuttingProxy]
VICTIMS: dict[str, tuple[tuple[str, ...], int]] = {
    "the publisher": (("feed one,two,three",), 1),
    "the tickerplant": (("tickerplant",), 1),
    "the rdb": (("rdb",), 1),
    "the processor": (("processor",), 1),
    "two of them at once": (("feed one,two,three", "tickerplant", "rdb", "processor"), 2),
}


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    """Return a function that puts a proxy before a port."""
    made: list[CuttingProxy] = []

    def before(port: int) -> CuttingProxy:
        made.append(CuttingProxy(port, SEED))
        return made[-1]

    yield before
    for proxy in made:
        proxy.close()


@times("kills", 300)
@pytest.mark.parametrize("who", VICTIMS)
def test_killed_again_and_again_it_keeps_every_row_once(start: Start, who: str, kills: int) -> None:
    """Every 200 ms: 300 kills are a minute."""
    victims, at_once = VICTIMS[who]
    plant = start(segment_mb=1)
    plant.feed("one,two,three", 10_000)
    plant.feed("four", 10_000 / 3)

    def pick(chance: random.Random) -> tuple[str, ...]:
        return tuple(chance.sample(victims, at_once))

    plant.storm(pick, kills)
    plant.verdict(f"killing {who}")


def test_an_rdb_stopped_while_rows_pass_has_them_all_and_costs_little_memory(start: Start) -> None:
    _stop_rdb(start, 3.0, 120_000)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_an_rdb_stopped_for_20_s_while_a_million_rows_pass_has_them_all(start: Start) -> None:
    _stop_rdb(start, 20.0, 1_000_000)


def test_frames_that_pass_a_stopped_rdb_cost_the_tickerplant_a_bounded_memory(start: Start) -> None:
    plant = start("tickerplant", "rdb")
    db, feed = plant.ask(timeout_s=30.0), plant.publisher("frames")
    plant.until(lambda: db.status()["caught_up"], "the rdb does not follow yet")
    before = plant.memory("tickerplant")
    plant.kill("rdb", signal.SIGSTOP)
    prices = np.linspace(100.0, 101.0, 20_000)
    frame = {"time": np.full(20_000, BASE), "sym": ["AAPL"] * 20_000, "bid": prices, "ask": prices + 1,
             "bid_size": prices, "ask_size": prices}  # fmt: skip
    frames, most = 250, 0
    for _ in range(frames):
        feed.publish("quotes", frame)
        most = max(most, plant.memory("tickerplant") - before)
    feed.flush(30)
    most = max(most, plant.memory("tickerplant") - before)
    plant.kill("rdb", signal.SIGCONT)
    plant.until(lambda: db.count("quotes") == frames * 20_000, "the rdb has not all rows")
    print(f"\n{frames * 20_000:,} rows past a stopped rdb: the tickerplant grew by {most / 2**20:.1f} MiB")
    assert most < STOPPED_RDB_BYTES


def _stop_rdb(start: Start, seconds: float, rows: int) -> None:
    plant = start()
    db = plant.ask()
    plant.until(lambda: db.status()["caught_up"], "the rdb does not follow yet")
    before = plant.memory("tickerplant")
    plant.kill("rdb", signal.SIGSTOP)
    plant.faults += 1
    end = time.monotonic() + seconds
    feed = plant.feed("one,two", rows / seconds, rows // 2)
    most = 0
    while plant.processes[feed].poll() is None or time.monotonic() < end:
        most = max(most, plant.memory("tickerplant") - before)
        time.sleep(0.05)
    plant.kill("rdb", signal.SIGCONT)
    plant.wait_feeds()
    plant.verdict(f"stopping the rdb for {seconds:g} s (the tickerplant grew by {most / 2**20:.1f} MiB)")
    assert most < STOPPED_RDB_BYTES


@times("cuts", 600)
def test_connections_cut_at_random_lose_and_double_nothing(proxies: Proxies, start: Start, cuts: int) -> None:
    """Every 100 ms: 600 cuts are a minute."""
    plant = start("tickerplant")
    ports = plant.settings.tickerplant
    between = {key: proxies(getattr(ports, key)) for key in ("ingest_port", "publish_port", "journal_port")}
    through = {f"PLANT_TICKERPLANT__{key.upper()}": str(proxy.port) for key, proxy in between.items()}
    for name in ("rdb", "processor"):
        plant.environments[name] = through
    plant.start("rdb", "processor")
    plant.feed("one,two,three", 10_000, **through)
    publish, journal = (plant.settings.address(between[key].port) for key in ("publish_port", "journal_port"))
    with Subscriber(plant.settings.table_schema, ("trades", "bars"), publish, journal) as some:
        came: list[tuple[str, int]] = []
        for _ in range(cuts):
            end = time.monotonic() + 0.1 * plant.chance.uniform(0.2, 1.8)
            while time.monotonic() < end:
                came += [(b.table, b.table_seq) for b in some.poll(0.01)]
            plant.faults += plant.chance.choice(list(between.values())).cut()
        plant.verdict("cutting connections")
        kept = sorted((b.table, b.table_seq) for b in plant.journal("trades", "bars"))
        plant.until(
            lambda: came.extend((b.table, b.table_seq) for b in some.poll(0.05)) or len(came) >= len(kept),
            lambda: f"{len(kept) - len(came)} of {len(kept)} batches never came",
        )
    assert [t for t in came if t[0] == "bars"] == [t for t in kept if t[0] == "bars"]
    assert [t for t in came if t[0] == "trades"] == [t for t in kept if t[0] == "trades"]


def test_a_full_disk_stops_acknowledgements_until_there_is_room(start: Start, small_disk: SmallDisk) -> None:
    plant = _started_on(small_disk, start)
    plant.feed("one,two", 10_000)
    for _ in range(3):
        plant.reach(500)
        small_disk.fill()
        plant.until(lambda: "No space left" in plant.state, lambda: f"state {plant.state!r}")
        plant.reach_no_more(0.3 * plant.chance.uniform(0.2, 1.8))
        small_disk.free()
        plant.until(lambda: plant.state == "ok", lambda: f"state {plant.state!r}")
        plant.faults += 1
    plant.verdict("filling the disk")


def test_a_tickerplant_killed_on_a_full_disk_goes_on_once_there_is_room(start: Start, small_disk: SmallDisk) -> None:
    plant = _started_on(small_disk, start)
    plant.feed("one,two", 10_000)
    for _ in range(3):
        plant.reach(500)
        small_disk.fill()
        plant.until(lambda: "No space left" in plant.state, lambda: f"state {plant.state!r}")
        plant.strike("tickerplant")
        plant.mortal = {"tickerplant"}
        plant.until_ready_or_ended("tickerplant")
        small_disk.free()
        plant.revive("tickerplant")
    plant.verdict("killing the tickerplant on a full disk")
    assert "Traceback" not in plant.log("tickerplant")


def test_a_disk_without_room_for_another_file_keeps_the_old_segment(start: Start, small_disk: SmallDisk) -> None:
    plant = _started_on(small_disk, start)
    plant.feed("one,two", 20_000)
    plant.reach(100)
    small_disk.fill_names()
    plant.until(lambda: "cannot begin a segment" in plant.state, lambda: f"state {plant.state!r}")
    plant.reach(20_000)
    small_disk.free()
    plant.until(lambda: plant.state == "ok", lambda: f"state {plant.state!r}")
    plant.faults += 1
    plant.verdict("no more files on the disk")


def test_a_read_only_disk_is_named_and_the_plant_goes_on_when_it_is_not(start: Start, small_disk: SmallDisk) -> None:
    plant = _started_on(small_disk, start)
    plant.feed("one,two", 10_000)
    plant.reach(500)
    plant.kill("tickerplant")
    small_disk.read_only(True)
    plant.processes["tickerplant"] = plant.spawn("tickerplant")
    plant.mortal = {"tickerplant"}
    plant.until_ready_or_ended("tickerplant")
    last = plant.log("tickerplant").splitlines()[-1]
    assert "JournalError" in last
    assert "Read-only" in last
    assert str(small_disk.folder) in last
    small_disk.read_only(False)
    plant.revive("tickerplant")
    plant.faults += 1
    plant.verdict("a read-only disk")


@pytest.mark.parametrize("torn", ["bytes of anything", "part of a record", "a record whose other part is missing"])
def test_a_torn_tail_after_a_kill_costs_nothing_acknowledged(start: Start, torn: str) -> None:
    plant = start()
    plant.feed("one,two", 10_000)
    for _ in range(4):
        plant.reach(1000)
        plant.kill("tickerplant")
        tail = plant.last_segment()
        data = tail.read_bytes()
        record = _last_record(data)
        with tail.open("ab") as file:
            if torn == "bytes of anything":
                file.write(plant.chance.randbytes(plant.chance.randint(1, 5000)))
            elif torn == "part of a record":
                file.write(record[: plant.chance.randrange(1, len(record))])
            else:
                file.write(_next_of(record, MORE))
        plant.start("tickerplant")
        plant.faults += 1
    plant.verdict(f"tearing the journal's tail ({torn})")
    assert len(list(tail.parent.glob("*.torn-*"))) == 4, "what was cut off is kept"


@pytest.mark.parametrize("harm", ["truncate", "truncate while the rdb is stopped", "flip"])
def test_a_journal_that_lost_its_tail_is_what_every_process_goes_on_with(start: Start, harm: str) -> None:
    plant = start("tickerplant", "rdb")
    plant.mortal = {"rdb"}
    plant.feed("one,two", 10_000)
    for _ in range(3):
        plant.reach(1000)
        plant.kill("tickerplant")
        tail = plant.last_segment()
        size, seen = tail.stat().st_size, header_at(_last_record(tail.read_bytes()), 0).seq
        if "stopped" in harm:
            plant.kill("rdb", signal.SIGSTOP)
        if harm.startswith("truncate"):
            os.truncate(tail, size - plant.chance.randint(1, 2000))
        else:
            with tail.open("r+b") as file:
                file.seek(size - plant.chance.randint(1, 2000))
                byte = file.read(1)[0]
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte ^ 1 << plant.chance.randrange(8)]))
        plant.start("tickerplant")
        plant.reach(1000)
        plant.until(lambda seq=seen: plant.position()["seq"] > seq, "the plant does not go on")  # same seqs, other rows
        plant.kill("rdb", signal.SIGCONT)
        if harm == "flip":  # what the rdb has in memory the journal has no more
            plant.kill("rdb")
        plant.until_rdb_agrees_or_ended()
        plant.revive("rdb")
        plant.faults += 1
    plant.verdict(f"losing the journal's tail ({harm})", lost=True)


def test_messages_sent_twice_are_journaled_once(start: Start) -> None:
    plant = start()
    context, ports = zmq.Context.instance(), plant.settings.tickerplant
    table, source = plant.settings.table_schema["trades"], "raw"
    plant.sources.add(source)
    records, first = [], 1
    while first < BAR_EVERY:
        count = min(plant.chance.randint(1, 20), BAR_EVERY - first)
        columns = columns_of(table, {**trades(source, first, count), "source": [source] * count})
        first += count
        records.append(encode(table, columns, source_id_of(source), first - 1))
    for session in range(5):
        with context.socket(zmq.DEALER) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(plant.settings.address(ports.ingest_port))
            socket.send_multipart([b"hello", msgpack.packb({"source": source, "session": session})])
            assert _answer(socket)[0] == b"welcome"
            at = 0
            while at < len(records):  # every message is some records, from somewhere before the last one sent
                ahead = at + plant.chance.randint(1, 3)  # and some would leave a hole
                socket.send_multipart([b"upd", b"".join(records[ahead : ahead + 2])])
                begin = max(at - plant.chance.randint(0, 10), 0)
                at = min(begin + plant.chance.randint(1, 15), len(records))
                for _ in range(plant.chance.randint(1, 3)):
                    socket.send_multipart([b"upd", b"".join(records[begin:at])])
                    plant.faults += 1
            for late in plant.chance.sample(records, 20):
                socket.send_multipart([b"upd", late])
            while (answer := _answer(socket))[0] != b"ack" or ack_of(answer[1])[0] < BAR_EVERY - 1:
                assert answer[0] in (b"ack", b"again"), answer
    (plant.folder / f"{source}.0.acknowledged").write_text(f"{BAR_EVERY - 1}\n")
    plant.verdict("sending the same messages again")


def test_publishers_that_take_over_a_name_leave_no_hole_and_no_double(start: Start) -> None:
    plant = start()
    feeds = [plant.feed("one", 5_000)]
    for _ in range(5):
        plant.reach(300)
        feeds.append(plant.feed("one", 5_000))
        plant.mortal = {feeds[-2]}
        plant.until(lambda: plant.processes[feeds[-2]].poll() is not None, "the older publisher was not told")
        assert "SourceTaken: a newer publisher" in plant.log(feeds[-2])
        plant.processes.pop(feeds[-2]).close()
        plant.faults += 1
    plant.reach(300)
    plant.verdict("taking over a name")


def _started_on(disk: SmallDisk, start: Start) -> FaultyPlant:
    """Start a plant whose data are on a small disk, in small segments."""
    return start(segment_mb=1, toml=f"data = '{disk.folder / 'data'}'")


def _answer(socket: Any) -> tuple[bytes, bytes]:
    assert socket.poll(10_000), "no answer"
    verb, body = socket.recv_multipart()
    return verb, body


def _last_record(segment: bytes) -> bytes:
    """Return the last record of a segment."""
    at = len(segment)
    while (at := segment.rfind(MAGIC, 0, at)) >= 0:
        with contextlib.suppress(WireError):  # four bytes of a payload, or a record that the kill cut short
            header = header_at(segment, at)
            if (end := at + HEADER_BYTES + header.length) <= len(segment):
                return segment[at:end]
    raise AssertionError("no record in the segment")


def _next_of(record: bytes, flags: int) -> bytes:
    """Return the record as if it were the next of its table and source, with these flags, checksums renewed."""
    header = header_at(record, 0)
    copy = bytearray(record)
    copy[5] = flags
    number(copy, header.source_seq + header.rows)
    stamp(copy, 0, header.seq + 1, header.table_seq + 1, header.received)
    return bytes(copy)
