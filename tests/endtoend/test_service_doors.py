"""Who is let in, and how streams end: keys made by the command, TLS, codes of closing, what cannot be resumed."""

import asyncio
import json
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import service_plant
from service_plant import ServicePlant
from stream_client import Holding, closed_with, closing_of, follow, opened, say, told
from typer.testing import CliRunner

from api.command import app
from api.streams.client import STALLED_S
from api.streams.hub import Hub
from plant.rows.tables import schema_of

pytestmark = pytest.mark.timeout(360)

START = 1_763_650_000_000_000_000
CONNECTIONS, REPLAYED = 5, 300
API = f"connections = {CONNECTIONS}\nreplay_rows = {REPLAYED}\nread_per_s = 10000\ntrade_per_s = 10000\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlant]:
    with service_plant.started(tmp_path_factory.mktemp("service") / "plant", api=API) as plant:
        yield plant


def trades(service: ServicePlant, sym: str, first: int, count: int) -> int:
    """Publish trades with ids that count up, in one record; return its seq."""
    ids = range(first, first + count)
    told = {"time": [START + i for i in ids], "sym": [sym] * count, "price": [1.0] * count, "size": [1.0] * count}
    with service.publisher(f"{sym}-{first}") as feed:
        feed.publish("trades", {**told, "trade_id": [str(i) for i in ids]})
        seq = feed.flush()
    service.until(lambda: service.ask().status()["seq"] >= seq, "the trades in the rdb")
    return seq


def followed(service: ServicePlant, holding: Holding, seq: int) -> list[str]:
    """Follow until all up to a seq has come; return the ids of the trades."""
    asyncio.run(follow(service.url, [holding], lambda _: (holding.complete or 0) >= seq))
    return [row["trade_id"] for row in holding.rows]


def command(service: ServicePlant, *words: str) -> str:
    """Return what `plant key` prints."""
    result = CliRunner().invoke(app, ["key", *words, "--config", str(service.config)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_stream_is_closed_with_a_code_that_says_why_and_a_failed_login_is_in_the_audit(service: ServicePlant) -> None:
    def newest() -> tuple[Any, ...]:
        row = service.get("/api/v1/tables/audit", "admin", last=1).json()["rows"][0]
        return row["sym"], row["method"], row["route"], row["status"], row["address"]

    secret = "x" * 43

    async def run() -> None:
        wrong = {"Authorization": f"Bearer tp_stranger_{secret}"}
        assert await closed_with(service.url, additional_headers=wrong) == 1008
        assert newest() == ("stranger", "GET", "/api/v1/ws", 401, "127.0.0.1")
        assert await closed_with(service.url, {"op": "auth", "key": f"tp_late_{secret}"}) == 1008
        assert newest() == ("late", "GET", "/api/v1/ws", 401, "127.0.0.1")
        assert await closed_with(service.url, path="/api/v1/ws?ticket=made-up") == 4401
        assert newest()[:4] == ("anonymous", "GET", "/api/v1/ws", 401)
        evil = {"Origin": "http://evil.example"}
        assert await closed_with(service.url, path="/api/v1/market-data/ws/X/Y", additional_headers=evil) == 1008
        assert newest()[2:4] == ("/api/v1/market-data/ws/{symbol:path}", 403)
        assert await closed_with(service.url, "x" * 70_000) == 1009

    asyncio.run(run())
    wrong = {"Authorization": f"Bearer tp_events_{secret}"}
    assert service.client.get("/api/v1/events", params={"channel": "trades"}, headers=wrong).status_code == 401
    assert newest()[:4] == ("events", "GET", "/api/v1/events", 401)
    assert secret not in service.get("/api/v1/tables/audit", "admin").text


def test_a_key_of_the_command_opens_the_door_until_it_is_revoked(service: ServicePlant) -> None:
    key = command(service, "create", "a desk", "--role", "read", "--expires", "2099-01-01").strip()
    name = key.split("_")[1]
    headers = {"Authorization": f"Bearer {key}"}

    def status() -> int:
        return service.client.get("/api/v1/tables", headers=headers).status_code

    service.until(lambda: status() == 200, "the key")
    assert service.client.post("/api/v1/charts/trigger", json={}, headers=headers).status_code == 403
    listed = {row["id"]: row for row in json.loads(command(service, "list", "--json"))}
    assert (listed[name]["name"], listed[name]["role"], listed[name]["state"]) == ("a desk", "read", "usable")
    told = command(service, "list") + command(service, "list", "--json")
    assert key[-43:] not in told
    assert "hash" not in told
    assert f"key {name} of a desk is revoked" in " ".join(command(service, "revoke", name).split())
    service.until(lambda: status() == 401, "the revocation")
    assert "was revoked before" in command(service, "revoke", name)
    made = json.loads(command(service, "create", "machine", "--role", "admin", "--json"))
    assert (made["role"], made["key"].split("_")[1]) == ("admin", made["id"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "x", "--role", "king"), "--role is one of read, trade, admin, found 'king'"),
        (("create", " ", "--role", "read"), "a key needs a name"),
        (("create", "x", "--role", "read", "--expires", "2001-01-01"), "must be in the future"),
        (("revoke", "nobody"), "there is no key 'nobody'"),
    ],
)
def test_what_the_command_cannot_do_it_says(service: ServicePlant, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(Exception, match=said):
        command(service, *words)


def test_an_interval_that_nobody_keeps_is_refused_and_one_that_a_feed_sends_is_not(service: ServicePlant) -> None:
    row = {"time": START, "sym": "OWN", "interval": "7m", **dict.fromkeys(("open", "high", "low", "close"), 1.0)}
    with service.publisher("own") as feed:
        feed.publish("bars", {**row, "volume": 1.0, "source": "own"})
        seq = feed.flush()
    service.until(lambda: service.ask().status()["seq"] >= seq, "the bar in the rdb")

    async def run() -> None:
        async with opened(service.url) as socket:
            await say(socket, op="subscribe", channel="bars", sym="OWN", interval="3m", last=0)
            found = await told(socket, "error")
            assert found["code"] == "invalid"
            assert "no bars of 3m" in found["detail"]
            assert "GET bars makes them when it is asked" in found["detail"]
            for sym, interval, rows in (("OWN", "7m", 1), ("OWN", "1m", 0), ("NEW", "3m", 0)):  # some may be to come
                await say(socket, op="subscribe", channel="bars", sym=sym, interval=interval)
                assert len((await told(socket, "snapshot"))["rows"]) == rows

    asyncio.run(run())


def test_more_connections_than_allowed_are_closed_with_a_code(service: ServicePlant) -> None:
    async def run() -> None:
        held = [await opened(service.url) for _ in range(CONNECTIONS)]
        for socket in held:
            await told(socket, "hello")
        assert await closed_with(service.url) == 4429
        headers = service.headers("read")
        async with opened(service.url, additional_headers=headers) as other:  # who has a key is counted by himself
            assert (await told(other, "hello"))["role"] == "read"
        await held.pop().close()
        async with asyncio.timeout(10):
            while await closing_code_soon(service) == 4429:
                await asyncio.sleep(0.05)
        for socket in held:
            await socket.close()

    asyncio.run(run())


async def closing_code_soon(service: ServicePlant) -> int | None:
    """Return the code by which a new connection is closed, None if it says hello instead."""
    async with opened(service.url) as socket:
        try:
            await told(socket, "hello")
        except Exception:
            return await closing_of(socket)
    return None


def test_a_client_that_takes_nothing_is_closed_with_a_code() -> None:
    """The hub by itself: half a minute of waiting is a number there."""

    async def run() -> None:
        settings = SimpleNamespace(queue_rows=10, subscriptions=5, replay_rows=5)
        hub = Hub("p", settings, schema_of(), None, None)  # type: ignore[arg-type]  # nothing is read here
        stuck, taking = (hub.connect(SimpleNamespace(role="read", keyed=False)) for _ in range(2))
        now = asyncio.get_running_loop().time()
        aborted: list[bool] = []
        stuck.abort = lambda: aborted.append(True)
        stuck.sending_since, taking.sending_since = now - STALLED_S - 1, now - STALLED_S + 5
        hub._tick()
        assert (await asyncio.wait_for(stuck.ended(), 1)).code == 1013
        assert aborted == [True], "what it was in the middle of is given up"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(taking.ended(), 0.05)

    asyncio.run(run())


def test_more_than_replay_rows_is_told_anew_and_less_goes_on(service: ServicePlant) -> None:
    holding = Holding({"channel": "trades", "sym": ["R"], "last": 1000})
    assert followed(service, holding, trades(service, "R", 0, 3)) == ["0", "1", "2"]
    assert len(followed(service, holding, trades(service, "R", 3, 50))) == 53
    assert holding.snapshots == 1, "it went on"
    found = followed(service, holding, trades(service, "R", 53, REPLAYED + 1))
    assert found == [str(i) for i in range(54 + REPLAYED)]
    assert holding.snapshots == 2, "it began anew, with all of it"


def test_a_journal_that_was_damaged_meanwhile_is_told_anew(service: ServicePlant) -> None:
    holding = Holding({"channel": "trades", "sym": ["D"], "last": 1000})
    followed(service, holding, trades(service, "D", 0, 2))
    journal = sorted((service.folder / "data").rglob("*.journal"))[-1]
    size = journal.stat().st_size
    seq = trades(service, "D", 2, 6)
    assert journal.stat().st_size > size
    with journal.open("r+b") as file:
        file.seek(size + 40)
        file.write(b"\xff" * 200)
    found = followed(service, holding, seq)
    assert found == [str(i) for i in range(8)], "the rdb has them all"
    assert holding.snapshots == 2, "what the journal cannot prove is no resume"


@pytest.mark.soak
def test_a_change_that_was_not_acknowledged_is_made_once_when_it_is_repeated(service: ServicePlant) -> None:
    body, key = {"name": "slow", "role": "read"}, {"Idempotency-Key": "slow-1"}
    cue = {"timeframes": ["2m"]}
    service.until(lambda: service.send("POST", "/api/v1/charts/trigger", cue, "admin").status_code == 200, "it writes")
    service.kill("tickerplant", signal.SIGSTOP)
    try:
        first = service.send("POST", "/api/v1/keys", body, "admin", key)
        assert (first.status_code, first.json()["code"]) == (504, "not_acknowledged")
    finally:
        service.kill("tickerplant", signal.SIGCONT)
    again = service.send("POST", "/api/v1/keys", body, "admin", key)
    assert again.status_code == 201
    made = again.json()
    service.until(
        lambda: (
            service.client.get("/api/v1/tables", headers={"Authorization": f"Bearer {made['key']}"}).status_code == 200
        ),
        "the key that was told",
    )
    told = service.get("/api/v1/keys", "admin").json()["keys"]
    assert [each["id"] for each in told if each["name"] == "slow"] == [made["id"]]


def test_a_host_open_to_others_is_refused_at_the_start(service: ServicePlant) -> None:
    environment = {**service.environment, "PLANT_API__HOST": "0.0.0.0", "PLANT_API__PORT": "0"}
    ended = subprocess.run(
        [sys.executable, "-m", "api"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 78
    assert 'auth = "keys"' in ended.stderr


def test_a_service_whose_plant_is_away_closes_with_a_code(service: ServicePlant) -> None:
    service.kill("tickerplant")
    service.restart("api")
    try:
        assert asyncio.run(closed_with(service.url)) == 1013
    finally:
        service.start("tickerplant")
    service.until(lambda: service.get("/api/v1/tables", "read").status_code == 200, "the plant is back")


def test_tls_is_spoken_and_nothing_else(service: ServicePlant, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(key),
         "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    service.more = {"PLANT_API__TLS_CERT": str(certificate), "PLANT_API__TLS_KEY": str(key)}
    url = service.url.replace("http", "https", 1)
    service.restart("api")
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def stream() -> Any:
        async with opened(url, ssl=trusting) as socket:
            await say(socket, op="ping")
            return await told(socket, "pong")

    try:
        with httpx.Client(base_url=url, verify=trusting, trust_env=False, timeout=10) as client:
            service.until(lambda: client.get("/health").json()["status"] != "down", "health over TLS")
            headers = service.headers("read")
            service.until(lambda: client.get("/api/v1/tables", headers=headers).status_code == 200, "a key over TLS")
        assert asyncio.run(stream()) == {"type": "pong"}
        with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as stranger:
            stranger.get(f"{url}/health")
        with pytest.raises(httpx.TransportError):
            service.get("/health")
        service.more["PLANT_API__TLS_CERT"] = str(key)
        environment = {**service.environment, "PLANT_API__PORT": "0"}
        words = [sys.executable, "-m", "api"]
        ended = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 78
        assert "tls_cert, tls_key" in ended.stderr
    finally:
        service.more = {}
        service.restart("api")
