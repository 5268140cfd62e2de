"""Request and answer: whatever bytes come, there is an answer; whatever answers, there is a result or a plain error."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from plant import request, sockets
from plant.errors import PlantError, QueryError, QueryLimit, Unavailable, UnknownTable, WireError

law = settings(max_examples=300, deadline=None, derandomize=True, database=None)

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

    assert request.answer([PEER, ID, body], handler) == [PEER, ID, *rest]
    assert request.answer([PEER, b"", ID, body], handler) == [PEER, b"", ID, *rest]


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
    found = request.answer(frames, handler)
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
    found = error_of(request.answer([PEER, ID, body], handler))
    assert found["error"] == "QueryError"
    assert message in found["message"]


@law
@given(st.lists(st.binary(max_size=20), max_size=4))
def test_random_frames_are_always_answered(frames: list[bytes]) -> None:
    found = request.answer([PEER, *frames], handler)
    assert found[0] == PEER
    assert b"ok" in found or error_of(found)


def test_an_error_of_the_plant_is_answered_as_its_class(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: dict[str, Any]) -> list[Any]:
        raise UnknownTable("no such table")

    found = error_of(request.answer([PEER, ID, msgpack.packb({"ask": "x"})], refuse))
    assert found == {"error": "UnknownTable", "message": "no such table"}
    assert capsys.readouterr().out + capsys.readouterr().err == ""


def test_an_error_nobody_foresaw_is_answered_and_logged(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: dict[str, Any]) -> list[Any]:
        raise ZeroDivisionError("division by zero")

    found = error_of(request.answer([PEER, ID, msgpack.packb({"ask": "x"})], fail))
    assert found == {"error": "PlantError", "message": "ZeroDivisionError: division by zero"}
    captured = capsys.readouterr()
    assert "request failed" in captured.out + captured.err


class Peer:
    """A ROUTER that answers each request with what `answers` gives next; None: not at all."""

    def __init__(self, answers: list[list[bytes] | None]) -> None:
        self.asked: list[list[bytes]] = []
        self._answers = answers
        self._socket, self.address = sockets.bind(sockets.context(), zmq.ROUTER, "tcp://127.0.0.1:*")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close(0)

    def _serve(self) -> None:
        while not self._stop.is_set():
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
