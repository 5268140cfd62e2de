"""What the journal has, sent to every subscriber: one message per run of records of a table, and the beats."""

from collections.abc import Iterator

import zmq

from plant.runtime.lifecycle import Timer
from plant.wire.messages import BEAT_TOPIC, Beat, beat, topic_of

MESSAGE_BYTES = 128 * 1024
"""Most that is published as one message, unless one record is longer; ahead of that go empty messages, one for each so
many bytes of it. ZeroMQ counts what waits for a slow subscriber in messages: so `publish_queue` bounds bytes, too."""

SMALL_FRAMES = 8
"""More records than this in a message are joined to one frame."""

Run = tuple[str, list[bytes | bytearray]]
"""A table, and records of it that follow one another in the journal."""


class FanOut:
    """The publish socket (XPUB, verbose); with `batch_ms` above 0 runs are gathered so long, else sent at once."""

    def __init__(self, socket: zmq.Socket[bytes], batch_ms: int) -> None:
        self.socket = socket
        self._batch_ms = batch_ms
        self._timer = Timer(batch_ms / 1000, 0)
        self._waiting: list[Run] = []

    def wait_ms(self, most: float) -> int:
        """Return how long nothing will be due here, at most so long."""
        return int(self._batch_ms if self._waiting else most)

    def add(self, runs: list[Run]) -> None:
        """Take what has been written to the journal."""
        self._waiting += runs
        if not self._batch_ms:
            self.publish()

    def publish_if_due(self) -> None:
        """Publish what has been gathered for long enough."""
        if self._waiting and self._timer.due():
            self.publish()

    def publish(self) -> None:
        """Publish what has been gathered."""
        for table, chunks in self._waiting:
            topic = topic_of(table)
            for some in messages(chunks):
                for _ in range(len(some[0]) // MESSAGE_BYTES):
                    self.socket.send_multipart([topic])
                small = len(some) > SMALL_FRAMES  # then one copy costs less than so many frames
                self.socket.send_multipart([topic, *([b"".join(some)] if small else some)])
        self._waiting.clear()

    def beat(self, position: Beat) -> None:
        """Tell where the plant stands; a beat shows no batch that did not go before it."""
        self.publish()
        self.socket.send_multipart([BEAT_TOPIC, beat(position)])

    def newcomers(self) -> Iterator[None]:
        """Yield for each subscription to the beats that has come; a beat tells that subscriber that it is connected."""
        while self.socket.poll(0):
            if self.socket.recv() == b"\1" + BEAT_TOPIC:
                yield


def messages(chunks: list[bytes | bytearray]) -> Iterator[list[bytes | bytearray]]:
    """Yield records in groups of at most MESSAGE_BYTES; a longer one is alone."""
    group: list[bytes | bytearray] = []
    size = 0
    for chunk in chunks:
        if group and size + len(chunk) > MESSAGE_BYTES:
            yield group
            group, size = [], 0
        group.append(chunk)
        size += len(chunk)
    if group:
        yield group
