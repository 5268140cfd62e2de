"""Frames of a WebSocket, in whatever pieces they come."""

import doctest
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.errors import WireError
from plant.transport import frame_reader
from plant.transport.frame_reader import CLOSE, PING, PONG, FrameReader


def frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    size = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    if size < 126:
        return head + bytes([size]) + payload
    return (
        head
        + (bytes([126]) + size.to_bytes(2, "big") if size < 65_536 else bytes([127]) + size.to_bytes(8, "big"))
        + payload
    )


MESSAGES = st.tuples(st.sampled_from([1, 2]), st.binary(max_size=300) | st.just(b"x" * 70_000))
CONTROLS = st.tuples(st.sampled_from([CLOSE, PING, PONG]), st.binary(max_size=125))


@given(messages=st.lists(MESSAGES | CONTROLS, max_size=8), seed=st.integers(0, 10**6))
def test_messages_come_out_as_they_were_sent_whatever_the_pieces_and_fragments(
    messages: list[tuple[int, bytes]], seed: int
) -> None:
    chance = random.Random(seed)
    stream, expected = b"", []
    for opcode, payload in messages:
        cuts = sorted(chance.choices(range(len(payload) + 1), k=chance.randrange(4))) if opcode < 8 else []
        parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
        for number, part in enumerate(parts):
            stream += frame(0 if number else opcode, part, final=number == len(parts) - 1)
            if number < len(parts) - 1:
                stream += frame(PING, b"between")
                expected.append((PING, b"between"))
        expected.append((opcode, payload))
    reader, found = FrameReader(), []
    at = 0
    while at < len(stream):
        size = chance.choice([1, 2, 3, 7, 200, 5_000, 100_000])
        found += reader.messages(stream[at : at + size])
        at += size
    assert found == expected


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (bytes([0x81, 0x80]), "masked"),
        (bytes([0xC1, 0]), "extension"),
        (frame(3, b""), "opcode 3"),
        (frame(0, b""), "opcode 0"),
        (frame(1, b"a", final=False) + frame(1, b"b"), "within another one's fragments"),
        (frame(PING, b"", final=False), "in fragments"),
        (bytes([0x88, 126]) + (200).to_bytes(2, "big") + b"x" * 200, "control frame of 200 bytes"),
        (bytes([0x81, 127]) + (2**40).to_bytes(8, "big"), "at most"),
    ],
)
def test_what_no_server_may_send_is_a_sentence(bad: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        FrameReader().messages(bad)


def test_the_example_holds() -> None:
    assert doctest.testmod(frame_reader).failed == 0
