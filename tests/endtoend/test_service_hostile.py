"""What somebody who means ill sends to the service: it refuses, goes on, and tells nothing that it should not."""

import concurrent.futures
import http.client
import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import service_plant
from chance import SOAK
from service_plant import ServicePlant

CONNECTIONS = 10_000 if SOAK else 600


POST = b"POST /api/v1/sql HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlant]:
    with service_plant.started(tmp_path_factory.mktemp("service") / "plant", "hdb") as plant:
        yield plant


@pytest.fixture(autouse=True)
def _goes_on(service: ServicePlant) -> Iterator[None]:
    """After each of them it answers as before."""
    yield
    assert service.get("/api/v1/trades", "read", sym="AAPL").status_code == 200
    assert service.processes["api"].poll() is None
    assert "request failed" not in service.log("api")


def raw(service: ServicePlant, sent: bytes, wait_s: float = 5.0) -> bytes:
    """Send bytes, and return what comes back until the other side closes, or is silent for a while."""
    place = urlsplit(service.url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=wait_s) as connection:
        connection.sendall(sent)
        found = b""
        try:
            while part := connection.recv(65536):
                found += part
                if b"\r\n\r\n" in found and b"Connection: close" not in sent:
                    break
        except TimeoutError:
            pass
        return found


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/api/v1/tables/..%2f..%2fetc%2fpasswd",
        "/api/v1/docs/../../../plant.toml",
        "/api/v1/docs.js/..%2f..%2fplant.toml",
        "/errors/%2e%2e%2f%2e%2e%2fplant.toml",
        "/api/v1/keys/%00",
        "//evil.example/api/v1/tables",
        "/api/v1/tables/" + "x" * 5_000,
    ],
)
def test_no_path_leads_out(service: ServicePlant, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    answer = raw(service, request)
    assert answer.split()[1] in (b"404", b"405", b"401", b"400"), answer[:300]
    assert b"root:" not in answer
    assert b"[tickerplant]" not in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
    ],
    ids=["zeros", "TLS", "version", "headers", "length", "smuggling", "no host"],
)
def test_what_is_no_request_is_refused(service: ServicePlant, sent: bytes) -> None:
    answer = raw(service, sent, 3.0)
    assert not answer or answer.split()[1] in (b"400", b"403", b"415", b"431"), answer[:300]


def test_a_host_or_page_that_is_not_ours_is_refused(service: ServicePlant) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "2130706433", ""):
        answer = service.client.get("/health", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused"), host
    change = {"timeframes": ["2m"]}
    for origin in ("http://evil.example", "null", "https://127.0.0.1.evil.example", f"{service.url}.evil.example"):
        answer = service.send("POST", "/api/v1/charts/trigger", change, "", {"Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused"), origin
        assert "Access-Control-Allow-Origin" not in answer.headers
        preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        asked = service.client.options("/api/v1/charts/trigger", headers=preflight)
        assert asked.status_code == 405
        assert "Access-Control-Allow-Origin" not in asked.headers
    own = service.send("POST", "/api/v1/charts/trigger", change, "", {"Origin": service.url})
    assert own.status_code == 200


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_change_that_a_form_of_another_page_could_send_is_refused(service: ServicePlant, media: str) -> None:
    body = b'{"timeframes":["2m"]}'
    headers = {"Content-Type": media} if media else {}
    answer = service.client.post("/api/v1/charts/trigger", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_every_answer_has_the_headers_that_keep_a_browser_safe(service: ServicePlant) -> None:
    for path in ("/health", "/api/v1/docs", "/api/v1/tables", "/nix"):
        headers = service.get(path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "server" not in headers


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"timeframes": ["2m"]}x', 400),
        (b"\xff\xfe", 400),
        (b'{"timeframes": "2m"}', 422),
        (b'{"timeframes": [2]}', 422),
        (b'{"timeframes": ["2m"], "more": 1}', 422),
        (b'{"timeframes": ["' + b"9" * 5_000 + b'm"]}', 422),
        (b"[]", 422),
        (b"null", 422),
        (b"[" * 5_000, 400),
        (b'{"timeframes": ["2m"], "sym": 1e999}', 422),
    ],
)
def test_bad_json_and_wrong_types_are_told_with_their_place(service: ServicePlant, body: bytes, status: int) -> None:
    answer = service.client.post(
        "/api/v1/charts/trigger", content=body, headers={"Content-Type": "application/json", **service.headers("trade")}
    )
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem["code"] == ("malformed" if status == 400 else "invalid")
    assert status == 400 or all(each["place"].startswith("$") for each in problem["errors"])
    assert "Traceback" not in answer.text
    assert len(answer.text) < 5_000


def test_a_huge_body_is_refused_before_it_is_read(service: ServicePlant) -> None:
    place = urlsplit(service.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    connection.putrequest("POST", "/api/v1/sql")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders(b'{"sql": "')
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large")
    connection.close()
    chunks = (b" " * 65536 for _ in range(64))
    told = service.client.post("/api/v1/sql", content=chunks, headers={"Content-Type": "application/json"})
    assert (told.status_code, told.json()["code"]) == (413, "too_large")


def test_a_body_that_is_a_little_too_large_is_answered_and_not_cut_off(service: ServicePlant) -> None:
    place = urlsplit(service.url)
    body = b'{"sql": "' + b" " * (2**20 + 200_000) + b'"}'
    for expected in (False, True):
        for _ in range(10):  # a connection that is reset loses the answer now and then
            connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
            headers = {"Content-Type": "application/json", **({"Expect": "100-continue"} if expected else {})}
            connection.request(
                "POST", "/api/v1/sql", None if expected else body, headers | {"Content-Length": str(len(body))}
            )
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["found"]) == (413, len(body))
            connection.close()


@pytest.mark.soak
def test_slow_bodies_and_silent_connections_are_not_waited_for(service: ServicePlant) -> None:
    place = urlsplit(service.url)
    address = (place.hostname or "", place.port or 0)
    silent = [socket.create_connection(address, timeout=30) for _ in range(20)]
    slow = socket.create_connection(address, timeout=30)
    slow.sendall(POST + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    began = time.monotonic()
    assert service.get("/health").status_code == 200, "nobody waits for them"
    assert slow.recv(65536).split()[1] == b"400"
    assert time.monotonic() - began < 20
    for connection in silent:
        assert connection.recv(10) == b"", "a connection that says nothing is closed"
        connection.close()
    slow.close()


def test_many_connections_are_refused_politely(service: ServicePlant) -> None:
    """Each is taken, or told that there are too many; those that were there first are served."""
    place = urlsplit(service.url)
    held: list[socket.socket] = []
    refused = failed = 0
    try:
        for _ in range(CONNECTIONS):
            try:
                connection = socket.create_connection((place.hostname or "", place.port or 0), timeout=5)
            except OSError:
                failed += 1
                continue
            connection.setblocking(False)
            held.append(connection)
            try:
                refused += connection.recv(100).startswith(b"HTTP/1.1 429")
            except BlockingIOError:
                pass
            except OSError:
                failed += 1
        assert failed < CONNECTIONS / 10
        if not SOAK:
            assert service.get("/health").status_code == 200
    finally:
        for connection in held:
            connection.close()
    print(f"{len(held):,} connections, {refused:,} refused")


def test_failed_logins_end_soon_and_at_once_for_many(service: ServicePlant) -> None:
    wrong = {"Authorization": f"Bearer tp_abc_{'x' * 43}"}

    def status(_: int) -> int:
        return service.client.get("/api/v1/tables", headers=wrong).status_code

    def refused() -> list[str]:
        rows = service.get("/api/v1/audit", "admin", last=100).json()["rows"]
        return [row["sym"] for row in rows if row["status"] == 401]

    earlier = len(refused())  # of the tests before, within the same minute
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(status, range(24)))
    assert earlier < 5
    assert sorted(statuses) == [401] * (5 - earlier) + [429] * (19 + earlier)
    assert refused().count("abc") == 5 - earlier


def test_neither_log_nor_answers_nor_rows_have_a_secret(service: ServicePlant) -> None:
    made = service.send("POST", "/api/v1/keys", {"name": "tp", "role": "read"}, "admin").json()["key"]
    service.client.get(f"/api/v1/tables?key={made}", headers={"Authorization": f"Bearer {made}"})
    service.send("POST", "/api/v1/charts/trigger", {"timeframes": [made]}, "trade")
    secrets = [made[-43:], *(key[-43:] for key in service.keys.values())]
    told = [service.log("api"), service.get("/metrics", "admin").text]
    for name in ("audit", "queries", "heartbeats"):
        told.append(service.get(f"/api/v1/tables/{name}", "admin", limit=50000).text)
    told += [service.get("/api/v1/keys", "admin").text]
    for secret in secrets:
        for text in told:
            assert secret[5:35] not in text
