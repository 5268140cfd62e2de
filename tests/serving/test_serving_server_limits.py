"""What the server does for askers who give up, want much, read slowly or not at all, or die."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest
import zmq
from plain_rows import NOON, tables_of, trade

from plant.client.connection import Connection
from plant.errors import Cancelled, QueryLimit, UnknownTable
from plant.query.limits import MEBIBYTE, Limits
from plant.query.streams import from_ipc
from plant.serving import server
from plant.serving.query_log import Usage
from plant.serving.server import PART_BYTES, QueryServer
from plant.transport import sockets

ENDLESS = "select count(*) from range(100000000000000) where range % 3 = 5"
WIDE = "select range a, range b, range c, range d from range({})"
"""32 bytes a row."""

TABLES = tables_of(trades=[[trade(NOON)]])


@pytest.fixture
def usage() -> Usage:
    return Usage("rdb")


@pytest.fixture
def serve(usage: Usage) -> Iterator[Callable[..., QueryServer]]:
    made: list[QueryServer] = []

    def start(**options: Any) -> QueryServer:
        made.append(QueryServer("tcp://127.0.0.1:*", TABLES, lambda: {"pid": 1}, usage=usage, **options))
        return made[-1]

    yield start
    for one in made:
        one.close()
    assert not [t.name for t in threading.enumerate() if t.name.startswith("quer")]


@pytest.fixture
def dealer() -> Iterator[Callable[..., zmq.Socket[Any]]]:
    made: list[zmq.Socket[Any]] = []

    def connect(address: str, **options: int) -> zmq.Socket[Any]:
        made.append(sockets.connect(sockets.context(), zmq.DEALER, address, **options))
        return made[-1]

    yield connect
    for socket in made:
        socket.close(0)


def send(socket: zmq.Socket[Any], number: bytes, **fields: Any) -> None:
    socket.send_multipart([number, msgpack.packb(fields)])


def receive(socket: zmq.Socket[Any], deadline_s: float = 10.0) -> list[bytes]:
    assert socket.poll(int(deadline_s * 1000)), "no answer"
    return socket.recv_multipart()


def states(usage: Usage) -> list[str]:
    return [row["state"] for row in usage._rows]


def test_a_question_under_way_stops_when_its_asker_cancels_it(
    serve: Callable[..., QueryServer], dealer: Any, usage: Usage, eventually: Callable[..., Any]
) -> None:
    one = serve()
    asker = dealer(one.address)
    send(asker, b"1", ask="sql", query=ENDLESS)
    eventually(lambda: one._waiting.under_way)
    started = time.monotonic()
    send(asker, b"2", ask="cancel", id=b"1")
    answers = {number: (kind, msgpack.unpackb(body)) for number, kind, body in (receive(asker), receive(asker))}
    assert time.monotonic() - started < 5
    assert answers[b"2"] == (b"ok", {})
    assert answers[b"1"] == (b"error", {"error": "Cancelled", "message": "sql: cancelled by its asker"})
    eventually(lambda: not one._waiting.under_way)
    assert states(usage) == ["cancelled"]


def test_a_question_that_waits_when_it_is_cancelled_is_never_begun(
    serve: Callable[..., QueryServer], dealer: Any, usage: Usage, eventually: Callable[..., Any]
) -> None:
    one = serve()
    asker = dealer(one.address)
    for n in range(server.WORKERS):  # the last one waits: slow ones leave a worker free
        send(asker, b"%d" % n, ask="sql", query=ENDLESS)
    eventually(lambda: len(one._waiting) == 1 and len(one._waiting.under_way) == server.WORKERS - 1)
    send(asker, b"c", ask="cancel", id=b"3")
    found = {receive(asker)[0], receive(asker)[0]}
    assert found == {b"3", b"c"}
    assert len(one._waiting) == 0
    (row,) = usage._rows
    assert (row["state"], row["detail"]) == ("cancelled", "cancelled by its asker before it was begun")


@pytest.mark.parametrize("number", [None, 5, "1", [b"1"]])
def test_a_cancel_without_a_request_id_is_told_so(serve: Callable[..., QueryServer], dealer: Any, number: Any) -> None:
    asker = dealer(serve().address)
    send(asker, b"1", ask="cancel", id=number)
    assert b"id must be the request id" in receive(asker)[2]


def test_an_asker_gets_less_time_if_it_says_so_and_never_more(serve: Callable[..., QueryServer]) -> None:
    with Connection("rdb", serve(limits=Limits(seconds=1.0)).address, timeout_s=20) as db:
        for timeout_s, limit_s in ((0.3, "0.3"), (None, "1")):
            started = time.monotonic()
            with pytest.raises(QueryLimit, match=f"stopped after {limit_s} s"):
                db.sql(ENDLESS, timeout_s=timeout_s)
            assert time.monotonic() - started < 3
        assert db.count("trades") == 1


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ({"client": 5}, b"client must be a string"),
        ({"parts": "yes"}, b"parts true or false"),
        ({"timeout_s": 0}, b"timeout_s must be a positive number"),
        ({"timeout_s": float("nan")}, b"timeout_s must be a positive number"),
        ({"timeout_s": float("inf")}, b"timeout_s must be a positive number"),
        ({"timeout_s": True}, b"timeout_s must be a positive number"),
    ],
)
def test_what_goes_with_a_question_is_checked(
    serve: Callable[..., QueryServer], dealer: Any, term: dict[str, Any], message: bytes
) -> None:
    asker = dealer(serve().address)
    send(asker, b"1", ask="count", table="trades", **term)
    assert message in receive(asker)[2]


def test_more_rows_or_bytes_than_the_limits_are_refused(serve: Callable[..., QueryServer]) -> None:
    with Connection("rdb", serve(limits=Limits(max_rows=1000, max_bytes=MEBIBYTE)).address) as db:
        assert len(db.sql(WIDE.format(1000))) == 1000
        with pytest.raises(QueryLimit, match="at most 1,000 are answered at once"):
            db.sql(WIDE.format(1001))
        with pytest.raises(QueryLimit, match="at most 1 MiB"):
            db.sql("select repeat('x', 2000000) text")


def test_a_large_answer_comes_in_parts_to_those_who_take_it_so_and_whole_to_others(
    serve: Callable[..., QueryServer], dealer: Any
) -> None:
    asker = dealer(serve().address)
    send(asker, b"1", ask="sql", query=WIDE.format(200_000))
    number, kind, whole = receive(asker)
    assert (number, kind) == (b"1", b"ok")
    assert len(whole) > 200_000 * 32
    send(asker, b"2", ask="sql", query=WIDE.format(200_000), parts=True)
    kinds, parts = [], []
    while not kinds or kinds[-1] == b"more":
        number, kind, part = receive(asker)
        assert number == b"2"
        kinds.append(kind)
        parts.append(part)
    assert kinds == [b"more"] * (len(kinds) - 1) + [b"ok"]
    assert max(map(len, parts)) == PART_BYTES
    assert b"".join(parts) == whole
    assert from_ipc(whole).num_rows == 200_000


def test_a_connection_puts_the_parts_together(serve: Callable[..., QueryServer]) -> None:
    with Connection("rdb", serve().address, frames="numpy") as db:
        found = db.sql(WIDE.format(300_000))
        assert found["d"].tolist() == list(range(300_000))


def test_a_client_that_asks_and_never_reads_holds_up_nothing_but_itself(
    serve: Callable[..., QueryServer], dealer: Any, eventually: Callable[..., Any]
) -> None:
    one = serve()
    deaf = dealer(one.address, RCVHWM=1, RCVBUF=4096, SNDHWM=1000)
    for n in range(90):
        send(deaf, b"%d" % n, ask="sql", query=WIDE.format(300_000), parts=n % 2 == 0)
    eventually(lambda: one._delivery.waiting_bytes > server.UNREAD_BYTES)
    eventually(lambda: not one._waiting.under_way)
    held, waiting = one._delivery.waiting_bytes, len(one._waiting)
    assert held < server.UNREAD_BYTES + 50 * MEBIBYTE
    assert waiting > 50
    with Connection("rdb", one.address) as db:
        started = time.monotonic()
        assert [db.count("trades") for _ in range(20)] == [1] * 20
        assert len(db.sql(WIDE.format(300_000))) == 300_000
        assert time.monotonic() - started < 5


def test_a_client_that_asks_faster_than_it_is_answered_is_refused_and_then_not_even_that(
    serve: Callable[..., QueryServer], dealer: Any, eventually: Callable[..., Any]
) -> None:
    one = serve()
    asker = dealer(one.address, SNDHWM=2000)
    for n in range(500):
        send(asker, b"%d" % n, ask="sql", query=ENDLESS, timeout_s=20)
    refused = msgpack.unpackb(receive(asker)[2])
    assert refused["error"] == "QueryLimit"
    assert "questions of this client wait already" in refused["message"]
    with Connection("rdb", one.address) as db:
        assert db.count("trades") == 1


def test_a_client_that_dies_amid_its_answer_is_forgotten(
    serve: Callable[..., QueryServer], eventually: Callable[..., Any]
) -> None:
    one = serve()
    script = (
        "import sys, time, zmq, msgpack\n"
        "socket = zmq.Context().socket(zmq.DEALER)\n"
        "socket.setsockopt(zmq.RCVHWM, 1)\n"
        "socket.connect(sys.argv[1])\n"
        "socket.send_multipart([b'1', msgpack.packb({'ask': 'sql', 'query': sys.argv[2], 'parts': True})])\n"
        "print(len(socket.recv_multipart()), flush=True)\n"
        "time.sleep(60)\n"
    )
    arguments = [sys.executable, "-c", script, one.address, WIDE.format(2_000_000)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout
        assert client.stdout.readline() == "3\n"
        eventually(lambda: one._delivery.waiting_bytes > MEBIBYTE)
        os.kill(client.pid, signal.SIGKILL)
        client.wait()
    eventually(lambda: one._delivery.waiting_bytes == 0, what=lambda: one._delivery.waiting_bytes)
    with Connection("rdb", one.address) as db:
        assert db.count("trades") == 1


def test_questions_of_a_client_that_is_gone_are_not_begun(
    serve: Callable[..., QueryServer], dealer: Any, usage: Usage, eventually: Callable[..., Any]
) -> None:
    one = serve(limits=Limits(seconds=2.0))
    others = [dealer(one.address) for _ in range(server.WORKERS - 1)]
    for other in others:
        send(other, b"1", ask="sql", query=ENDLESS)
    eventually(lambda: len(one._waiting.under_way) == server.WORKERS - 1)
    asker = dealer(one.address)
    for n in range(20):
        send(asker, b"%d" % n, ask="sql", query=ENDLESS)
    send(asker, b"quick", ask="count", table="trades")
    assert receive(asker)[0] == b"quick"
    asker.close(0)
    eventually(lambda: len(one._waiting) == 0, 15)
    eventually(lambda: not one._waiting.under_way, 15)
    gone = [row for row in usage._rows if row["detail"] == "its client is gone"]
    assert len(gone) >= 20 - 2 * (server.WORKERS - 1)


def test_unread_answers_beyond_the_bound_are_replaced_by_an_error(
    serve: Callable[..., QueryServer], dealer: Any, eventually: Callable[..., Any]
) -> None:
    one = serve(held_bytes=20 * MEBIBYTE)
    slow = dealer(one.address, RCVHWM=1, RCVBUF=4096)
    send(slow, b"1", ask="sql", query=WIDE.format(1_500_000), parts=True)
    while True:
        number, kind, body = receive(slow)
        if kind != b"more":
            break
    assert (number, kind) == (b"1", b"error")
    assert msgpack.unpackb(body)["error"] == "QueryLimit"
    send(slow, b"2", ask="sql", query=WIDE.format(1000))
    assert receive(slow)[:2] == [b"2", b"ok"]


def test_a_request_of_many_megabytes_disconnects_its_sender_only(
    serve: Callable[..., QueryServer], dealer: Any
) -> None:
    one = serve()
    dealer(one.address).send_multipart([b"1", bytes(17 * MEBIBYTE)])
    with Connection("rdb", one.address) as db:
        assert db.count("trades") == 1


def test_a_hundred_clients_at_once_are_all_answered(serve: Callable[..., QueryServer]) -> None:
    address, wrong = serve().address, list[Any]()

    def one(n: int) -> None:
        with Connection("rdb", address, timeout_s=60, frames="numpy") as db:
            for _ in range(5):
                if db.sql(f"select {n} n", timeout_s=60)["n"].tolist() != [n] or db.count("trades") != 1:
                    wrong.append(n)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_closing_does_not_wait_for_an_endless_question(
    serve: Callable[..., QueryServer], dealer: Any, eventually: Callable[..., Any]
) -> None:
    one = QueryServer("tcp://127.0.0.1:*", TABLES, dict)
    asker = dealer(one.address)
    send(asker, b"1", ask="sql", query=ENDLESS)
    eventually(lambda: one._waiting.under_way)
    started = time.monotonic()
    one.close()
    assert time.monotonic() - started < 5


def test_a_question_of_a_closed_connection_is_stopped_at_the_server(
    serve: Callable[..., QueryServer], usage: Usage, eventually: Callable[..., Any]
) -> None:
    one, failures = serve(), list[Exception]()
    db = Connection("rdb", one.address, timeout_s=60)

    def endless() -> None:
        try:
            db.sql(ENDLESS)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=endless)
    thread.start()
    eventually(lambda: one._waiting.under_way)
    db.close()
    thread.join(10)
    assert [type(f) for f in failures] == [Cancelled]
    eventually(lambda: not one._waiting.under_way)
    assert states(usage) == ["cancelled"]


def test_control_c_stops_the_question_at_the_server(
    serve: Callable[..., QueryServer], usage: Usage, eventually: Callable[..., Any]
) -> None:
    one = serve()
    script = (
        "import sys\nfrom plant.client.connection import Connection\nprint('asking', flush=True)\n"
        f"Connection('rdb', '{one.address}', timeout_s=60).sql(sys.argv[1])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as client:
        eventually(lambda: one._waiting.under_way)
        client.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in client.communicate(timeout=20)[1]
    eventually(lambda: not one._waiting.under_way)
    assert states(usage) == ["cancelled"]


def test_several_threads_of_one_connection_do_not_wait_for_each_other(
    serve: Callable[..., QueryServer], eventually: Callable[..., Any]
) -> None:
    one, failures = serve(limits=Limits(seconds=2)), list[Exception]()
    with Connection("rdb", one.address) as db:

        def endless() -> None:
            try:
                db.sql(ENDLESS)
            except QueryLimit as error:
                failures.append(error)

        thread = threading.Thread(target=endless)
        thread.start()
        eventually(lambda: one._waiting.under_way)
        assert db.count("trades", timeout_s=1.5) == 1
        assert thread.is_alive()
        thread.join()
    assert len(failures) == 1


def test_a_quick_question_does_not_wait_for_those_of_its_client_that_are_under_way(
    serve: Callable[..., QueryServer], dealer: Any, usage: Usage, eventually: Callable[..., Any]
) -> None:
    one = serve()
    asker = dealer(one.address)
    for n in range(server.WORKERS):  # one worker is left to others, and one of these waits
        send(asker, b"%d" % n, ask="sql", query=ENDLESS)
    eventually(lambda: len(one._waiting.under_way) == server.WORKERS - 1 and len(one._waiting) == 1)
    send(asker, b"quick", ask="last", table="trades", sym=["AAPL"], client="me", parts=True)
    number, kind, body = receive(asker)
    assert (number, kind, from_ipc(body).num_rows) == (b"quick", b"ok", 1)
    (row,) = usage._rows
    assert (row["client"], row["kind"], row["rows"], row["bytes"], row["state"]) == ("me", "last", 1, len(body), "ok")
    for n in range(server.WORKERS):
        send(asker, b"c", ask="cancel", id=b"%d" % n)


def test_a_quick_question_keeps_to_its_limits(serve: Callable[..., QueryServer], usage: Usage) -> None:
    one = serve(limits=Limits(max_rows=0))
    with Connection("rdb", one.address) as db:
        for ask in (lambda: db.last("trades", "AAPL"), lambda: db.select("trades", "AAPL", last=5)):
            with pytest.raises(QueryLimit, match="1 rows, at most 0"):
                ask()
        with pytest.raises(UnknownTable):
            db.last("tradse", "AAPL")
    assert states(usage) == ["limit", "limit", "error"]
