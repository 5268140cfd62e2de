"""Tickets for WebSockets of browsers, which cannot set headers: for one connection, within TICKET_S."""

import secrets

from api.access.caller import Caller

TICKET_S = 30.0

_MOST = 10_000


class Tickets:
    """The tickets that were given out and not used. Times are seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        self._given: dict[str, tuple[Caller, float]] = {}

    def give(self, caller: Caller, now: float) -> str:
        """Return a new ticket of a caller."""
        self._given = {t: kept for t, kept in self._given.items() if kept[1] > now}
        while len(self._given) >= _MOST:
            self._given.pop(next(iter(self._given)))
        ticket = secrets.token_urlsafe(24)
        self._given[ticket] = (caller, now + TICKET_S)
        return ticket

    def use(self, ticket: str, now: float) -> Caller | None:
        """Return whose ticket it is, None if it is none, was used or is too old. It cannot be used again."""
        caller, until = self._given.pop(ticket, (None, 0.0))
        return caller if now < until else None
