"""Request and answer: whatever bytes come, there is an answer; whatever answers, there is a result or a plain error."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
import zmq
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.errors import Cancelled, PlantError, QueryError, QueryLimit, Unavailable, UnknownTable, WireError
from plant.transport import reply, request, sockets

law = settings(max_examples=examples(300), deadline=None, derandomize=True, database=None)

PEER, ID = b"\0peer", b"\x01\0\0\0\0\0\0\0"


def handler(fields: dict[str, Any]) -> list[Any]:
    return [msgpack.packb(sorted(fields)), b"more"]


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\x90"


def error_of(frames: list[Any]) -> dict[str, str]:
    assert frames[-2] == b"error"
    found: dict[str, str] = msgpack.unpackb(frames[-1])
    assert set(found) == {"error", "message"}
    return found


def test_an_answer_goes_back_with_the_envelope_it_came_in() -> None:
    body = msgpack.packb({"ask": "x"})
    rest = [b"ok", msgpack.packb(["ask"]), b"more"]

    assert reply.answer([PEER, ID, body], handler) == [PEER, ID, *rest]
    assert reply.answer([PEER, b"", ID, body], handler) == [PEER, b"", ID, *rest]


@pytest.mark.parametrize(
    ("frames", "envelope"),
    [
        ([PEER], [PEER, b""]),
        ([PEER, b""], [PEER, b"", b""]),
        ([PEER, b"", b"body"], [PEER, b"", b""]),
        ([PEER, ID], [PEER, b""]),
        ([PEER, ID, b"body", b"more"], [PEER, b""]),
        ([PEER, b"", ID, b"body", b"more"], [PEER, b"", b""]),
    ],
)
def test_the_wrong_number_of_frames_is_answered_with_what_was_expected(
    frames: list[bytes], envelope: list[bytes]
) -> None:
    found = reply.answer(frames, handler)
    assert found[: len(envelope)] == envelope
    assert len(found) == len(envelope) + 2
    assert error_of(found)["message"].startswith(f"expected [request id, msgpack map], found {len(frames) - 1} frames")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "bytes that are not msgpack"),
        (b"\xc1", "bytes that are not msgpack"),
        (msgpack.packb({"ask": "x"}) + b"\0", "bytes that are not msgpack"),
        (msgpack.packb({1: 2}), "bytes that are not msgpack"),
        (b"\xa1\xff", "bytes that are not msgpack"),
        (msgpack.packb([1]), 'a request is a msgpack map with the key "ask"; found list'),
        (msgpack.packb(None), "found NoneType"),
        (msgpack.packb({"ask": 5, "table": "bars"}), "found a map of 'ask', 'table'"),
        (nested(1000), "found list"),
        (b"\x81\xa3ask" + nested(1000), "found a map of 'ask'"),
    ],
)
def test_a_body_that_is_no_request_is_told_what_a_request_is(body: bytes, message: str) -> None:
    found = error_of(reply.answer([PEER, ID, body], handler))
    assert found["error"] == "QueryError"
    assert message in found["message"]


@law
@given(st.lists(st.binary(max_size=20), max_size=4))
def test_random_frames_are_always_answered(frames: list[bytes]) -> None:
    found = reply.answer([PEER, *frames], handler)
    assert found[0] == PEER
    assert b"ok" in found or error_of(found)


def test_an_error_of_the_plant_is_answered_as_its_class(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: dict[str, Any]) -> list[Any]:
        raise UnknownTable("no such table")

    found = error_of(reply.answer([PEER, ID, msgpack.packb({"ask": "x"})], refuse))
    assert found == {"error": "UnknownTable", "message": "no such table"}
    assert capsys.readouterr().out + capsys.readouterr().err == ""


def test_an_error_nobody_foresaw_is_answered_and_logged(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: dict[str, Any]) -> list[Any]:
        raise ZeroDivisionError("division by zero")

    found = error_of(reply.answer([PEER, ID, msgpack.packb({"ask": "x"})], fail))
    assert found == {"error": "PlantError", "message": "ZeroDivisionError: division by zero"}
    captured = capsys.readouterr()
    assert "request failed" in captured.out + captured.err


class Peer:
    """A ROUTER that answers each request with what `answers` gives next; None: not at all."""

    def __init__(self, answers: list[list[bytes] | None]) -> None:
        self.asked: list[list[bytes]] = []
        self._answers = answers
        self._to_send: list[list[bytes]] = []
        self._socket, self.address = sockets.bind(sockets.context(), zmq.ROUTER, "tcp://127.0.0.1:*")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def send(self, frames: list[bytes]) -> None:
        """Send to whoever asked last."""
        self._to_send.append(frames)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close(0)

    def _serve(self) -> None:
        peer = b""
        while not self._stop.is_set():
            while self._to_send:
                self._socket.send_multipart([peer, *self._to_send.pop(0)])
            if self._socket.poll(20):
                peer, *frames = self._socket.recv_multipart()
                self.asked.append(frames)
                if self._answers and (found := self._answers.pop(0)) is not None:
                    self._socket.send_multipart([peer, *(frames[0] if f == b"<id>" else f for f in found)])


@pytest.fixture
def peer() -> Iterator[Any]:
    opened: list[Any] = []

    def start(*answers: list[bytes] | None, timeout_s: float = 5.0) -> tuple[Peer, request.Requester]:
        made = Peer(list(answers))
        opened.append(made)
        opened.append(request.Requester(made.address, "rdb", timeout_s))
        return made, opened[-1]

    yield start
    for made in opened:
        made.close()


OK = [b"<id>", b"ok", b"body", b"more"]


def test_the_body_of_an_answer_is_returned(peer: Any) -> None:
    server, requester = peer(OK)
    assert requester.ask(ask="x", table="bars") == [b"body", b"more"]
    assert msgpack.unpackb(server.asked[0][1]) == {"ask": "x", "table": "bars"}


@pytest.mark.parametrize("kind", [QueryError, QueryLimit, UnknownTable])
def test_an_error_is_raised_as_its_class(peer: Any, kind: type[PlantError]) -> None:
    _, requester = peer([b"<id>", b"error", msgpack.packb({"error": kind.__name__, "message": "why"})], OK)
    with pytest.raises(kind, match=r"^why$") as caught:
        requester.ask(ask="x")
    assert caught.type is kind
    assert requester.ask(ask="x") == [b"body", b"more"]


@pytest.mark.parametrize(
    "wrong",
    [
        [b"<id>"],
        [b"<id>", b"what", b"body"],
        [b"<id>", b"error"],
        [b"<id>", b"error", b"\xc1"],
        [b"<id>", b"error", msgpack.packb(5)],
        [b"<id>", b"error", b""],
    ],
)
def test_an_answer_that_is_none_is_a_wire_error_and_the_next_one_is_taken(peer: Any, wrong: list[bytes]) -> None:
    _, requester = peer(wrong, OK)
    with pytest.raises(WireError, match=r"rdb at tcp://.* sent \d frames that are no answer; is it another process\?"):
        requester.ask(ask="x")
    assert requester.ask(ask="x") == [b"body", b"more"]


def test_an_error_of_a_kind_unknown_here_is_a_plant_error(peer: Any) -> None:
    _, requester = peer([b"<id>", b"error", msgpack.packb({"error": "SystemExit", "message": "why"})])
    with pytest.raises(PlantError, match=r"^why$") as caught:
        requester.ask(ask="x")
    assert caught.type is PlantError


def test_silence_is_unavailable_after_the_timeout_and_the_next_question_has_a_fresh_socket(peer: Any) -> None:
    _, requester = peer(None, OK)
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"rdb at tcp://.* did not answer within 0.2 s; is the plant up\?"):
        requester.ask(0.2, ask="x")
    assert 0.15 < time.monotonic() - started < 3
    assert requester.ask(ask="x") == [b"body", b"more"]


def test_an_answer_to_another_question_is_passed_over(peer: Any) -> None:
    late = [b"someone", b"ok", b"late"]
    _, requester = peer(late, OK)
    with pytest.raises(Unavailable):
        requester.ask(0.2, ask="x")
    assert requester.ask(ask="x") == [b"body", b"more"]


@pytest.mark.parametrize("value", [object(), 2**70, "\ud800", {1, 2}])
def test_what_cannot_travel_is_a_query_error(peer: Any, value: Any) -> None:
    _, requester = peer(OK)
    with pytest.raises(QueryError, match="cannot ask rdb: "):
        requester.ask(ask="x", value=value)
    assert requester.ask(ask="x") == [b"body", b"more"]


def test_the_parts_of_an_answer_are_joined(peer: Any) -> None:
    server, requester = peer(None)
    thread = threading.Thread(target=lambda: found.append(requester.table({"ask": "x"})))
    found: list[bytes] = []
    thread.start()
    deadline = time.monotonic() + 5
    while not server.asked:
        assert time.monotonic() < deadline
    number = server.asked[0][0]
    asked = msgpack.unpackb(server.asked[0][1])
    assert (asked["parts"], asked["timeout_s"], asked["client"]) == (True, 5.0, request.client_name())
    for found_number, kind, body in (
        (number, b"more", b"one "),
        (b"other", b"ok", b"?"),
        (number, b"more", b"two "),
        (number, b"ok", b"3"),
    ):
        server.send([found_number, kind, body])
    thread.join(5)
    assert found == [b"one two 3"]


def test_who_gives_up_on_a_question_tells_the_server(peer: Any) -> None:
    server, requester = peer(None)
    with pytest.raises(Unavailable):
        requester.table({"ask": "x"}, 0.1)
    deadline = time.monotonic() + 5
    while len(server.asked) < 2:
        assert time.monotonic() < deadline, "no cancel came"
    (number, _), (_, cancel) = server.asked
    assert msgpack.unpackb(cancel) == {"ask": "cancel", "id": number}


def test_a_question_that_is_given_up_from_another_thread_is_cancelled(peer: Any) -> None:
    _, requester = peer(None, None)
    give_up = threading.Event()
    token = request.GIVE_UP.set(give_up)
    threading.Timer(0.1, give_up.set).start()
    try:
        with pytest.raises(Cancelled, match="was given up before it was answered"):
            requester.table({"ask": "x"})
    finally:
        request.GIVE_UP.reset(token)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
def test_a_timeout_that_is_none_is_a_query_error(peer: Any, timeout_s: float) -> None:
    _, requester = peer(OK)
    with pytest.raises(QueryError, match="timeout_s must be a positive number"):
        requester.table({"ask": "x"}, timeout_s)
