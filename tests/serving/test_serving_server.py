"""A query server over real sockets: it answers whoever asks properly, whatever the others do."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pyarrow as pa
import pytest
import zmq
from malformed import refused
from plain_rows import NOON, bar, batch_of, tables_of, trade

from plant.client.connection import Connection
from plant.errors import PlantError, QueryLimit, SettingsError, Unavailable
from plant.query import answers, questions
from plant.query.limits import Limits
from plant.serving import server
from plant.serving.server import QueryServer, from_ipc, to_ipc
from plant.transport import sockets
from plant.transport.request import Requester

ENDLESS = "select count(*) from range(100000000000000) where range % 3 = 5"


def status() -> dict[str, Any]:
    return {"name": "rdb", "pid": os.getpid()}


@pytest.fixture
def serve() -> Iterator[Callable[..., QueryServer]]:
    made: list[QueryServer] = []

    def start(tables: Any = None, status: Any = status, **options: Any) -> QueryServer:
        made.append(QueryServer("tcp://127.0.0.1:*", tables or tables_of(trades=[[trade(NOON)]]), status, **options))
        return made[-1]

    yield start
    for one in made:
        one.close()
    assert not [t.name for t in threading.enumerate() if t.name.startswith(("queries", "query"))]


@pytest.fixture
def dealer() -> Iterator[Callable[..., zmq.Socket[Any]]]:
    made: list[zmq.Socket[Any]] = []

    def connect(address: str, kind: int = zmq.DEALER, **options: int) -> zmq.Socket[Any]:
        made.append(sockets.connect(sockets.context(), kind, address, **options))
        return made[-1]

    yield connect
    for socket in made:
        socket.close(0)


def ask(address: str, timeout_s: float = 10.0, **fields: Any) -> list[bytes]:
    requester = Requester(address, "rdb", timeout_s)
    try:
        return requester.ask(**fields)
    finally:
        requester.close()


def test_while_rows_are_missing_questions_about_them_wait_and_status_does_not(
    serve: Callable[..., QueryServer],
) -> None:
    missing = ["the rdb reads the journal, up to seq 3 of 9 now"]
    address = serve(missing=lambda: missing[0]).address
    db = Connection("rdb", address)
    assert db.status()["name"] == "rdb"
    with pytest.raises(
        Unavailable, match=r"within 0.2 s, since rows would be missing: the rdb reads .* up to seq 3 of 9"
    ):
        db.count("trades", timeout_s=0.2)
    ready = threading.Timer(0.3, lambda: missing.__setitem__(0, ""))
    ready.start()
    assert db.count("trades") == 1
    ready.join()
    db.close()


def test_it_binds_a_free_port_and_tells_it(serve: Callable[..., QueryServer]) -> None:
    first, second = serve(), serve()
    assert first.address != second.address
    assert first.address.startswith("tcp://127.0.0.1:")
    assert from_ipc(ask(first.address, ask="count", table="trades")[0]).to_pylist() == [{"count": 1}]


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:*", "tcp://*:*", "tcp://8.8.8.8:5006"])
def test_it_refuses_to_be_open_to_a_network(address: str) -> None:
    with pytest.raises(SettingsError, match="is not a loopback address"):
        QueryServer(address, {}, status)


def test_a_status_is_what_the_process_says_and_its_failure_is_an_error_of_that_question_only(
    serve: Callable[..., QueryServer],
) -> None:
    said = [dict[str, Any](seq=5)]
    address = serve(status=lambda: said.pop()).address
    assert msgpack.unpackb(ask(address, ask="status")[0]) == {"seq": 5}
    with pytest.raises(PlantError, match="IndexError: pop from empty list"):
        ask(address, ask="status")
    assert ask(address, ask="tables")


def test_rows_that_come_later_are_in_later_answers(serve: Callable[..., QueryServer]) -> None:
    tables = tables_of()
    address = serve(tables).address
    for n in range(5):
        assert from_ipc(ask(address, ask="count", table="bars")[0]).to_pylist() == [{"count": n}]
        tables["bars"].append(batch_of("bars", [bar(n)], n))


def test_a_req_socket_is_answered_too(serve: Callable[..., QueryServer], dealer: Any) -> None:
    req = dealer(serve().address, zmq.REQ)
    for body, expected in ((msgpack.packb({"ask": "status"}), b"ok"), (b"junk", b"error")):
        req.send_multipart([b"7", body])
        assert req.poll(5000)
        found, kind, _ = req.recv_multipart()
        assert (found, kind) == (b"7", expected)
    req.send(b"one frame")
    assert req.poll(5000)
    assert req.recv_multipart()[1] == b"error"


def test_quick_questions_that_wait_for_one_another_are_answered_without_a_pause(
    serve: Callable[..., QueryServer], dealer: Any
) -> None:
    socket = dealer(serve().address)
    begun = time.monotonic()
    for i in range(40):
        socket.send_multipart([bytes([i]), msgpack.packb({"ask": "last", "table": "trades"})])
    for i in range(40):
        assert socket.poll(5_000), f"no answer to question {i} of 40"
        assert socket.recv_multipart()[:2] == [bytes([i]), b"ok"]
    assert time.monotonic() - begun < 2.0


def test_random_bytes_and_wrong_frames_leave_it_answering(serve: Callable[..., QueryServer], dealer: Any) -> None:
    address = serve().address
    junk, random_bytes = dealer(address), random.Random(7)
    wrong: list[dict[str, Any]] = [
        {"ask": "select", "table": "trades", "where": 5},
        {"ask": "select", "table": ["trades"], "x": 1},
        {"ask": "resample", "table": "trades", "interval": "999999d"},
        {"ask": "sql", "query": "select case when range = 4000000 then error('boom') end from range(4500000)"},
        {"ask": ["sql"]},
    ]
    requests = [[b"id", msgpack.packb(fields)] for fields in wrong]
    requests += [[b"id", b"\x91" * 1000 + b"\x90"], [b"id", b"\x82\xa3ask\xa6select\xa3sym" + b"\x91" * 900 + b"\x90"]]
    for n in range(200):
        requests.append([random_bytes.randbytes(random_bytes.randrange(40)) for _ in range(1 + n % 4)])
    refused(junk, requests)
    assert ask(address, ask="tables")


def test_bytes_that_are_not_zeromq_leave_it_answering(serve: Callable[..., QueryServer]) -> None:
    import socket

    address = serve().address
    port = int(address.rpartition(":")[2])
    for text in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, os.urandom(3000), b""):
        with socket.create_connection(("127.0.0.1", port)) as tcp:
            tcp.sendall(text)
    assert ask(address, ask="tables")


def test_an_endless_query_holds_up_no_other_and_is_stopped_at_the_limit(
    serve: Callable[..., QueryServer],
) -> None:
    address, failures = serve(limits=Limits(seconds=2.0)).address, list[Exception]()

    def endless() -> None:
        try:
            ask(address, 20.0, ask="sql", query=ENDLESS)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=endless) for _ in range(server.WORKERS - 1)]
    for thread in threads:
        thread.start()
    answered = 0
    while any(thread.is_alive() for thread in threads):
        ask(address, 1.9, ask="count", table="trades")
        answered += 1
    assert answered > 3
    assert [type(e) for e in failures] == [QueryLimit] * len(threads)


def test_more_endless_queries_than_workers_are_all_stopped_and_others_are_answered_meanwhile(
    serve: Callable[..., QueryServer], dealer: Any
) -> None:
    address = serve(limits=Limits(seconds=0.5)).address
    asker, count = dealer(address), server.WORKERS + 2
    for n in range(count):
        asker.send_multipart([bytes([n]), msgpack.packb({"ask": "sql", "query": ENDLESS})])
    assert ask(address, ask="tables")
    found = set()
    for _ in range(count):
        assert asker.poll(10_000)
        request_id, kind, _ = asker.recv_multipart()
        assert kind == b"error"
        found.add(request_id)
    assert len(found) == count


def test_many_clients_at_once_get_each_their_own_answer(serve: Callable[..., QueryServer]) -> None:
    tables = tables_of(trades=[[trade(k, f"S{k % 8}") for k in range(800)]])
    address, wrong = serve(tables).address, list[Any]()

    def one(sym: str) -> None:
        with Connection("rdb", address, frames="arrow") as db:
            for n in range(1, 15):
                found = db.select("trades", sym, last=n).column("sym").to_pylist()
                if found != [sym] * n:
                    wrong.append((sym, n, found))

    threads = [threading.Thread(target=one, args=(f"S{k}",)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_its_address_is_free_again_after_closing() -> None:
    first = QueryServer("tcp://127.0.0.1:*", {}, status)
    first.close()
    deadline = time.monotonic() + 5
    while True:
        try:
            second = QueryServer(first.address, {}, status)
            break
        except SettingsError:  # ZeroMQ closes its listener in a thread of its own
            assert time.monotonic() < deadline
    assert msgpack.unpackb(ask(second.address, ask="status")[0])["name"] == "rdb"
    second.close()


def test_a_table_is_the_same_after_its_journey() -> None:
    tables = tables_of(trades=[[trade(1, "é", trade_id="ü"), trade(2, price=float("nan"))]])
    for table in (
        answers.Answerer(tables).answer(questions.Select("trades")),
        answers.Answerer(tables).answer(questions.Select("bars")),
        pa.table({"x": pa.array([], pa.int64())}),
    ):
        assert from_ipc(to_ipc(table)).equals(table)
