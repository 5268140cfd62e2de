"""A run as one of its account's: what the account had before, what other runs tell, what is taken over of them."""

from collections.abc import Callable, Iterable, Sequence

from trading.accounts.opening import Opening
from trading.desk.dealing import Dealing
from trading.desk.ledger import Action
from trading.events import Event, Neighbour, neighbour_of


class Member:
    """The strategy hears nothing of all this.

    begun   whether the run has begun
    taken   returns the actions that were put out, and forgets them
    """

    def __init__(self, dealing: Dealing, begun: Callable[[], bool], taken: Callable[[], Sequence[Action]]) -> None:
        self._dealing, self._begun, self._taken = dealing, begun, taken

    def remember(self, opening: Opening) -> None:
        """Take what the account had, and was told, before the run began. Raises SettingsError."""
        for table, row in opening.rows:
            self._dealing.neighbour(neighbour_of(table, row, 0))
        self._dealing.guard.remember(opening)

    def hear(self, neighbour: Neighbour) -> Sequence[Action]:
        """Take what another run of the account told; return the actions that follow."""
        self._dealing.neighbour(neighbour)
        if self._begun():
            self._dealing.look(neighbour)
        return self._taken()

    def tell(self, neighbour: Neighbour) -> Sequence[Action]:
        """Take what this run told of what another strategy holds, and mark the equity; return what follows."""
        self._dealing.neighbour(neighbour)
        self._dealing.mark(neighbour)
        if self._begun():
            self._dealing.look(neighbour)
        return self._taken()

    def adopt(self, event: Event, symbols: Iterable[str], why: str = "") -> Sequence[Action]:
        """Take over what runs of the strategy left of some symbols; `why` the strategy is halted, "": it is not."""
        for sym in symbols:
            self._dealing.takeover.adopt(sym, event)
        if why:
            self._dealing.guard.halt(why)
        return self._taken()
