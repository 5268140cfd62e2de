"""One WebSocket connection to a venue, kept alive, and opened again after a growing pause: frames out, no meaning.

websocket-client connects and sends; what comes is told apart by frame_reader.py. A protocol ping (RFC 6455, 5.5.2) goes
out every `heartbeat_s` seconds, and is to be answered within 10 s. Whatever is logged or shown passes `Secret.redact`,
because the library's own error texts and traces may hold the address, and with it a key.
"""

import contextlib
import logging
import math
import ssl
import time
from collections.abc import Callable, Sequence
from urllib.parse import quote, urlsplit

import websocket

from plant.errors import WireError
from plant.transport.connection_state import USUAL, ConnectionState, Pauses
from plant.transport.frame_reader import BINARY, CLOSE, PING, TEXT, FrameReader
from plant.transport.secret import Secret

CONNECT_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 5.0
PONG_TIMEOUT_S = 10.0
CLOSE_S = 0.2
"""A connection that is given up while it is there waits so long for the venue to have heard of it."""

MAX_FRAMES = 5_000

_LEAST_WAIT_S = 0.001
_RECEIVE_BYTES = 2**18
_log = logging.getLogger(__name__)


class WebSocket:
    """Open with `open`, poll with `receive`; a loss shows as `connected` False, `trouble` and `retry_in_s`.

    When to open it again is told by `state` (plant/transport/connection_state.py): after 1, 2, 4 ... 60 s until
    `healthy()` is called, and 60 s after a refused key, unless `pauses` say otherwise. Nothing raises for what the
    network or the venue does. `received_ns` has when each frame of the last `receive` was read, UTC ns.

    venue         its name, for the log
    url           what is shown of the address; with `key_parameter` the key is appended to it as that parameter
    key           taken out of whatever is logged or shown
    heartbeat_s   seconds between two signs of life; `heartbeat`: a message that goes out with each ping, "" for none
    refuses       whether the reason of a close frame says that the key was refused
    clock         monotonic seconds
    pauses        between two attempts
    """

    def __init__(
        self,
        venue: str,
        url: str,
        key: Secret,
        heartbeat_s: float,
        clock: Callable[[], float],
        *,
        key_parameter: str = "",
        heartbeat: str = "",
        refuses: Callable[[str], bool] = lambda reason: False,
        pauses: Pauses = USUAL,
    ) -> None:
        self._venue = venue
        self._key_parameter = key_parameter
        self._heartbeat = heartbeat
        self._refuses = refuses
        self.state = ConnectionState(pauses)
        self.received_ns: list[int] = []
        self._url = url
        self._key = key
        self._heartbeat_s = heartbeat_s
        self._clock = clock
        self._socket: websocket.WebSocket | None = None
        self._reader = FrameReader()
        self._beat_at = 0.0
        self._answer_by: float | None = None
        # websocket-client prints the address, and with it the key, when somebody calls its enableTrace().
        self._filter = _Redactor(key)
        logging.getLogger("websocket").addFilter(self._filter)

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._socket is not None

    @property
    def retry_in_s(self) -> float:
        """Seconds until it is time to `open` again, 0 when it is, inf once it is given up."""
        return self.state.retry_in_s(self._clock())

    @property
    def trouble(self) -> str:
        """Why there is no connection; "" if there is one, or nothing went wrong yet."""
        return self.state.trouble

    def open(self, messages: Sequence[str], url: str = "") -> bool:
        """Connect, to `url` if it is given, and send `messages`; False when that failed.

        Takes `CONNECT_TIMEOUT_S` for each step at most.
        """
        address = url or self._url
        if self._key_parameter:
            separator = "&" if urlsplit(address).query else "?"
            address += f"{separator}{self._key_parameter}={quote(self._key.reveal(), safe='')}"
        try:
            # No redirect: it would carry the key to wherever the answer points.
            self._socket = websocket.create_connection(
                address, timeout=CONNECT_TIMEOUT_S, enable_multithread=False, redirect_limit=0
            )
            for message in messages:
                self._socket.send(message)
        except websocket.WebSocketBadStatusException as error:
            # Its text holds headers and body of the answer; the status says enough.
            self._lost(f"HTTP {error.status_code} at connect", refused=error.status_code in (401, 403))
            return False
        except (websocket.WebSocketException, OSError, ValueError) as error:
            self._lost(_describe(error))
            return False
        self._reader = FrameReader()
        self._beat_at = self._clock() + self._heartbeat_s
        self._answer_by = None
        self.state.opened(self._clock())
        self._say(logging.INFO, f"connected to {self._url}")
        return True

    def fileno(self) -> int:
        """Return the socket's descriptor, to wait for several; -1 when there is no connection."""
        return self._socket.fileno() if self._socket is not None else -1

    def send(self, message: str) -> bool:
        """Send a message; False when there is no connection, or it was lost by that."""
        if self._socket is None:
            return False
        try:
            self._socket.settimeout(SEND_TIMEOUT_S)
            self._socket.send(message)
        except (websocket.WebSocketException, OSError, ValueError) as error:
            self._lost(_describe(error))
            return False
        return True

    def receive(self, timeout_s: float) -> list[bytes]:
        """Return the data frames that are there, after waiting at most `timeout_s` for the first; keep alive."""
        frames: list[bytes] = []
        self.received_ns = []
        heard = False
        while self._socket is not None and len(frames) < MAX_FRAMES:
            raw = self._socket.sock
            assert raw is not None
            raw.settimeout(0.0 if heard else max(timeout_s, _LEAST_WAIT_S))
            try:
                data = raw.recv(_RECEIVE_BYTES)
                messages = self._reader.messages(data)
            except (BlockingIOError, TimeoutError, InterruptedError, ssl.SSLWantReadError):
                break
            except (OSError, ValueError, WireError) as error:
                self._lost(_describe(error))
                return frames
            if not data:
                self._lost("the connection was lost")
                return frames
            heard = True
            self._take(messages, frames)
        self._keep_alive(heard)
        return frames

    def _take(self, messages: list[tuple[int, bytes]], frames: list[bytes]) -> None:
        """Add data frames to `frames`; answer pings, take the end of the connection."""
        now_ns = time.time_ns()
        for opcode, payload in messages:
            if opcode in (TEXT, BINARY):
                frames.append(payload)
                self.received_ns.append(now_ns)
            elif opcode == PING:
                self._answer(websocket.ABNF.OPCODE_PONG, payload)
            elif opcode == CLOSE:
                reason = payload[2:].decode("utf-8", "replace")
                text = f"closed by the venue: {int.from_bytes(payload[:2], 'big')} {reason}".rstrip()
                self._answer(websocket.ABNF.OPCODE_CLOSE, payload[:2])
                self._lost(text, refused=self._refuses(reason))
                return

    def _answer(self, opcode: int, payload: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.settimeout(SEND_TIMEOUT_S)
            self._socket.send(payload, opcode)
        except (websocket.WebSocketException, OSError) as error:
            self._lost(_describe(error))

    def healthy(self) -> None:
        """Begin again with the shortest pause: the venue has answered, which is more than a connection."""
        self.state.good(self._clock())

    def drop(self, reason: str, refused: bool = False, wait_s: float = 0.0, ended: bool = False) -> None:
        """Give the connection up, with a close frame if it is there, and set the time of the next attempt.

        refused: the key is. wait_s: the venue wants no other for so long. ended: it was not lost, and the next one may
        follow at once. Takes `CLOSE_S` at most.
        """
        self._farewell()
        self._lost(reason, refused, wait_s, ended)

    def _lost(self, reason: str, refused: bool = False, wait_s: float = 0.0, ended: bool = False) -> None:
        """Note that there is no connection any more."""
        if self._socket is not None:
            self._socket.shutdown()
            self._socket = None
        before, now = self.trouble, self._clock()
        reason = self._key.redact(f"the key was refused, check it and its plan ({reason})" if refused else reason)
        if refused:
            pause_s = self.state.refused(reason, now)
        elif wait_s:
            pause_s = self.state.told_to_wait(reason, wait_s, now)
        else:
            pause_s = self.state.ended(reason, now) if ended else self.state.lost(reason, now)
        if reason != before:
            again = "given up" if math.isinf(pause_s) else f"next try in {pause_s:.0f} s"
            self._say(logging.WARNING, f"not connected, {again}: {reason}")

    def _farewell(self) -> None:
        """Say that we close, and wait a moment for the answer.

        Else the venue would learn it by a reset, which may overtake the frame, or not at all: some count such a
        connection as one of ours for a while longer. What comes meanwhile is fetched like all that comes later.
        """
        if self._socket is None or self._socket.sock is None:
            return
        until = time.monotonic() + CLOSE_S
        with contextlib.suppress(websocket.WebSocketException, OSError, ValueError):
            self._socket.settimeout(CLOSE_S)
            self._socket.send_close()
            while (left_s := until - time.monotonic()) > 0:
                self._socket.sock.settimeout(left_s)
                if not self._socket.sock.recv(_RECEIVE_BYTES):
                    return

    def close(self) -> None:
        """Disconnect for good."""
        if self._socket is not None:
            self._socket.close(timeout=1)
            self._socket.shutdown()
            self._socket = None
        logging.getLogger("websocket").removeFilter(self._filter)

    def _keep_alive(self, heard: bool) -> None:
        if self._socket is None:
            return
        now = self._clock()
        if heard:
            self._answer_by = None
        # Only silence counts: after a pause of the caller the answer may have been waiting in the socket.
        if self._answer_by is not None and now >= self._answer_by:
            self._lost(f"no answer to a ping in {PONG_TIMEOUT_S:.0f} s")
        elif now >= self._beat_at:
            self._beat_at = now + self._heartbeat_s
            if self._answer_by is None:
                self._answer_by = now + PONG_TIMEOUT_S
            try:
                self._socket.settimeout(SEND_TIMEOUT_S)
                self._socket.ping()
                if self._heartbeat:
                    self._socket.send(self._heartbeat)
            except (websocket.WebSocketException, OSError) as error:
                self._lost(_describe(error))

    def _say(self, level: int, text: str) -> None:
        _log.log(level, "%s: %s", self._venue, self._key.redact(text))


class _Redactor(logging.Filter):
    def __init__(self, key: Secret) -> None:
        super().__init__()
        self._key = key

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._key.redact(record.getMessage()), ()
        return True


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
