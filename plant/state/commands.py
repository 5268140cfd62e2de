"""Commands as they are taken: which rows of `commands` count, and whether an order by hand can be one."""

import json
import math
from bisect import insort
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from plant.errors import SettingsError, nearest_names
from plant.rows.columns import Columns
from plant.rows.tables import schema_of
from plant.state.newest import Row, rows_of_columns

OBEYED_NS = 60 * 10**9
"""A command is obeyed only if the plant took it so soon after it was given."""

EVERYBODY = "*"

KEPT = ("order", "kill", "resume", "limits")
"""Commands that count for runs which begin later."""

_TIMES = schema_of()["commands"].times

_NUMBERS = ("qty", "notional", "limit", "stop", "trail", "stop_loss", "take_profit", "trailing_stop")
_TEXTS = ("account", "side", "type", "tif", "tag", "client_order_id")
_CALLED = {"limit_price": "limit", "stop_price": "stop", "time_in_force": "tif"}
_KIND = {(False, False): "market", (True, False): "limit", (False, True): "stop", (True, True): "stop_limit"}


def is_obeyed(row: Row) -> bool:
    """Return whether a row of `commands` counts: it did not come too late."""
    return bool(row["received"] - row["time"] <= OBEYED_NS)


def is_of_account(sym: str, account: str) -> bool:
    """Return whether a command for `sym` is for all of an account, and not for one of its strategies alone."""
    return sym in (EVERYBODY, account)


def reaches(sym: str, account: str, names: Collection[str]) -> bool:
    """Return whether a command for `sym` is for an account, or for what one of the names calls: a run, a strategy."""
    return is_of_account(sym, account) or sym in names


class GivenCommand(NamedTuple):
    """A command that counts: `sym` is whom or what it is for, `arguments` what it says."""

    id: str
    command: str
    sym: str
    arguments: dict[str, Any]
    time: int
    received: int
    seq: int
    seq_row: int

    @property
    def place(self) -> tuple[int, int]:
        """Its place in the journal."""
        return self.seq, self.seq_row

    def reaches(self, account: str, *names: str) -> bool:
        """Return whether it is for an account, or for what one of the names calls: a run, a strategy."""
        return reaches(self.sym, account, names)

    def is_of_account(self, account: str) -> bool:
        """Return whether it is for all of an account, and not for one of its strategies alone."""
        return is_of_account(self.sym, account)


def told_of(row: Row) -> GivenCommand | None:
    """Return what a row of `commands` says; None for one that came too late, or whose arguments are no object."""
    try:
        arguments = json.loads(row["arguments"] or "{}")
    except ValueError:
        return None
    if not isinstance(arguments, dict) or not is_obeyed(row):
        return None
    place = (row["time"], row["received"], row["seq"], row["seq_row"])
    return GivenCommand(row["id"], row["command"], row["sym"], arguments, *place)


class KeptCommands:
    """The commands of KEPT that count, in the order of the journal; rows may come in any portions, and twice."""

    def __init__(self) -> None:
        self._places: set[tuple[int, int]] = set()
        self._found: list[GivenCommand] = []

    def __iter__(self) -> Iterator[GivenCommand]:
        return iter(self._found)

    def take(self, columns: Columns) -> list[Row]:
        """Take rows of `commands`; return those that are new, and count."""
        new = []
        for row in rows_of_columns(columns, _TIMES):
            told = told_of(row) if row["command"] in KEPT else None
            if told is not None and told.place not in self._places:
                self._places.add(told.place)
                insort(self._found, told, key=lambda each: each.place)
                new.append(row)
        return new


def terms_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an order by hand says, by the keywords of strategies: side, qty or notional, limit, stop, ...

    It may be said in the words of the table `orders` (limit_price, stop_price, time_in_force), and with its `type`.
    Raises SettingsError for a word that no order has, and for a value that none can have.

    >>> terms_of({"side": "buy", "qty": 3, "type": "limit", "limit_price": 9.5, "account": "paper"})
    {'side': 'buy', 'qty': 3, 'limit': 9.5}
    """
    told = {_CALLED.get(key, key): value for key, value in arguments.items() if value is not None}
    known = (*_NUMBERS, *_TEXTS)
    for key, value in told.items():
        if key not in known:
            near = nearest_names(key, known, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise SettingsError(f"order: unknown argument {key!r}{hint}; arguments are: {', '.join(known)}")
        text = key in _TEXTS or (key == "qty" and isinstance(value, str))
        if not isinstance(value, str) if text else not _is_number(value):
            raise SettingsError(f"order: {key} must be a {'text' if text else 'finite number'}, found {value!r}")
    if told.get("side") not in ("buy", "sell"):
        raise SettingsError(f"order: side must be buy or sell, found {told.get('side')!r}")
    if ("qty" in told) == ("notional" in told):
        raise SettingsError("order: expected qty, units, or notional, quote currency; one of them")
    kind = _KIND["limit" in told, "stop" in told]
    if "type" in told and told["type"] != kind:
        raise SettingsError(f"order: with these prices its type is {kind}, found type {told['type']!r}")
    return {key: value for key, value in told.items() if key not in ("account", "type")}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
