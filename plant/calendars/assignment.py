"""Which symbol has the calendar of which exchange, as plant.toml says."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType

from plant.calendars.exchange import exchange
from plant.calendars.sessions import Sessions
from plant.errors import SettingsError


class Calendars:
    """Calendars by symbol and by feed: `symbols` has patterns of symbols by code, `feeds` the code of each feed,
    `instruments` codes by symbol or pattern, for what has no other.

    >>> calendars = Calendars({"XNYS": ("AAPL", "BRK*")}, {"london": "XLON"})
    >>> [calendars.code("BRK.B"), calendars.code("VOD", "london"), calendars.code("BTC/USDT", "venue")]
    ['XNYS', 'XLON', '']

    Raises SettingsError if two calendars name the same pattern.
    """

    def __init__(
        self,
        symbols: Mapping[str, Sequence[str]],
        feeds: Mapping[str, str],
        instruments: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._exact: dict[str, str] = {}
        self._patterns: list[tuple[str, str]] = []
        for code, patterns in symbols.items():
            for pattern in patterns:
                if (other := self._exact.get(pattern, code)) != code:
                    raise SettingsError(f"[bars] calendars: {pattern} is given to {other} and to {code}; choose one")
                self._exact[pattern] = code
                if set(pattern) & set("*?["):
                    self._patterns.append((pattern, code))
        self._feeds = dict(feeds)
        self._instruments = dict(instruments)
        self._sessions: dict[str, Sessions] = {}

    def code(self, sym: str, feed: str = "") -> str:
        """Return the calendar's code of a symbol whose rows `feed` sends, "" for none.

        A symbol that is named has the one it is named for, else that of the first pattern that fits, else its feed's,
        else its instrument's.
        """
        if found := self._exact.get(sym):
            return found
        found = next((c for p, c in self._patterns if fnmatchcase(sym, p)), "") or self._feeds.get(feed, "")
        return found or self._of_instrument(sym)

    @property
    def none(self) -> bool:
        """Whether no symbol has a calendar."""
        return not self._exact and not any(self._feeds.values())

    def sessions(self, code: str) -> Sessions:
        """Return the sessions of a calendar, made once; those of "" never end. Raises SettingsError."""
        if code not in self._sessions:
            self._sessions[code] = Sessions(exchange(code, self._place(code)) if code else None)
        return self._sessions[code]

    def check(self) -> None:
        """Raise SettingsError if one of the calendars is none."""
        for code in sorted({*self._exact.values(), *self._feeds.values(), *self._instruments.values()} - {""}):
            self.sessions(code)

    def _of_instrument(self, sym: str) -> str:
        if sym in self._instruments:
            return self._instruments[sym]
        return next((code for p, code in self._instruments.items() if fnmatchcase(sym, p)), "")

    def _place(self, code: str) -> str:
        if code in self._exact.values():
            return "[bars] calendars"
        return "[[feeds]] calendar" if code in self._feeds.values() else "[[instruments]] calendar"
