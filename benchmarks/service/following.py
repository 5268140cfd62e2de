"""Clients of WebSockets that note when each message came, and read nothing of it but a number in it."""

import asyncio
import time
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

NOT_YET, AGAIN_S = 1013, 0.2
"""The code by which a service closes that does not follow its plant yet, and the pause before it is tried again."""


@dataclass
class Follower:
    """One client: when (monotonic s) it had each numbered message, and how many messages and bytes that were."""

    mark: str
    came: dict[int, float] = field(default_factory=dict)
    messages: int = 0
    size: int = 0

    async def follow(self, url: str, say: str, ready: asyncio.Event, last: int) -> None:
        """Follow until the message with the number `last` has come; `ready` is set once the first one has.

        Raises ConnectionClosed if the service ends it, RuntimeError with what it says if it refuses.
        """
        while True:
            try:
                async with connect(url, proxy=None, max_size=None, compression=None) as socket:
                    if say:
                        await socket.send(say)
                    await self._read(socket, ready, last)
                    return
            except ConnectionClosed as closed:
                if self.came or closed.rcvd is None or closed.rcvd.code != NOT_YET:
                    raise
            await asyncio.sleep(AGAIN_S)

    async def _read(self, socket: ClientConnection, ready: asyncio.Event, last: int) -> None:
        while True:
            text = await socket.recv(decode=True)
            now = time.monotonic()
            self.messages += 1
            self.size += len(text)
            if '"type":"error"' in text[:40]:
                raise RuntimeError(f"the service refuses: {text[:500]}")
            number = number_in(text, self.mark)
            if '"type":"snapshot"' in text[:40] or number == 0:
                ready.set()
            elif number is not None:
                self.came.setdefault(number, now)
                if number >= last:
                    return


def number_in(text: str | bytes, mark: str) -> int | None:
    """Return the number behind the last `mark` in a text, None if there is none.

    >>> number_in('{"close":1.0,"trades":17.0}, {"trades":18.0}', '"trades":')
    18
    """
    told = text.decode() if isinstance(text, bytes) else text
    at = told.rfind(mark)
    if at < 0:
        return None
    digits = told[at + len(mark) : at + len(mark) + 20].split(",", 1)[0].rstrip("}]")
    return int(float(digits)) if digits.replace(".", "", 1).isdigit() else None
