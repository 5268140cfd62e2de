"""Streams of a running service: whoever is cut off, slow or no longer welcome, holds the journal's rows, or is told."""

import asyncio
import contextlib
import json
import random
import runpy
import shutil
import socket as net
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import service_plant
from chance import FEW, SEED, times
from service_plant import ServicePlant
from stream_client import Holding, closing_of, follow, opened, say, told
from websockets.exceptions import WebSocketException

EXAMPLES = Path(__file__).parents[2] / "examples"

BARS = ("sym", "interval", "time")
START = 1_763_650_000_000_000_000

API = "queue_rows = 2000\nconnections = 300\nread_per_s = 10000\ntrade_per_s = 10000\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlant]:
    with service_plant.started(tmp_path_factory.mktemp("service") / "plant", api=API) as plant:
        yield plant


class Feed:
    """Publishes trades and revisions of bars in batches of any size, from a thread, until stopped."""

    def __init__(self, plant: ServicePlant, name: str, seed: int, pause_s: float = 0.002, sym: str = "A") -> None:
        self._feed = plant.publisher(name)
        self._chance, self._pause_s = random.Random(seed), pause_s
        self._name, self._sym, self._count = name, sym, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        chance = self._chance
        while not self._stop.wait(self._pause_s * chance.random()):
            if chance.random() < 0.3:
                at = START + chance.randrange(5) * 60 * 10**9
                price = chance.randint(100, 200) / 4
                prices = dict.fromkeys(("open", "high", "low", "close"), price)
                row = {"time": at, "sym": chance.choice("AB"), "interval": "1m", **prices, "volume": 1.0}
                self._feed.publish("bars", {**row, "source": self._name})
            else:
                rows = chance.choice((1, 1, 1, 7, 100))
                ids = [f"{self._name}-{self._count + i}" for i in range(rows)]
                at = [START + self._count + i for i in range(rows)]
                self._count += rows
                columns = {"time": at, "sym": [self._sym] * rows, "price": [1.5] * rows, "size": [1.0] * rows}
                self._feed.publish("trades", {**columns, "source": [self._name] * rows, "trade_id": ids})

    def stop(self) -> int:
        """Stop; return the seq of the last row."""
        self._stop.set()
        self._thread.join()
        seq = self._feed.flush()
        self._feed.close()
        return seq


def journal_of(plant: ServicePlant, name: str) -> tuple[list[str], dict[Any, tuple[Any, ...]]]:
    """Return what the journal has of a feed: ids of trades in order, and newest prices of its bars."""
    trades, bars = [], {}
    for batch in plant.journal("trades", "bars"):
        for row in batch.rows():
            if row["source"] != name:
                continue
            if batch.table == "trades":
                trades.append(row["trade_id"])
            else:
                bars[row["sym"], row["interval"], row["time"]] = row["close"]
    return trades, bars


@times("cuts", 1000, timeout_s=1800)
def test_a_client_cut_off_at_random_holds_the_rows_of_the_journal(service: ServicePlant, cuts: int) -> None:
    print("seed", SEED)
    chance = random.Random(SEED)
    name = f"cut-{cuts}"
    trades = Holding({"channel": "trades", "sym": ["A"], "last": 50_000})
    bars = Holding({"channel": "bars", "sym": ["A", "B"], "interval": "1m"}, BARS)
    quotes = Holding({"channel": "quotes", "last": 0})
    feed = Feed(
        service, name, SEED, pause_s=0.02 if cuts > FEW else 0.002
    )  # what it holds grows with the time it takes

    async def be_cut() -> None:
        try:
            for _ in range(cuts):
                last = chance.choice((0, 1, 3, 5, 8, 30))
                await follow(service.url, [trades, bars, quotes], lambda count: count >= last)  # noqa: B023
        finally:
            seq = feed.stop()
        await follow(service.url, [trades, bars, quotes], lambda _: (quotes.complete or 0) >= seq)

    asyncio.run(be_cut())
    ids, prices = journal_of(service, name)
    assert [row["trade_id"] for row in trades.rows if row["source"] == name] == ids
    held = {key: row["close"] for key, row in bars.by_key.items() if row["source"] == name}
    assert {(sym, interval, ns_of(at)): close for (sym, interval, at), close in held.items()} == prices
    assert (trades.snapshots, bars.snapshots) == (1, 1), "a resume that was not proved"


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_client_outlives_the_processes_and_holds_the_rows_of_the_journal(service: ServicePlant) -> None:
    print("seed", SEED)
    chance, name = random.Random(SEED), "outliving"
    trades = Holding({"channel": "trades", "sym": ["OUT"], "last": 50_000})
    bars = Holding({"channel": "bars", "sym": ["A", "B"], "interval": "1m"}, BARS)
    feed = Feed(service, name, SEED, pause_s=0.05, sym="OUT")
    last: list[int] = []

    def kill_some() -> None:
        for _ in range(12):
            time.sleep(chance.random())
            service.restart(chance.choice(("api", "api", "tickerplant", "rdb")))
        last.append(feed.stop())

    async def follow_on() -> None:
        killing = asyncio.create_task(asyncio.to_thread(kill_some))

        def done(_: int) -> bool:
            return bool(last) and min(trades.complete or 0, bars.complete or 0) >= last[0]

        while not done(0):
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                await follow(service.url, [trades, bars], done)
            await asyncio.sleep(0.1)
        await killing

    asyncio.run(follow_on())
    ids, prices = journal_of(service, name)
    assert [row["trade_id"] for row in trades.rows if row["source"] == name] == ids
    held = {key: row["close"] for key, row in bars.by_key.items() if row["source"] == name}
    assert {(sym, interval, ns_of(at)): close for (sym, interval, at), close in held.items()} == prices
    # A service that began behind the tickerplant's last start knows nothing of the epoch before: it gives a snapshot.
    print(f"{len(ids)} trades, {len(prices)} bars, {trades.snapshots} and {bars.snapshots} snapshots")


def ns_of(text: str) -> int:
    whole, _, part = text.rstrip("Z").partition(".")
    return int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone) * 10**9 + int(
        (part or "0").ljust(9, "0")
    )


def test_a_slow_client_slows_no_other_and_gets_every_row(service: ServicePlant) -> None:
    rows, batch = 20_000, 500  # 10 MB: more than the buffers of the system hold between service and client

    async def run() -> None:
        slow, quick = (Holding({"channel": "trades", "sym": ["SLOW"], "last": 0}) for _ in range(2))
        small = net.socket()
        small.setsockopt(net.SOL_SOCKET, net.SO_RCVBUF, 2**16)
        small.setblocking(False)
        api = service.settings.api
        await asyncio.get_running_loop().sock_connect(small, (api.host, api.port))
        lazy = await opened(service.url, sock=small)
        await told(lazy, "hello")
        await say(lazy, **slow.subscribe())
        slow.take(await told(lazy, "snapshot"))
        lazy.transport.pause_reading()
        reading = asyncio.create_task(follow(service.url, [quick], lambda _: len(quick.rows) >= rows))
        while quick.complete is None:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(publish)
        await asyncio.wait_for(reading, 100)
        assert [row["trade_id"] for row in quick.rows] == [str(i) for i in range(rows)]
        lazy.transport.resume_reading()
        while len(slow.rows) < rows:
            message = await told(lazy)
            if message["type"] in ("update", "lagged"):
                slow.take(message)
        assert [row["trade_id"] for row in slow.rows] == [str(i) for i in range(rows)]
        assert slow.lagged > 0
        assert slow.snapshots == 1
        lazy.transport.abort()

    def publish() -> None:
        with service.publisher("slow") as feed:
            for first in range(0, rows, batch):
                ids = [str(i) for i in range(first, first + batch)]
                columns = {"time": [START] * batch, "sym": ["SLOW"] * batch, "price": [1.0] * batch}
                feed.publish(
                    "trades", {**columns, "size": [1.0] * batch, "trade_id": ids, "conditions": ["x" * 400] * batch}
                )
            feed.flush()

    asyncio.run(run())


def test_two_hundred_clients_cost_the_plant_one_subscriber(service: ServicePlant) -> None:
    before = set(service.position()["readers"])

    async def run() -> None:
        sockets = await asyncio.gather(*(opened(service.url) for _ in range(200)))
        for socket in sockets:
            await say(socket, op="subscribe", channel="trades", sym=["MANY"], last=0)
        await asyncio.gather(*(told(socket, "snapshot") for socket in sockets))
        with service.publisher("many") as feed:
            feed.publish("trades", {"time": START, "sym": "MANY", "price": 7.0, "size": 1.0})
            seq = feed.flush()
        found = await asyncio.gather(*(told(socket, "update") for socket in sockets))
        assert {message["seq"] for message in found} == {seq}
        assert {message["rows"][0]["price"] for message in found} == {7.0}
        await asyncio.sleep(1.2)  # subscribers report each second
        assert set(service.position()["readers"]) <= before
        await asyncio.gather(*(socket.close() for socket in sockets))

    asyncio.run(run())


def test_a_revoked_key_closes_its_sockets_within_a_second(service: ServicePlant) -> None:
    made = service.send("POST", "/api/v1/keys", {"name": "short", "role": "read"}, "admin")
    assert made.status_code == 201, made.text
    key = made.json()

    async def run() -> None:
        headers = {"Authorization": f"Bearer {key['key']}"}
        sockets = [await opened(service.url, additional_headers=headers) for _ in range(3)]
        for socket in sockets:
            assert (await told(socket, "hello"))["role"] == "read"
        gone = await asyncio.to_thread(service.send, "DELETE", f"/api/v1/keys/{key['id']}", None, "admin")
        assert gone.status_code == 200
        began = time.monotonic()
        for socket in sockets:
            assert await closing_of(socket) == 1008
        assert time.monotonic() - began < 1.0

    asyncio.run(run())


def test_events_go_on_behind_the_last_id(service: ServicePlant) -> None:
    def some(count: int, **headers: str) -> tuple[list[str], str]:
        found, last = [], ""
        with service.client.stream(
            "GET", "/api/v1/events", params={"channel": "trades", "sym": "SSE"}, headers=headers
        ) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    last = line[4:]
                if line.startswith("data: "):
                    message = json.loads(line[6:])
                    assert "seq" not in message or message["type"] == "hello" or str(message["seq"]) == last
                    assert not (headers and message["type"] == "snapshot")
                    found += [row["trade_id"] for row in message.get("rows", [])]
                if len(found) >= count:
                    return found, last
        raise AssertionError("the stream ended")

    with service.publisher("sse") as feed:
        for i in range(12):
            feed.publish("trades", {"time": START, "sym": "SSE", "price": 1.0, "size": 1.0, "trade_id": str(i)})
            feed.flush()
            if i == 3:
                first, last = some(4)
    again, _ = some(8, **{"Last-Event-ID": last})
    assert first + again == [str(i) for i in range(12)]


def test_what_cannot_be_meant_is_said(service: ServicePlant) -> None:
    wrong = {
        '{"op":"subscribe","channel":"tradse"}': ("unknown_channel", "did you mean 'trades'?"),
        '{"op":"subscribe","channel":"table","table":"baars"}': ("unknown_table", "did you mean 'bars'?"),
        '{"op":"subscribe","channel":"table","table":"api_keys"}': ("forbidden", "role admin"),
        '{"op":"subscribe","channel":"last","table":"audit"}': ("forbidden", "role admin"),
        '{"op":"subscribe","channel":"bars","intervall":"1m"}': ("invalid", "did you mean 'interval'?"),
        '{"op":"subscribe","channel":"bars","interval":"60"}': ("invalid", '"60s"'),
        '{"op":"subscribe","channel":"bars","last":-1}': ("invalid", "last"),
        '{"op":"subscribe","channel":"trades","after":"7"}': ("invalid", "after"),
        '{"op":"unsubscribe","sub":99}': ("invalid", "no subscription 99"),
        '{"op":"dance"}': ("invalid", "ops are subscribe"),
        "[1]": ("malformed", "JSON object"),
        "not json": ("malformed", "JSON object"),
    }

    async def run() -> None:
        async with opened(service.url) as socket:
            for message, (code, part) in wrong.items():
                await socket.send(message)
                found = await told(socket, "error")
                assert found["code"] == code, message
                assert part in found["detail"], message
            await say(socket, op="ping", id="here")
            assert await told(socket, "pong") == {"type": "pong", "id": "here"}

    asyncio.run(run())


def test_the_streams_of_other_systems_are_spoken(service: ServicePlant) -> None:
    at = time.time_ns() // 60_000_000_000 * 60_000_000_000

    def bar(close: float) -> dict[str, Any]:
        return {"time": at, "sym": "X/Y", "interval": "1m", "open": 1.0, "high": 9.0, "low": 1.0, "close": close,
                "volume": 1.0, "source": "x"}  # fmt: skip

    async def run() -> None:
        charts = await opened(service.url, "/ws/chart-updates")
        assert [await charts.recv() for _ in range(3)] == ["chart:2M", "chart:5M", "chart:15M"]
        candles = await opened(service.url, "/ws/ohlcv?symbol=X/Y&timeframe=1m&strategy=s")
        assert (await told(candles))["type"] == "connection"
        assert (await told(candles))["updateType"] == "full"
        prices = await opened(service.url, "/api/v1/market-data/ws/X/Y")
        runs = await opened(service.url, "/api/v1/runs/r1/stream")
        with service.publisher("others") as feed:
            feed.publish("bars", bar(2.0))
            row = {"time": at, "sym": "s", "run": "r1", "state": "running", "bars": 5, "progress": 0.5}
            feed.publish("runs", row)
            feed.flush()
            full = await told(candles, "ohlcv")
            assert (full["updateType"], full["data"][0]["close"]) == ("full", 2.0)
            assert (await told(candles, "strategy-update"))["data"]["run"] == "r1"
            feed.publish("bars", bar(3.0))
            feed.flush()
            assert (await told(candles, "ohlcv"))["updateType"] == "incremental"
        while (found := await told(prices))["price"] != 3.0:
            assert found["ut_position"] == "FLAT"
        found = await told(runs)
        assert (found["current_index"], found["total"], found["state"]) == (5, 10, "running")
        assert await charts.recv() == "chart:1M"
        cued = service.send("POST", "/api/v1/charts/trigger", {"timeframes": ["5m", "zones"]})
        assert cued.json()["clients"] >= 1
        assert {await charts.recv() for _ in range(2)} == {"chart:5M", "chart:zones"}
        for socket in (charts, candles, prices, runs):
            await socket.close()

    asyncio.run(run())


def test_the_examples_follow_the_plant(service: ServicePlant, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"{service.url.replace('http', 'ws', 1)}/api/v1/ws"
    with service.publisher("examples") as feed:
        feed.publish("trades", {"time": START, "sym": "EX", "price": 3.25, "size": 4.0})
        feed.flush()
    runpy.run_path(str(EXAMPLES / "my_stream.py"))["main"](url, "EX", 1)
    assert "3.25 4.0" in capsys.readouterr().out


def test_the_example_in_javascript_follows_bars(service: ServicePlant) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node: apt-get install nodejs")
    flag = ["--experimental-websocket"]
    asked = subprocess.run([node, *flag, "-e", "WebSocket"], capture_output=True, timeout=30, check=False)
    if asked.returncode != 0:
        flag = []
    if subprocess.run([node, *flag, "-e", "WebSocket"], capture_output=True, timeout=30, check=False).returncode != 0:
        pytest.skip("this node has no WebSocket: version 20.10 or later has")
    url = f"{service.url.replace('http', 'ws', 1)}/api/v1/ws"
    command = [node, *flag, str(EXAMPLES / "my_stream.js"), url, "JS", "1m"]
    row = {"time": START, "sym": "JS", "interval": "1m", "open": 1.0, "high": 9.0, "low": 1.0, "volume": 1.0}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client, service.publisher("js") as feed:
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == "null\n"  # a snapshot without a bar
            for close in (2.0, 3.0):
                feed.publish("bars", {**row, "close": close, "source": "x"})
                feed.flush()
                assert json.loads(client.stdout.readline())["close"] == close
        finally:
            client.kill()
