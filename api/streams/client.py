"""One client of the hub: what waits for it goes out, one message after the other, as fast as it takes them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

from api.streams import sentences
from api.streams.shown.channels import Refused, Wanted, wanted_of
from api.streams.subscriptions import Subscriptions
from api.streams.waiting import Message

POLICY, RESTART, TOO_SLOW, TICKET, QUOTA = 1008, 1012, 1013, 4401, 4429
"""Codes by which a WebSocket is closed; 1009 (too large), and 1012 at its end, are the server's own."""

STALLED_S = 30.0
"""A client that takes nothing for so long is closed."""

MESSAGES = 1000
"""While so many messages wait for a client, what it says is not read."""


class Ended(NamedTuple):
    """The stream is closed by us: the code of a WebSocket, and why."""

    code: int
    why: str


class Client:
    """A client of `hub` (api.streams.hub.Hub), who is `caller` (api.access.caller.Caller). Use from the event loop."""

    def __init__(self, hub: Any, caller: Any) -> None:
        self.hub, self.caller = hub, caller
        settings = hub.settings
        self.subs = Subscriptions(settings.queue_rows)
        self.wanted: dict[int, Wanted] = {}
        self.sending_since: float | None = None
        self.abort: Callable[[], Any] | None = None  # ends a stream that is stuck in sending
        self._news = asyncio.Event()
        self._end: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    def wake(self) -> None:
        """Have what waits sent."""
        self._news.set()

    def end(self, code: int, why: str) -> None:
        """Close the stream, whatever waits."""
        if not self._end.done():
            self._end.set_result(Ended(code, why))
            self.wake()
            if self.abort is not None and self.sending_since is not None:
                self.abort()

    async def calm(self) -> None:
        """Wait until few messages wait for the client: who only asks and never listens is not heard."""
        while self.subs.messages > MESSAGES:
            await asyncio.sleep(0.05)

    async def ended(self) -> Ended:
        """Wait until the stream is to be closed by us; return why."""
        return await asyncio.shield(self._end)

    async def told(self) -> AsyncIterator[Message]:
        """Yield what waits, and what comes, until we end the stream. Who iterates comes back once a message is sent."""
        now = asyncio.get_running_loop().time
        while not self._end.done():
            self._news.clear()
            while (messages := self.subs.take()) and not self._end.done():
                for message in messages:
                    self.sending_since = now()
                    yield message
                self.sending_since = None
                self.hub.serve(self)
            self.hub.serve(self)
            await self._news.wait()

    def become(self, caller: Any) -> None:
        """Be another caller, who has shown his key; what he may not see ends."""
        self.caller = caller
        for number, wanted in list(self.wanted.items()):
            if wanted.secret and not caller.may("admin"):
                self._end_of(number)
                told = f"the table {wanted.table} is for keys of role admin"
                self.subs.say(sentences.error(None, "forbidden", told, number))
        self.greet()

    def greet(self) -> None:
        """Say hello."""
        lineage = self.hub.lineage
        hello = sentences.hello(self.hub.plant, str(lineage.epoch), lineage.cursor, self.caller.role)
        self.subs.say(hello)
        self.wake()

    def subscribe(self, given: dict[str, Any], told: Any = None) -> int:
        """Begin a subscription from a client's terms; return its number. Raises Refused.

        `after` and `epoch` resume one; `told` is the id of the message, which the answer repeats.
        """
        terms = {name: value for name, value in given.items() if name not in ("after", "epoch")}
        wanted = wanted_of(terms, self.hub.schema)
        if wanted.secret and not self.caller.may("admin"):
            raise Refused("forbidden", f"the table {wanted.table} is for keys of role admin")
        if len(self.subs) >= self.hub.settings.subscriptions:
            raise Refused("rate_limited", f"at most {self.hub.settings.subscriptions} subscriptions; end one first")
        after = self._after(given.get("after"), given.get("epoch"), wanted)
        number = self.subs.next_number
        cursor = self.hub.join(self, number, wanted)
        self.subs.open(wanted, cursor, after, sentences.answer(told))
        self.wanted[number] = wanted
        self.wake()
        return number

    def unsubscribe(self, number: Any, told: Any = None) -> None:
        """End a subscription. Raises Refused if there is none of this number."""
        if type(number) is not int or number not in self.wanted:
            raise Refused("invalid", f"there is no subscription {str(number)[:40]}")
        self._end_of(number)
        self.subs.say(sentences.unsubscribed(told, number))
        self.wake()

    def _end_of(self, number: int) -> None:
        self.hub.leave(self, number, self.wanted.pop(number))
        self.subs.close(number)

    def _after(self, after: Any, epoch: Any, wanted: Wanted) -> int | None:
        """Return the seq behind which a subscription goes on, None if it begins with a snapshot."""
        if after is None:
            return None
        if type(after) is not int or not (epoch is None or isinstance(epoch, str)):
            raise Refused("invalid", f"after is a seq and epoch a text, as hello and marks told them; found {after!r}")
        if wanted.by_time or not self.hub.lineage.proves(after, epoch):
            return None
        return after if self.hub.lineage.cursor - after <= self.hub.settings.replay_rows else None
