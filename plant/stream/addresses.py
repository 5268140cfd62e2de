"""Which of several plants is spoken to, and when it is the next one's turn: a state machine without sockets and clocks.

A plant and its standbys are gone round: on from one that is silent, and from one that says it takes no rows. None is
preferred: one that answers is kept.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

from plant.errors import SettingsError

Address = TypeVar("Address")

PAUSE_S = 1.0
"""Once all of them have said no, so long passes before the first is asked again."""


class Addresses(Generic[Address]):
    """`present` is the address in use; times (`now`) are seconds of any clock. Raises SettingsError for none at all."""

    def __init__(self, addresses: Iterable[Address], now: float) -> None:
        self.all = tuple(dict.fromkeys(addresses))
        if not self.all:
            raise SettingsError("expected the address of a plant, or several, found none")
        self._number = self._refusals = 0
        self._since = now  # heard of it, or turned to it
        self._next_at: float | None = None

    @property
    def present(self) -> Address:
        """The one in use."""
        return self.all[self._number]

    @property
    def several(self) -> bool:
        """Whether there is another one to go on to."""
        return len(self.all) > 1

    def heard(self, now: float) -> None:
        """Note that the present one has said something."""
        self._since = max(now, self._since)

    def welcomed(self) -> None:
        """Note that the present one is what was looked for."""
        self._refusals, self._next_at = 0, None

    def refused(self, now: float) -> None:
        """Note that the present one is not what is looked for: the next one's turn is now, or after a pause."""
        if self._next_at is not None:
            return  # it said so before
        self._refusals += 1
        if self._refusals >= len(self.all):
            self._refusals, self._next_at = 0, now + PAUSE_S
        else:
            self._next_at = now

    def due(self, now: float, silence_s: float) -> bool:
        """Return whether it is the next one's turn: after a no, or so long a silence."""
        if self._next_at is not None:
            return now >= self._next_at
        return now - self._since > silence_s

    def go_on(self, now: float) -> Address:
        """Turn to the next one, the same if there is no other, and return it."""
        self._number = (self._number + 1) % len(self.all)
        self._since, self._next_at = now, None
        return self.present
